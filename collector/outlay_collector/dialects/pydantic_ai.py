"""PydanticAI: chat spans after the conventions, agent spans with `gen_ai.aggregated_usage.*`."""

from dataclasses import replace

from outlay_collector.dialects.model import Blob, Dialect
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT

TABLE = Dialect(
    name="pydantic_ai",
    title="PydanticAI",
    scopes=("pydantic-ai", "pydantic_ai"),
    rank=40,
    aggregate_input=("gen_ai.aggregated_usage.input_tokens",),
    fields={
        "request_model": ("gen_ai.request.model", "model_name"),
        "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.aggregated_usage.input_tokens"),
        "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.aggregated_usage.output_tokens"),
        "cache_read_tokens": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cached_content_tokens",
            "gen_ai.aggregated_usage.cache_read.input_tokens",
        ),
        "cache_write_tokens": (
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.aggregated_usage.cache_creation.input_tokens",
        ),
        "cache_write_1h_tokens": (
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
            "gen_ai.aggregated_usage.details.ephemeral_1h_input_tokens",
        ),
        "reasoning_tokens": (
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.aggregated_usage.details.reasoning_tokens",
        ),
    },
    usage=(Blob("gen_ai.usage.raw"),),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    notes=("`gen_ai.usage.details.*` repeats parts under several names: one is taken, none is added.",),
)

OLD = replace(
    TABLE,
    name="pydantic_ai_old",
    title="PydanticAI before 0.7.5",
    scopes=("pydantic-ai@<0.7.5", "pydantic_ai@<0.7.5"),
    output_excludes_reasoning=("gcp.gemini", "gcp.vertex_ai", *REASONING_BESIDE_OUTPUT),
    notes=("Gemini's output leaves its thoughts out.",),
)
