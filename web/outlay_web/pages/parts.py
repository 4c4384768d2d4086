"""What several pages show: tiles, series of spend, the table of who spent what, how much of a total is priced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from outlay_web import format as fmt
from outlay_web.charts import (
    Figure,
    Table,
    delta,
    sparkline,
)
from outlay_web.pages.view import View

Row = Mapping[str, Any]

TABLE_GROUPS = 50
CSV_GROUPS = 1000
DIMENSION_TITLES = {
    "model_tier": "model tier",
    "service_tier": "service tier",
    "request_model": "requested model",
    "cost_state": "cost state",
    "prompt_version": "prompt version",
    "cascade_tier": "cascade tier",
    "route_tier": "route tier",
}


@dataclass(frozen=True)
class Tile:
    """A key number: what it is, its value, where it is explained, how it moved."""

    label: str
    value: str | Markup
    href: str | None = None
    note: str | Markup = ""
    change: str | Markup = ""
    spark: str | Markup = ""
    tone: str = ""


@dataclass(frozen=True)
class Page:
    """What a handler hands to the template: everything named here that is a figure or table also exports as CSV."""

    template: str
    title: str
    question: str
    data: Mapping[str, Any] = field(default_factory=dict)
    empty: bool = False
    status: int = 200

    def tables(self) -> dict[str, Table]:
        """The tables of the page by name."""
        found: dict[str, Table] = {}
        for value in self.data.values():
            for one in value if isinstance(value, list | tuple) else (value,):
                if isinstance(one, Figure):
                    found[one.name] = one.table
                elif isinstance(one, Table):
                    found[one.name] = one
        return found


def trace_href(view: View, trace_id: object, span_id: object = "") -> str:
    """A trace, or one of its spans; window and filters go along for the way back."""
    place = f"#span-{quote(str(span_id), safe='')}" if span_id else ""
    return view.to(f"/traces/{quote(str(trace_id), safe='')}") + place


def dimension_title(name: str) -> str:
    return DIMENSION_TITLES.get(name, name)


def money(value: Any) -> Decimal:
    """A sum for arithmetic on the page: unknown adds nothing."""
    return value if isinstance(value, Decimal) else Decimal(value or 0)


def per(amount: Decimal | None, number: float | None) -> Decimal | None:
    """An amount per one of something; unknown without either."""
    return amount / Decimal(number) if amount is not None and number else None


def per_call(row: Row) -> Decimal | None:
    """What a call whose cost is known cost on average; unknown without one."""
    return per(row.get("cost_usd"), round((row.get("calls") or 0) * (row.get("priced_ratio") or 0)))


def quotient(part: float | Decimal | None, whole: float | Decimal | None) -> float | None:
    return float(part) / float(whole) if part is not None and whole else None


def change(now: float | Decimal | None, before: float | Decimal | None) -> float | None:
    """Relative change, None where there was nothing before."""
    if now is None or before is None or not before:
        return None
    return float(now) / float(before) - 1


def moved(now: float | Decimal | None, before: float | Decimal | None) -> str | Markup:
    """The relative change for a tile; nothing where there is none to tell."""
    found = change(now, before)
    return "" if found is None else delta(found)


def previous(row: Row, measure: str = "cost_usd") -> Any:
    """The measure in the window before, None where it is not there."""
    before = row.get("previous")
    return before.get(measure) if isinstance(before, Mapping) else None


def newcomer(row: Row) -> bool:
    """Whether a row costs something now and had no call in the window that it is compared with."""
    return bool(row.get("cost_usd")) and previous(row, "calls") == 0


def coverage_note(view: View, coverage: Row) -> Markup:
    """How many calls have no cost, beside every total: a total that leaves calls out must say so; and how many a less
    sure one."""
    note, doubts = _unpriced_note(view, coverage), fmt.less_sure(coverage)
    if not doubts:
        return note
    return note + Markup('<span class="muted"> · <a href="{}">{}</a></span>').format(
        view.to("/spend", group_by="cost_state"), doubts
    )


def _unpriced_note(view: View, coverage: Row) -> Markup:
    missing = int(coverage.get("calls") or 0) - int(coverage.get("priced_calls") or 0)
    if not coverage.get("calls"):
        return Markup('<span class="muted">no calls</span>')
    if missing <= 0:
        return Markup('<span class="muted">every call priced</span>')
    share = fmt.ratio_text(missing / int(coverage["calls"]))
    return Markup('<a class="warn-text" href="{}">{} of calls unpriced</a>').format(
        view.to("/spend", group_by="cost_state"), share
    )


def table_groups(view: View) -> int:
    """How many groups a table of the page has: more where it is read by a program."""
    return CSV_GROUPS if view.get("csv") else TABLE_GROUPS


def key_of(row: Row, dimension: str) -> str:
    """A row's value of a dimension as a filter takes it: empty where it is unknown."""
    return str(row.get(dimension) if row.get(dimension) is not None else "")


def others_text(left_out: int) -> str:
    """What stands for the groups that are left out."""
    return "1 other" if left_out == 1 else f"{left_out:,} others"


def shown_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows of single groups."""
    return [row for row in rows if not row.get("remainder")]


def remainder(rows: Sequence[Row]) -> Row | None:
    """The row that holds the groups left out of a table without times."""
    return next((row for row in rows if row.get("remainder")), None)


def total_tile(view: View, result: Row, spark: Sequence[Any] = ()) -> Tile:
    """The tile of what the window cost."""
    total = result["total"]
    return Tile(
        "Spend",
        fmt.usd(total.get("cost_usd")),
        view.to("/explain", **(view.against(view.base) if view.base else {})),
        coverage_note(view, result["coverage"]),
        moved(total.get("cost_usd"), previous(total)),
        sparkline(list(spark)) if spark else "",
    )
