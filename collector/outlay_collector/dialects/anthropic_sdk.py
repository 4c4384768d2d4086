"""The Anthropic Python SDK's own client spans, made whenever a global tracer provider exists."""

from outlay_collector.dialects.model import Dialect

TABLE = Dialect(
    name="anthropic_sdk",
    title="Anthropic SDK (native spans)",
    scopes=("com.anthropic.sdk",),
    rank=10,
    notes=(
        "Input includes cached tokens although the wire does not.",
        "Often a second span of a request that another library describes, sometimes in a trace of its own.",
    ),
)
