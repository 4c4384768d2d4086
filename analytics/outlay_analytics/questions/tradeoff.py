"""Cost, quality and latency of every model per task: which choices are dominated, and which model would do.

A model is dominated where another one of the same task is at most as dear, at least as good and at most as slow, and
better in one of the three; what is not dominated is the Pareto frontier. A recommendation is the cheapest model whose
quality is no worse than that of the best by more than a margin (the lower bound of the 95 % interval of the difference
lies above it), and is only made from `LEAST_SCORED` scored answers of each of both on. The best one itself is only
recommended where no cheaper one may turn out to be within the margin.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay.optimizations.router import MATRIX
from outlay_analytics.query.amounts import MONTH_DAYS, days_of, per
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, expression, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.experiments import MARGIN
from outlay_analytics.questions.scored_models import answers_by_model, sums_by_model
from outlay_analytics.questions.scored_sums import Sums
from outlay_analytics.questions.scores import SQL, about, check_margin, choose
from outlay_analytics.statistics.durations import p95_interval_ms
from outlay_analytics.statistics.intervals import difference, wilson
from outlay_analytics.statistics.intervals import interval as interval_of
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Store, load_sql

TASK = "if(c.task != '', c.task, c.feature)"
MAX_ROWS = 1000
LEAST_SCORED = 30
MANY_MORE = 100_000
ASSUMPTION = "the calls of the other models are like those that this model answered"
# Words of a task's name that tell which row of the starting matrix is about it.
WORDS = {
    "classification": ("classif", "triage", "rout", "intent", "label", "moderat", "sentiment"),
    "extraction": ("extract", "parse", "invoice", "form"),
    "summarization": ("summar", "digest", "tl;dr"),
    "code": ("code", "sql", "program", "refactor"),
    "reasoning": ("reason", "plan", "agent", "math"),
    "rag": ("rag", "search", "retriev", "question", "qa", "support", "chat"),
}
Row = dict[str, Any]


@one_look()
def tradeoff(store: Store, scope: Scope, score: str = "", success: str = "", margin: float = MARGIN) -> dict[str, Any]:
    """Cost, quality and latency per task (the calls' task, else their feature) and model.

    Args:
        score, success: See `quality`; by default each task is judged by the score that most of its answers have.
        margin: By how much the mean score of a recommended model may be lower than the best one's.

    Returns:
        `score`, `scores`, `margin`; `rows` per task and model with `cost_per_call_usd`, `n`, `mean`,
        `cost_per_success_usd`, `p95_ms` and their intervals, `on_frontier`, `dominated_by` and `monthly_excess_usd`
        (what its calls cost a month above the dominating model's); `tasks` with `recommended`, `monthly_saving_usd`,
        `reason`, `assumption` and the `rule_of_thumb` of the starting matrix. At most 1,000 rows, those with the most
        calls; `rows_left_out` says whether there are more.

    Raises:
        BadRequest: For an unknown score or an impossible margin.
    """
    check_margin(margin)
    if success and not score:
        raise BadRequest("success is about one score: name it with score=")
    answers = answers_by_model(store, scope, TASK, score=score, success=success)
    scores = answers.scores
    chosen = choose(scores, score, success)
    sums, told = sums_by_model(answers, score)
    found_calls = _calls(store, scope)
    calls = found_calls[:MAX_ROWS]
    times = [raw[name] for raw in calls for name in ("first_at", "last_at")]
    months = days_of(min(times), max(times)) / MONTH_DAYS if times else Decimal(1)
    by_task: dict[str, list[Row]] = {}
    moments: dict[tuple[str, str], Moments] = {}
    for raw in calls:
        key = (raw["task"], raw["model"])
        found = sums.get(key, Sums())
        moments[key] = found.score
        by_task.setdefault(raw["task"], []).append(_row(raw, found, told.get(raw["task"])))
    tasks = []
    for name, rows in by_task.items():
        _mark_frontier(rows, months)
        own = {row["model"] or "": moments[name, row["model"] or ""] for row in rows}
        tasks.append({"score": told.get(name), **_recommend(name, rows, own, margin, months)})
    tasks.sort(key=lambda one: (-(one["monthly_cost_usd"] or Decimal(0)), one["task"] or ""))
    place = {one["task"]: number for number, one in enumerate(tasks)}
    listed = [row for rows in by_task.values() for row in rows]
    listed.sort(key=lambda row: (place[row["task"]], -row["calls"]))
    return {
        **about(scope, chosen if score else None, scores),
        "margin": margin,
        "rows": listed,
        "rows_left_out": len(found_calls) > MAX_ROWS,
        "tasks": tasks,
    }


def _row(raw: Mapping[str, Any], found: Sums, score: str | None) -> Row:
    cost = Moments.read(raw, "cost")
    spread, mean = interval_of(cost), interval_of(found.score)
    share = wilson(found.counts["successes"], found.counts["judged"])
    successes = found.counts["priced_successes"]
    p50, p95 = raw["quantiles_ms"]
    return {
        "task": raw["task"] or None,
        "model": raw["model"] or None,
        "model_tier": raw["model_tier"] or None,
        "calls": raw["calls"],
        "cost_usd": raw["cost_usd"] if cost.units else None,
        "priced_ratio": cost.units / raw["calls"],
        "cost_per_call_usd": per(raw["cost_usd"], cost.units),
        "cost_ci_low_usd": None if spread.low is None else _usd(max(0.0, spread.low)),
        "cost_ci_high_usd": None if spread.high is None else _usd(spread.high),
        "score": score,
        "n": found.score.units,
        "mean": mean.value,
        "ci_low": mean.low,
        "ci_high": mean.high,
        "success_ratio": share.value,
        "cost_per_success_usd": per(found.usd, successes),
        "error_rate": raw["errors"] / raw["calls"],
        "p50_ms": round(p50, 3),
        "p95_ms": round(p95, 3),
        **p95_interval_ms(*raw["histogram"]),
        "on_frontier": None,
        "dominated_by": None,
        "monthly_excess_usd": None,
    }


def _mark_frontier(rows: Sequence[Row], months: Decimal) -> None:
    known = [row for row in rows if row["n"] >= LEAST_SCORED and row["cost_per_call_usd"] is not None]
    for row in known:
        better = [other for other in known if _dominates(other, row)]
        row["on_frontier"] = not better
        if better:
            best = min(better, key=lambda other: (other["cost_per_call_usd"], other["model"] or ""))
            row["dominated_by"] = best["model"]
            per_call = row["cost_per_call_usd"] - best["cost_per_call_usd"]
            row["monthly_excess_usd"] = per(per_call * _priced(row), months)


def _dominates(one: Row, other: Row) -> bool:
    at_least = [
        (other["cost_per_call_usd"], one["cost_per_call_usd"]),
        (one["mean"], other["mean"]),
        (other["p95_ms"], one["p95_ms"]),
    ]
    return all(a >= b for a, b in at_least) and any(a > b for a, b in at_least)


def _recommend(task: str, rows: Sequence[Row], moments: Mapping[str, Moments], margin: float, months: Decimal) -> Row:
    """What to use for a task, or why nothing is recommended."""
    cost = sum((row["cost_usd"] for row in rows if row["cost_usd"] is not None), Decimal(0))
    found: Row = {
        "task": task or None,
        "monthly_cost_usd": per(cost, months) if any(row["cost_usd"] is not None for row in rows) else None,
        "best": None,
        "recommended": None,
        "recommended_tier": None,
        "monthly_saving_usd": None,
        "reason": "",
        "assumption": None,
        "rule_of_thumb": rule_of_thumb(task),
    }
    judged = [row for row in rows if row["n"] >= LEAST_SCORED and row["cost_per_call_usd"] is not None]
    if len(rows) < 2:
        found["reason"] = "only one model was used"
        return found
    if len(judged) < 2:
        most = max((row["n"] for row in rows if row not in judged), default=0)
        missing = f"; the next has {most}" if most else ""
        found["reason"] = (
            f"{len(judged)} of {len(rows)} models have the {LEAST_SCORED} scored answers it takes{missing}"
        )
        return found
    best = max(judged, key=lambda row: (row["mean"], -row["cost_per_call_usd"]))
    found["best"] = best["model"]
    fitting = [row for row in judged if row is best or _is_no_worse(moments, best, row, margin)]
    chosen = min(fitting, key=lambda row: (row["cost_per_call_usd"], -row["mean"]))
    if chosen is best:
        cheaper = [row for row in judged if row["cost_per_call_usd"] < best["cost_per_call_usd"]]
        open_ = [row for row in cheaper if _may_do(moments, best, row, margin)]
        if open_:
            found["reason"] = _undecided(moments, best, max(open_, key=lambda row: row["mean"]), margin)
            return found
        shown = f"the best; no cheaper model is within {margin:g} of it (95 %)"
        found["reason"] = shown if cheaper else "the best, and the cheapest"
    else:
        lost = difference(moments[best["model"] or ""], moments[chosen["model"] or ""])
        assert lost.low is not None
        below = f"at most {max(0.0, -lost.low):.3g} below {best['model']} (95 %)"
        found["reason"] = f"{below}, at {_part(chosen, best)} of its cost"
    found |= {"recommended": chosen["model"], "recommended_tier": chosen["model_tier"]}
    moved = [row for row in rows if row["cost_usd"] is not None and row is not chosen]
    saving = sum((row["cost_usd"] - chosen["cost_per_call_usd"] * _priced(row) for row in moved), Decimal(0))
    found |= {"monthly_saving_usd": per(saving, months), "assumption": ASSUMPTION}
    return found


def _is_no_worse(moments: Mapping[str, Moments], best: Row, row: Row, margin: float) -> bool:
    low = difference(moments[best["model"] or ""], moments[row["model"] or ""]).low
    return low is not None and low > -margin


def _may_do(moments: Mapping[str, Moments], best: Row, row: Row, margin: float) -> bool:
    high = difference(moments[best["model"] or ""], moments[row["model"] or ""]).high
    return high is None or high > -margin


def _undecided(moments: Mapping[str, Moments], best: Row, row: Row, margin: float) -> str:
    """Why neither of two models is recommended, and what would tell: intervals shrink with the root of the answers."""
    asked = f"whether {row['model']} is within {margin:g} of {best['model']}, the best"
    found = difference(moments[best["model"] or ""], moments[row["model"] or ""])
    if found.value is None or found.low is None or found.high is None:
        return f"it is not known {asked}"
    off = found.value + margin  # above 0 it would turn out to be, below 0 not to be
    half = found.value - found.low if off > 0 else found.high - found.value
    of_each = max(row["n"], best["n"])
    if not off or (missing := of_each * ((half / off) ** 2 - 1)) > MANY_MORE:
        return f"not even {MANY_MORE:,} more scored answers of each would tell {asked}"
    return f"about {math.ceil(missing):,} more scored answers of each would tell {asked}"


def _part(one: Row, whole: Row) -> str:
    cost = whole["cost_per_call_usd"]
    return f"{float(one['cost_per_call_usd'] / cost):.0%}" if cost else "the same part"


def rule_of_thumb(task: str) -> dict[str, str] | None:
    """The row of the starting matrix that a task's name speaks of; None where none does."""
    name = task.lower()
    for row in MATRIX:
        if any(re.search(rf"(^|[^a-z]){re.escape(word)}", name) for word in (row.task, *WORDS[row.task])):
            return {"task": row.task, "tier": row.tier, "kept": row.kept, "failure": row.failure}
    return None


def _priced(row: Row) -> int:
    """How many calls the cost is of: those without one say nothing about what another model would save."""
    calls: int = round(row["calls"] * row["priced_ratio"])
    return calls


def _usd(amount: float) -> Decimal:
    return Decimal(f"{amount:.12f}")


def _calls(store: Store, scope: Scope) -> list[dict[str, Any]]:
    params: dict[str, Any] = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
        "max_rows": MAX_ROWS + 1,
    }
    tier = expression(scope, "model_tier", "calls", params)
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    assert tier is not None
    return store.query(
        load_sql(SQL, "tradeoff", task=TASK, tier=tier, filters=filters, not_answers=NOT_ANSWERS), params
    )
