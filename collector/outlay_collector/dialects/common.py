"""What every dialect falls back on: the OpenTelemetry GenAI names of all generations and the widespread others.

Sources: OpenTelemetry GenAI semantic conventions 1.27 to 1.38 and their own repository since 2026, OpenInference,
and the recorded exports in tests/data/otlp-corpus.
"""

from __future__ import annotations

from outlay_collector.dialects.counts import COUNTS

FIELDS: dict[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    "request_model": (
        "gen_ai.request.model",
        "llm.request.model_name",
        "llm.request.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    "response_model": ("gen_ai.response.model", "llm.response.model_name", "llm.response.model"),
    "response_id": ("gen_ai.response.id", "llm.response.id", "gen_ai.openai.response.id"),
    # The provider's own number of a request, in its answer's headers: not the application's, which retries share.
    "provider_request_id": (
        "anthropic.request.id",
        "anthropic.request_id",
        "anthropic.response.request_id",
        "openai.request.id",
        "aws.request_id",
        "http.response.header.request-id",
        "http.response.header.x-request-id",
    ),
    "service_tier": (
        "gen_ai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "openai.response.service_tier",
        "anthropic.response.service_tier",
    ),
    "request_tier": (
        "gen_ai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "openai.request.service_tier",
        "anthropic.request.service_tier",
    ),
    "region": (
        "outlay.region",
        "anthropic.response.inference_geo",
        "anthropic.usage.inference_geo",
        "gen_ai.usage.inference_geo",
        "gen_ai.usage.details.inference_geo",
        "gen_ai.response.inference_geo",
        "gen_ai.response.region",
        "gcp.vertex_ai.location",
        "gen_ai.request.region",
        "anthropic.request.inference_geo",
        "gen_ai.request.inference_geo",
    ),
    "error_type": ("error.type", "exception.type"),
    **COUNTS,
    "cost_usd": (
        "outlay.cost.usd",
        "gen_ai.usage.cost",
        "gen_ai.cost.total_cost",
        "operation.cost",
        "llm.cost.total",
        "gen_ai.usage.total_cost",
        "gen_ai.cost.amount",
        "gen_ai.cost.usd",
        "gen_ai.usage.cost_usd",
        "llm.usage.cost",
        "gen_ai.usage.cost.amount",
        "gen_ai.usage.cost_in_usd_ticks",
        "gen_ai.response.cost_in_usd_ticks",
        "github.copilot.nano_aiu",
    ),
    "ttft_s": (
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.response.time_to_first_token",
        "gen_ai.server.ttft",
    ),
    "streamed": (
        "gen_ai.request.stream",
        "gen_ai.is_streaming",
        "llm.is_streaming",
        "gen_ai.request.streaming",
        "gen_ai.request.is_stream",
        "llm.request.streaming",
    ),
}

# The cost whose currency an attribute of its own says (`cost_currency`); all others are in USD.
AMOUNT_WITH_CURRENCY = "gen_ai.usage.cost.amount"
# Costs that are written in parts of a dollar: how many of them are one.
COST_PARTS: dict[str, int] = {
    "gen_ai.usage.cost_in_usd_ticks": 10_000_000_000,
    "gen_ai.response.cost_in_usd_ticks": 10_000_000_000,
    "github.copilot.nano_aiu": 100_000_000_000,
}
# Attributes with these beginnings become tags named by what follows.
TAG_PREFIXES: tuple[str, ...] = (
    "outlay.tag.",
    "langfuse.trace.metadata.",
    "traceloop.association.properties.",
    "lmnr.association.properties.",
    "ai.telemetry.metadata.",
)
# Attributes read as they are, whatever the dialect.
OWN: dict[str, str] = {
    "attempt": "outlay.attempt",
    "request_id": "outlay.request_id",
    "estimated": "outlay.usage.estimated",
    "cache_kind": "outlay.cache.kind",
    "cache_hit": "outlay.cache.hit",
    "cache_similarity": "outlay.cache.similarity",
    "avoided_input": "outlay.cache.avoided.input_tokens",
    "avoided_output": "outlay.cache.avoided.output_tokens",
    "http_status": "http.response.status_code",
    "server_address": "server.address",
    "base_url": "gen_ai.request.base_url",
    "url": "url.full",
    "path": "url.path",
    "route": "http.route",
    "cost_currency": "gen_ai.usage.cost.currency",
    "level": "langfuse.observation.level",
}
