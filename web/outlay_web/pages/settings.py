"""/settings: where data comes from, whether all of it arrived, and the two lines that send more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.questions import spend
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import parts
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.view import View
from outlay_web.services.status import jobs

ALLOWED: tuple[str, ...] = ()
LEDGER = ("received", "stored", "duplicate", "rejected", "quarantined", "pending")
LEDGER_HINTS = {
    "received": "spans in bodies that were acknowledged",
    "stored": "new spans",
    "duplicate": "there already: a client sent them again",
    "rejected": "refused one by one: bad ids or times",
    "quarantined": "in bodies that ClickHouse could not take, kept aside",
    "pending": "on disk, being loaded",
}


def page(view: View) -> Page:
    store, scope = view.ctx.store, view.scope
    ledger = view.ctx.ledger()
    sources = spend.spend(store, scope, group_by=("service", "dialect"), limit=parts.table_groups(view), rank="calls")
    models = parts.shown_rows(spend.spend(store, scope, group_by=("provider", "model"), rank="calls")["rows"])
    unpriced = [row for row in models if (row.get("priced_ratio") is not None and row["priced_ratio"] < 1)]
    shown = {name: int(ledger.get(name) or 0) for name in LEDGER}
    data = {
        "ledger": [(name, shown[name], LEDGER_HINTS[name]) for name in LEDGER],
        "balanced": shown["received"] == sum(shown[name] for name in LEDGER[1:]),
        "sources": source_table(view, sources) if sources["rows"] else None,
        "unpriced": unpriced_table(view, unpriced[: parts.table_groups(view)]) if unpriced else None,
        "jobs": job_table(jobs(view.ctx)),
        "window_calls": sources["total"]["calls"],
    }
    return Page("settings.html", "Settings", "Where does the data come from, and did all of it arrive?", data)


def source_table(view: View, found: Row) -> Table:
    columns = [
        Column("Service", "name", "service"),
        Column("Instrumentation", "name", "dialect", "The convention its spans are written in"),
        Column("Calls", "count", "calls"),
        Column("Cost", "usd", "cost_usd"),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
        Column("Errors", "ratio", "error_ratio"),
    ]
    lines = [
        [
            Cell(row.get("service"), view.to("/spend", service=str(row.get("service") or ""))),
            Cell(row.get("dialect"), view.to("/spend", dialect=str(row.get("dialect") or ""))),
            Cell(
                row.get("calls"),
                view.to("/calls", service=str(row.get("service") or ""), dialect=str(row.get("dialect") or "")),
            ),
            Cell(row.get("cost_usd")),
            Cell(row.get("priced_ratio")),
            Cell(parts.quotient(row.get("errors"), row.get("calls"))),
        ]
        for row in sorted(parts.shown_rows(found["rows"]), key=lambda r: -int(r.get("calls") or 0))
    ]
    others, rest = None, parts.remainder(found["rows"])
    if rest is not None:
        failed = parts.quotient(rest.get("errors"), rest.get("calls"))
        label = parts.others_text(int(found["groups_left_out"]))
        others = [Cell(None, label=label), Cell(None, label=""), Cell(rest["calls"]), Cell(rest["cost_usd"])]
        others += [Cell(rest["priced_ratio"]), Cell(failed)]
    return Table("sources", "Sources of data", columns, lines, others)


def unpriced_table(view: View, rows: Sequence[Row]) -> Table:
    columns = [
        Column("Provider", "name", "provider"),
        Column("Model", "name", "model"),
        Column("Calls", "count", "calls"),
        Column("Priced", "priced", "priced_ratio"),
        Column("Input", "tokens", "input_tokens"),
        Column("Output", "tokens", "output_tokens"),
    ]
    lines = [
        [
            Cell(row.get("provider")),
            Cell(row.get("model"), view.to("/calls", model=str(row.get("model") or ""))),
            Cell(row.get("calls"), view.to("/calls", model=str(row.get("model") or ""))),
            Cell(row.get("priced_ratio"), view.to("/spend", model=str(row.get("model") or ""), group_by="cost_state")),
            Cell(row.get("input_tokens")),
            Cell(row.get("output_tokens")),
        ]
        for row in sorted(rows, key=lambda r: -int(r.get("calls") or 0))
    ]
    return Table("unpriced", "Models with calls that have no cost", columns, lines)


def job_table(known: Sequence[dict[str, Any]]) -> Table | None:
    if not known:
        return None
    columns = [
        Column("Job", "text", "name"),
        Column("Runs", "count", "runs"),
        Column("Failures", "count", "failures"),
        Column("Last error", "text", "last_error"),
    ]
    rows = [
        [Cell(j.get("name")), Cell(j.get("runs")), Cell(j.get("failures")), Cell(j.get("last_error") or None)]
        for j in known
    ]
    return Table("jobs", "Background jobs", columns, rows)
