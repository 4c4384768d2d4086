"""/tradeoff: cost, quality and latency of every model per task, and which one would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from outlay_analytics.questions import tradeoff
from outlay_analytics.questions.experiments import MARGIN
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Point, Table, scatter
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.quality import bounds_cell, p95_bounds, score_text, value_kinds
from outlay_web.pages.view import View

ALLOWED = ("score", "success", "margin", "about")
QUESTION = "Which model is good enough for which task, and what does each choice cost?"


def page(view: View) -> Page:
    margin = view.query.number("margin", MARGIN)
    found = tradeoff.tradeoff(view.ctx.store, view.scope, view.get("score"), view.get("success"), margin)
    rows = found["rows"]
    if not rows:
        return Page("tradeoff.html", "Trade-off", QUESTION, empty=True)
    names = [task["task"] or "" for task in found["tasks"]]
    about = view.get("about") if view.get("about") in names else most_telling(found["tasks"], rows)
    mine = [row for row in rows if (row["task"] or "") == about]
    kinds = value_kinds(found)
    kind = kinds.get(next((row["score"] for row in mine if row["score"]), ""), "number")
    data = {
        "tasks": task_table(view, found["tasks"]),
        "chart": figure(view, mine, about, "quality", kind),
        "speed": figure(view, mine, about, "latency", kind),
        "table": choice_table(view, rows, kinds),
        "margin": f"{margin:g}",
        "left_out": found["rows_left_out"],
        "score": found["score"],
        "score_options": [one["name"] for one in found["scores"]],
        "about": about,
        "task_options": [(name, fmt.name_text(name)) for name in names[:200]],
    }
    return Page("tradeoff.html", "Trade-off", QUESTION, data)


def most_telling(tasks: Sequence[Row], rows: Sequence[Row]) -> str:
    """The dearest task with two models whose quality is known, else the dearest."""
    judged = [row["task"] for row in rows if row["mean"] is not None]
    found: str | None = next((task["task"] for task in tasks if judged.count(task["task"]) > 1), tasks[0]["task"])
    return found or ""


def task_table(view: View, tasks: Sequence[Row]) -> Table:
    """A line per task: what would do, what that saves, and why; the dearest first."""
    columns = [
        Column("Task", "name", "task", "The calls' task, else their feature"),
        Column("Would do", "name", "recommended"),
        Column("Tier", "text", "recommended_tier"),
        Column("Saves a month", "usd", "monthly_saving_usd", tradeoff.ASSUMPTION.capitalize()),
        Column("Now a month", "usd", "monthly_cost_usd"),
        Column("Why", "words", "reason"),
        Column("Rule of thumb", "text", "rule_of_thumb", "What teams start from; measured figures replace it"),
    ]
    lines = []
    for task in tasks:
        rule = task["rule_of_thumb"]
        lines.append(
            [
                Cell(task["task"], view.here(about=task["task"] or "")),
                Cell(task["recommended"], label=None if task["recommended"] else "–"),
                Cell(task["recommended_tier"]),
                Cell(task["monthly_saving_usd"]),
                Cell(task["monthly_cost_usd"]),
                Cell(task["reason"]),
                Cell(f"{rule['tier']} for {rule['task']}; a lower tier keeps {rule['kept']}" if rule else ""),
            ]
        )
    return Table("tasks", "What would do for each task", columns, lines)


def choice_table(view: View, rows: Sequence[Row], kinds: Mapping[str, str]) -> Table:
    """Every task and model."""
    columns = [
        Column("Task", "name", "task"),
        Column("Model", "name", "model"),
        Column("Tier", "text", "model_tier", csv_only=True),
        Column("Calls", "count", "calls"),
        Column("Per call", "each", "cost_per_call_usd"),
        Column("95 %", "interval", "cost_interval", "Interval of the cost per call", csv_only=True),
        Column("Score", "text", "score", wide_only=True),
        Column("Mean", "number", "mean", "Mean score"),
        Column("95 %", "interval", "interval", "Interval of the mean score"),
        Column("Scores", "count", "n"),
        Column("Per success", "each", "cost_per_success_usd", csv_only=True),
        Column("p95", "duration", "p95_ms"),
        Column("95 %", "interval", "p95_interval", "Interval of the p95", csv_only=True),
        Column("Frontier", "text", "on_frontier", "Whether no other model is at once cheaper, better and faster"),
        Column("Excess", "usd", "monthly_excess_usd", "What it costs a month above the model that dominates it"),
    ]
    lines = [
        [
            Cell(row["task"], view.here(about=row["task"] or "")),
            Cell(row["model"]),
            Cell(row["model_tier"]),
            Cell(row["calls"], view.narrowed("model", row["model"], "/calls")),
            Cell(row["cost_per_call_usd"]),
            Cell(_cost_bounds(row)),
            Cell(row["score"] or ""),
            Cell(row["mean"], label=score_text(row["mean"], kinds.get(row["score"], "number"))),
            bounds_cell(row, kinds.get(row["score"], "number")),
            Cell(row["n"]),
            Cell(row["cost_per_success_usd"]),
            Cell(row["p95_ms"]),
            Cell(p95_bounds(row)),
            Cell(_frontier(row)),
            Cell(row["monthly_excess_usd"]),
        ]
        for row in rows
    ]
    return Table("choices", "Cost, quality and latency per task and model", columns, lines)


def _cost_bounds(row: Row) -> str:
    if row["cost_ci_low_usd"] is None:
        return ""
    return f"{fmt.usd_text(row['cost_ci_low_usd'])} – {fmt.usd_text(row['cost_ci_high_usd'])}"


def _frontier(row: Row) -> str:
    if row["on_frontier"] is None:
        return ""
    return "yes" if row["on_frontier"] else f"no: {row['dominated_by']}"


def figure(view: View, rows: Sequence[Row], about: str, against: str, kind: str) -> Figure:
    """Cost per call against quality, or latency; the size of a point says how many calls it has."""
    measure = "mean" if against == "quality" else "p95_ms"
    known = [row for row in rows if row[measure] is not None and row["cost_per_call_usd"] is not None]
    unit: Callable[[float], str] = (lambda v: score_text(v, kind)) if against == "quality" else fmt.duration_text
    points = [
        Point(
            row["model"] or "",
            float(row[measure]),
            float(row["cost_per_call_usd"]),
            float(row["calls"]),
            number % 8 + 1,
            f"{fmt.name_text(row['model'] or '')}: {unit(row[measure])}, "
            f"{fmt.usd_text(row['cost_per_call_usd'])} a call",
        )
        for number, row in enumerate(known)
    ]
    table = Table(
        against,
        f"Cost and {against}",
        [
            Column("Model", "name", "model"),
            Column("Mean" if against == "quality" else "p95", kind if against == "quality" else "duration", measure),
            Column("Per call", "each", "cost_per_call_usd"),
            Column("Calls", "count", "calls"),
        ],
        [[Cell(row["model"]), Cell(row[measure]), Cell(row["cost_per_call_usd"]), Cell(row["calls"])] for row in known],
    )
    return scatter(
        against,
        f"Cost and {against}: {fmt.name_text(about)}",
        points,
        table,
        x_title="mean score" if against == "quality" else "p95",
        y_title="cost per call",
        x_unit=unit,
    )
