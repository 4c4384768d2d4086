"""/routing: what sending each task to another tier would cost and be worth, from requests routed by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlay_analytics.questions import routing
from outlay_analytics.questions.experiments import MARGIN
from outlay_analytics.statistics.off_policy import LEAST_EFFECTIVE
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.quality import score_text, value_kinds
from outlay_web.pages.view import View

ALLOWED = ("score", "success", "margin")
QUESTION = "Does the router send each task to the right tier, and what would another one bring?"


def page(view: View) -> Page:
    margin = view.query.number("margin", MARGIN)
    found = routing.routing(view.ctx.store, view.scope, view.get("score"), view.get("success"), margin)
    if not found["rows"]:
        return Page("routing.html", "Routing", QUESTION, empty=True)
    kinds = value_kinds(found)
    data = {
        "tasks": task_table(view, found["tasks"], kinds),
        "table": tier_table(view, found["rows"], kinds),
        "proposals": [task for task in found["tasks"] if task["proposal"]],
        "margin": f"{margin:g}",
        "left_out": found["rows_left_out"],
        "score": found["score"],
        "score_options": [one["name"] for one in found["scores"]],
        "least": LEAST_EFFECTIVE,
    }
    return Page("routing.html", "Routing", QUESTION, data)


def task_table(view: View, tasks: Sequence[Row], kinds: Mapping[str, str]) -> Table:
    """A line per task: how it is routed now, which tier would do, or how to find out."""
    columns = [
        Column("Task", "name", "task", "The calls' task, else their feature"),
        Column("Requests", "count", "requests"),
        Column("Could go elsewhere", "ratio", "explorable_ratio", "Requests whose tier was chosen by chance"),
        Column("Mean now", "number", "mean", "Mean score as it is routed now"),
        Column("Per request now", "each", "cost_per_request_usd"),
        Column("Would do", "name", "recommended"),
        Column("Saves a month", "usd", "monthly_saving_usd", routing.ASSUMPTION.capitalize()),
        Column("Why", "words", "reason"),
        Column("To find out", "text", "proposal"),
    ]
    lines = [
        [
            Cell(task["task"], view.narrowed(task["said_as"], task["task"], "/calls")),
            Cell(task["requests"]),
            Cell(task["explorable_ratio"]),
            Cell(task["mean"], label=score_text(task["mean"], kinds.get(task["score"] or "", "number"))),
            Cell(task["cost_per_request_usd"]),
            Cell(task["recommended"], label=None if task["recommended"] else "–"),
            Cell(task["monthly_saving_usd"]),
            Cell(task["reason"]),
            Cell(proposal_text(task["proposal"])),
        ]
        for task in tasks
    ]
    return Table("tasks", "What would do for each task", columns, lines)


def proposal_text(proposal: Row | None) -> str:
    """The exploration that would tell, in words."""
    if proposal is None:
        return ""
    share = f"explore {proposal['explore']:.0%}"
    if proposal["requests"] is None:
        return f"{share} and score answers: {proposal['answers']:,} per tier"
    days = f"about {proposal['days']:,} day{'' if proposal['days'] == 1 else 's'}"
    return f"{share} for {proposal['requests']:,} requests, {days}"


def tier_table(view: View, rows: Sequence[Row], kinds: Mapping[str, str]) -> Table:
    """Every task and tier: what sending all requests there would be."""
    columns = [
        Column("Task", "name", "task"),
        Column("Tier", "name", "tier"),
        Column("Quality is", "interval", "verdict"),
        Column("Models", "text", "models", csv_only=True),
        Column("Sent there", "count", "requests"),
        Column("Mean if all", "number", "mean", "Mean score if every request of the task went there"),
        Column("To now", "interval", "difference", "Difference of the mean to how it is routed now"),
        Column("95 %", "interval", "interval", "Interval of that difference"),
        Column("Per request if all", "each", "cost_per_request_usd"),
        Column("95 %", "interval", "cost_interval", "Interval of the cost per request", csv_only=True),
        Column("Saves a month", "usd", "monthly_saving_usd"),
        Column("95 %", "interval", "saving_interval", "Interval of what it saves", csv_only=True),
        Column("Evidence", "count", "effective_scores", "Effective sample of scored answers"),
        Column("Requests", "count", "effective_requests", "Effective sample of requests", csv_only=True),
        Column("Reach", "ratio", "reach_ratio", "Share of the task's requests that this holds for", csv_only=True),
        Column("IPS", "number", "ips", "The mean by inverse propensity scoring", csv_only=True),
        Column("SNIPS", "number", "snips", "The mean by its self-normalized form", csv_only=True),
        Column("Why", "words", "reason"),
    ]
    lines = []
    for row in rows:
        kind = kinds.get(row["score"] or "", "number")
        of_task = {row["said_as"]: row["task"] or ""}
        lines.append(
            [
                Cell(row["task"], view.narrowed(row["said_as"], row["task"], "/routing")),
                Cell(row["tier"]),
                Cell(row["verdict"]),
                Cell(", ".join(row["models"])),
                Cell(row["requests"], view.to("/calls", **of_task, route_tier=row["tier"])),
                Cell(row["mean"], label=score_text(row["mean"], kind)),
                Cell(fmt.difference_text(row["difference"], kind) if row["difference"] is not None else ""),
                Cell(_between(row["difference_ci_low"], row["difference_ci_high"], kind)),
                Cell(row["cost_per_request_usd"]),
                Cell(_between(row["cost_ci_low_usd"], row["cost_ci_high_usd"], "money")),
                Cell(row["monthly_saving_usd"]),
                Cell(_between(row["monthly_saving_lo_usd"], row["monthly_saving_hi_usd"], "money")),
                Cell(round(row["effective_scores"])),
                Cell(round(row["effective_requests"])),
                Cell(row["reach_ratio"]),
                Cell(row["ips"]),
                Cell(row["snips"]),
                Cell(row["reason"]),
            ]
        )
    return Table("tiers", "What sending everything to one tier would be", columns, lines)


def _between(low: Any, high: Any, kind: str) -> str:
    if low is None or high is None:
        return ""
    if kind == "money":
        return f"{fmt.usd_text(low)} to {fmt.usd_text(high)}"
    return f"{fmt.difference_text(low, kind)} to {fmt.difference_text(high, kind)}"
