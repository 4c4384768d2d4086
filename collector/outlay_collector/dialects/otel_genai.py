"""OpenTelemetry GenAI conventions: the official instrumentations, and every library that nothing else recognizes."""

from outlay_collector.dialects.model import CALL, Dialect, Kind

TABLE = Dialect(
    name="otel_genai",
    title="OpenTelemetry GenAI",
    scopes=(
        "opentelemetry.instrumentation.genai",
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.google_genai",
        "opentelemetry.instrumentation.vertexai_v2",
        "opentelemetry.instrumentation.anthropic_v2",
        "opentelemetry.instrumentation.botocore",
        "opentelemetry.util.genai",
        "@opentelemetry/instrumentation-openai",
        "@opentelemetry/instrumentation-aws-sdk",
        "go.opentelemetry.io/contrib/instrumentation",
        "Experimental.Microsoft.Extensions.AI",
        "Microsoft.Extensions.AI",
        "OpenAI.ChatClient",
        "org.springframework.ai",
    ),
    rank=20,
    notes=("Input includes cached tokens, output includes reasoning; the default for libraries without a table.",),
)

# The framework instrumentation of the same family sees less of the wire.
LANGCHAIN = Dialect(
    name="otel_genai_framework",
    title="OpenTelemetry GenAI for frameworks (LangChain, OpenAI Agents)",
    scopes=("opentelemetry.instrumentation.genai.langchain", "opentelemetry.instrumentation.genai.openai_agents"),
    rank=40,
    kinds=(Kind("gen_ai.span.kind", {"llm": (CALL, "chat")}),),
)
