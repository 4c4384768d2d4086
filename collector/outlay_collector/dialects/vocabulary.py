"""The words of usage objects: where a field stands in the JSON that providers and libraries write.

One vocabulary reads them all (OpenAI, Anthropic, Gemini, Bedrock, Cohere, LangChain, Langfuse, LiteLLM, Vercel,
MLflow); what a count includes depends on the word and on the blob's style, not on guesses.
"""

from __future__ import annotations


def _modalities() -> dict[str, tuple[str, ...]]:
    """Parts of a side by kind: as objects (OpenAI), and as lists of kinds (Gemini), read as objects by kind."""
    inside = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
    lists = {
        "input": ("promptTokensDetails", "prompt_tokens_details", "inputTokensDetails", "input_tokens_by_modality"),
        "cache_read": ("cacheTokensDetails", "cache_tokens_details", "cached_tokens_by_modality"),
        "output": (
            *("candidatesTokensDetails", "candidates_tokens_details", "output_tokens_by_modality"),
            *("responseTokensDetails", "response_tokens_details"),
        ),
    }
    objects = {
        "input": inside,
        "cache_read": tuple(f"{name}.cached_tokens_details" for name in inside),
        "output": ("completion_tokens_details", "output_tokens_details", "output_token_details"),
    }
    flat = {"input": ("input",), "cache_read": ("input_cached", "cache_read"), "output": ("output",)}
    by_modality = {"input": "input_modality", "cache_read": "cached_modality", "output": "output_modality"}
    return {
        f"{side}_{kind}_tokens": (
            *(f"{name}.{kind}_tokens" for name in objects[side]),
            *(f"{name}.{kind}" for name in objects[side]),
            *(f"{name}.{kind.upper()}" for name in lists[side]),
            *(f"{name}_{kind}" for name in flat[side]),
            *(f"{name}_{kind}_tokens" for name in flat[side]),
            f"{by_modality[side]}_{kind.upper()}",
        )
        for kind in ("audio", "image", "video", "text")
        for side in objects
    }


DURATION = "seconds"
"""How long the audio was, in a usage object of that type."""
WORDS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        "billed_units.input_tokens",
        "prompt_tokens",
        "input_tokens",
        "inputTokens",
        "promptTokenCount",
        "prompt_token_count",
        "input",
        "promptTokens",
        "tokens.input_tokens",
        "prompt_eval_count",
        "total_input_tokens",
    ),
    "output_tokens": (
        "billed_units.output_tokens",
        "completion_tokens",
        "output_tokens",
        "outputTokens",
        "candidatesTokenCount",
        "candidates_token_count",
        "output",
        "completionTokens",
        "tokens.output_tokens",
        "eval_count",
        "total_output_tokens",
    ),
    "total_tokens": ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count", "total"),
    "cache_read_tokens": (
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "input_token_details.cache_read",
        "cache_read_input_tokens",
        "cacheReadInputTokens",
        "cacheReadInputTokenCount",
        "cachedContentTokenCount",
        "cached_content_token_count",
        "input_cache_read",
        "input_cached_tokens",
        "prompt_cache_hit_tokens",
        "inputTokenDetails.cacheReadTokens",
        "cachedInputTokens",
        "cache_read_tokens",
        "input_token_details.cached_tokens",
        "promptTokensDetails.cachedTokens",
        "cachedPromptTokens",
        "promptCacheHitTokens",
        "cachedContentTokens",
        "prompt_cached_tokens",
        "total_cached_tokens",
        "cached_tokens",
    ),
    "cache_write_tokens": (
        "cache_creation_input_tokens",
        "input_token_details.cache_creation",
        "cacheWriteInputTokens",
        "cacheWriteInputTokenCount",
        "prompt_tokens_details.cache_creation_tokens",
        "prompt_tokens_details.cache_write_tokens",
        "input_tokens_details.cache_write_tokens",
        "input_cache_creation",
        "inputTokenDetails.cacheWriteTokens",
        "cache_write_tokens",
        "cacheCreationInputTokens",
    ),
    "cache_write_5m_tokens": (
        "cache_creation.ephemeral_5m_input_tokens",
        "input_token_details.ephemeral_5m_input_tokens",
        "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens",
        "input_cache_creation_5m",
        "prompt_tokens_details.cache_write_30m_tokens",
        "input_tokens_details.cache_write_30m_tokens",
    ),
    "cache_write_1h_tokens": (
        "cache_creation.ephemeral_1h_input_tokens",
        "input_token_details.ephemeral_1h_input_tokens",
        "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
        "cache_creation_input_tokens_above_1hr",
        "input_cache_creation_1h",
        "prompt_tokens_details.cache_write_12h_tokens",
        "input_tokens_details.cache_write_12h_tokens",
    ),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_token_details.reasoning",
        "thoughtsTokenCount",
        "thoughts_token_count",
        "output_reasoning",
        "output_reasoning_tokens",
        "outputTokenDetails.reasoningTokens",
        "reasoningTokens",
        "reasoning_tokens",
        "completionTokensDetails.reasoningTokens",
        "output_tokens_details.thinking_tokens",
        "thoughtsTokens",
        "total_thought_tokens",
    ),
    "tool_prompt_tokens": ("toolUsePromptTokenCount", "tool_use_prompt_token_count", "total_tool_use_tokens"),
    **_modalities(),
    "web_searches": (
        "server_tool_use.web_search_requests",
        "tool_usage.web_search.num_requests",
        "num_search_queries",
    ),
    "citation_tokens": ("citation_tokens",),
    "search_units": ("billed_units.search_units",),
    "input_pages": ("pages_processed",),
    "audio_seconds": (DURATION,),
    "input_audio_seconds": ("prompt_audio_seconds",),
}

# What a usage object calls the tier that served a request, and where it was served.
TIER = ("service_tier", "serviceTier", "trafficType", "traffic_type")
REGION = "inference_geo"
# How much a request searched, where that is what it is billed by.
SEARCH_SIZE = "search_context_size"
SEARCH_SIZES = ("low", "medium", "high")
# Input counts that leave cached tokens out, by style. A condition names words of which one must be there too.
INPUT_EXCLUDES_CACHED: dict[str, dict[str, tuple[str, ...]]] = {
    "wire": {
        "input_tokens": ("cache_creation_input_tokens", "cache_read_input_tokens"),
        "inputTokens": ("cacheReadInputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokens"),
    },
    "inclusive": {},
    "disjoint": {"input": ()},
    "visible": {},
}
# Output counts that leave reasoning out, by style.
OUTPUT_EXCLUDES_REASONING: dict[str, dict[str, tuple[str, ...]]] = {
    "wire": {
        "candidatesTokenCount": (),
        "candidates_token_count": (),
        "outputTokens": ("thoughtsTokens",),
        "total_output_tokens": ("total_thought_tokens",),
        "completion_tokens": ("num_search_queries",),
    },
    "inclusive": {},
    "disjoint": {"output": ()},
    "visible": {"output_tokens": ()},
}
# Parts of usage objects that libraries write as attributes of their own, with JSON in them.
PARTS = (
    *("prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details"),
    *("promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails"),
    *("candidates_tokens_details", "cache_tokens_details", "cache_creation", "server_tool_use"),
)
STYLES = ("wire", "inclusive", "disjoint", "visible")
