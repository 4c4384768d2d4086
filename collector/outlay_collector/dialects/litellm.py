"""LiteLLM's own OpenTelemetry callback: a request span and its raw child."""

from outlay_collector.dialects.model import Blob, Dialect

_PROVIDERS = (
    "openai",
    "anthropic",
    "azure",
    "azure_ai",
    "bedrock",
    "vertex_ai",
    "gemini",
    "mistral",
    "groq",
    "cohere",
    "deepseek",
    "xai",
    "openrouter",
    "together_ai",
    "fireworks_ai",
    "ollama",
    "perplexity",
    "None",
)

TABLE = Dialect(
    name="litellm",
    title="LiteLLM",
    scopes=("litellm",),
    marks=("litellm.call_id", "litellm.provider.model"),
    rank=35,
    raw_names=("raw_gen_ai_request",),
    fields={
        "request_model": ("gen_ai.request.model", "litellm.provider.model"),
        "response_model": ("gen_ai.response.model", *(f"llm.{name}.model" for name in _PROVIDERS)),
        "response_id": (*(f"llm.{name}.id" for name in _PROVIDERS), "gen_ai.response.id"),
        "service_tier": (
            "gen_ai.openai.response.service_tier",
            "gen_ai.response.service_tier",
            *(f"llm.{name}.service_tier" for name in _PROVIDERS),
        ),
        "cost_usd": ("gen_ai.cost.total_cost", "litellm.cost.total", "hidden_params#response_cost"),
    },
    usage=(
        Blob("metadata.usage_object", style="inclusive"),
        *(Blob(f"llm.{name}.usage") for name in _PROVIDERS),
        Blob("llm.gemini.usageMetadata"),
        Blob("llm.vertex_ai.usageMetadata"),
    ),
    notes=(
        "Usage details are Python repr texts; Anthropic's raw input excludes cached tokens, the request's does not.",
        "A stream without usage has zeros for tokens and cost: read as unknown.",
        "Its proxy puts a call onto the span of the request that it serves, and loses it where that has ended before: "
        "set `USE_OTEL_LITELLM_REQUEST_SPAN=true`, or `LITELLM_OTEL_V2=true`. Both were captured, with keys.",
        "Of the proxy, what the caller says (`metadata` of the request) goes before whose key it was.",
    ),
)
