"""What was out of the ordinary in a page's window: as a table, in a line, and where each one leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay_analytics.query.text import rfc3339
from outlay_web import format as fmt
from outlay_web.cache import Renewal
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View
from outlay_web.services import anomalies

WAIT_S = 0.3

CHANNELS = {
    "spend": "spend",
    "cost_per_call": "cost of a call",
    "tokens_per_call": "tokens of a call",
    "uncached_share": "uncached share of the input",
    "usd_per_token": "price of a token",
    "retry_share": "share of retries",
}


@dataclass(frozen=True)
class Odd:
    """What a page can say about what was out of the ordinary in its window.

    Attributes:
        anomalies: What was found.
        pending: Whether it is being looked for the first time.
        failed: Why it could not be looked for, empty if it could.
        notes: What could not be judged, and why.
        judged: Whether any hour had enough past to be judged.
        renewal: What becomes of it, if hours have changed since it was found.
    """

    anomalies: Sequence[Row] = ()
    pending: bool = False
    failed: str = ""
    notes: Sequence[str] = ()
    judged: bool = False
    renewal: Renewal | None = None


def look_for_anomalies(view: View) -> Odd:
    """What was out of the ordinary in the view's window, as far as that is known by now."""
    try:
        found = anomalies.look(view.ctx, view.scope, now=view.now, wait_s=WAIT_S, old=True)
    except anomalies.NotFound as exc:
        return Odd(failed=str(exc))
    if found is None:
        return Odd(pending=True)
    return Odd(found.anomalies, notes=found.notes, judged=found.judged, renewal=found.renewal)


def anomaly_table(view: View, found: Sequence[Row]) -> Table | None:
    if not found:
        return None
    columns = [
        Column("Began", "time", "started_at"),
        Column("Ended", "time", "ended_at", desk_only=True),
        Column("Where", "text", "scope"),
        Column("What moved", "text", "channel"),
        Column("Spent", "usd", "actual_usd", "In its hours"),
        Column("Expected", "usd", "expected_usd"),
        Column("Impact", "delta_usd", "impact_usd", "What it cost on top of what was expected"),
        Column("Score", "number", "score", "0 to 1"),
    ]
    rows = [
        [
            Cell(one["started_at"], anomaly_href(view, one)),
            Cell(one["ended_at"], label="goes on" if one["ongoing"] else None),
            Cell(where_text(one["scope"])),
            Cell(CHANNELS.get(one["channel"], one["channel"])),
            Cell(one["actual_usd"], anomaly_href(view, one, "/spend")),
            Cell(one["expected_usd"]),
            Cell(one["impact_usd"], anomaly_href(view, one)),
            Cell(one["score"]),
        ]
        for one in found
    ]
    return Table("anomalies", "Out of the ordinary", columns, rows, timezone=view.timezone)


def where_text(scope: Mapping[str, Any]) -> str:
    return " · ".join(f"{key} {fmt.name_text(value)}" for key, value in filters_of(scope).items()) or "everything"


def filters_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """An anomaly's scope as filters of one value each."""
    return {str(name): "" if value is None else str(value) for name, value in scope.items()}


def anomaly_text(one: Row) -> str:
    """An anomaly in a line."""
    return f"{where_text(one['scope'])}: {one['summary']}"


def anomaly_href(view: View, one: Row, path: str = "") -> str:
    """The incident; where the page's filters make it something else than an incident, its hours explained."""
    start, end = one["started_at"], one["ended_at"]
    span: dict[str, str] = {"start": rfc3339(start), "end": rfc3339(end)}
    if not path and set(view.scope.filters) <= anomalies.WHERE:
        return view.to(f"/incidents/{one['id']}", start=None, end=None, **dict.fromkeys(view.scope.filters))
    base = {} if path else {"base": "expected"}
    return view.to(path or "/explain", **span, **base, **filters_of(one["scope"]))
