"""Pydantic Logfire's OpenAI and Anthropic integrations."""

from outlay_collector.dialects.model import Blob, Dialect

TABLE = Dialect(
    name="logfire",
    title="Logfire",
    scopes=("logfire",),
    rank=30,
    tail=("logfire.span_type", "log"),
    fields={"tail_s": ("duration",)},
    usage=(Blob("gen_ai.usage.raw"),),
    notes=(
        "A stream is two spans: the request without usage, and a log-like span with it when the stream has ended.",
        "Cached and reasoning tokens only in the JSON of `gen_ai.usage.raw`, which counts as the wire does.",
    ),
)
