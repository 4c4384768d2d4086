"""Vercel AI SDK: outer spans repeat the sum of their steps, inner `*.do*` spans are the calls."""

from outlay_collector.dialects.model import AGGREGATE, CALL, IN_DOCUMENTS, Blob, Dialect, Kind
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT

_METADATA = "ai.response.providerMetadata"

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
        "service_tier": (f"{_METADATA}#openai.serviceTier", f"{_METADATA}#azure.serviceTier"),
        "cost_usd": (f"{_METADATA}#openrouter.usage.cost", f"{_METADATA}#gateway.cost"),
    },
    usage=(
        Blob(_METADATA, "anthropic.usage"),
        Blob(_METADATA, "google.usageMetadata"),
        Blob(_METADATA, "vertex.usageMetadata"),
        *(Blob(_METADATA, name) for name in ("anthropic", "bedrock.usage", "openai", "azure", "deepseek", "groq")),
        Blob(_METADATA, "openrouter.usage"),
    ),
    answers=(f"{_METADATA}#google", f"{_METADATA}#vertex"),
    input_excludes_cached=("anthropic", "aws.bedrock"),
    includes_cached_with=tuple(
        f"ai.usage.inputTokenDetails.{name}Tokens" for name in ("noCache", "cacheRead", "cacheWrite")
    ),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    charged_costs=("outlay.cost.usd", "gen_ai.usage.cost", IN_DOCUMENTS),
    notes=(
        "Input includes cached tokens for all providers since version 6, which says so in `inputTokenDetails`; before, "
        "Anthropic's and Bedrock's leaves them out.",
        "What else the provider counts, its tier and what it charged are in the provider's metadata.",
    ),
)
