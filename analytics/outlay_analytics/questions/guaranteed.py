"""The threshold of a cascade with a guarantee: which share of the answers that it accepts is wrong, at most.

An accepted answer is wrong where its score (within 0 and 1) is below 0.5. Thresholds below every confidence at which an
answer was scored are never chosen: nothing is known of answers so unsure. That those which were scored are like those
which were not is assumed; score a sample drawn by chance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.statistics.guarantee import Step, certify
from outlay_analytics.statistics.intervals import wilson

ERROR = 0.02
CONFIDENCE = 0.95
LEAST = 1e-6  # of what may be asked for: beyond it no number of runs would do
Row = Mapping[str, Any]


def guaranteed(
    bins: Sequence[Row],
    steps: Sequence[float],
    in_use: Sequence[float],
    error: float,
    confidence: float,
    *,
    unscored: str = "no first answer of this cascade is scored",
    unit: str = "runs",
) -> dict[str, Any]:
    """The lowest threshold whose accepted answers are wrong in at most `error` of cases, with this confidence.

    Args:
        bins: Runs by the confidence of their first attempt, with scores; see cascade_confidences.sql.
        steps: The thresholds to choose from; they part no bin.
        in_use: Thresholds that the runs reported.
        unscored, unit: What to say where nothing is scored, and of what more is needed.

    Returns:
        `guaranteed`: `threshold`, `error_bound`, `confidence`, `runs` (scored), `runs_missing` (0), and against the
        threshold in use `saving_usd` over the window with a 95 % interval (of the runs that would no longer escalate,
        or would do so from now on, which saves less than nothing); None without one. `guaranteed_reason`: why there is
        none; `runs_missing`: how many more scored runs it takes at least, all being right.
    """
    scored = [one for one in bins if one.get("first_scored")]
    if not scored:
        return _none(unscored)
    if min(one["first_least"] for one in scored) < 0 or max(one["first_most"] for one in scored) > 1:
        return _none("the score lies outside 0 and 1, so it does not say which answers are wrong")
    lowest = min(one["scored_from"] for one in scored)
    tried = [at for at in steps if at >= lowest] or [lowest]
    found = certify([_step(bins, at) for at in tried], error, 1 - confidence)
    if found.threshold is None:
        if found.missing:
            return _none(f"it takes {found.missing} more scored {unit} at least", found.missing)
        return _none(f"no threshold is shown to keep wrong answers to {error:.3g} of the accepted ones")
    return {
        "guaranteed": {
            "threshold": found.threshold,
            "error_bound": found.bound,
            "confidence": confidence,
            **_saving(bins, found.threshold, in_use),
            "runs": found.scored,
            "runs_missing": 0,
        },
        "guaranteed_reason": None,
        "runs_missing": 0,
    }


def check(error: float, confidence: float) -> None:
    """Refuse what no guarantee can be.

    Raises:
        BadRequest: For an error or a confidence outside 0 and 1.
    """
    for name, value in (("error", error), ("confidence", confidence)):
        if not (math.isfinite(value) and LEAST <= value <= 1 - LEAST):
            raise BadRequest(f"{name} must lie between 0 and 1, such as 0.02 or 0.95, not {value:g}")


def _step(bins: Sequence[Row], threshold: float) -> Step:
    kept = [one for one in bins if one["confidence"] >= threshold]
    return Step(threshold, sum(one["first_scored"] for one in kept), sum(one["first_wrong"] for one in kept))


def _saving(bins: Sequence[Row], threshold: float, in_use: Sequence[float]) -> dict[str, Decimal | None]:
    """What the runs between both thresholds cost in further attempts; negative where more of them would escalate."""
    escalations = sum(one["priced_escalations"] for one in bins)
    if in_use == [threshold]:
        return dict.fromkeys(("saving_usd", "saving_lo_usd", "saving_hi_usd"), Decimal(0))
    if len(in_use) != 1 or not escalations:
        return dict.fromkeys(("saving_usd", "saving_lo_usd", "saving_hi_usd"))
    each = sum((Decimal(one["rest_usd"]) for one in bins), Decimal(0)) / escalations
    runs = sum(one["runs"] for one in bins)
    low, high = sorted((threshold, in_use[0]))
    moved = wilson(sum(one["runs"] for one in bins if low <= one["confidence"] < high), runs)
    sign = 1 if threshold < in_use[0] else -1
    usd = [
        (each * runs * sign * Decimal(share or 0.0)).quantize(PICO, ROUND_HALF_UP)
        for share in (moved.value, moved.low, moved.high)
    ]
    return {"saving_usd": usd[0], "saving_lo_usd": min(usd[1:]), "saving_hi_usd": max(usd[1:])}


def _none(reason: str, missing: int = 0) -> dict[str, Any]:
    return {"guaranteed": None, "guaranteed_reason": reason, "runs_missing": missing}
