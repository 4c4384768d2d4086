"""/: what is spent, where it goes, why it moved, and whether the month will hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from outlay_analytics.alerting import listing
from outlay_analytics.bills.keep import last_checks
from outlay_analytics.explain import bases, change
from outlay_analytics.query.window import Window
from outlay_analytics.questions import spend
from outlay_collector.prices import witness
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table, sparkline
from outlay_web.pages import budgets as budgets_page
from outlay_web.pages import explain as explain_page
from outlay_web.pages import forecast as forecast_page
from outlay_web.pages import parts, spend_chart, unusual
from outlay_web.pages import spend as spend_page
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import Link, View

ALLOWED = ("group_by", "interval")
TABS = ("feature", "model", "team", "customer", "provider")
TOP = 6
LONG = timedelta(days=14)
WEEK = timedelta(days=7)


def page(view: View) -> Page:
    group = view.groups("feature")[0]
    store, scope = view.ctx.store, view.scope
    timed = spend.spend(
        store, scope, group_by=(group,), interval=view.interval, base=view.base, limit=spend_chart.CHART_GROUPS
    )
    question = "What do model calls cost, and why?"
    if not timed["total"]["calls"]:
        return Page("overview.html", "Overview", question, empty=True)
    odd = unusual.look_for_anomalies(view)
    why = why_window(view)
    base = bases.comparable(store, replace(scope, window=why))
    explained = change.outline(store, replace(scope, window=why), base.window) if base.window else None
    why_not = explain_page.unknown(explained) if explained else base.reason
    moved = explained is not None and (explained["base"]["calls"] or explained["current"]["calls"])
    said = witness.differing(store, why.start, why.end, project=scope.project)
    data = {
        "reported": said,
        "reported_href": view.to("/prices") + "#reported",
        "tiles": tiles(view, timed),
        "figure": spend_chart.spend_figure(
            view, timed, group, marks=marks(view, odd.anomalies), height=270, path="/spend"
        ),
        "tabs": [Link(name, view.here(group_by=None if name == "feature" else name), name == group) for name in TABS],
        "why": explain_page.figure(explained) if explained and moved and not why_not else None,
        "why_sentences": explained["sentences"][:4] if explained else [],
        "why_href": view.between(why.start, why.end, "/explain", base.window),
        "why_period": why_period(view, why, base.window) if base.window else "",
        "why_change": why_change(explained) if explained else "",
        "why_not": why_not,
        "tops": [top_table(view, name) for name in ("feature", "model", "team")],
        "budgets": budgets_page.cards(view, budgets_page.read(view)[:3]),
        "firing": listing.list_alerts(store, scope.project, view.now, "firing"),
        "anomalies": [anomaly_line(view, one) for one in odd.anomalies[:4]],
        "odd": odd,
        "group": group,
        "bill": bill_check(view),
    }
    return Page("overview.html", "Overview", question, data)


def bill_check(view: View) -> Row | None:
    """How much of the pulled bills was explained last, None where none are pulled."""
    checked = last_checks(view.ctx.store, view.scope.project, 1)
    return checked[0] if checked and checked[0]["explained"] is not None else None


def why_change(explained: Row) -> str | Markup:
    return parts.moved(explained["current"].get("cost_usd"), explained["base"].get("cost_usd"))


def why_window(view: View) -> Window:
    """What to explain: the window, or only its last week where it is long, since what came before may not be there."""
    window = view.window
    return window if window.length < LONG else Window(window.end - WEEK, window.end)


def why_period(view: View, why: Window, base: Window) -> str:
    """Which time is explained, and against what."""
    part = "" if why == view.window else "last 7 days "
    return f"{part}against {bases.against(why, base)}"


def tiles(view: View, timed: Row) -> list[Tile]:
    total = timed["total"]
    before = total.get("previous") or {}
    cost, calls = total.get("cost_usd"), total.get("calls")
    each = parts.per_call(total)
    uncached = total.get("uncached_cost_usd")
    cached = parts.quotient(total.get("cache_read_tokens"), total.get("input_tokens"))
    saved = uncached - cost if uncached is not None and cost is not None else None
    return [
        parts.total_tile(view, timed, spend_chart.series_of(view, timed["rows"], "cost_usd")),
        forecast_page.month_tile(forecast_page.month_end(view), view.to("/forecast", start=None, end=None)),
        Tile(
            "Per call",
            fmt.usd(each),
            view.to("/spend", group_by="model"),
            fmt.plural(calls, "call"),
            parts.moved(each, parts.per_call(before)),
            sparkline(spend_chart.series_of(view, timed["rows"], "calls"), 8),
        ),
        Tile(
            "Saved by caching",
            fmt.usd(saved),
            view.to("/caching"),
            f"{fmt.ratio_text(cached)} of input cached",
        ),
        Tile(
            "Latency p95",
            fmt.duration(total.get("p95_ms")),
            view.to("/spend", group_by="model"),
            f"half within {fmt.duration_text(total.get('p50_ms'))}",
            parts.moved(total.get("p95_ms"), before.get("p95_ms")),
        ),
        spend_page.tiles(view, timed, timed["rows"])[-1],
    ]


def marks(view: View, found: Sequence[Row]) -> dict[datetime, tuple[str, str]]:
    """Anomalies by the moment they began, the largest of a step first."""
    out: dict[datetime, tuple[str, str]] = {}
    for one in sorted(found, key=lambda one: -one["impact_usd"]):
        at = max(one["started_at"], view.window.start)
        out.setdefault(at, (unusual.anomaly_text(one), unusual.anomaly_href(view, one)))
    return out


def anomaly_line(view: View, one: Row) -> dict[str, Any]:
    return {
        "text": unusual.anomaly_text(one),
        "href": unusual.anomaly_href(view, one),
        "at": one["started_at"],
        "ongoing": one["ongoing"],
    }


def top_table(view: View, dimension: str) -> Table:
    """The largest few by cost, short enough to stand beside others."""
    found = spend.spend(view.ctx.store, view.scope, (dimension,), base=view.base, limit=TOP, percentiles=False)
    total = parts.money(found["total"].get("cost_usd"))
    rows = sorted(parts.shown_rows(found["rows"]), key=lambda r: -parts.money(r.get("cost_usd")))[:TOP]
    columns = [
        Column(dimension.capitalize(), "name", dimension),
        Column("Cost", "usd", "cost_usd"),
        Column("Share", "ratio", "share"),
    ]
    compared = "previous" in found["total"]
    if compared:
        columns.append(Column("Change", "delta", "change", view.base_text))
    lines = []
    for row in rows:
        key = parts.key_of(row, dimension)
        href = view.narrowed(dimension, key, "/explain", **(view.against(view.base) if view.base else {}))
        cells = top_cells(row, total, compared, href)
        lines.append([Cell(key, view.narrowed(dimension, key, "/spend")), *cells])
    others, rest = None, parts.remainder(found["rows"])
    if rest is not None:
        label = parts.others_text(int(found["groups_left_out"]))
        href = view.to("/spend", group_by=dimension)
        others = [Cell(None, href, label=label), *top_cells(rest, total, compared, None)]
    return Table(f"top-{dimension}", f"By {dimension}", columns, lines, others)


def top_cells(row: Row, total: Decimal, compared: bool, explain_href: str | None) -> list[Cell]:
    """Cost, share and change of one row of those tables."""
    cost = row.get("cost_usd")
    cells = [Cell(cost, explain_href), Cell(parts.quotient(cost, total))]
    if compared:
        grown = parts.change(cost, parts.previous(row))
        cells.append(Cell(grown, label="new" if parts.newcomer(row) else None))
    return cells
