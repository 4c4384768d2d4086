"""The table of who spent what, on several pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_web.charts import OTHER, Cell, Column, Table
from outlay_web.pages import parts
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

SORTS = ("cost_usd", "calls", "input_tokens", "output_tokens")  # measures that heads of the table sort all groups by


def sorting(view: View, name: str) -> dict[str, Any]:
    """What makes a column's head a link that sorts on the server: all groups, not only those shown."""
    by = view.choice("sort", SORTS, SORTS[0])
    href = view.here(sort=None if name == SORTS[0] else name)
    return {"sort_href": href, "sorted": "descending" if by == name else ""}


def spend_columns(view: View, dimensions: Sequence[str], compared: bool) -> list[Column]:
    """Columns of the table of who spent what."""
    columns = [Column(parts.dimension_title(d).capitalize(), "name", d) for d in dimensions]
    columns.append(Column("Cost", "usd", "cost_usd", **sorting(view, "cost_usd")))
    if compared:
        columns.append(Column("Change", "delta", "change", view.base_text))
    columns += [
        Column("Share", "share", "share", "Part of the whole cost", wide_only=True),
        Column("Calls", "count", "calls", **sorting(view, "calls")),
        Column("Per call", "each", "cost_per_call_usd", "Cost of a call on average, of those whose cost is known"),
        Column(
            "Input",
            "tokens",
            "input_tokens",
            "Input tokens, cached ones included",
            wide_only=True,
            **sorting(view, "input_tokens"),
        ),
        Column(
            "Cached", "ratio", "cache_hit_ratio", "Part of the input read from the provider's cache", wide_only=True
        ),
        Column(
            "Output",
            "tokens",
            "output_tokens",
            "Output tokens, reasoning included",
            wide_only=True,
            **sorting(view, "output_tokens"),
        ),
        Column("p50", "duration", "p50_ms", "Half of the calls are faster", wide_only=True),
        Column("p95", "duration", "p95_ms", "19 of 20 calls are faster"),
        Column("Errors", "ratio", "error_ratio", "Calls that failed", wide_only=True),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
    ]
    return columns


def spend_cells(
    row: Row, total: Decimal, compared: bool, calls_href: str | None, explain_href: str | None
) -> list[Cell]:
    """The measures of one row of that table."""
    calls = row.get("calls")
    cost = row.get("cost_usd")
    cells = [Cell(cost, explain_href)]
    if compared:
        grown = parts.change(cost, parts.previous(row))
        cells.append(Cell(grown, explain_href, label="new" if parts.newcomer(row) else None))
    cells += [
        Cell(parts.quotient(cost, total)),
        Cell(calls, calls_href),
        Cell(parts.per_call(row)),
        Cell(row.get("input_tokens")),
        Cell(parts.quotient(row.get("cache_read_tokens"), row.get("input_tokens"))),
        Cell(row.get("output_tokens")),
        Cell(row.get("p50_ms")),
        Cell(row.get("p95_ms")),
        Cell(parts.quotient(row.get("errors"), calls)),
        Cell(row.get("priced_ratio")),
    ]
    return cells


def spend_table(
    view: View,
    name: str,
    caption: str,
    found: Row,
    dimensions: Sequence[str],
    *,
    slots: Mapping[str, int] | None = None,
) -> Table:
    """Who spent what: one row per group, each number a link to what is behind it."""
    whole, rest = found["total"], parts.remainder(found["rows"])
    total = parts.money(whole.get("cost_usd"))
    compared = "previous" in whole

    def explain_href(**filters: str) -> str:
        """Where the change of a row is explained: against what the table compares with."""
        return view.to("/explain", **(view.against(view.base) if view.base else {}), **filters)

    lines = []
    by = view.choice("sort", SORTS, SORTS[0])
    largest = sorted(
        parts.shown_rows(found["rows"]),
        key=lambda r: (-parts.money(r.get(by)), -parts.money(r.get("cost_usd")), -int(r.get("calls") or 0)),
    )
    for row in largest:
        filters = {d: str(row.get(d) if row.get(d) is not None else "") for d in dimensions}
        cells = [
            Cell(filters[d], view.here(**filters), slot=slots.get(filters[d], OTHER) if i == 0 and slots else None)
            for i, d in enumerate(dimensions)
        ]
        cells += spend_cells(row, total, compared, view.to("/calls", **filters), explain_href(**filters))
        lines.append(cells)
    foot = [Cell("Total" if i == 0 else "") for i in range(len(dimensions))]
    foot += spend_cells(whole, total, compared, view.to("/calls"), explain_href())
    others = None
    if rest is not None:
        label = parts.others_text(int(found.get("groups_left_out") or 0))
        square = OTHER if slots else None
        others = [Cell(None, slot=None if i else square, label="" if i else label) for i in range(len(dimensions))]
        others += spend_cells(rest, total, compared, None, None)
    columns = spend_columns(view, dimensions, compared)
    return Table(name, caption, columns, lines, others, foot, timezone=view.timezone)
