"""/unit-costs: what one of something costs, who costs more than they pay, and whom the money was spent for."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.questions import showback, unit_costs
from outlay_analytics.questions.revenue_store import all_revenue
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Table, line_chart
from outlay_web.pages import parts, spend_chart
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import GROUPS, INTERVALS, View

ALLOWED = ("per", "interval", "by", "split", "shared", "score", "success")
TITLES = {
    "customer": "customer",
    "user": "user",
    "session": "session",
    "request": "request",
    "success": "success",
}
SPLITS = {"even": "evenly", "calls": "by calls", "cost": "by cost"}
MARGINS_SHOWN = 50
QUESTION = "What does one of something cost, and whom was the money spent for?"


def page(view: View) -> Page:
    per = view.choice("per", TITLES, "customer")
    by = view.get("by", "team")
    check_dimension(by, "by")
    split = view.choice("split", ("", *SPLITS), "")
    ctx = view.ctx
    revenue = all_revenue(ctx.store, ctx.config.get("revenue", ()), view.scope.project)
    told = per == "success"
    found = unit_costs.unit_costs(
        ctx.store,
        view.scope,
        per,
        view.interval,
        parts.table_groups(view),
        revenue,
        view.get("score") if told else "",
        view.get("success") if told else "",
    )
    if not found["total"]["calls"] and not found["margins"]:
        return Page("unit_costs.html", "Unit costs", QUESTION, empty=True)
    shared = view.query.names("shared")
    back = showback.showback(ctx.store, view.scope, by, split, shared)
    data = {
        "tiles": tiles(view, found),
        "figure": history_figure(view, found),
        "table": unit_table(view, found),
        "movers": mover_table(view, found),
        "margins": margin_table(view, found),
        "back": showback_table(view, back),
        "back_note": showback_note(back),
        "booking": booking_href(view, by, split),
        "per": per,
        "pers": list(TITLES.items()),
        "by": by,
        "split": split,
        "splits": list(SPLITS.items()),
        "intervals": INTERVALS,
        "score": found["score"],
        "score_options": [one["name"] for one in found["scores"]],
        "group_options": GROUPS,
        "unsaid": per in unit_costs.DIMENSIONS and not found["total"]["units"],
    }
    return Page("unit_costs.html", "Unit costs", QUESTION, data)


def tiles(view: View, found: Row) -> list[Tile]:
    total, spread, per = found["total"], found["distribution"], found["per"]
    title = TITLES[per]
    unallocated = parts.quotient(total["unallocated_usd"], total["cost_usd"])
    out = [
        Tile(
            f"Cost per {title}",
            fmt.usd(total["unit_cost_usd"]),
            "#figure-history",
            f"{fmt.plural(total['units'], title, 'successes' if per == 'success' else '')}",
        ),
        Tile(
            "Half cost at most",
            fmt.usd(spread["p50_usd"]),
            "#units",
            f"nine of ten {fmt.usd_text(spread['p90_usd'])}, 99 of 100 {fmt.usd_text(spread['p99_usd'])}",
        ),
        Tile("Most for one", fmt.usd(spread["max_usd"]), "#units", "the dearest of all"),
        Tile(
            "Unallocated",
            fmt.usd(total["unallocated_usd"]),
            view.narrowed(per, "", "/calls") if per in unit_costs.DIMENSIONS else view.to("/calls"),
            f"{fmt.ratio_text(unallocated)} of the cost; {fmt.plural(total['unallocated_calls'], 'call')} of no {title}"
            if total["unallocated_calls"]
            else f"every call is of a {title}"
            if per != "success"
            else "every call is of a request",
            tone="warn" if unallocated and unallocated > 0.05 else "",
        ),
    ]
    if found["margin"]:
        margin = found["margin"]
        out.append(
            Tile(
                "Margin",
                fmt.usd(margin["margin_usd"]),
                "#margins",
                f"{fmt.ratio_text(margin['margin_ratio'])} of {fmt.usd_text(margin['revenue_usd'])} from "
                f"{fmt.plural(margin['customers'], 'customer')}",
                tone="warn" if margin["margin_usd"] < 0 else "",
            )
        )
    return out


def history_figure(view: View, found: Row) -> Figure:
    values = spend_chart.series_of(view, found["history"], "unit_cost_usd")
    return line_chart(
        "history",
        f"Cost per {TITLES[found['per']]}, per {view.interval}",
        view.steps,
        [Line(f"cost per {TITLES[found['per']]}", values, 1)],
        kind="each",
        step_href=lambda step: view.at(step),
        now=view.now,
        timezone=view.timezone,
        **happened(view, view.steps).arguments(),
        height=220,
    )


def unit_table(view: View, found: Row) -> Table:
    """The units that cost most; what belongs to none and all others below."""
    per = found["per"]
    is_dimension = per in unit_costs.DIMENSIONS
    columns = [
        Column(TITLES[per].capitalize(), "name", "unit"),
        Column("Cost", "usd", "cost_usd"),
        Column("Share", "share", "share", "Part of the whole cost"),
        Column("Calls", "count", "calls"),
        Column("Errors", "count", "errors", wide_only=True),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
    ]
    lines, others = [], None
    for row in found["rows"]:
        if is_dimension and not row.get("remainder"):
            href = view.narrowed(per, row["unit"] or "", "/spend")
            first = Cell(row["unit"] or "", href, label="unallocated" if row.get("unallocated") else None)
        elif row["trace_id"]:
            first = Cell(row["unit"], parts.trace_href(view, row["trace_id"]), label=_short(row["unit"]))
        else:
            first = Cell(None, label="retries of unknown requests" if row.get("unallocated") else "all others")
        cells = [first, *(Cell(row[name]) for name in ("cost_usd", "share", "calls", "errors", "priced_ratio"))]
        if row.get("remainder"):
            others = cells
        else:
            lines.append(cells)
    return Table("units", f"Cost by {TITLES[per]}", columns, lines, others)


def _short(unit: str) -> str:
    return unit if len(unit) <= 24 else f"{unit[:24]}…"


def mover_table(view: View, found: Row) -> Table | None:
    """Whose cost changed most against the window just before; nothing where calls are not recorded for so long."""
    if not found["movers"] or view.first_call is None or view.first_call > view.window.start - view.window.length:
        return None
    per = found["per"]
    columns = [
        Column(TITLES[per].capitalize(), "name", "unit"),
        Column("Change", "delta_usd", "change_usd"),
        Column("Now", "usd", "cost_usd"),
        Column("Before", "usd", "previous_usd"),
    ]
    lines = [
        [
            Cell(row["unit"], view.narrowed(per, row["unit"], "/explain")),
            Cell(row["change_usd"]),
            Cell(row["cost_usd"]),
            Cell(row["previous_usd"]),
        ]
        for row in found["movers"]
    ]
    return Table("movers", f"Top movers by {TITLES[per]}", columns, lines)


def margin_table(view: View, found: Row) -> Table | None:
    """What customers pay beside what they cost, those that lose money first."""
    if not found["margins"]:
        return None
    columns = [
        Column("Customer", "name", "customer"),
        Column("Margin", "delta_usd", "margin_usd", "Revenue less cost"),
        Column("Of revenue", "ratio", "margin_ratio"),
        Column("Revenue", "usd", "revenue_usd", "Its share of the months in this window"),
        Column("Cost", "usd", "cost_usd"),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
    ]
    shown = found["margins"] if view.get("csv") else found["margins"][:MARGINS_SHOWN]
    lines = [
        [
            Cell(row["customer"], view.narrowed("customer", row["customer"], "/spend")),
            *(Cell(row[name]) for name in ("margin_usd", "margin_ratio", "revenue_usd", "cost_usd", "priced_ratio")),
        ]
        for row in shown
    ]
    return Table("margins", "Margin by customer", columns, lines)


def showback_table(view: View, back: Row) -> Table:
    by = back["by"]
    columns = [
        Column(parts.dimension_title(by).capitalize(), "name", by),
        Column("Own cost", "usd", "direct_usd"),
        Column("Shared", "delta_usd", "shared_usd", "Its part of what is shared; taken away where it is shared out"),
        Column("Total", "usd", "total_usd"),
        Column("Share", "share", "share", "Part of the whole cost"),
        Column("Calls", "count", "calls"),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
    ]
    names = ("direct_usd", "shared_usd", "total_usd", "share", "calls", "priced_ratio")
    lines = []
    for row in back["rows"]:
        key = parts.key_of(row, by)
        label = "unallocated" if row.get("unallocated") else None
        note = "shared" if row.get("shared") else ""
        first = Cell(key, view.narrowed(by, key, "/spend"), note=note, label=label)
        lines.append([first, *(Cell(row[name]) for name in names)])
    shown = lines if view.get("csv") else lines[: parts.TABLE_GROUPS]
    others = None
    if len(shown) < len(lines):
        rest = back["rows"][len(shown) :]
        sums = [sum(parts.money(row[name]) for row in rest) for name in ("direct_usd", "shared_usd", "total_usd")]
        calls = sum(row["calls"] for row in rest)
        label = parts.others_text(len(rest))
        others = [Cell(None, label=label), *map(Cell, sums), Cell(None), Cell(calls), Cell(None)]
    return Table("showback", f"Showback by {parts.dimension_title(by)}", columns, shown, others)


def showback_note(back: Row) -> str:
    """What is shared and how, in words."""
    if not back["shared_usd"]:
        return "nothing is shared or unallocated"
    shared = f"{fmt.usd_text(back['shared_usd'])} shared or unallocated"
    return f"{shared}, split {SPLITS[back['split']]}" if back["split"] else f"{shared}, not split"


def booking_href(view: View, by: str, split: str) -> str:
    """Last month's showback as CSV."""
    local = view.now.astimezone(ZoneInfo(view.timezone))
    month = (local.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    return view.to(
        "/api/v1/showback", start=None, end=None, month=month, by=by, split=split or None,
        shared=view.get("shared") or None, format="csv",
    )  # fmt: skip
