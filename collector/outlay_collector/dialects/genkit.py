"""Genkit: what a model answered stands whole in the JSON of `genkit:output`, the provider's own counts in it."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Blob, Dialect, Kind

TABLE = Dialect(
    name="genkit",
    title="Genkit",
    scopes=("genkit-tracer", "genkit"),
    marks=("genkit:name",),
    rank=40,
    kinds=(
        Kind(
            "genkit:metadata:subtype",
            {
                "model": (CALL, "chat"),
                "background-model": (CALL, "chat"),
                "embedder": (CALL, "embeddings"),
                "reranker": (CALL, "rerank"),
                "evaluator": (PLAIN, ""),
            },
            otherwise=AGGREGATE,
        ),
        Kind("genkit:type", {}, otherwise=AGGREGATE),
    ),
    fields={
        "request_model": ("gen_ai.request.model", "genkit:name"),
        "response_model": ("gen_ai.response.model", "genkit:output#custom.modelVersion", "genkit:output#custom.model"),
        "response_id": ("gen_ai.response.id", "genkit:output#custom.responseId", "genkit:output#custom.id"),
    },
    usage=(
        Blob("genkit:output", "custom.usageMetadata"),
        Blob("genkit:output", "custom.usage"),
        Blob("genkit:output", "usage"),
    ),
    notes=(
        "A model is named by its plugin: `googleai/gemini-2.5-flash`.",
        "Its own `usage` counts thoughts beside the output; flows and `generate` repeat it.",
    ),
)
