"""OpenLLMetry and Traceloop: `gen_ai.*` of several generations and `llm.*` of the oldest."""

from outlay_collector.dialects.model import Dialect

PROVIDER = Dialect(
    name="openllmetry",
    title="OpenLLMetry, Traceloop SDK",
    scopes=(
        "opentelemetry.instrumentation.openai.",
        "opentelemetry.instrumentation.openai$",
        "opentelemetry.instrumentation.anthropic",
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
        "@traceloop/instrumentation-cohere",
        "@traceloop/instrumentation-together",
    ),
    rank=30,
    notes=("Anthropic streams: output is too high by message_start's count (2); the SDK's own span has it right.",),
)

BEDROCK = Dialect(
    name="openllmetry_bedrock",
    title="OpenLLMetry for Bedrock",
    scopes=("opentelemetry.instrumentation.bedrock", "@traceloop/instrumentation-bedrock"),
    rank=30,
    input_excludes_cached=("*",),
    notes=("Input excludes cached tokens, every other client's includes them, under the same keys.",),
)

GOOGLE = Dialect(
    name="openllmetry_google",
    title="OpenLLMetry for Gemini and Vertex AI",
    scopes=(
        "opentelemetry.instrumentation.google_generativeai",
        "opentelemetry.instrumentation.vertexai",
        "@traceloop/instrumentation-vertexai",
    ),
    rank=30,
    output_excludes_reasoning=("*",),
    notes=("Output excludes thoughts; the total has them.",),
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
