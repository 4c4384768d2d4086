"""Vercel AI SDK: outer spans repeat the sum of their steps, inner `*.do*` spans are the calls."""

from outlay_collector.dialects.model import AGGREGATE, CALL, Blob, Dialect, Kind

TABLE = Dialect(
    name="vercel",
    title="Vercel AI SDK",
    scopes=("ai$",),
    marks=("ai.operationId",),
    rank=30,
    kinds=(
        Kind(
            "ai.operationId",
            {
                "*.doembed": (CALL, "embeddings"),
                "*.dogenerate": (CALL, "chat"),
                "*.dostream": (CALL, "chat"),
                "*.dorerank": (CALL, "rerank"),
                "*.dotranscribe": (CALL, "transcription"),
            },
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "provider": ("gen_ai.system", "ai.model.provider"),
        "request_model": ("gen_ai.request.model", "ai.model.id"),
        "response_model": ("gen_ai.response.model", "ai.response.model"),
        "response_id": ("gen_ai.response.id", "ai.response.id"),
        "input_tokens": (
            "ai.usage.inputTokens",
            "gen_ai.usage.input_tokens",
            "ai.usage.promptTokens",
            "ai.usage.tokens",
        ),
        "output_tokens": ("ai.usage.outputTokens", "gen_ai.usage.output_tokens", "ai.usage.completionTokens"),
        "total_tokens": ("ai.usage.totalTokens",),
        "cache_read_tokens": ("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
        "cache_write_tokens": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
        "reasoning_tokens": ("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
        "ttft_ms": ("ai.response.msToFirstChunk",),
    },
    usage=(
        Blob("ai.response.providerMetadata", "anthropic.usage"),
        Blob("ai.response.providerMetadata", "google.usageMetadata"),
    ),
    notes=(
        "Input includes cached tokens for all providers; the 1 h part of cache writes is in the provider's metadata.",
    ),
)
