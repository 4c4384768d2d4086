"""/traces/{id}: every span of a trace, in time; which were counted, and why the others were not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from starlette.exceptions import HTTPException

from outlay_analytics.questions import traces
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import calls as calls_page
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.trace_lines import calls_href, is_billed, kind_of, line
from outlay_web.pages.view import View

ALLOWED: tuple[str, ...] = ()
SHOWN_SPANS = 1000


def page(view: View) -> Page:
    trace_id = view.path.rsplit("/", 1)[-1]
    found = traces.get_trace(view.ctx.store, view.scope.project, trace_id.lower(), view.ctx.handover.traces())
    if found is None:
        raise HTTPException(404, f"there is no trace {trace_id[:80]} in this project")
    spans, start = found["spans"], found["started_at"]
    data = {
        "tiles": tiles(view, found),
        "lines": [line(view, found, span) for span in spans[:SHOWN_SPANS]],
        "left_out": max(found["span_count"] - SHOWN_SPANS, 0),
        "table": span_table(view, spans, start),
        "scores": score_table(view, found),
        "trace_id": found["trace_id"],
        "start": start,
        "total": fmt.duration_text(found["duration_ms"]),
    }
    return Page("trace.html", "Trace", "Which spans were counted, and why?", data)


def tiles(view: View, found: Row) -> list[Tile]:
    calls = calls_href(view, found)
    share = found["priced_ratio"]
    priced = (
        "every call priced"
        if share == 1
        else "no calls"
        if share is None
        else f"{fmt.ratio_text(share)} of calls priced"
    )
    free = sum(not is_billed(call) for span in found["spans"] for call in span.get("calls") or [])
    billed = f"{fmt.count_text(found['calls'] - free)} billed, {fmt.count_text(free)} not, " if free else ""
    repeats = sum(kind_of(span) == "repeat" for span in found["spans"])
    began = fmt.instant_text(found["started_at"], view.timezone, seconds=True)
    return [
        Tile("Cost", fmt.usd(found["cost_usd"]), calls, priced),
        Tile("Calls", fmt.count(found["calls"]), calls, f"{billed}in {fmt.plural(found['span_count'], 'span')}"),
        Tile("Took", fmt.duration(found["duration_ms"]), None, f"began {began}"),
        Tile("Not counted", fmt.count(repeats), None, "spans that say again what a call says"),
        Tile("Errors", fmt.count(found["errors"]), None, tone="warn" if found["errors"] else ""),
    ]


def score_table(view: View, found: Row) -> Table | None:
    """What was scored about the trace and its spans; the value leads to the calls that are scored so."""
    if not found["scores"]:
        return None
    names = {span["span_id"]: span["name"] for span in found["spans"]}
    alone: dict[str, None] = dict.fromkeys((*view.scope.filters, "start", "end"))
    lines = []
    for score in found["scores"]:
        said = score["label"] if score["value"] is None else f"{score['value']:g}"
        span = score["span_id"]
        about = names.get(span, span) if span else "the whole trace"
        href = view.to("/calls", **{**alone, f"score.{score['name']}": said or "*"})
        lines.append(
            [
                Cell(score["name"]),
                Cell(said, href),
                Cell(score["label"] or ""),
                Cell(about, f"#span-{span}" if span else None),
            ]
        )
    columns = [
        Column("Score", "name", "name"),
        Column("Value", "text", "value"),
        Column("Label", "text", "label"),
        Column("About", "name", "about"),
    ]
    return Table("scores", "Scores of the trace", columns, lines)


def span_table(view: View, spans: Sequence[Row], start: datetime) -> Table:
    """The spans as plain rows, for CSV."""
    columns = [
        Column("Span", "text", "span_id"),
        Column("Parent", "text", "parent_span_id"),
        Column("Name", "text", "name"),
        Column("Began", "time", "started_at"),
        Column("Offset", "duration", "offset_ms"),
        Column("Took", "duration", "duration_ms"),
        Column("Counted", "text", "counted"),
        Column("Reason", "words", "reason"),
        Column("Model", "text", "model"),
        Column("Cost", "usd", "cost_usd"),
    ]
    rows = [
        [
            Cell(span["span_id"]),
            Cell(span["parent_span_id"]),
            Cell(span["name"]),
            Cell(span["started_at"]),
            Cell((span["started_at"] - start).total_seconds() * 1000),
            Cell(span["duration_ms"]),
            Cell("true" if span["counted"] else "false"),
            Cell(span["reason"]),
            Cell(", ".join(calls_page.model(call) for call in span.get("calls") or [])),
            Cell(span["cost_usd"]),
        ]
        for span in spans
    ]
    return Table("spans", "Spans of the trace", columns, rows, timezone=view.timezone)
