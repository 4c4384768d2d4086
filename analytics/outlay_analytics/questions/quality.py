"""How good the answers were, beside what they cost: scores by any dimensions and interval.

A score counts for the time and the dimensions of the call that gave the answer, however late it came. Cost, errors and
latency of a group are of all its calls, as in `spend`; what a success cost is of the scored answers alone::

    cost_per_success = Σ cost of the scored answers whose cost is known ÷ successes among them

so that a group in which one call in a hundred is scored is not a hundred times as dear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlay_analytics.query.amounts import per
from outlay_analytics.query.dimensions import check_groups
from outlay_analytics.query.groups import MAX_GROUPS
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Interval, check_interval
from outlay_analytics.questions import spend
from outlay_analytics.questions.scored_sums import Key, Sums, answers_of
from outlay_analytics.questions.scores import about, choose
from outlay_analytics.statistics.intervals import interval as interval_of
from outlay_analytics.statistics.intervals import wilson
from outlay_collector.store import Store

MEASURED = ("calls", "cost_usd", "errors", "p50_ms", "p95_ms", "priced_ratio")
P95_BOUNDS = ("p95_ci_low_ms", "p95_ci_high_ms")
MAX_LABELS = 20


@one_look()
def quality(
    store: Store,
    scope: Scope,
    group_by: Sequence[str] = ("model",),
    interval: str = "total",
    score: str = "",
    success: str = "",
    limit: int = MAX_GROUPS,
) -> dict[str, Any]:
    """Scores of a scope's answers by group and interval, with cost, errors and latency of the groups.

    Args:
        score: Name of the score; the most used one by default.
        success: From which value on an answer is a success, or which label says so; 0.5 where all values lie within
            0 and 1.
        limit: Most groups to show, see `spend`.

    Returns:
        `window`, `currency`, `score`, `success`, `scores` (all names with `n` and `kind`), `total` and `rows` (newest
        first, then dearest) with `n`, `mean`, `ci_low`, `ci_high` (95 %; Wilson's for shares, else Student's t),
        `success_ratio` with its bounds, `cost_per_success_usd`, `labels`, and of all calls of the group `calls`,
        `cost_usd`, `cost_per_call_usd`, `error_rate`, `p50_ms`, `p95_ms` with its bounds, `priced_ratio`,
        `scored_ratio`. Without any score `score` is None and `rows` is empty.

    Raises:
        BadRequest: For an unknown dimension, interval or score, or a success that the score cannot have.
    """
    names, step = check_groups(group_by), check_interval(interval)
    found = answers_of(store, scope, names, step, score=score, success=success)
    there = found.scores
    chosen = choose(there, score, success)
    answer: dict[str, Any] = {
        **about(scope, chosen, there),
        "total": None,
        "rows": [],
    }
    if chosen is None:
        return answer
    measured = spend.spend(store, scope, names, step, limit=limit, p95_interval=True)
    sums = found.groups.get(chosen.name, {})
    shown = [row for row in measured["rows"] if not row.get("remainder")]
    keys = {_key(row, names, step) for row in shown}
    rest: dict[Any, Sums] = {}
    for key, one in sums.items():
        if key not in keys:
            rest[key[0]] = rest.get(key[0], Sums()) + one
    for row in measured["rows"]:
        key = _key(row, names, step)
        own = rest.get(key[0], Sums()) if row.get("remainder") else sums.get(key, Sums())
        told = {name: row[name] for name in ("time", *names)}
        kept = {"remainder": True} if row.get("remainder") else {}
        answer["rows"].append({**told, **figures(own, row), **kept})
    # Not the sum of the rows: what a cascade's run cost is in the rows of both of its models.
    answer["total"] = figures(found.totals.get(chosen.name, Sums()), measured["total"])
    return answer


def figures(sums: Sums, measured: Mapping[str, Any]) -> dict[str, Any]:
    """The measures of one row: of its scored answers, and of all its calls."""
    counts = sums.counts
    mean, share = interval_of(sums.score), wilson(counts["successes"], counts["judged"])
    calls = measured["calls"]
    priced = round(calls * (measured["priced_ratio"] or 0))
    return {
        "n": sums.score.units or counts["answers"],
        "mean": mean.value,
        "ci_low": mean.low,
        "ci_high": mean.high,
        "success_ratio": share.value,
        "success_ci_low": share.low,
        "success_ci_high": share.high,
        "cost_per_success_usd": per(sums.usd, counts["priced_successes"]),
        "cost_per_call_usd": per(measured["cost_usd"], priced),
        "error_rate": measured["errors"] / calls if calls else None,
        "scored_ratio": min(1.0, counts["answers"] / calls) if calls else None,
        **{name: measured[name] for name in MEASURED},
        **{name: measured.get(name) for name in P95_BOUNDS},
        "labels": _labels(sums.labels),
    }


def _labels(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """How often each label was given, the commonest first; beyond 20, the others together."""
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown: list[dict[str, Any]] = [{"label": label, "n": n} for label, n in found[:MAX_LABELS]]
    if rest := sum(n for _, n in found[MAX_LABELS:]):
        shown.append({"label": None, "n": rest, "remainder": True})
    return shown


def _key(row: Mapping[str, Any], names: Sequence[str], step: Interval) -> Key:
    return (None if step == "total" else row["time"], *(row[name] for name in names))
