"""What every dialect falls back on: the OpenTelemetry GenAI names of all generations and the widespread others.

Sources: OpenTelemetry GenAI semantic conventions 1.27 to 1.38 and their own repository since 2026, OpenInference,
and the recorded exports in tests/data/otlp-corpus.
"""

from __future__ import annotations

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Kind

OPERATIONS: dict[str, tuple[str, str]] = {
    "chat": (CALL, "chat"),
    "text_completion": (CALL, "text_completion"),
    "completion": (CALL, "text_completion"),
    "completions": (CALL, "text_completion"),
    "generate_content": (CALL, "generate_content"),
    "responses": (CALL, "chat"),
    "response": (CALL, "chat"),
    "message": (CALL, "chat"),
    "messages": (CALL, "chat"),
    "stream": (CALL, "chat"),
    "embeddings": (CALL, "embeddings"),
    "embedding": (CALL, "embeddings"),
    "embed": (CALL, "embeddings"),
    "rerank": (CALL, "rerank"),
    "image_generation": (CALL, "image_generation"),
    "image": (CALL, "image_generation"),
    "generate_image": (CALL, "image_generation"),
    "image_edit": (CALL, "image_generation"),
    "image_variation": (CALL, "image_generation"),
    "audio": (CALL, "audio"),
    "speech": (CALL, "speech"),
    "audio_speech": (CALL, "speech"),
    "speech_generation": (CALL, "speech"),
    "text_to_speech": (CALL, "speech"),
    "transcription": (CALL, "transcription"),
    "audio_transcription": (CALL, "transcription"),
    "speech_to_text": (CALL, "transcription"),
    "audio_translation": (CALL, "transcription"),
    "translation": (CALL, ""),  # of text or of speech: the path of the request tells
    "moderation": (CALL, "moderation"),
    "llm": (CALL, "chat"),
    "invoke_agent": (AGGREGATE, ""),
    "create_agent": (AGGREGATE, ""),
    "invoke_workflow": (AGGREGATE, ""),
    "execute_tool": (AGGREGATE, ""),
    "execute_task": (AGGREGATE, ""),
    "execute_event_loop_cycle": (AGGREGATE, ""),
    "chain": (AGGREGATE, ""),
    "agent": (AGGREGATE, ""),
    "tool": (AGGREGATE, ""),
    "workflow": (AGGREGATE, ""),
    "task": (AGGREGATE, ""),
    "parser": (PLAIN, ""),
    # What judges an answer may repeat its usage; a model that judges has a span of its own below.
    **dict.fromkeys(("evaluate", "evaluation", "evaluator", "score", "judge"), (PLAIN, "")),
    # Of the conventions of 2026: an answer that is fetched was billed to the request that made it.
    "fetch_response": (PLAIN, ""),
    "retrieve_response": (PLAIN, ""),
    "retrieval": (AGGREGATE, ""),
    "plan": (AGGREGATE, ""),
    "search_memory": (AGGREGATE, ""),
    "update_memory": (AGGREGATE, ""),
    "prompt": (PLAIN, ""),
}

# Of several kinds on one span the first is believed.
KINDS: tuple[Kind, ...] = (
    Kind(
        "openinference.span.kind",
        {
            "llm": (CALL, "chat"),
            "embedding": (CALL, "embeddings"),
            "reranker": (CALL, "rerank"),
            "evaluator": (PLAIN, ""),
            "token_counter": (PLAIN, ""),
        },
        otherwise=AGGREGATE,
    ),
    Kind("gen_ai.operation.name", OPERATIONS),
    Kind("traceloop.span.kind", {"llm": (CALL, "chat")}, otherwise=AGGREGATE),
    Kind("llm.request.type", OPERATIONS),
    Kind("gen_ai.request.type", OPERATIONS),
)


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
        "llm.token_count.prompt_details.cache_read",
        "llm.usage.cache_read_input_tokens",
        "llm.usage.cached_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
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
    "web_searches": (
        "outlay.usage.web_searches",
        "gen_ai.usage.web_searches",
        "anthropic.usage.server_tool_use.web_search_requests",
        "gen_ai.usage.details.web_search_requests",
    ),
    "audio_seconds": ("outlay.usage.audio_seconds",),
    "input_audio_seconds": ("outlay.usage.input_audio_seconds",),
    "cost_usd": (
        "outlay.cost.usd",
        "gen_ai.usage.cost",
        "gen_ai.cost.total_cost",
        "operation.cost",
        "llm.cost.total",
        "gen_ai.usage.total_cost",
        "gen_ai.cost.amount",
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

# Cached tokens of a compaction in the wire's words: it counts them beside the input. Other words count them inside.
BESIDE_COMPACTION: tuple[str, ...] = (
    "anthropic.usage.compaction.cache_read_input_tokens",
    "anthropic.usage.compaction.cache_creation_input_tokens",
)
# The cost whose currency an attribute of its own says (`cost_currency`); all others are in USD.
AMOUNT_WITH_CURRENCY = "gen_ai.usage.cost.amount"
# Costs that are written in parts of a dollar: how many of them are one.
COST_PARTS: dict[str, int] = {
    "gen_ai.usage.cost_in_usd_ticks": 10_000_000_000,
    "gen_ai.response.cost_in_usd_ticks": 10_000_000_000,
    "github.copilot.nano_aiu": 100_000_000_000,
}
# What the path of a request says of its operation.
ENDPOINTS: dict[str, str] = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/messages": "chat",
    "/embeddings": "embeddings",
    "/rerank": "rerank",
    "/images/generations": "image_generation",
    "/images/edits": "image_generation",
    "/images/variations": "image_generation",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "transcription",
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
