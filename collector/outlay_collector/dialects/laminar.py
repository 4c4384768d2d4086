"""Laminar (lmnr)."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Dialect, Kind

TABLE = Dialect(
    name="laminar",
    title="Laminar",
    scopes=("lmnr",),
    marks=("lmnr.span.type",),
    rank=30,
    kinds=(
        Kind(
            "lmnr.span.type",
            {"llm": (CALL, "chat"), "embedding": (CALL, "embeddings"), "evaluator": (PLAIN, "")},
            otherwise=AGGREGATE,
        ),
    ),
    notes=("Gemini streams: the output adds up the running counts of all chunks.",),
)
