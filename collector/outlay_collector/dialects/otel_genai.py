"""OpenTelemetry GenAI conventions: the official instrumentations, and every library that nothing else recognizes."""

from outlay_collector.dialects.model import CALL, Blob, Dialect, Kind
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT
from outlay_collector.dialects.vocabulary import PARTS

TABLE = Dialect(
    name="otel_genai",
    title="OpenTelemetry GenAI",
    scopes=(
        "opentelemetry.instrumentation.genai",
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.google_genai",
        "opentelemetry.instrumentation.vertexai_v2",
        "opentelemetry.instrumentation.anthropic_v2",
        "opentelemetry.util.genai",
        "@opentelemetry/instrumentation-openai",
        "go.opentelemetry.io/contrib/instrumentation",
        "Experimental.Microsoft.Extensions.AI",
        "Microsoft.Extensions.AI",
        "OpenAI.ChatClient",
        "org.springframework.ai",
    ),
    rank=20,
    usage=(
        *(Blob(key) for key in ("gen_ai.usage", "gen_ai.response.usage", "llm.usage")),
        *(Blob(f"gen_ai.usage.{part}", part=part) for part in PARTS),
    ),
    output_excludes_reasoning=REASONING_BESIDE_OUTPUT,
    notes=("Input includes cached tokens, output includes reasoning; the default for libraries without a table.",),
)

ANTHROPIC = Dialect(
    name="otel_genai_anthropic",
    title="OpenTelemetry GenAI for Anthropic",
    scopes=("opentelemetry.instrumentation.genai.anthropic",),
    rank=20,
    estimated_without="gen_ai.response.finish_reasons",
    notes=("A stream that was not read to its end carries the output count it began with, and no reason to end.",),
)

# The same keys, but Bedrock's own counts under them.
BEDROCK = Dialect(
    name="otel_genai_bedrock",
    title="OpenTelemetry GenAI for Bedrock (genai-bedrock, botocore, aws-sdk)",
    scopes=(
        "opentelemetry.instrumentation.genai.bedrock",
        "opentelemetry.instrumentation.botocore",
        "@opentelemetry/instrumentation-aws-sdk",
    ),
    rank=20,
    input_excludes_cached=("*",),
    notes=("Input is copied from the wire, which counts cached tokens beside it, against the convention.",),
)

# The framework instrumentation of the same family sees less of the wire.
LANGCHAIN = Dialect(
    name="otel_genai_framework",
    title="OpenTelemetry GenAI for frameworks (LangChain, OpenAI Agents)",
    scopes=("opentelemetry.instrumentation.genai.langchain", "opentelemetry.instrumentation.genai.openai_agents"),
    rank=40,
    kinds=(Kind("gen_ai.span.kind", {"llm": (CALL, "chat")}),),
)
