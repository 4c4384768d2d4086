"""Experiments: the arms side by side, and whether one is better, no worse or worse, however often somebody looks.

What is compared are units of assignment (users, sessions, or traces), not calls: calls of one user are alike, and many
calls of few users prove little. Differences come with intervals that hold at every look (`statistics/sequential.py`),
shared among the arms that are compared with the control (Bonferroni), so that all verdicts of an experiment on one
measure are wrong together with a probability of at most 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import SHOWN, BadRequest, Scope, Window, expression, filter_sql
from outlay_analytics.questions import spend
from outlay_analytics.questions.quality import Sums, figures, scored_sums
from outlay_analytics.questions.scores import SQL, Score, about, choose, list_scores, scored
from outlay_analytics.statistics.intervals import Interval, chi_square_tail, p_text
from outlay_analytics.statistics.intervals import interval as interval_of
from outlay_analytics.statistics.moments import Moments
from outlay_analytics.statistics.sequential import (
    ALPHA,
    METHOD,
    always_valid,
    every_look_p,
    units_needed,
    why_too_few,
)
from outlay_collector.store import Store, load_sql

MAX_ARMS = 1000
UNITS = {"user": "c.`user`", "session": "c.session", "trace": "c.trace_id"}
MOSTLY = 0.99  # of the calls say it: then it is the unit
MARGIN = 0.02
CONTROLS = ("control", "baseline", "a", "off", "old")
MISMATCH = 0.001  # p-value below which arms are not split as asked (Fabijan and others, KDD 2019, use 0.0005 to 0.01)
MEASURES = ("score", "cost_per_call_usd", "error_rate")
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
        unit: `user`, `session` or `trace`; by default the first that 99 % of the calls say.
        split: Weights of the arms as they were asked for, to check the assignment against.

    Returns:
        None if no call of the scope belongs to it; otherwise `window` (from its first call on), `name`, `score`,
        `unit`, `control`, `margin`, `method`, `arms` (measures of `quality` and `units`), `differences` (one per arm
        and measure: `difference`, `ci_low`, `ci_high`, `verdict`, `why`, `more_units`), `sample_ratio` and `warnings`.

    Raises:
        BadRequest: For an unknown score, arm or unit, a margin or a split that cannot be.
    """
    scope = replace(scope, filters={**scope.filters, "experiment": (name,)})
    if not name or not arms_of(store, scope):
        return None
    scope = whole_experiment(store, scope, name)
    there = arms_of(store, scope)
    if not (math.isfinite(margin) and margin >= 0):
        raise BadRequest(f"margin must be a number of at least 0, in units of the score, not {margin}")
    unit = unit or usual_unit(there)
    if unit not in UNITS:
        raise BadRequest(f"unit must be one of {', '.join(UNITS)}, not {unit[:SHOWN]!r}")
    scores = list_scores(store, scope, success)
    chosen = choose(scores, score, success)
    units = {row["arm"]: row for row in units_of(store, scope, "arm", unit)}
    names = list(units)
    if not names:
        raise BadRequest(f"no call of {name[:SHOWN]!r} in this window says its arm and a {unit}; try unit=trace")
    control = _control(names, control)
    moments = {arm: {kind: Moments.read(row, kind) for kind in ("cost", "error")} for arm, row in units.items()}
    sums: Mapping[Any, Sums] = {}
    if chosen is not None:
        sums = {key[1] or "": value for key, value in scored_sums(store, scope, chosen, ("arm",)).items()}
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
    differences = [
        _difference(measure, control, arm, moments, margin, alpha)
        for arm in compared
        for measure in MEASURES
        if measure != "score" or chosen is not None
    ]
    counts = {arm: int(row["units"]) for arm, row in units.items()}
    ratio = sample_ratio(counts, split)
    return {
        **about(scope, chosen, scores),
        "name": name,
        "unit": unit,
        "control": control,
        "margin": margin,
        "method": METHOD,
        "arms": arms,
        "differences": differences,
        "sample_ratio": ratio,
        "warnings": [*_left_out(there, unit), *_warnings(units, ratio, control)],
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


def sample_ratio(counts: Mapping[str, int], split: Mapping[str, float] | None) -> dict[str, Any]:
    """Whether units fell to the arms as asked, by a test that holds at every look (`every_look_p`).

    Raises:
        BadRequest: If the split names an arm without units, leaves one out, or has no positive weights.
    """
    if split is None:
        return {"asked": None, "p_value": None, "mismatch": None}
    if set(split) != set(counts):
        raise BadRequest(
            f"split names {', '.join(sorted(split)) or 'nothing'}; the arms are {', '.join(sorted(counts))}"
        )
    if not all(1e-9 <= weight <= 1e9 for weight in split.values()):
        raise BadRequest("split: every weight must be above 0, such as 0.1 or 1")
    whole = sum(split.values())
    asked = {arm: weight / whole for arm, weight in split.items()}
    p = every_look_p([counts[arm] for arm in asked], list(asked.values()))
    return {"asked": asked, "p_value": p, "mismatch": p < MISMATCH}


def parse_split(text: str) -> dict[str, float] | None:
    """`control:0.9,new:0.1` as weights, None for an empty text.

    Raises:
        BadRequest: If it cannot be read.
    """
    if not text:
        return None
    found = {}
    for part in text.split(","):
        arm, colon, weight = part.rpartition(":")
        if arm.strip() in found:
            raise BadRequest(f"split names the arm {arm.strip()[:SHOWN]!r} twice")
        try:
            found[arm.strip()] = float(weight)
        except ValueError:
            colon = ""
        if not colon or not arm.strip():
            raise BadRequest(f"split {text[:SHOWN]!r} cannot be read; write it as control:0.9,new:0.1")
    return found


def _difference(
    measure: str, control: str, arm: str, moments: Mapping[str, Mapping[str, Moments]], margin: float, alpha: float
) -> dict[str, Any]:
    kind = {"score": "score", "cost_per_call_usd": "cost", "error_rate": "error"}[measure]
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


def _warnings(units: Mapping[str, Row], ratio: Row, control: str) -> list[str]:
    found = []
    if ratio["mismatch"]:
        parts = ", ".join(f"{row['units']} in {arm or '(no arm)'}" for arm, row in units.items())
        found.append(
            f"units are not split as asked ({parts}; {p_text(ratio['p_value'])}): something decides who is counted; "
            "do not trust the differences"
        )
    shared = max((int(row["shared_units"]) for row in units.values()), default=0)
    total = sum(int(row["units"]) for row in units.values())
    if shared > 0.01 * total:
        found.append(f"{shared} units were seen in more than one arm: the assignment does not stick to them")
    if len(units) == 1:
        found.append("there is only one arm: nothing to compare with")
    for arm, row in units.items():
        if arm != control and (p := same_mix(units[control], row)) < MISMATCH:
            found.append(f"{arm} and {control} were used for different features ({p_text(p)}): filter by feature")
    return found


def _left_out(there: Sequence[Row], unit: str) -> list[str]:
    """Calls that are in no comparison: without an arm, or without a unit."""
    found = []
    if armless := sum(row["calls"] for row in there if not row["arm"]):
        found.append(f"{armless} calls say no arm and are left out")
    if unit != "trace":
        loose = sum(row["calls"] - row[f"{unit}_calls"] for row in there if row["arm"])
        if loose:
            found.append(f"{loose} calls say no {unit}; units and differences leave them out")
    return found


def same_mix(first: Row, second: Row) -> float:
    """p-value of both arms having the same mix of features: chi-square test of homogeneity over units."""
    one, other = (dict(zip(*row["features"], strict=True)) for row in (first, second))
    totals = [sum(mix.values()) for mix in (one, other)]
    distance, kinds, rest = 0.0, 0, [0, 0]
    for feature in {**one, **other}:
        seen = [one.get(feature, 0), other.get(feature, 0)]
        if min(sum(seen) * part / sum(totals) for part in totals) < 5:  # too rare for the test: together
            rest = [a + b for a, b in zip(rest, seen, strict=True)]
        else:
            distance, kinds = distance + _distance(seen, totals), kinds + 1
    if sum(rest) and min(sum(rest) * part / sum(totals) for part in totals) >= 5:
        distance, kinds = distance + _distance(rest, totals), kinds + 1
    return chi_square_tail(distance, kinds - 1)


def _distance(seen: Sequence[int], totals: Sequence[int]) -> float:
    expected = [sum(seen) * part / sum(totals) for part in totals]
    return sum((have - want) ** 2 / want for have, want in zip(seen, expected, strict=True))


def _control(names: Sequence[str], asked: str) -> str:
    if asked:
        if asked not in names:
            raise BadRequest(f"control: no arm {asked[:SHOWN]!r}; the arms are {', '.join(map(repr, names[:20]))}")
        return asked
    return next((name for usual in CONTROLS for name in names if name.lower() == usual), names[0])


def usual_unit(there: Sequence[Row]) -> str:
    """The unit of assignment: the first that nearly all calls say."""
    calls = sum(row["calls"] for row in there)
    for name in ("user", "session"):
        if sum(row[f"{name}_calls"] for row in there) >= MOSTLY * calls:
            return name
    return "trace"


def whole_experiment(store: Store, scope: Scope, name: str) -> Scope:
    """The scope from the experiment's first call on."""
    params = _params(scope) | {"name": name}
    [row] = store.query(load_sql(SQL, "experiment_first"), params)
    return replace(scope, window=Window(row["first_at"], scope.window.end))


def arms_of(store: Store, scope: Scope) -> list[dict[str, Any]]:
    """The experiments of a scope and their arms; see experiments.sql."""
    params = _params(scope) | {"max_rows": MAX_ARMS}
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
    relation = scored(store, scope, score, (by, unit), own={"trace": UNITS["trace"]})
    return store.query(load_sql(SQL, "experiment_scores", scored=relation.sql), relation.params)


def _params(scope: Scope) -> dict[str, Any]:
    return {"project": scope.project, "start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
