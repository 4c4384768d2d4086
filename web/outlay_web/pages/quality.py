"""/quality: how good the answers were, over time and by any dimension, beside what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.questions import quality
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Table, line_chart
from outlay_web.pages import parts, spend_chart
from outlay_web.pages.address import Change
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import GROUPS, INTERVALS, View

ALLOWED = ("group_by", "interval", "score", "success")
QUESTION = "How good are the answers, and what does a good one cost?"


def page(view: View) -> Page:
    group = view.groups("model")[0]
    store, scope = view.ctx.store, view.scope
    asked: dict[str, Any] = {"score": view.get("score"), "success": view.get("success")}
    found = quality.quality(store, scope, (group,), limit=parts.table_groups(view), **asked)
    if found["score"] is None:
        return Page("quality.html", "Quality", QUESTION, empty=True)
    timed = quality.quality(store, scope, (), view.interval, **asked)["rows"]
    data = {
        "tiles": tiles(view, found),
        "curve": mean_figure(view, timed, found["score"]),
        "table": quality_table(view, found["rows"], group, found),
        "group": group,
        "group_options": GROUPS,
        "intervals": INTERVALS,
        "score": found["score"],
        "score_options": [one["name"] for one in found["scores"]],
        "success_text": "" if found["success"] is None else str(found["success"]),
    }
    return Page("quality.html", "Quality", QUESTION, data)


def value_kinds(found: Row) -> dict[str, str]:
    """How the mean of each score is shown: shares, also of a label, as per cent."""
    return {one["name"]: "number" if one["kind"] == "number" else "ratio" for one in found["scores"]}


def bounds_cell(row: Row, kind: str) -> Cell:
    """The interval on one line."""
    text = bounds_text(row, kind)
    return Cell(text, label=text.replace(" ", "\u00a0").replace("–", "–\u2060"))


def bounds_text(row: Row, kind: str) -> str:
    """The interval in words, nothing where there is none."""
    low, high = row["ci_low"], row["ci_high"]
    if low is None or high is None:
        return ""
    return f"{score_text(low, kind)} – {score_text(high, kind)}"


def score_text(value: float | None, kind: str) -> str:
    """A score as it is shown."""
    if value is None:
        return "–"
    return fmt.ratio_text(value) if kind == "ratio" else f"{value:.3g}"


def tiles(view: View, found: Row) -> list[Tile]:
    total, kind = found["total"], value_kinds(found)[found["score"]]
    return [
        Tile(
            f"Mean {found['score']}",
            score_text(total["mean"], kind),
            "#figure-means",
            f"95 %: {bounds_text(total, kind)}" if total["ci_low"] is not None else "",
        ),
        Tile(
            "Scored",
            fmt.ratio(total["scored_ratio"]),
            None,
            f"{fmt.count_text(total['n'])} scores, {fmt.count_text(total['calls'])} calls",
        ),
        Tile("Cost per success", fmt.usd(total["cost_per_success_usd"]), None, success_note(found)),
        Tile("Cost per call", fmt.usd(total["cost_per_call_usd"]), view.to("/spend")),
    ]


def success_note(found: Row) -> str:
    """What counts as a success."""
    if found["success"] is None:
        return "say from which score on an answer is a success"
    if isinstance(found["success"], str):
        return f"where it is labelled {found['success']}"
    return f"score of at least {found['success']:g}"


def mean_figure(view: View, rows: Sequence[Row], score: str) -> Figure:
    """The mean score over time."""
    ordered: list[Any] = spend_chart.series_of(view, rows, "mean")
    return line_chart(
        "means",
        f"Mean {score} per {view.interval}",
        view.steps,
        [Line(score, ordered, 1)],
        kind="number",
        unit=lambda v: f"{v:.3g}",
        step_href=lambda step: view.at(step),
        now=view.now,
        timezone=view.timezone,
        **happened(view, view.steps).arguments(),
        height=220,
    )


def p95_bounds(row: Row) -> str:
    """The interval of the 95th percentile in words, nothing where there is none."""
    low, high = row["p95_ci_low_ms"], row["p95_ci_high_ms"]
    return "" if low is None else f"{fmt.duration_text(low)} – {fmt.duration_text(high)}"


def quality_columns(kind: str) -> list[Column]:
    """Mean, interval and what it costs; shared with the arms of an experiment."""
    return [
        Column("Mean", kind, "mean", "Mean score"),
        Column("95 %", "interval", "interval", "Interval of the mean"),
        Column("Scores", "count", "n"),
        Column("Success", "ratio", "success_ratio", "Successes of the scored answers", wide_only=True),
        Column("Per success", "each", "cost_per_success_usd", "Cost of the scored answers by successes among them"),
        Column("Per call", "each", "cost_per_call_usd", "Of all calls whose cost is known"),
        Column("p95", "duration", "p95_ms", "19 of 20 calls are faster"),
        Column("Errors", "ratio", "error_rate", "Calls that failed", wide_only=True),
        Column("Calls", "count", "calls"),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known"),
    ]


def quality_cells(row: Row, kind: str, calls_href: str | None = None, scored_href: str | None = None) -> list[Cell]:
    """The cells of those columns."""
    return [
        Cell(row["mean"]),
        bounds_cell(row, kind),
        Cell(row["n"], scored_href if row["n"] else None),
        Cell(row["success_ratio"]),
        Cell(row["cost_per_success_usd"]),
        Cell(row["cost_per_call_usd"]),
        Cell(row["p95_ms"]),
        Cell(row["error_rate"]),
        Cell(row["calls"], calls_href),
        Cell(row["priced_ratio"]),
    ]


def quality_table(view: View, rows: Sequence[Row], group: str, found: Row) -> Table:
    """How good each group is, those with the most calls first."""
    kind = value_kinds(found)[found["score"]]
    columns = [Column(parts.dimension_title(group).capitalize(), "name", group), *quality_columns(kind)]
    lines = []
    others = None
    scored: dict[str, Change] = {f"score.{found['score']}": "*"}
    for row in rows:
        key = parts.key_of(row, group)
        if row.get("remainder"):
            others = [Cell(None, label="all others"), *quality_cells(row, kind)]
        else:
            calls, rated = (view.narrowed(group, key, "/calls", **own) for own in ({}, scored))
            lines.append([Cell(key, view.narrowed(group, key)), *quality_cells(row, kind, calls, rated)])
    foot = [Cell("Total"), *quality_cells(found["total"], kind, view.to("/calls"), view.to("/calls", **scored))]
    return Table("quality", f"Quality by {parts.dimension_title(group)}", columns, lines, others, foot)
