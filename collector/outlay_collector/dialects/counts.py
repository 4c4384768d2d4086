"""Names of counts that every dialect falls back on: tokens by side and kind, and units beside them.

Sources: OpenTelemetry GenAI semantic conventions 1.27 to 1.38 and their own repository since 2026, OpenInference,
the wire's words flattened into attributes, and the recorded exports in tests/data/otlp-corpus.
"""

from __future__ import annotations


def _modalities() -> dict[str, tuple[str, ...]]:
    """Parts of a side that are told by kind, in every spelling: OpenTelemetry's, the wire's, and flat ones."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in ("audio", "image", "video", "text"):
        for side, words, openinference in (
            ("input", ("input", "prompt"), "prompt"),
            ("output", ("output", "completion", "candidates"), "completion"),
        ):
            found[f"{side}_{kind}_tokens"] = (
                f"gen_ai.usage.{kind}.{side}_tokens",
                f"gen_ai.usage.{side}.{kind}_tokens",
                f"gen_ai.usage.{side}_tokens.{kind}",
                *(f"gen_ai.usage{inner}.{word}_{kind}_tokens" for word in words for inner in ("", ".details")),
                *(f"gen_ai.usage{inner}.{kind}_{word}_tokens" for word in words for inner in ("", ".details")),
                *(f"gen_ai.usage.{word}_tokens_details.{kind}_tokens" for word in words),
                *(f"llm.usage.{word}_tokens_details.{kind}_tokens" for word in words),
                f"gen_ai.usage.{side}_token_details.{kind}",
                f"gen_ai.usage.{side}_token_details.{kind}_tokens",
                f"llm.token_count.{openinference}_details.{kind}",
            )
        found[f"cache_read_{kind}_tokens"] = (
            f"gen_ai.usage.{kind}.cache_read.input_tokens",
            f"gen_ai.usage.cache_read.{kind}.input_tokens",
            f"gen_ai.usage.cache_read.{kind}_tokens",
            *(
                f"gen_ai.usage{inner}.{name}"
                for inner in ("", ".details")
                for name in (
                    f"cache_read_{kind}_tokens",
                    f"cache_{kind}_read_tokens",
                    f"cached_{kind}_tokens",
                    f"{kind}_cache_tokens",
                    f"{kind}_cached_tokens",
                )
            ),
            *(
                f"{usage}.{word}_details.cached_tokens_details.{kind}_tokens"
                for usage in ("gen_ai.usage", "llm.usage")
                for word in ("input_tokens", "prompt_tokens", "input_token")
            ),
            f"gen_ai.usage.cached_tokens_details.{kind}_tokens",
            f"llm.token_count.prompt_details.cache_read_{kind}",
            f"llm.token_count.prompt_details.cache_input.{kind}",
        )
    return found


MODALITIES = _modalities()


def _units() -> dict[str, tuple[str, ...]]:
    """Units beside tokens: by our own names in every place, and as the wire calls them."""
    wire = {
        "web_searches": ("server_tool_use.web_search_requests", "web_search_requests", "num_search_queries"),
        "file_searches": (),
        "search_units": ("billed_units.search_units",),
        "citation_tokens": (),
        "images": (),
        "video_seconds": (),
        "audio_seconds": (),
        "input_audio_seconds": ("prompt_audio_seconds",),
        "input_characters": ("characters",),
        "input_pages": ("pages_processed",),
    }
    return {
        unit: (
            f"outlay.usage.{unit}",
            *(f"gen_ai.usage{inner}.{name}" for name in (unit, *names) for inner in ("", ".details")),
            *(("anthropic.usage.server_tool_use.web_search_requests",) if unit == "web_searches" else ()),
        )
        for unit, names in wire.items()
    }


UNITS = _units()
COUNTS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "llm.usage.input_tokens",
        "gen_ai.response.input_tokens",
        "gen_ai.response.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "llm.usage.output_tokens",
        "gen_ai.response.output_tokens",
        "gen_ai.response.completion_tokens",
    ),
    "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.input_tokens_details.cached_tokens",
        "gen_ai.usage.prompt_tokens_details.cached_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.cached_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.input_token_details.cache_read",
        "gen_ai.usage.input_token_details.cached_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached.input_tokens",
        "gen_ai.usage.input_cached_tokens",
        "gen_ai.usage.details.input_cached_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.usage.cache_read_input_tokens",
        "llm.usage.cached_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "gen_ai.usage.input_tokens.cache_creation",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.input_token_details.cache_creation",
        "gen_ai.usage.prompt_tokens_details.cache_creation_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_write_tokens",
        "gen_ai.usage.input_tokens_details.cache_write_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.cache_creation_tokens",
        "llm.token_count.prompt_details.cache_write",
        "llm.token_count.prompt_details.cache_creation",
        "llm.usage.cache_creation_input_tokens",
    ),
    "cache_write_5m_tokens": (
        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.details.ephemeral_5m_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_write_30m_tokens",
        "gen_ai.usage.input_tokens_details.cache_write_30m_tokens",
        "gen_ai.usage.cache_write_30m_tokens",
    ),
    "cache_write_1h_tokens": (
        "outlay.usage.cache_write_1h.input_tokens",
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.details.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.prompt_tokens_details.cache_write_12h_tokens",
        "gen_ai.usage.input_tokens_details.cache_write_12h_tokens",
        "gen_ai.usage.cache_write_12h_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.output_tokens_details.reasoning_tokens",
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
        "gen_ai.usage.thoughts_tokens",
        "gen_ai.usage.thinking_tokens",
        "gen_ai.usage.reasoning_output_tokens",
        "gen_ai.usage.output_token_details.reasoning",
        "gen_ai.usage.experimental.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
    ),
    "tool_prompt_tokens": (
        "gen_ai.usage.tool_use_prompt_tokens",
        "gen_ai.usage.details.tool_use_prompt_tokens",
        "gen_ai.usage.tool_use.input_tokens",
        "gen_ai.usage.tool_use_prompt_token_count",
    ),
    **MODALITIES,
    "compaction_input_tokens": ("anthropic.usage.compaction.input_tokens", "gen_ai.usage.compaction.input_tokens"),
    "compaction_cache_read_tokens": (
        "anthropic.usage.compaction.cache_read_input_tokens",
        "anthropic.usage.compaction.cache_read.input_tokens",
        "gen_ai.usage.compaction.cache_read.input_tokens",
    ),
    "compaction_cache_write_tokens": (
        "anthropic.usage.compaction.cache_creation_input_tokens",
        "anthropic.usage.compaction.cache_creation.input_tokens",
        "gen_ai.usage.compaction.cache_creation.input_tokens",
    ),
    "compaction_output_tokens": ("anthropic.usage.compaction.output_tokens", "gen_ai.usage.compaction.output_tokens"),
    **UNITS,
}

# Cached tokens of a compaction in the wire's words: it counts them beside the input. Other words count them inside.
BESIDE_COMPACTION: tuple[str, ...] = (
    "anthropic.usage.compaction.cache_read_input_tokens",
    "anthropic.usage.compaction.cache_creation_input_tokens",
)
