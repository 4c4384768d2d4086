"""Haystack's own tracer."""

from outlay_collector.dialects.model import AGGREGATE, CALL, Blob, Dialect, Kind

TABLE = Dialect(
    name="haystack",
    title="Haystack",
    scopes=("haystack",),
    marks=("haystack.component.type",),
    rank=45,
    kinds=(
        Kind(
            "haystack.component.type",
            {"*generator": (CALL, "chat"), "*embedder": (CALL, "embeddings")},
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "response_model": (
            "haystack.component.output#replies.0.meta.model",
            "haystack.component.output#meta.0.model",
            "haystack.component.output#meta.model",
        ),
    },
    usage=(
        Blob("haystack.component.output", "replies.0.meta.usage"),
        Blob("haystack.component.output", "meta.0.usage"),
        Blob("haystack.component.output", "meta.usage"),
    ),
    notes=("Usage only where content tracing is on, in the JSON of `haystack.component.output`.",),
)
