"""Experiments: the arms side by side, and whether one is better, no worse or worse, however often somebody looks.

What is compared are units of assignment (users, sessions, or traces), not calls: calls of one user are alike, and many
calls of few users prove little. Differences come with intervals that hold at every look (`statistics/sequential.py`),
shared among the arms that are compared with the control (Bonferroni), so that all verdicts of an experiment on one
measure are wrong together with a probability of at most 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import AROUND, Scope, expression, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Window
from outlay_analytics.questions import spend
from outlay_analytics.questions.experiment_checks import (
    ITEM_UNIT,
    left_out,
    logged_split,
    sample_ratio,
    warnings_of,
)
from outlay_analytics.questions.experiment_pairs import ITEM, item_differences, more_items, paired
from outlay_analytics.questions.experiment_pairs import METHOD as PAIRED
from outlay_analytics.questions.quality import figures
from outlay_analytics.questions.scored_sums import Sums, answers_of
from outlay_analytics.questions.scores import SQL, Score, about, check_margin, choose, scored
from outlay_analytics.statistics.intervals import Interval
from outlay_analytics.statistics.intervals import interval as interval_of
from outlay_analytics.statistics.moments import Moments
from outlay_analytics.statistics.sequential import (
    ALPHA,
    METHOD,
    always_valid,
    units_needed,
    why_too_few,
)
from outlay_collector.store import Store, load_sql

MAX_ARMS = 1000
UNITS = {"item": ITEM, "user": "c.`user`", "session": "c.session", "trace": "c.trace_id"}
MOSTLY = 0.99  # of the calls say it: then it is the unit
MARGIN = 0.02
CONTROLS = ("control", "baseline", "a", "off", "old")
KINDS = {"score": "score", "cost_per_call_usd": "cost", "error_rate": "error"}
MEASURES = tuple(KINDS)
VERDICTS = ("better", "no worse", "worse", "not enough data")
Row = Mapping[str, Any]


def list_experiments(store: Store, scope: Scope) -> dict[str, Any]:
    """Every experiment of a scope, the newest first, with its arms."""
    found: dict[str, dict[str, Any]] = {}
    for row in arms_of(store, scope):
        ran = {"first_at": row["first_at"], "last_at": row["last_at"]}
        one = found.setdefault(row["name"], {"name": row["name"], "arms": [], "calls": 0, "cost_usd": None, **ran})
        one["arms"].append(row["arm"])
        one["calls"] += row["calls"]
        if row["priced_calls"]:
            one["cost_usd"] = (one["cost_usd"] or 0) + row["cost_usd"]
        one["first_at"] = min(one["first_at"], row["first_at"])
        one["last_at"] = max(one["last_at"], row["last_at"])
    rows = sorted(found.values(), key=lambda one: (-one["last_at"].timestamp(), one["name"]))
    return {"window": {"start": scope.window.start, "end": scope.window.end}, "experiments": rows}


@one_look()
def experiment(
    store: Store,
    scope: Scope,
    name: str,
    *,
    score: str = "",
    success: str = "",
    margin: float = MARGIN,
    control: str = "",
    unit: str = "",
    split: Mapping[str, float] | None = None,
) -> dict[str, Any] | None:
    """One experiment: its arms, how they differ from the control, and whether that can be trusted.

    The window's end is the look; what is looked at begins with the experiment's first call, since intervals that hold
    at every look are about all units since then, not about those of a window that slides along.

    Args:
        score, success: See `quality`.
        margin: By how much the mean score may be lower and still count as no worse, in units of the score.
        control: The arm that others are compared with; by default one named control, baseline, a, off or old, else the
            one with the most units.
        unit: `item` (of an evaluation: then arms are compared item by item), `user`, `session` or `trace`; by default
            the first that 99 % of the calls say.
        split: Weights of the arms as they were asked for, to check the assignment against; by default as calls say.

    Returns:
        None if no call of the scope belongs to it; otherwise `window` (from its first call on), `name`, `score`,
        `unit`, `control`, `margin`, `method`, `arms` (measures of `quality` and `units`), `differences` (one per arm
        and measure: `difference`, `ci_low`, `ci_high`, `verdict`, `why`, `more_units`), `sample_ratio` and `warnings`.

    Raises:
        BadRequest: For an unknown score, arm or unit, a margin or a split that cannot be.
    """
    scope = replace(scope, filters={**scope.filters, "experiment": (name,)})
    scope, there = whole_experiment(store, scope, name) if name else (scope, [])
    if not there:
        return None
    check_margin(margin)
    unit = unit or usual_unit(there)
    if unit not in UNITS:
        raise BadRequest(f"unit must be one of {', '.join(UNITS)}, not {unit[:SHOWN]!r}")
    answers = answers_of(store, scope, ("arm",), score=score, success=success)
    chosen = choose(answers.scores, score, success)
    units = {row["arm"]: row for row in units_of(store, scope, "arm", unit)}
    names = list(units)
    if not names:
        raise BadRequest(f"no call of {name[:SHOWN]!r} in this window says its arm and a {unit}; try unit=trace")
    control = _control(names, control)
    moments = {arm: {kind: Moments.read(row, kind) for kind in ("cost", "error")} for arm, row in units.items()}
    sums: Mapping[Any, Sums] = {}
    if chosen is not None:
        sums = {key[1] or "": value for key, value in answers.groups.get(chosen.name, {}).items()}
        for row in unit_scores(store, scope, chosen, "arm", unit):
            if row["arm"] in moments:
                moments[row["arm"]]["score"] = Moments.read(row, "score")
    measured = {
        row["arm"] or "": row for row in spend.spend(store, scope, ("arm",), limit=MAX_ARMS, p95_interval=True)["rows"]
    }
    arms = [
        _arm(arm, units[arm], sums.get(arm, Sums()), measured[arm], moments[arm]) for arm in names if arm in measured
    ]
    compared = [arm for arm in names if arm != control]
    alpha = ALPHA / max(1, len(compared))
    pairs = item_differences(store, scope, chosen, control) if unit == ITEM_UNIT else None
    differences = [
        _difference(measure, control, arm, moments, margin, alpha)
        if pairs is None
        else _paired(measure, control, arm, pairs.get((arm, KINDS[measure]), Moments()), margin)
        for arm in compared
        for measure in MEASURES
        if measure != "score" or chosen is not None
    ]
    counts = {arm: int(row["units"]) for arm, row in units.items()}
    ratio = sample_ratio(counts, split or logged_split(there, list(counts)))
    return {
        **about(scope, chosen, answers.scores),
        "name": name,
        "unit": unit,
        "control": control,
        "margin": margin,
        "method": METHOD if pairs is None else PAIRED,
        "arms": arms,
        "differences": differences,
        "sample_ratio": ratio,
        "warnings": [*left_out(there, unit), *warnings_of(units, ratio, control, unit)],
    }


def judge(found: Interval, margin: float, higher_is_better: bool = True) -> str:
    """A verdict from an interval of a difference to the control."""
    if found.low is None or found.high is None:
        return "not enough data"
    low, high = (found.low, found.high) if higher_is_better else (-found.high, -found.low)
    if low > 0:
        return "better"
    if margin and low > -margin:
        return "no worse"
    return "worse" if high < 0 else "not enough data"


def _difference(
    measure: str, control: str, arm: str, moments: Mapping[str, Mapping[str, Moments]], margin: float, alpha: float
) -> dict[str, Any]:
    kind = KINDS[measure]
    first, second = (moments[one].get(kind, Moments()) for one in (control, arm))
    found = always_valid(first, second, alpha)
    higher = measure == "score"
    allowed = margin if higher else 0.0
    verdict = judge(found, allowed, higher)
    more, why = None, ""
    if verdict == "not enough data":
        why = why_too_few(first, second)
        if found.value is not None and not why:
            gain = found.value if higher else -found.value
            distance = gain + allowed if gain > -allowed else -gain
            more = units_needed(first, second, distance, alpha)
            why = "the interval holds both" if more is not None else "no realistic number of units would do"
        why = why or ("nothing is scored" if higher else "nothing is known")
    return _told(measure, control, arm, found, verdict, why, more)


def _paired(measure: str, control: str, arm: str, pairs: Moments, margin: float) -> dict[str, Any]:
    """The same of an evaluation, whose arms answer the same items."""
    found, why = paired(pairs)
    higher = measure == "score"
    allowed = margin if higher else 0.0
    verdict = judge(found, allowed, higher)
    more = None
    if verdict == "not enough data" and found.value is not None and not why:
        gain = found.value if higher else -found.value
        more = more_items(pairs, gain + allowed if gain > -allowed else -gain)
        why = "the interval holds both" if more is not None else "no realistic number of items would do"
    return _told(measure, control, arm, found, verdict, why, more)


def _told(
    measure: str, control: str, arm: str, found: Interval, verdict: str, why: str, more: int | None
) -> dict[str, Any]:
    return {
        "arm": arm,
        "control": control,
        "measure": measure,
        **{name: amount(value, measure) for name, value in bounds(found).items()},
        "verdict": verdict,
        "why": why or None,
        "more_units": more,
    }


def bounds(found: Interval) -> dict[str, float | None]:
    """An interval's fields in an answer."""
    return {"difference": found.value, "ci_low": found.low, "ci_high": found.high}


def amount(value: float | None, measure: str) -> float | Decimal | None:
    """Money to the picodollar, another measure as it is."""
    return Decimal(f"{value:.12f}") if value is not None and measure.endswith("_usd") else value


def _arm(arm: str, units: Row, sums: Sums, measured: Row, moments: Mapping[str, Moments]) -> dict[str, Any]:
    """An arm's measures; the interval of its mean is over units where they have several scores each."""
    found = {"arm": arm, "units": int(units["units"]), **figures(sums, measured)}
    scores = moments.get("score")
    if scores is not None and scores.value is not None:
        mean = interval_of(scores)
        found |= {"mean": mean.value, "ci_low": mean.low, "ci_high": mean.high}
    return found


def _control(names: Sequence[str], asked: str) -> str:
    if asked:
        if asked not in names:
            raise BadRequest(f"control: no arm {asked[:SHOWN]!r}; the arms are {', '.join(map(repr, names[:20]))}")
        return asked
    return next((name for usual in CONTROLS for name in names if name.lower() == usual), names[0])


def usual_unit(there: Sequence[Row]) -> str:
    """The unit of assignment: the first that nearly all calls say."""
    calls = sum(row["calls"] for row in there)
    for name in ("item", "user", "session"):
        if sum(row[f"{name}_calls"] for row in there) >= MOSTLY * calls:
            return name
    return "trace"


def whole_experiment(store: Store, scope: Scope, name: str) -> tuple[Scope, list[dict[str, Any]]]:
    """The scope from the experiment's first call on, and its arms there; as it is and none if it has none."""
    there = arms_of(store, scope, name)
    if not there:
        return scope, []
    first = min(row["first_at"] for row in there)
    params = _params(scope) | {"name": name, "around": AROUND + name}
    [before] = store.query(load_sql(SQL, "experiment_first"), params)
    whole = replace(scope, window=Window(before["first_at"] if before["calls"] else first, scope.window.end))
    return whole, arms_of(store, whole, name) if before["calls"] else there


def arms_of(store: Store, scope: Scope, name: str = "") -> list[dict[str, Any]]:
    """The experiments of a scope, or one of them, and their arms; see experiments.sql."""
    params = _params(scope) | {"name": name, "around": AROUND, "max_rows": MAX_ARMS}
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    return store.query(load_sql(SQL, "experiments", filters=filters), params)


def units_of(store: Store, scope: Scope, by: str, unit: str) -> list[dict[str, Any]]:
    """Sums over units by a dimension; see experiment_units.sql."""
    params = _params(scope)
    arm = expression(scope, by, "calls", params)
    filters = filter_sql(scope, "calls", params)
    assert arm is not None  # calls know every dimension
    assert filters is not None
    return store.query(load_sql(SQL, "experiment_units", arm=arm, unit=UNITS[unit], filters=filters), params)


def unit_scores(store: Store, scope: Scope, score: Score, by: str, unit: str) -> list[dict[str, Any]]:
    """Sums over units for the mean score, by a dimension; see experiment_scores.sql."""
    relation = scored(store, scope, score, (by, unit), own={name: UNITS[name] for name in ("item", "trace")})
    return store.query(load_sql(SQL, "experiment_scores", scored=relation.sql), relation.params)


def _params(scope: Scope) -> dict[str, Any]:
    return {"project": scope.project, "start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
