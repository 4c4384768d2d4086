"""The parts of the traffic that a change sits in: as a table, and spend with and without the largest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from outlay_analytics.query.calendar import spend_series
from outlay_analytics.query.window import Interval
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Table, buckets, line_chart
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

IN_HOURS = timedelta(days=7)
MOST_DAYS = timedelta(days=400)
ALL_OF_IT = Markup('<span class="wraps">all of it; other parts went against it</span>')


def slices_table(view: View, slices: Sequence[Row]) -> Table | None:
    """The smallest parts of the traffic that carry the change."""
    if not slices:
        return None
    columns = [
        Column("Where", "text", "where"),
        Column("Change", "delta_usd", "change_usd"),
        Column("Of the change", "share", "share"),
    ]
    rows = [
        [
            Cell(where_text(one["where"]), view.here(**filters_of(one["where"]))),
            Cell(one["change_usd"], view.to("/spend", **filters_of(one["where"]))),
            _of_the_change(one["share"]),
        ]
        for one in slices
    ]
    return Table("slices", "Where the change sits", columns, rows, sortable=False)


def _of_the_change(share: float) -> Cell:
    """A share of the change; where parts cancel, one of them can be many times the whole, or go against it."""
    if share > 1:
        return Cell(None, label=ALL_OF_IT)
    return Cell(share) if share > 0 else Cell(None, label="against it")


def where_text(where: Any) -> str:
    return " · ".join(f"{key} {fmt.name_text(value)}" for key, value in dict(where).items()) or "everything"


def filters_of(where: Mapping[str, Any]) -> dict[str, str]:
    """The filters that leave just a slice; what has no value is an empty text."""
    return {str(name): str(value or "") for name, value in where.items()}


def with_and_without(view: View, slices: Sequence[Row]) -> Figure | None:
    """Spend over the window as it was, and as it would have been without the largest slice, over each other."""
    if not slices or view.window.length > MOST_DAYS:
        return None
    where = filters_of(slices[0]["where"])
    interval: Interval = "hour" if view.window.length <= IN_HOURS else "day"
    steps = buckets(view.window.start, view.window.end, interval, view.timezone)
    inside = replace(view.scope, filters={**view.scope.filters, **{name: (value,) for name, value in where.items()}})
    spent, held = (spend_series(view.ctx.store, scope, interval) for scope in (view.scope, inside))
    rest = [whole - part for whole, part in zip(spent.usd, held.usd, strict=True)]
    name = where_text(slices[0]["where"])
    gone = f"Nothing was spent on {name} in this time, so both lines are one: what it cost before is gone."
    figure = line_chart(
        "apart",
        f"Spend per {interval}, with and without {name}",
        steps,
        [Line("all of it", spent.usd, 1, area=True), Line(f"without {name}", rest, 4)],
        **happened(view, steps).arguments(),
        step_href=lambda step: view.between(step.start, step.end, "/explain"),
        height=220,
        timezone=view.timezone,
    )
    return figure if any(held.usd) else replace(figure, note=gone)
