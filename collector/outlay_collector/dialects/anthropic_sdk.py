"""The Anthropic Python SDK's own client spans, made whenever a global tracer provider exists."""

from outlay_collector.dialects.model import Dialect

PLATFORM = Dialect(
    name="anthropic_platform",
    title="Claude platform (the provider's own spans)",
    scopes=("com.anthropic.claude-platform",),
    rank=12,
    notes=(
        "Written by the provider at its side of a request, which the client's span describes too: they share the",
        "response's id or the request's, and the client's is the call.",
    ),
)

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
