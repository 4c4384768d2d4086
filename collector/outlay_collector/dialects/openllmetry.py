"""OpenLLMetry and Traceloop: `gen_ai.*` of several generations and `llm.*` of the oldest."""

from dataclasses import replace

from outlay_collector.dialects.model import Dialect
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT

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
        "@traceloop/instrumentation-anthropic",
        "@traceloop/instrumentation-cohere",
        "@traceloop/instrumentation-together",
    ),
    rank=30,
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    notes=("Anthropic streams: output is too high by message_start's count (2); the SDK's own span has it right.",),
)

# instrumentation-openai 0.27 (JavaScript): it never reads the usage of a chat stream, counts the texts with a tokenizer
# of its own instead, and reckons images from their size; what a span says does not tell which it is.
OPENAI_JS = Dialect(
    name="openllmetry_openai_js",
    title="OpenLLMetry for OpenAI in JavaScript",
    scopes=("@traceloop/instrumentation-openai",),
    rank=30,
    estimated_without="gen_ai.usage.cache_read.input_tokens",
    tells_streams=False,
    notes=(
        "Counts of a streamed chat are the library's guess from the texts (1 and 7 tokens for 1,391 and 50), under the "
        "keys of real ones.",
        "So every count is an estimate but for those beside cached tokens (responses), which only a provider says, and "
        'where the span says that nothing was streamed: `extraAttributes: {"gen_ai.request.stream": false}`.',
    ),
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

CREWAI = replace(
    FRAMEWORK,
    name="openllmetry_crewai",
    title="OpenLLMetry for CrewAI",
    scopes=("opentelemetry.instrumentation.crewai",),
    marks=(),
    accumulates=True,
    notes=("A crew counts what its agents' models ever used, for each agent anew: beside calls that is nothing more.",),
)
