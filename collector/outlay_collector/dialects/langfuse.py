"""Langfuse SDKs: JSON in `langfuse.observation.*`."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Blob, Dialect, Kind

TABLE = Dialect(
    name="langfuse",
    title="Langfuse",
    scopes=("langfuse",),
    marks=("langfuse.observation.type", "langfuse.observation.usage_details"),
    rank=40,
    kinds=(
        Kind(
            "langfuse.observation.type",
            {"generation": (CALL, "chat"), "embedding": (CALL, "embeddings"), "evaluator": (PLAIN, "")},
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "provider": ("langfuse.observation.metadata.ls_provider",),
        "request_model": ("langfuse.observation.metadata.ls_model_name", "gen_ai.request.model"),
        "response_model": ("langfuse.observation.model.name",),
        "response_id": ("gen_ai.response.id",),
        "request_tier": ("langfuse.observation.model.parameters#service_tier",),
        "cost_usd": ("langfuse.observation.cost_details#total",),
        "ttft_at": ("langfuse.observation.completion_start_time",),
    },
    usage=(Blob("langfuse.observation.usage_details", style="disjoint"),),
    notes=(
        "`usage_details` copies the wire with the OpenAI drop-in, and is disjoint (`input`, `input_cache_read` …) "
        "with the LangChain callback; the words tell which.",
    ),
)
