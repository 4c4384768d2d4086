"""/cascades: how often the cheap model suffices, what escalating costs, and where the threshold should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_analytics.questions import cascades
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Point, Table, line_chart, scatter
from outlay_web.pages import parts, spend_chart
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import INTERVALS, View

ALLOWED = ("interval",)


@dataclass(frozen=True)
class Cascade:
    """One cascade as the page shows it."""

    name: str
    tiles: list[Tile]
    tiers: Table
    curve: Figure | None
    sweep: Table | None
    recommended: str
    calls_href: str


def page(view: View) -> Page:
    store, scope = view.ctx.store, view.scope
    found, timed = cascades.whole_and_timed(store, scope, view.interval)
    question = "Does trying the cheap model first pay off?"
    if not found:
        return Page("cascades.html", "Cascades", question, empty=True)
    shown = [cascade(view, i, one) for i, one in enumerate(found)]
    data = {
        "rates": rate_figure(view, timed, [str(one["name"]) for one in found]),
        "cascades": shown,
        "all_tables": [one.tiers for one in shown] + [one.sweep for one in shown if one.sweep],
        "all_figures": [one.curve for one in shown if one.curve],
        "intervals": INTERVALS,
    }
    return Page("cascades.html", "Cascades", question, data)


def rate_figure(view: View, rows: Sequence[Row], names: Sequence[str]) -> Figure:
    """Escalation rate over time, a line for each cascade."""
    lines = []
    for slot, name in enumerate(names[:7], 1):
        mine = [row for row in rows if str(row["name"]) == name]
        runs = spend_chart.series_of(view, mine, "runs")
        escalated = spend_chart.series_of(view, mine, "escalated_runs")
        lines.append(
            Line(
                fmt.name_text(name),
                [parts.quotient(b, a) if a else None for a, b in zip(runs, escalated, strict=True)],
                slot,
            )
        )
    return line_chart(
        "rates",
        f"Escalation rate per {view.interval}",
        view.steps,
        lines,
        kind="ratio",
        unit=lambda v: f"{v * 100:.0f}%",
        step_href=lambda step: view.at(step),
        now=view.now,
        timezone=view.timezone,
        **happened(view, view.steps).arguments(),
        height=210,
    )


def cascade(view: View, i: int, one: Row) -> Cascade:
    name = str(one["name"])
    swept = cascades.thresholds(view.ctx.store, view.scope, name) or {}
    rate, even = one.get("escalation_rate"), one.get("break_even_escalation_rate")
    late = rate is not None and even is not None and rate > even
    saving = one.get("saving_usd")
    alone = f"top tier alone: {fmt.usd_text(one.get('top_tier_only_usd'))}"
    if saving is not None and one["compared_runs"] < one["runs"]:
        alone += f"; over the {fmt.count_text(one['compared_runs'])} runs whose cost is known"
    calls = view.narrowed("cascade", name, "/calls")
    tiles = [
        Tile("Runs", fmt.count(one.get("runs")), calls),
        Tile(
            "Escalated",
            fmt.ratio(rate),
            view.narrowed("cascade", name, "/spend", group_by="cascade_tier"),
            f"pays off below {fmt.ratio_text(even)}" if even is not None else "",
            tone="warn" if late else "",
        ),
        Tile(
            "Cost",
            fmt.usd(one.get("cost_usd")),
            view.narrowed("cascade", name, "/spend"),
            f"{fmt.usd_text(one.get('wasted_usd'))} on attempts that were not accepted",
        ),
        Tile("Per accepted answer", fmt.usd(one.get("cost_per_accepted_usd")), None, forced_text(one)),
        guarantee_tile(swept),
        Tile(
            "Saved" if saving is None or saving >= 0 else "Lost",
            fmt.usd(saving),
            None,
            alone,
            tone="warn" if saving is not None and saving < 0 else "",
        ),
    ]
    rows = swept.get("rows") or []
    return Cascade(
        name,
        tiles,
        tier_table(view, f"tiers-{i}", name, one["tiers"]),
        curve(f"curve-{i}", rows, threshold(swept.get("recommended"))),
        sweep_table(f"thresholds-{i}", rows),
        advice(swept),
        calls,
    )


def forced_text(one: Row) -> str:
    """How many runs ended with an answer that nothing accepted."""
    forced = one["forced_runs"]
    return f"{fmt.count_text(forced)} runs took an answer that nothing accepted" if forced else ""


def guarantee_tile(swept: Row) -> Tile:
    """The threshold with a guarantee, beside the one in use."""
    found = swept.get("guaranteed")
    if found is None:
        return Tile("Guaranteed threshold", "–", None, str(swept.get("guaranteed_reason") or "no run has a confidence"))
    used = ", ".join(f"{at:g}" for at in swept["in_use"][:3])
    note = f"at most {fmt.ratio_text(found['error_bound'])} wrong, {fmt.ratio_text(found['confidence'])} sure"
    note += f"; in use: {used}" if used else ""
    if found["saving_usd"] is not None:
        word, sign = ("saves", 1) if found["saving_usd"] >= 0 else ("costs more:", -1)
        low, high = sorted(sign * Decimal(found[name]) for name in ("saving_lo_usd", "saving_hi_usd"))
        amount = fmt.usd_text(sign * Decimal(found["saving_usd"]))
        note += f"; {word} {amount} ({fmt.usd_text(low)} to {fmt.usd_text(high)})"
    return Tile("Guaranteed threshold", f"{found['threshold']:g}", None, note)


def tier_table(view: View, table_name: str, name: str, tiers: Sequence[Row]) -> Table:
    columns = [
        Column("Tier", "text", "tier"),
        Column("Model", "name", "model"),
        Column("Attempts", "count", "attempts"),
        Column("Accepted", "count", "accepted"),
        Column("Acceptance", "share", "acceptance_rate"),
        Column("Cost", "usd", "cost_usd"),
        Column("Per attempt", "each", "cost_per_attempt_usd"),
        Column("p95", "duration", "p95_ms"),
    ]
    rows = [
        [
            Cell(tier["tier"], view.narrowed("cascade", name, "/calls", cascade_tier=str(tier["tier"]))),
            Cell(tier["model"], view.narrowed("cascade", name, "/calls", model=str(tier["model"] or ""))),
            Cell(tier["attempts"], view.narrowed("cascade", name, "/calls", cascade_tier=str(tier["tier"]))),
            Cell(tier["accepted"]),
            Cell(tier["acceptance_rate"]),
            Cell(tier["cost_usd"]),
            Cell(parts.per(tier["cost_usd"], tier["attempts"])),
            Cell(tier["p95_ms"]),
        ]
        for tier in tiers
    ]
    return Table(table_name, f"Tiers of {name}", columns, rows)


def sweep_table(name: str, rows: Sequence[Row]) -> Table | None:
    if not rows:
        return None
    columns = [
        Column("Threshold", "number", "threshold"),
        Column("Escalation", "ratio", "escalation_rate"),
        Column("Cost per run", "each", "cost_per_run_usd"),
        Column("Quality", "ratio", "quality", "Mean score where runs were scored"),
    ]
    lines = [
        [Cell(r["threshold"]), Cell(r["escalation_rate"]), Cell(r["cost_per_run_usd"]), Cell(r.get("quality"))]
        for r in rows
    ]
    return Table(name, "Thresholds", columns, lines)


def curve(name: str, rows: Sequence[Row], recommended: float | None) -> Figure | None:
    """Cost of a run against the threshold of acceptance."""
    known = [r for r in rows if r.get("cost_per_run_usd") is not None and r.get("threshold") is not None]
    if len(known) < 3:
        return None
    points = []
    for row in known[:101]:
        at = float(row["threshold"])
        best = recommended is not None and abs(at - recommended) < 1e-9
        cost, rate = Decimal(row["cost_per_run_usd"]), row["escalation_rate"]
        text = f"{fmt.usd_text(cost)} a run, {fmt.ratio_text(rate)} escalated"
        if row.get("quality") is not None:
            text += f", quality {fmt.ratio_text(row['quality'])}"
        label = "recommended" if best else f"threshold {at:.3g}"
        points.append(Point(label, at, float(row["cost_per_run_usd"]), 0.0, 3 if best else 1, text))
    table = sweep_table(name, rows)
    assert table is not None
    return scatter(
        name,
        "Cost of a run at other thresholds",
        points,
        table,
        x_title="threshold",
        y_title="cost per run",
        x_unit=lambda v: f"{v:.2g}",
        height=230,
        named=False,
        highlight="recommended",
    )


def threshold(recommended: Any) -> float | None:
    """The recommended threshold, given as a number or as a row of the sweep."""
    value = recommended.get("threshold") if isinstance(recommended, Mapping) else recommended
    return None if value is None else float(value)


def advice(swept: Row) -> str:
    """The recommended threshold in words: what it costs, and what it gives for that, beside the one in use."""
    value = threshold(swept.get("recommended"))
    if value is None:
        return ""
    by_threshold = {float(row["threshold"]): row for row in swept["rows"]}
    found = by_threshold.get(value)
    used = [by_threshold[float(at)] for at in swept["in_use"] if float(at) in by_threshold]
    text = f"Recommended threshold: {value:.3g}"
    if found is None or len(used) != 1 or used[0] is found:
        return text
    now = used[0]
    if now["cost_per_run_usd"] and found["cost_per_run_usd"]:
        text += f", {found['cost_per_run_usd'] / now['cost_per_run_usd']:.2g} times the cost of {now['threshold']:g}"
    if now["quality"] is not None and found["quality"] is not None:
        text += f", quality {fmt.ratio_text(found['quality'])} after {fmt.ratio_text(now['quality'])}"
    return text
