"""OpenInference (Arize Phoenix): `llm.*` and `openinference.span.kind`."""

from dataclasses import replace

from outlay_collector.dialects.model import IN_DOCUMENTS, Blob, Dialect
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT

_RESPONSE = (
    Blob("output.value", "usage"),
    Blob("output.value", "usageMetadata"),
    Blob("output.value", "usage_metadata"),
    Blob("output.value", "meta"),
)
_FIELDS = {
    "provider": ("llm.provider", "llm.system"),
    "request_model": (
        "llm.request.model_name",
        "llm.invocation_parameters#model",
        "embedding.invocation_parameters#model",
        "input.value#model",
    ),
    "response_model": (
        "llm.response.model_name",
        "output.value#generations.0.0.message.kwargs.response_metadata.model_name",
        "output.value#generations.0.0.message.kwargs.response_metadata.model",
        "output.value#generations.0.0.generation_info.model_name",
        "output.value#model",
        "output.value#modelVersion",
        "output.value#raw.model",
        "llm.model_name",
    ),
    "response_id": (
        "gen_ai.response.id",
        "output.value#id",
        "output.value#responseId",
        "output.value#response_id",
        "output.value#generations.0.0.message.kwargs.response_metadata.id",
        "output.value#raw.id",
    ),
    "streamed": ("llm.invocation_parameters#stream",),
    "service_tier": (
        "gen_ai.response.service_tier",
        "output.value#service_tier",
        "output.value#generations.0.0.message.kwargs.response_metadata.service_tier",
        "output.value#raw.service_tier",
    ),
    "request_tier": ("llm.invocation_parameters#service_tier",),
    "cost_usd": ("output.value#usage.cost.total_cost", "output.value#usage.cost"),
}
_CHARGED = ("outlay.cost.usd", "gen_ai.usage.cost", IN_DOCUMENTS)

PROVIDER = Dialect(
    name="openinference",
    title="OpenInference",
    scopes=(
        "openinference.instrumentation.openai$",
        "openinference.instrumentation.anthropic",
        "openinference.instrumentation.bedrock",
        "openinference.instrumentation.google_genai",
        "openinference.instrumentation.vertexai",
        "openinference.instrumentation.mistralai",
        "openinference.instrumentation.groq",
        "@arizeai/openinference-instrumentation-openai",
        "@arizeai/openinference-instrumentation-anthropic",
        "@arizeai/openinference-instrumentation-bedrock",
    ),
    rank=30,
    fields=_FIELDS,
    usage=_RESPONSE,
    answers=("output.value",),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    charged_costs=_CHARGED,
    notes=(
        "`llm.model_name` is the response model, or the request model after an error.",
        "Prompt counts include cached tokens for every provider, Bedrock too.",
        "No response id of its own: it is read from the JSON of `output.value`.",
    ),
)

# Before these versions the prompt count was the wire's, which leaves cached tokens out.
ANTHROPIC_OLD = replace(
    PROVIDER,
    name="openinference_anthropic_old",
    title="OpenInference for Anthropic before 0.1.14",
    scopes=("openinference.instrumentation.anthropic@<0.1.14",),
    input_excludes_cached=("anthropic",),
    notes=("Prompt counts leave cached tokens out; they are read from the JSON of `output.value`.",),
)

GOOGLE_OLD = replace(
    PROVIDER,
    name="openinference_google_old",
    title="OpenInference for Gemini before 0.1.4",
    scopes=("openinference.instrumentation.google_genai@<0.1.4",),
    output_excludes_reasoning=("*",),
    notes=("Completion counts leave thoughts out; the total has them.",),
)

FRAMEWORK = Dialect(
    name="openinference_framework",
    title="OpenInference for frameworks (LlamaIndex, CrewAI, OpenAI Agents …)",
    scopes=("openinference.", "@arizeai/openinference"),
    marks=("openinference.span.kind",),
    rank=40,
    fields=_FIELDS,
    usage=_RESPONSE,
    answers=("output.value",),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    charged_costs=_CHARGED,
)

LANGCHAIN = replace(
    FRAMEWORK,
    name="openinference_langchain",
    title="OpenInference for LangChain",
    scopes=("openinference.instrumentation.langchain", "@arizeai/openinference-instrumentation-langchain"),
    marks=(),
)

LANGCHAIN_OLD = replace(
    LANGCHAIN,
    name="openinference_langchain_old",
    title="OpenInference for LangChain before 0.1.52",
    scopes=("openinference.instrumentation.langchain@<0.1.52",),
    input_excludes_cached=("anthropic",),
    notes=("Prompt counts of Anthropic's models leave cached tokens out where these are told.",),
)

# A crew adds up what its agents' models ever used, once for each agent that shares one.
CREWAI = replace(
    FRAMEWORK,
    name="openinference_crewai",
    title="OpenInference for CrewAI",
    scopes=("openinference.instrumentation.crewai",),
    marks=(),
    accumulates=True,
    notes=("A crew counts what its agents' models ever used, for each agent anew: beside calls that is nothing more.",),
)

# Embedders answer with their usage one level deeper.
HAYSTACK = Dialect(
    name="openinference_haystack",
    title="OpenInference for Haystack",
    scopes=("openinference.instrumentation.haystack",),
    rank=40,
    fields=_FIELDS,
    usage=(Blob("output.value", "meta.usage"),),
)
