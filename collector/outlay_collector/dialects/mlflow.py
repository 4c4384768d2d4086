"""MLflow tracing: every value is a JSON text, usage in `mlflow.chat.tokenUsage`."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Blob, Dialect, Kind

TABLE = Dialect(
    name="mlflow",
    title="MLflow",
    scopes=("mlflow",),
    marks=("mlflow.spanType",),
    rank=40,
    kinds=(
        Kind(
            "mlflow.spanType",
            {
                "chat_model": (CALL, "chat"),
                "llm": (CALL, "chat"),
                "embedding": (CALL, "embeddings"),
                "reranker": (CALL, "rerank"),
                "evaluator": (PLAIN, ""),
            },
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "provider": ("mlflow.llm.provider",),
        "request_model": ("model", "mlflow.spanInputs#model", "mlflow.llm.model"),
        "response_model": ("mlflow.spanOutputs#model", "mlflow.llm.model"),
        "response_id": ("mlflow.spanOutputs#id",),
        "service_tier": ("mlflow.spanOutputs#service_tier",),
        "request_tier": ("mlflow.spanInputs#service_tier",),
        "streamed": ("stream", "mlflow.spanInputs#stream"),
        "cost_usd": ("mlflow.llm.cost#total_cost",),
    },
    answers=("mlflow.spanOutputs",),
    usage=(
        Blob("mlflow.chat.tokenUsage", style="visible"),
        Blob("mlflow.spanOutputs", "usage"),
        Blob("mlflow.spanOutputs", "usage_metadata"),
    ),
    notes=("Gemini's output excludes thoughts; the total has them.",),
)
