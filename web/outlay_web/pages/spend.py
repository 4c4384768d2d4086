"""/spend: who spent what, when, and at which latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_analytics.questions import spend
from outlay_web import format as fmt
from outlay_web.charts import OTHER, Cell, Column, Figure, Point, Table, hour_heatmap, scatter, sparkline
from outlay_web.pages import parts, spend_chart, spend_table
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import GROUPS, INTERVALS, View

ALLOWED = ("group_by", "interval", "measure", "sort")
MEASURES = {
    "cost_usd": "Cost",
    "calls": "Calls",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
    "cache_read_tokens": "Cached tokens",
    "errors": "Errors",
}
HEATMAP_DAYS = (2, 62)


def page(view: View) -> Page:
    groups = view.groups("feature")
    measure = view.choice("measure", MEASURES, "cost_usd")
    store, scope = view.ctx.store, view.scope
    most = parts.table_groups(view)
    rank = view.choice("sort", spend_table.SORTS, spend_table.SORTS[0])
    whole = spend.spend(store, scope, group_by=groups, interval="total", base=view.base, limit=most, rank=rank)
    if not whole["total"]["calls"]:
        return Page("spend.html", "Spend", "Who spent what?", empty=True)
    timed = spend.spend(
        store,
        scope,
        group_by=groups[:1],
        interval=view.interval,
        limit=spend_chart.CHART_GROUPS,
        percentiles=False,
        rank=measure,
    )
    slots = spend_chart.slots_for(view, groups[0], spend_chart.ranked(timed["rows"], groups[0]))
    title = f"{MEASURES[measure]} by {parts.dimension_title(groups[0])}, per {view.interval}"
    data = {
        "tiles": tiles(view, whole, timed["rows"]),
        "figure": spend_chart.spend_figure(view, timed, groups[0], measure=measure, title=title, height=280),
        "table": spend_table.spend_table(
            view,
            "groups",
            f"Spend by {' and '.join(map(parts.dimension_title, groups))}",
            whole,
            groups,
            slots=slots,
        ),
        "scatter": latency_figure(view, parts.shown_rows(whole["rows"]), groups, slots),
        "heatmap": heatmap(view),
        "groups": groups,
        "group_options": GROUPS,
        "measure": measure,
        "measures": MEASURES,
        "intervals": INTERVALS,
    }
    return Page("spend.html", "Spend", "Who spent what?", data)


def tiles(view: View, result: Row, timed: Sequence[Row]) -> list[Tile]:
    """Key numbers of the window: cost, calls, cost of a call, tokens, latency, errors; cost always beside speed."""
    total = result["total"]
    before = total.get("previous") or {}
    calls = total.get("calls")
    each, each_before = parts.per_call(total), parts.per_call(before)
    cached = parts.quotient(total.get("cache_read_tokens"), total.get("input_tokens"))
    failed = parts.quotient(total.get("errors"), calls)
    return [
        parts.total_tile(view, result, spend_chart.series_of(view, timed, "cost_usd")),
        Tile(
            "Calls",
            fmt.count(calls),
            view.to("/calls"),
            change=parts.moved(calls, before.get("calls")),
            spark=sparkline(spend_chart.series_of(view, timed, "calls")),
        ),
        Tile("Per call", fmt.usd(each), view.to("/explain"), "on average", parts.moved(each, each_before)),
        Tile(
            "Input tokens",
            fmt.tokens(total.get("input_tokens")),
            view.to("/caching"),
            f"{fmt.ratio_text(cached)} cached; {fmt.tokens_text(total.get('output_tokens'))} out",
            parts.moved(total.get("input_tokens"), before.get("input_tokens")),
        ),
        Tile(
            "Latency p95",
            fmt.duration(total.get("p95_ms")),
            view.to("/spend", group_by="model"),
            f"half within {fmt.duration_text(total.get('p50_ms'))}",
            parts.moved(total.get("p95_ms"), before.get("p95_ms")),
        ),
        Tile(
            "Errors",
            fmt.ratio(failed),
            view.to("/calls", status="error"),
            fmt.plural(total.get("errors"), "failed call"),
            tone="warn" if failed and failed > 0.05 else "",
        ),
    ]


def latency_figure(view: View, rows: Sequence[Row], groups: Sequence[str], slots: Mapping[str, int]) -> Figure | None:
    """Cost of a call against its latency: what is up and to the right costs much and is slow."""
    points, lines = [], []
    for row in sorted(rows, key=lambda r: -parts.money(r.get("cost_usd")))[:40]:
        each = parts.per_call(row)
        if not each or not row.get("p95_ms"):
            continue
        key = parts.key_of(row, groups[0])
        label = " · ".join(fmt.name_text(row.get(d)) for d in groups)
        href = view.here(**{d: parts.key_of(row, d) for d in groups})
        text = f"{fmt.usd_text(each)} a call, p95 {fmt.duration_text(row['p95_ms'])}"
        points.append(
            Point(
                label,
                float(row["p95_ms"]),
                float(each),
                float(parts.money(row.get("cost_usd"))),
                slots.get(key, OTHER),
                text,
                href,
            )
        )
        lines.append([Cell(label, href), Cell(each), Cell(row["p95_ms"]), Cell(row.get("cost_usd"))])
    if len(points) < 2:
        return None
    columns = [
        Column("Group", "text", "group"),
        Column("Per call", "each", "cost_per_call_usd"),
        Column("p95", "duration", "p95_ms"),
        Column("Cost", "usd", "cost_usd"),
    ]
    title = f"Cost of a call against latency, by {' and '.join(map(parts.dimension_title, groups))}"
    return scatter(
        "latency",
        title,
        points,
        Table("latency", title, columns, lines),
        x_title="p95 latency",
        y_title="cost per call",
        x_unit=fmt.duration_text,
        height=300,
        log=True,
    )


def heatmap(view: View) -> Figure | None:
    """Spend by hour of the day and day, where the window is some days long."""
    length = view.window.end - view.window.start
    if not timedelta(days=HEATMAP_DAYS[0]) <= length <= timedelta(days=HEATMAP_DAYS[1]):
        return None
    zone = ZoneInfo(view.timezone)
    values: dict[tuple[date, int], Decimal] = {}
    for row in spend.spend(view.ctx.store, view.scope, interval="hour", percentiles=False)["rows"]:
        local = row["time"].astimezone(zone)
        if row.get("cost_usd") is not None:
            key = (local.date(), local.hour)
            values[key] = values.get(key, Decimal(0)) + row["cost_usd"]
    first, last = (
        view.window.start.astimezone(zone).date(),
        (view.window.end - timedelta(microseconds=1)).astimezone(zone).date(),
    )
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    return hour_heatmap("hours", "Spend by hour of the day", days, values)
