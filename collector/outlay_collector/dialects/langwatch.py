"""LangWatch's SDKs: usage as JSON in `langwatch.metrics`, with and without an envelope."""

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Blob, Dialect, Kind

TABLE = Dialect(
    name="langwatch",
    title="LangWatch",
    scopes=("langwatch",),
    marks=("langwatch.span.type", "langwatch.metrics"),
    rank=40,
    kinds=(
        Kind(
            "langwatch.span.type",
            {"llm": (CALL, "chat"), "evaluation": (PLAIN, ""), "guardrail": (PLAIN, "")},
            otherwise=AGGREGATE,
        ),
    ),
    fields={
        "request_model": ("gen_ai.request.model", "langwatch.request.model"),
        "cost_usd": ("langwatch.metrics#value.cost", "langwatch.metrics#cost"),
    },
    usage=(Blob("langwatch.metrics", "value", style="inclusive"), Blob("langwatch.metrics", style="inclusive")),
    notes=("Counts include what was cached and reasoned, as the application gives them.",),
)
