"""What several pages show: tiles, series of spend, the table of who spent what, how much of a total is priced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from outlay_web import format as fmt
from outlay_web.charts import (
    OTHER,
    Bucket,
    Cell,
    Column,
    Figure,
    Marker,
    Series,
    Table,
    delta,
    sparkline,
    stacked_bars,
)
from outlay_web.pages.view import View

Row = Mapping[str, Any]

SHOWN_SERIES = 7
CHART_GROUPS = SHOWN_SERIES + 1  # as many names have a color, and what is left out has the last one
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
    """How many calls have no cost, beside every total: a total that leaves calls out must say so."""
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


def ranked(rows: Sequence[Row], dimension: str) -> list[str]:
    """The names of a dimension by cost, then by calls, largest first."""
    cost: dict[str, Decimal] = {}
    calls: dict[str, int] = {}
    for row in shown_rows(rows):
        key = key_of(row, dimension)
        cost[key] = cost.get(key, Decimal(0)) + money(row.get("cost_usd"))
        calls[key] = calls.get(key, 0) + int(row.get("calls") or 0)
    return sorted(cost, key=lambda key: (-cost[key], -calls[key], key))


def spend_figure(
    view: View,
    found: Row,
    dimension: str,
    *,
    measure: str = "cost_usd",
    name: str = "spend",
    title: str = "",
    marks: Mapping[datetime, tuple[str, str]] | None = None,
    height: int = 250,
    path: str | None = None,
) -> Figure:
    """Stacked bars of a measure over the view's steps: a color for each large name, the small ones as one.

    Args:
        found: Spend by `dimension` and the view's interval.
    """
    rows: Sequence[Row] = found["rows"]
    steps = view.steps
    index = {step.start: i for i, step in enumerate(steps)}
    names = ranked(rows, dimension)
    left_out = int(found.get("groups_left_out") or 0)
    shown = names if len(names) + left_out <= CHART_GROUPS else names[:SHOWN_SERIES]
    slots = slots_for(view, dimension, names)
    values: dict[str, list[Any]] = {key: [None] * len(steps) for key in shown}
    rest: list[Any] = [None] * len(steps)
    for row in rows:
        i = _step_of(row, index, steps)
        amount = row.get(measure)
        if i is None or amount is None:
            continue
        line = rest if row.get("remainder") else values.get(key_of(row, dimension), rest)
        line[i] = amount if line[i] is None else line[i] + amount
    series = [Series(fmt.name_text(key), values[key], slots[key], view.narrowed(dimension, key, path)) for key in shown]
    if len(shown) < len(names) + left_out:
        series.append(Series(others_text(len(names) + left_out - len(shown)), rest, OTHER))
    kind = "usd" if measure.endswith("_usd") else "tokens" if measure.endswith("_tokens") else "count"
    units: dict[str, Callable[[float], str]] = {"usd": fmt.usd_short, "tokens": fmt.tokens_text}
    placed: dict[int, Marker] = {}
    for at, (label, href) in (marks or {}).items():
        i = next((k for k, step in enumerate(steps) if step.start <= at < step.end), None)
        if i is not None and i in placed:  # one ring for a step, the words of all
            placed[i] = Marker(i, f"{placed[i].label}; {label}", placed[i].href)
        elif i is not None:
            placed[i] = Marker(i, label, href)
    return stacked_bars(
        name,
        title or f"Spend by {dimension_title(dimension)}, per {view.interval}",
        steps,
        series,
        kind=kind,
        unit=units.get(kind, _count_short),
        markers=list(placed.values()),
        step_href=(lambda step: view.at(step, path))
        if view.interval != "hour"
        else (lambda step: view.at(step, "/calls")),
        height=height,
        timezone=view.timezone,
    )


def _step_of(row: Row, index: Mapping[datetime, int], steps: Sequence[Bucket]) -> int | None:
    at = row.get("time")
    if not isinstance(at, datetime):
        return None
    found = index.get(at)
    if found is None:  # a step may carry the window's start as its time
        found = next((i for i, step in enumerate(steps) if step.start <= at < step.end), None)
    return found


def _count_short(value: float) -> str:
    return fmt.tokens_text(value) if value >= 10_000 else f"{value:g}"


def series_of(view: View, rows: Sequence[Row], measure: str) -> list[Any]:
    """A measure per step, summed over whatever the rows are grouped by."""
    steps = view.steps
    index = {step.start: i for i, step in enumerate(steps)}
    out: list[Any] = [None] * len(steps)
    for row in rows:
        i = _step_of(row, index, steps)
        if i is not None and row.get(measure) is not None:
            out[i] = row[measure] if out[i] is None else out[i] + row[measure]
    return out


SORTS = ("cost_usd", "calls", "input_tokens", "output_tokens")  # measures that heads of the table sort all groups by


def sorting(view: View, name: str) -> dict[str, Any]:
    """What makes a column's head a link that sorts on the server: all groups, not only those shown."""
    by = view.choice("sort", SORTS, SORTS[0])
    href = view.here(sort=None if name == SORTS[0] else name)
    return {"sort_href": href, "sorted": "descending" if by == name else ""}


def spend_columns(view: View, dimensions: Sequence[str], compared: bool) -> list[Column]:
    """Columns of the table of who spent what."""
    columns = [Column(dimension_title(d).capitalize(), "name", d) for d in dimensions]
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
        grown = change(cost, previous(row))
        cells.append(Cell(grown, explain_href, label="new" if newcomer(row) else None))
    cells += [
        Cell(quotient(cost, total)),
        Cell(calls, calls_href),
        Cell(per_call(row)),
        Cell(row.get("input_tokens")),
        Cell(quotient(row.get("cache_read_tokens"), row.get("input_tokens"))),
        Cell(row.get("output_tokens")),
        Cell(row.get("p50_ms")),
        Cell(row.get("p95_ms")),
        Cell(quotient(row.get("errors"), calls)),
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
    whole, rest = found["total"], remainder(found["rows"])
    total = money(whole.get("cost_usd"))
    compared = "previous" in whole

    def explain_href(**filters: str) -> str:
        """Where the change of a row is explained: against what the table compares with."""
        return view.to("/explain", **(view.against(view.base) if view.base else {}), **filters)

    lines = []
    by = view.choice("sort", SORTS, SORTS[0])
    largest = sorted(
        shown_rows(found["rows"]),
        key=lambda r: (-money(r.get(by)), -money(r.get("cost_usd")), -int(r.get("calls") or 0)),
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
        label = others_text(int(found.get("groups_left_out") or 0))
        square = OTHER if slots else None
        others = [Cell(None, slot=None if i else square, label="" if i else label) for i in range(len(dimensions))]
        others += spend_cells(rest, total, compared, None, None)
    columns = spend_columns(view, dimensions, compared)
    return Table(name, caption, columns, lines, others, foot, timezone=view.timezone)


def slots_for(view: View, dimension: str, names: Sequence[str]) -> dict[str, int]:
    """Colors of the largest names, the same on every page; the others share the last one."""
    return view.colors.slots((view.scope.project, dimension), names[:SHOWN_SERIES]) | dict.fromkeys(
        names[SHOWN_SERIES:], OTHER
    )


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
