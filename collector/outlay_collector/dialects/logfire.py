"""Pydantic Logfire's OpenAI and Anthropic integrations."""

from dataclasses import replace

from outlay_collector.dialects.model import CALL, Blob, Dialect, Kind
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT

TABLE = Dialect(
    name="logfire",
    title="Logfire",
    scopes=("logfire",),
    rank=30,
    tail=("logfire.span_type", "log"),
    fields={
        "tail_s": ("duration",),
        "request_model": ("gen_ai.request.model", "request_data#model"),
        "service_tier": ("gen_ai.response.service_tier", "response_data#service_tier"),
        "request_tier": ("request_data#service_tier",),
    },
    usage=(Blob("gen_ai.usage.raw"), Blob("response_data", "usage")),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    notes=(
        "A stream is two spans: the request without usage, and a log-like span with it when the stream has ended.",
        "Cached and reasoning tokens only in the JSON of `gen_ai.usage.raw`, which counts as the wire does.",
    ),
)

OLD = replace(
    TABLE,
    name="logfire_old",
    title="Logfire before 4.19",
    scopes=("logfire.openai@<4.19", "logfire.anthropic@<4.19"),
    kinds=(Kind("logfire.span_type", {"span": (CALL, "chat")}),),
    notes=("Nothing says what a span is; model and usage stand in the JSON of `request_data` and `response_data`.",),
)

ANTHROPIC_OLD = replace(
    TABLE,
    name="logfire_anthropic_old",
    title="Logfire for Anthropic before 4.31",
    scopes=("logfire.anthropic@<4.31",),
    input_excludes_cached=("anthropic",),
    notes=("Input leaves cached tokens out; they are read from the JSON of `response_data`.",),
)
