"""Two thresholds of a cascade side by side: only the runs between both go another way.

Between the lower and the higher threshold a run is answered by its first attempt or by a further one. So the
differences are those of these runs, times their share among all::

    Δ quality = share · (mean score of further answers − of first answers, of runs between both)
    Δ cost    = share · mean cost of escalating
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS, PICO, days_of
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.decide import LEAST_UNITS, monthly_of, told, weigh
from outlay_analytics.questions.experiments import MARGIN, units_of
from outlay_analytics.questions.scores import check_margin
from outlay_analytics.questions.thresholds import Sweep, mean_usd, read_sweep, sweep
from outlay_analytics.statistics.intervals import Interval, difference, wilson
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Row, Store

METHOD = "95 % intervals for one look, of the runs between both thresholds times their share"
ASSUMPTION = "a run that would escalate is taken to end like those of its confidence that did"
UNKNOWN = (
    "errors", "ci_low", "ci_high", "success_ratio", "success_ci_low", "success_ci_high", "cost_per_success_usd",
    "cost_usd", "error_rate", "scored_ratio", "priced_ratio", "p50_ms", "p95_ms", "p95_ci_low_ms", "p95_ci_high_ms",
    "cost_ci_low_usd", "cost_ci_high_usd",
)  # fmt: skip


def decide_thresholds(store: Store, scope: Scope, first: str, second: str, margin: float = MARGIN) -> dict[str, Any]:
    """As `decide`, for two thresholds of the one cascade that the scope is filtered by.

    Raises:
        BadRequest: Without one cascade, for thresholds that are no numbers or the same, and for a cascade that no call
            of the scope belongs to or none of whose runs says a confidence.
    """
    names = scope.filters.get("cascade", ())
    if len(names) != 1:
        raise BadRequest("thresholds are of a cascade: name it, cascade=NAME")
    check_margin(margin)
    at = [_threshold(name, text) for name, text in (("first", first), ("second", second))]
    if at[0] == at[1]:
        raise BadRequest(f"first and second must be two thresholds, not {at[0]:g} twice")
    rest = {name: values for name, values in scope.filters.items() if name != "cascade"}
    found = read_sweep(store, replace(scope, filters=rest), names[0], at)
    if found is None or not found.bins:
        raise BadRequest(f"no run of a cascade {names[0][:SHOWN]!r} in this window says a confidence")
    runs = sum(one["runs"] for one in found.bins)
    [units] = units_of(store, scope, "cascade", "trace")
    monthly_runs = Decimal(runs) / (days_of(units["first_at"], units["last_at"]) / MONTH_DAYS)
    differences = _differences(found, at[0], at[1], margin)
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "by": "threshold",
        "score": found.score,
        "success": None,
        "scores": [],
        "margin": margin,
        "unit": "run",
        "method": METHOD,
        "sides": [_side(found.bins, one, runs, monthly_runs) for one in at],
        "differences": differences,
        "monthly": monthly_of(monthly_runs, differences),
        **weigh(differences, margin, found.score is not None),
        "warnings": [ASSUMPTION],
    }


def _threshold(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequest(f"{name}: a threshold is a number such as 0.8, not {text[:SHOWN]!r}")
    return value


def _side(bins: Sequence[Row], threshold: float, runs: int, monthly_runs: Decimal) -> dict[str, Any]:
    row = sweep(bins, threshold)
    each = row["cost_per_run_usd"]
    return {
        "value": f"{threshold:g}",
        "units": runs,
        "calls": runs,
        "n": sum(one.get("first_scored", 0) for one in bins if one["confidence"] >= threshold),
        "mean": row["quality"],
        **dict.fromkeys(UNKNOWN),
        "cost_per_call_usd": each,
        "monthly_usd": None if each is None else (each * monthly_runs).quantize(PICO),
        "escalation_rate": row["escalation_rate"],
        "labels": [],
    }


def _differences(found: Sweep, first: float, second: float, margin: float) -> list[dict[str, Any]]:
    low, high = sorted((first, second))
    moved = [one for one in found.bins if low <= one["confidence"] < high]
    share = wilson(sum(one["runs"] for one in moved), sum(one["runs"] for one in found.bins))
    sign = 1 if second > first else -1
    told_of = []
    if found.score is not None:
        kept, escalated = _moments(moved, "first"), _moments(moved, "last")
        gain = difference(kept, escalated)
        least = min(kept.units, escalated.units)
        why = f"{least} scored answers on one side between both thresholds, of at least {LEAST_UNITS}"
        if least < LEAST_UNITS:
            gain = replace(gain, low=None, high=None)
        told_of.append(told("score", _times(gain, share.value, sign), margin, why))
    each = mean_usd(found.bins, "rest_usd", "priced_escalations")
    runs, escalated_runs = sum(one["runs"] for one in moved), sum(one["priced_escalations"] for one in found.bins)
    cost, why = Interval(None), "no run between both thresholds"
    if each is not None and share.value is not None and runs:
        ends = [float(each) * sign * (part or 0.0) for part in (share.value, share.low, share.high)]
        cost = Interval(ends[0], min(ends[1:]), max(ends[1:]))
    if (least := min(runs, escalated_runs)) < LEAST_UNITS and cost.value is not None:
        what = "runs between both thresholds" if runs <= escalated_runs else "escalated runs with a known cost"
        cost, why = Interval(cost.value), f"{least} {what}, of at least {LEAST_UNITS}"
    return [*told_of, told("cost_per_call_usd", cost, 0.0, why)]


def _moments(bins: Sequence[Mapping[str, Any]], which: str) -> Moments:
    n = sum(one[f"{which}_scored"] for one in bins)
    total = sum(one[f"{which}_score_sum"] or 0.0 for one in bins)
    squares = sum(one[f"{which}_score_squares"] or 0.0 for one in bins)
    return Moments(n, total, n, squares, n, total, shares=abs(squares - total) <= 1e-9 * max(1.0, total))


def _times(found: Interval, share: float | None, sign: int) -> Interval:
    if found.value is None or share is None:
        return Interval(None)
    if found.low is None or found.high is None:
        return Interval(sign * share * found.value)
    ends = sorted(sign * share * end for end in (found.low, found.high))
    return Interval(sign * share * found.value, *ends)
