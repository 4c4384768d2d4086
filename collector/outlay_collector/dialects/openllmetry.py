"""OpenLLMetry and Traceloop: `gen_ai.*` of several generations and `llm.*` of the oldest."""

from outlay_collector.dialects.model import Dialect

PROVIDER = Dialect(
    name="openllmetry",
    title="OpenLLMetry, Traceloop SDK",
    scopes=(
        "opentelemetry.instrumentation.openai.",
        "opentelemetry.instrumentation.openai$",
        "opentelemetry.instrumentation.anthropic",
        "opentelemetry.instrumentation.bedrock",
        "opentelemetry.instrumentation.google_generativeai",
        "opentelemetry.instrumentation.vertexai",
        "opentelemetry.instrumentation.cohere",
        "opentelemetry.instrumentation.mistralai",
        "opentelemetry.instrumentation.ollama",
        "opentelemetry.instrumentation.groq",
        "opentelemetry.instrumentation.together",
        "opentelemetry.instrumentation.replicate",
        "opentelemetry.instrumentation.alephalpha",
        "opentelemetry.instrumentation.sagemaker",
        "opentelemetry.instrumentation.watsonx",
        "opentelemetry.instrumentation.writer",
        "opentelemetry.instrumentation.voyageai",
        "@traceloop/instrumentation-openai",
        "@traceloop/instrumentation-anthropic",
        "@traceloop/instrumentation-bedrock",
        "@traceloop/instrumentation-cohere",
        "@traceloop/instrumentation-vertexai",
        "@traceloop/instrumentation-together",
    ),
    rank=30,
    input_excludes_cached=("aws.bedrock",),
    output_excludes_reasoning=("gcp.gemini", "gcp.vertex_ai"),
    notes=(
        "Bedrock input excludes cached tokens, every other provider's includes them, under the same keys.",
        "Anthropic streams: output is too high by message_start's count (2); the SDK's own span has it right.",
    ),
)

FRAMEWORK = Dialect(
    name="openllmetry_framework",
    title="OpenLLMetry for frameworks (LangChain, LlamaIndex, OpenAI Agents, Haystack, CrewAI)",
    scopes=(
        "opentelemetry.instrumentation.langchain",
        "opentelemetry.instrumentation.llamaindex",
        "opentelemetry.instrumentation.openai_agents",
        "opentelemetry.instrumentation.haystack",
        "opentelemetry.instrumentation.crewai",
        "opentelemetry.instrumentation.agno",
        "opentelemetry.instrumentation.transformers",
        "opentelemetry.instrumentation.mcp",
        "@traceloop/instrumentation-langchain",
        "@traceloop/instrumentation-llamaindex",
        "traceloop",
    ),
    marks=("traceloop.span.kind", "traceloop.entity.name"),
    rank=40,
    fields={
        "provider": ("traceloop.association.properties.ls_provider",),
        "request_model": ("gen_ai.request.model", "traceloop.association.properties.ls_model_name"),
    },
)
