"""Two choices side by side: models, prompt versions, arms, or values of any dimension; what each costs, which to take.

Arms of an experiment are compared in units of assignment, over the whole experiment, with intervals that hold at every
look (see `experiments.py`); an experiment of more than two arms shares its 5 % among the comparisons with one of them
(Bonferroni), as its own page does. What nobody assigned by chance is compared by traces, with intervals for one look
(Newcombe's for shares, Welch's for means); whether the calls of both are alike is then an assumption, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS, PICO, days_of
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions import spend
from outlay_analytics.questions.experiment_checks import ITEM_UNIT, MISMATCH, same_mix
from outlay_analytics.questions.experiment_pairs import METHOD as PAIRED
from outlay_analytics.questions.experiment_pairs import item_differences, paired
from outlay_analytics.questions.experiments import (
    MARGIN,
    amount,
    bounds,
    judge,
    unit_scores,
    units_of,
    usual_unit,
    whole_experiment,
)
from outlay_analytics.questions.quality import figures
from outlay_analytics.questions.scored_sums import Sums, answers_of
from outlay_analytics.questions.scores import about, check_margin, choose
from outlay_analytics.statistics.intervals import Interval, difference, p_text
from outlay_analytics.statistics.intervals import interval as interval_of
from outlay_analytics.statistics.moments import Moments
from outlay_analytics.statistics.sequential import ALPHA, METHOD, always_valid, why_too_few
from outlay_collector.store import Store

LEAST_UNITS = 30  # of each side, below which nothing is said of a difference
MEASURES = ("score", "cost_per_call_usd", "error_rate", "p95_ms")
KINDS = {"score": "score", "cost_per_call_usd": "cost", "error_rate": "error"}
THRESHOLD = "threshold"  # in place of a dimension: two thresholds of a cascade, see decide_thresholds.py
CHOICES = ("first", "second", "trade-off", "not enough data")
ONE_LOOK = "95 % intervals for one look (Newcombe for shares, Welch for means), over traces"
ASSUMPTION = "the calls of both are taken to be alike; an experiment (outlay.assign) removes that assumption"
Row = Mapping[str, Any]


@one_look()
def decide(
    store: Store,
    scope: Scope,
    by: str,
    first: str,
    second: str,
    *,
    score: str = "",
    success: str = "",
    margin: float = MARGIN,
) -> dict[str, Any]:
    """Two values of a dimension side by side, `second` against `first`.

    Args:
        by: A dimension: `model`, `prompt_version`, `arm` (with one experiment as filter) …
        first, second: Its values.
        score, success: See `quality`.
        margin: By how much the mean score may be lower and still count as no worse.

    Returns:
        `sides` (both, with the measures of `quality`, `units`, `cost_ci_low_usd`, `cost_ci_high_usd` and `monthly_usd`:
        what all calls of both would cost a month at its cost per call), `differences` (one per measure: `difference`,
        `ci_low`, `ci_high`, `verdict`, `why`), `monthly` (`calls`, `change_usd` with its interval: what moving all to
        the second changes), `verdict` (`first`, `second`, `trade-off`, `not enough data`), `reason`, `method`, `unit`
        and `warnings`.

    Raises:
        BadRequest: For an unknown dimension or score, a value without calls, twice the same one, or an arm without
            its experiment.
    """
    check_dimension(by, "by")
    check_margin(margin)
    if not first or not second or first == second:
        raise BadRequest(f"first and second must be two values of {by}, not {first[:SHOWN]!r} and {second[:SHOWN]!r}")
    scope, unit, arms = _units_for(store, scope, by)
    narrowed = replace(scope, filters={**scope.filters, by: (first, second)})
    spent = spend.spend(store, narrowed, (by,), p95_interval=True)
    measured = {str(row[by]): row for row in spent["rows"] if row[by] is not None}
    for value in (first, second):
        if value not in measured:
            raise BadRequest(f"no call in this window has {by} {value[:SHOWN]!r}; there: {_values(store, scope, by)}")
    answers = answers_of(store, narrowed, (by,), score=score, success=success)
    chosen = choose(answers.scores, score, success)
    units = {row["arm"]: row for row in units_of(store, narrowed, by, unit)}
    moments = {
        value: {kind: Moments.read(units[value], kind) if value in units else Moments() for kind in ("cost", "error")}
        for value in (first, second)
    }
    sums: Mapping[Any, Sums] = {}
    if chosen is not None:
        sums = {str(key[1]): found for key, found in answers.groups.get(chosen.name, {}).items()}
        for row in unit_scores(store, narrowed, chosen, by, unit):
            if row["arm"] in moments:
                moments[row["arm"]]["score"] = Moments.read(row, "score")
    calls = sum(measured[value]["calls"] for value in (first, second))
    months = _months([units[value] for value in (first, second) if value in units])
    monthly_calls = Decimal(calls) / months
    sides = [
        _side(value, units.get(value), sums.get(value, Sums()), measured[value], moments[value], monthly_calls)
        for value in (first, second)
    ]
    compare, method = _one_look, ONE_LOOK
    if arms:
        compare, method = partial(always_valid, alpha=ALPHA / (arms - 1)), METHOD + _shared(arms)
    pairs = item_differences(store, narrowed, chosen, first) if unit == ITEM_UNIT else None
    method = PAIRED if pairs is not None else method
    differences = [_p95(sides)]
    for name in KINDS if chosen is not None else [name for name in KINDS if name != "score"]:
        allowed = margin if name == "score" else 0.0
        if pairs is None:
            differences.append(_compared(name, moments, first, second, allowed, compare))
        else:
            found, why = paired(pairs.get((second, KINDS[name]), Moments()))
            differences.append(told(name, found, allowed, why))
    return {
        **about(scope, chosen, answers.scores),
        "by": by,
        "margin": margin,
        "unit": unit,
        "method": method,
        "sides": sides,
        "differences": sorted(differences, key=lambda one: MEASURES.index(one["measure"])),
        "monthly": monthly_of(monthly_calls, differences),
        **weigh(differences, margin, chosen is not None),
        "warnings": _warnings([units[value] for value in (first, second) if value in units], by, arms > 0),
    }


def _units_for(store: Store, scope: Scope, by: str) -> tuple[Scope, str, int]:
    """What is compared over which time, and how many arms chance assigned it to; 0 where it did not."""
    if by != "arm":
        return scope, "trace", 0
    names = scope.filters.get("experiment", ())
    if len(names) != 1:
        raise BadRequest("arms are of an experiment: name it, experiment=NAME")
    scope, there = whole_experiment(store, scope, names[0])
    if not there:
        raise BadRequest(f"no experiment {names[0][:SHOWN]!r} in this window")
    return scope, usual_unit(there), max(2, len({row["arm"] for row in there if row["arm"]}))


def _shared(arms: int) -> str:
    return f", shared by {arms - 1} comparisons with one arm (Bonferroni)" if arms > 2 else ""


def _values(store: Store, scope: Scope, by: str) -> str:
    rows = spend.spend(store, scope, (by,), limit=20, percentiles=False)["rows"]
    return ", ".join(repr(str(row[by])) for row in rows if row[by] is not None) or "none"


def _months(units: Sequence[Row]) -> Decimal:
    if not units:
        return Decimal(1)
    days = days_of(min(row["first_at"] for row in units), max(row["last_at"] for row in units))
    return days / MONTH_DAYS


def _side(
    value: str, units: Row | None, sums: Sums, measured: Row, moments: Mapping[str, Moments], monthly_calls: Decimal
) -> dict[str, Any]:
    found = {"value": value, "units": int(units["units"]) if units else 0, **figures(sums, measured)}
    if (scores := moments.get("score")) is not None and scores.value is not None:
        found |= dict(zip(("mean", "ci_low", "ci_high"), _parts(interval_of(scores)), strict=True))
    cost = interval_of(moments["cost"])
    low, high = (amount(one, "_usd") for one in (cost.low, cost.high))
    found |= {"cost_ci_low_usd": None if low is None else max(low, Decimal(0)), "cost_ci_high_usd": high}
    each = found["cost_per_call_usd"]
    found["monthly_usd"] = None if each is None else (each * monthly_calls).quantize(PICO)
    return found


def _parts(found: Interval) -> tuple[float | None, float | None, float | None]:
    return found.value, found.low, found.high


def _one_look(first: Moments, second: Moments) -> Interval:
    found = difference(first, second)
    return found if _why(first, second) == "" else Interval(found.value)


def _why(first: Moments, second: Moments) -> str:
    least = min(first.units, second.units)
    return f"a side has {least} traces of at least {LEAST_UNITS}" if least < LEAST_UNITS else ""


def _compared(
    measure: str,
    moments: Mapping[str, Mapping[str, Moments]],
    first: str,
    second: str,
    margin: float,
    compare: Callable[[Moments, Moments], Interval],
) -> dict[str, Any]:
    one, other = (moments[value].get(KINDS[measure], Moments()) for value in (first, second))
    found = compare(one, other)
    return told(measure, found, margin, (_why if compare is _one_look else why_too_few)(one, other))


def told(measure: str, found: Interval, margin: float, why: str = "") -> dict[str, Any]:
    """A difference as it is answered, with its verdict; `why` is known where there are no bounds."""
    verdict = judge(found, margin, higher_is_better=measure == "score")
    if verdict == "not enough data":
        unknown = "nothing is scored on one side" if measure == "score" else "unknown on one side"
        missing = unknown if found.value is None else why or "equal"
        why = missing if found.low is None else "the interval holds both"
    return {
        "measure": measure,
        **{name: amount(value, measure) for name, value in bounds(found).items()},
        "verdict": verdict,
        "why": why if verdict == "not enough data" else None,
    }


def _p95(sides: Sequence[Row]) -> dict[str, Any]:
    """The difference of the p95s; its bounds are those of both intervals at their worst, so rather too wide."""
    one, other = (_p95_of(side) for side in sides)
    found = Interval(None)
    if one.value is not None and other.value is not None:
        found = Interval(other.value - one.value)
    if None not in (one.low, one.high, other.low, other.high):
        found = replace(found, low=other.low - one.high, high=other.high - one.low)  # type: ignore[operator]
    return told("p95_ms", found, 0.0, "a side has fewer than 72 calls")


def _p95_of(side: Row) -> Interval:
    return Interval(side["p95_ms"], side["p95_ci_low_ms"], side["p95_ci_high_ms"])


def monthly_of(calls: Decimal, differences: Sequence[Row]) -> dict[str, Any]:
    """What moving all calls to the second changes a month."""
    cost = next(one for one in differences if one["measure"] == "cost_per_call_usd")
    names = {"difference": "change_usd", "ci_low": "change_lo_usd", "ci_high": "change_hi_usd"}
    usd = {to: None if cost[name] is None else (cost[name] * calls).quantize(PICO) for name, to in names.items()}
    return {"calls": round(calls), **usd}


def weigh(differences: Sequence[Row], margin: float, is_scored: bool) -> dict[str, Any]:
    """Which side to take, and why."""
    found = {one["measure"]: one for one in differences}
    cost = found["cost_per_call_usd"]
    if not is_scored:
        return {"verdict": "not enough data", "reason": "nothing is scored, so it is unknown which answers better"}
    score = found["score"]
    first_holds = score["ci_high"] is not None and score["ci_high"] < margin
    cheaper, dearer = cost["verdict"] == "better", cost["verdict"] == "worse"
    if score["verdict"] in ("better", "no worse") and cheaper:
        return {"verdict": "second", "reason": f"{_quality(score['verdict'], margin)} and cheaper"}
    if score["verdict"] == "better" and not dearer and cost["difference"] is not None and cost["difference"] <= 0:
        return {"verdict": "second", "reason": "better, and no dearer as far as is known"}
    if score["verdict"] == "better" and dearer:
        return {"verdict": "trade-off", "reason": "the second is better and dearer: what is a better answer worth?"}
    if score["verdict"] == "worse" and cheaper:
        return {"verdict": "trade-off", "reason": "the second is worse and cheaper: what is a better answer worth?"}
    if score["verdict"] == "worse":
        return {"verdict": "first", "reason": "the second is worse" + (" and dearer" if dearer else "")}
    if dearer and first_holds:
        return {"verdict": "first", "reason": f"the second is dearer, and better by less than {margin:g} if at all"}
    if dearer and score["verdict"] == "no worse":
        unknown = f"whether it is better by {margin:g} or more is not known"
        return {"verdict": "not enough data", "reason": f"the second is dearer and no worse; {unknown}"}
    why = score["why"] or cost["why"]
    return {"verdict": "not enough data", "reason": f"{'quality' if score['why'] else 'cost'}: {why}"}


def _quality(verdict: str, margin: float) -> str:
    return "better" if verdict == "better" else f"no worse by more than {margin:g}"


def _warnings(units: Sequence[Row], by: str, assigned: bool) -> list[str]:
    found = [] if assigned else [ASSUMPTION]
    if by != "feature" and len(units) == 2 and (p := same_mix(units[0], units[1])) < MISMATCH:
        found.append(f"both were used for different features ({p_text(p)}): filter by feature")
    return found
