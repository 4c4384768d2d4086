"""LangSmith's OpenTelemetry export."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Blob, Dialect, Kind

TABLE = Dialect(
    name="langsmith",
    title="LangSmith",
    scopes=("langsmith",),
    marks=("langsmith.span.kind",),
    rank=40,
    kinds=(
        Kind(
            "langsmith.span.kind",
            {
                "llm": (CALL, "chat"),
                "embedding": (CALL, "embeddings"),
                "prompt": (PLAIN, ""),
                "parser": (PLAIN, ""),
            },
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "provider": ("langsmith.metadata.ls_provider",),
        "request_model": ("gen_ai.request.model", "langsmith.metadata.ls_model_name"),
        "response_model": (
            "gen_ai.response.model",
            "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.model_name",
            "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.model",
        ),
        "response_id": (
            "gen_ai.response.id",
            "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.id",
        ),
        "service_tier": (
            "gen_ai.response.service_tier",
            "gen_ai.completion#generations.0.0.message.kwargs.response_metadata.service_tier",
        ),
        "streamed": ("langsmith.metadata.stream",),
    },
    usage=(Blob("langsmith.metadata.usage_metadata", style="inclusive"),),
    notes=("`gen_ai.system` is `langchain` on spans that are no calls; prompt spans say `chat` as operation.",),
)
