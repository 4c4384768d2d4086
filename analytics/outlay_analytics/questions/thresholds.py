"""Where a cascade's threshold should be: what every threshold would have meant for the runs that were seen.

A run is answered by its first attempt when that one's confidence reaches the threshold. Its cost is the first
attempt's, and, when it escalates, the mean of what escalating cost. Quality is the mean score of the answers that would
have been given; it is unknown where runs would be answered at confidences at which no answer was ever scored.
Where only some answers are scored, the least sure of them seldom is: that is chance, and told from it by its odds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.rolled_hours import calls_hours_sql
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.cascade_attempts import base_params, rolled, scored_attempts_sql
from outlay_analytics.questions.guaranteed import CONFIDENCE, ERROR, check, guaranteed
from outlay_collector.store import Row, Store, load_sql

SQL = "outlay_analytics.questions.sql"
STEPS = 20
GRID = tuple(step / STEPS for step in range(STEPS + 1))  # that of cascade_confidence_days, which a test compares
FEW = 30
TOLERANCE = 0.01
CHANCE = 0.05  # below these odds it is not by chance that no answer so unsure was scored


def thresholds(
    store: Store, scope: Scope, name: str, error: float = ERROR, confidence: float = CONFIDENCE
) -> dict[str, Any] | None:
    """What each threshold of one cascade would mean, lowest first, and the recommended one; None if it has no calls.

    Returns:
        `rows` of `threshold escalation_rate cost_per_run_usd quality`; `recommended`, the threshold of one of them,
        and its `reason` (see `recommend`); `score` (which one quality is), `runs` (with a confidence), `in_use`
        (thresholds that the runs reported); `guaranteed`, `guaranteed_reason`, `runs_missing` (see `guaranteed.py`).

    Raises:
        BadRequest: If `error` or `confidence` does not lie between 0 and 1.
    """
    check(error, confidence)
    swept = read_sweep(store, scope, name)
    if swept is None:
        return None
    bins, steps = swept.bins, swept.steps
    rows = [sweep(bins, at) for at in steps]
    chosen, reason = recommend(rows, mean_usd(bins, "rest_usd", "priced_escalations"))
    return {
        "rows": rows,
        "recommended": chosen,
        "reason": reason,
        "score": swept.score,
        "runs": sum(one["runs"] for one in bins),
        "in_use": swept.in_use,
        **guaranteed(bins if swept.score else [], steps, swept.in_use, error, confidence),
    }


@dataclass(frozen=True)
class Sweep:
    """What is known of a cascade's runs by the confidence of their first attempt.

    Attributes:
        bins: See cascade_confidences.sql; no step parts one.
        steps: The thresholds that can be told apart, ascending.
        in_use: Thresholds that the runs reported.
        score: By which answers are judged, None without any.
    """

    bins: Sequence[Row]
    steps: list[float]
    in_use: list[float]
    score: str | None


def read_sweep(store: Store, scope: Scope, name: str, extra: Sequence[float] = ()) -> Sweep | None:
    """Runs by confidence, told apart at the thresholds worth looking at and `extra` ones; None without calls."""
    filters, params = base_params(scope, name)
    known = rolled(store, scope, "total", params)
    live = {"hours": calls_hours_sql(scope.window, known.hours, params), "filters": filters}
    seen = store.query(load_sql(SQL, "cascade_seen", stored=known.sums, **live), params)[0]
    if not name or not seen["calls"]:
        return None
    if not seen["confidences"]:
        return Sweep([], [], [], None)
    scores = store.query(load_sql(SQL, "cascade_scores", filters=filters), params)
    score = scores[0]["name"] if scores else None
    steps = sorted({*candidates(seen), *extra})
    params |= {"steps": steps, "score": score or ""}
    if score:
        runs = load_sql(SQL, "cascade_scored_runs", attempts=scored_attempts_sql(filters))
        sql = load_sql(SQL, "cascade_confidences", runs=runs)
    else:
        runs = load_sql(SQL, "cascade_runs", **live)
        params["parted"] = parted(steps)
        stored = {"hours": known.sums_of_hours, "days": known.sums_of_days}
        sql = load_sql(SQL, "cascade_bins", **stored, parts=known.parts, runs=runs)
    return Sweep(store.query(sql, params), steps, list(seen["thresholds"]), score)


def candidates(seen: Row) -> list[float]:
    """The thresholds worth looking at: a regular grid, those in use, and every confidence where they are few."""
    low, high = seen["lowest"], seen["highest"]
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    grid = {round(low + (high - low) * step / STEPS, 6) for step in range(STEPS + 1)}
    few = seen["confidences"] if len(seen["confidences"]) <= FEW else []
    return sorted({*grid, *few, *seen["thresholds"]})


def parted(steps: Sequence[float]) -> list[int]:
    """The rows of cascade_confidence_days, by their `steps`, that some of these thresholds part."""
    return sorted({bisect_right(GRID, step) for step in steps if step not in GRID})


def sweep(bins: Sequence[Row], threshold: float) -> dict[str, Any]:
    """One threshold: expected escalation rate, cost per run and quality.

    Args:
        bins: Runs by the confidence of their first attempt; see cascade_confidences.sql. `threshold` parts no bin.
        threshold: First attempts below it escalate.
    """
    runs = sum(one["runs"] for one in bins)
    below = [one for one in bins if one["confidence"] < threshold]
    kept = [one for one in bins if one["confidence"] >= threshold]
    rate = sum(one["runs"] for one in below) / runs
    return {
        "threshold": threshold,
        "escalation_rate": rate,
        "cost_per_run_usd": _cost(bins, sum(one["runs"] for one in below), runs),
        "quality": _quality(bins, below, kept, rate),
    }


def recommend(rows: Sequence[dict[str, Any]], escalation_usd: Decimal | None) -> tuple[float | None, str | None]:
    """The threshold to use, and why.

    `quality`: the cheapest whose quality is within 1% of the best known. Where nothing was scored, `cost`: the most
    careful one that still costs no more per run than escalating at once would.
    """
    priced = [row for row in rows if row["cost_per_run_usd"] is not None]
    judged = [row for row in priced if row["quality"] is not None]
    if judged:
        best = max(row["quality"] for row in judged)
        good = [row for row in judged if row["quality"] >= best - TOLERANCE * abs(best)]
        chosen = min(good, key=lambda row: (row["cost_per_run_usd"], -row["quality"], row["threshold"]))
        return chosen["threshold"], "quality"
    paying = [row["threshold"] for row in priced if escalation_usd is None or row["cost_per_run_usd"] <= escalation_usd]
    return (max(paying), "cost") if paying else (None, None)


def _cost(bins: Sequence[Row], escalating: int, runs: int) -> Decimal | None:
    first, rest = mean_usd(bins, "first_usd", "priced_runs"), mean_usd(bins, "rest_usd", "priced_escalations")
    if first is None or (escalating and rest is None):
        return None
    return (first + (rest or Decimal(0)) * escalating / runs).quantize(PICO, ROUND_HALF_UP)


def mean_usd(bins: Sequence[Row], usd: str, count: str) -> Decimal | None:
    """What one of those counted cost."""
    times = sum(one[count] for one in bins)
    return sum((Decimal(one[usd]) for one in bins), Decimal(0)) / times if times else None


def _quality(bins: Sequence[Row], below: Sequence[Row], kept: Sequence[Row], rate: float) -> float | None:
    first = _mean(kept, "first")
    if kept and (first is None or _odds_unscored(kept) < CHANCE):
        return None
    last = _mean(below, "last")
    last = _mean(bins, "last") if last is None else last
    if below and last is None:
        return None
    return (1 - rate) * (first or 0.0) + rate * (last or 0.0)


def _odds_unscored(kept: Sequence[Row]) -> float:
    """How likely it is that by chance nothing was scored among the runs that are less sure than all scored ones.

    That is (1 - p)ⁿ, with p the share of runs that are scored from there on, and n the runs below; of those in the bin
    where scores begin, in proportion to its width.
    """
    begin = next(number for number, one in enumerate(kept) if one["first_scored"])
    bin_, above = kept[begin], kept[begin + 1 :]
    width = (above[0]["confidence"] if above else bin_["scored_from"]) - bin_["confidence"]
    inside = (bin_["scored_from"] - bin_["confidence"]) / width * bin_["runs"] if width > 0 else 0.0
    unscored = sum(one["runs"] for one in kept[:begin]) + inside
    runs = sum(one["runs"] for one in kept[begin:]) - inside
    scored = sum(one["first_scored"] for one in kept[begin:])
    return 1.0 if not unscored else float((1 - min(scored / runs, 1.0)) ** unscored) if runs > 0 else 0.0


def _mean(bins: Sequence[Row], which: str) -> float | None:
    count = sum(one[f"{which}_scored"] for one in bins)
    return sum(one[f"{which}_score_sum"] or 0.0 for one in bins) / count if count else None
