"""Scores of calls and traces: which there are, and the answers they are about as a relation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import NO_OTHERS, Scope, expression, filter_sql
from outlay_analytics.query.window import Interval
from outlay_analytics.questions.scored_source import Asked, score_count, scored_source
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.questions.sql"
MAX_LABELS = 20
LEAST_MARGIN = 1e-9
LARGEST = 1e15  # of a score; see scored_answers.sql
HALF = 0.5  # from here on a score between 0 and 1 is a success, unless another success is named


@dataclass(frozen=True)
class Score:
    """One name that answers are scored under.

    Attributes:
        name: As given.
        times: How many of the scope's answers have it, each as often as it was given.
        kind: `share` (each is 0 or 1), `number`, `label` (no numbers at all).
        success: From which value on an answer is a success, or which label says so; None where nothing tells.
        labels: Its 20 commonest labels, and the one that was looked for.
    """

    name: str
    times: int
    kind: str
    success: float | str | None
    labels: tuple[str, ...] = ()

    def used(self, times: int, labels: Mapping[str, int]) -> Score:
        """The same in a scope: so often, with these labels."""
        common = sorted(labels, key=lambda label: (-labels[label], label))[:MAX_LABELS]
        return replace(self, times=times, labels=tuple(common))

    def shown(self) -> dict[str, Any]:
        """As the API lists it."""
        return {"name": self.name, "n": self.times, "kind": self.kind}


def check_margin(margin: float) -> None:
    """Refuse a margin that no difference of scores can be held against.

    Raises:
        BadRequest: Unless it is 0, or between a billionth and the largest score there is.
    """
    if not (margin == 0 or LEAST_MARGIN <= margin <= LARGEST):
        raise BadRequest(
            f"margin must be a number of at least 0, in units of the score, not {margin}; "
            f"above 0, between {LEAST_MARGIN:g} and {LARGEST:g}"
        )


def about(scope: Scope, chosen: Score | None, scores: Sequence[Score]) -> dict[str, Any]:
    """How answers about scores begin: window, currency, by which score, what is a success of it, which there are."""
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "score": chosen.name if chosen else None,
        "success": chosen.success if chosen else None,
        "scores": [one.shown() for one in scores],
    }


@one_look()
def list_scores(store: Store, scope: Scope, success: str = "") -> list[Score]:
    """The scores given to a scope's answers, the most used first; `success` is a label to look for.

    Whether a score is a share, and what is a success of it, follows from all values that it ever had, so that it does
    not change with the window.
    """
    if not score_count(store, scope.project):
        return []
    relation = scored(store, scope, None)
    sql = load_sql(SQL, "score_names", scored=relation.sql)
    rows = store.query(sql, relation.params | {"success": success})
    params = {"project": scope.project, "names": [row["name"] for row in rows]}
    sql = load_sql(SQL, "score_values", named="s.name IN {names:Array(String)}")
    ever = {row["name"]: row for row in store.query(sql, params)} if rows else {}
    return [_score(row, ever.get(row["name"], {}), success) for row in rows]


def scores_ever(store: Store, scope: Scope) -> dict[str, Score]:
    """All scores that were ever given in a project, by name; how often in the scope is not known."""
    rows = store.query(load_sql(SQL, "score_values", named="1"), {"project": scope.project})
    unused = {"times": 0, "has_label": 0, "labels": ()}
    return {row["name"]: _score({"name": row["name"], **unused}, row, "") for row in rows}


def choose(found: Sequence[Score], name: str, success: str = "") -> Score | None:
    """The score asked for, or the most used one; None where there is none at all.

    Raises:
        BadRequest: For a name that nothing in the scope has, naming those that are there; for a success that the score
            cannot have.
    """
    if not name:
        chosen = found[0] if found else None
    else:
        chosen = next((one for one in found if one.name == name), None)
        if chosen is None:
            there = ", ".join(repr(one.name) for one in found[:10]) or "none"
            raise BadRequest(f"score: no call in this window is scored {name[:SHOWN]!r}; there: {there}")
    if chosen is None or not success:
        return chosen
    if success in chosen.labels:
        return Score(chosen.name, chosen.times, chosen.kind, success, chosen.labels)
    try:
        value = float(success)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or chosen.kind == "label":
        labels = ", ".join(repr(label) for label in chosen.labels) or "it has no labels"
        raise BadRequest(f"success {success[:SHOWN]!r} is neither a number nor a label of {chosen.name!r} ({labels})")
    return Score(chosen.name, chosen.times, chosen.kind, value, chosen.labels)


@dataclass(frozen=True)
class Scored:
    """The scored answers as a relation `(SELECT …)`: time, told (texts of the dimensions), value, label, cost_usd.

    Attributes:
        success, judged: Conditions on it: whether an answer is a success, and whether that can be told.
    """

    sql: str
    params: dict[str, Any]
    success: str
    judged: str


@one_look()
def scored(
    store: Store,
    scope: Scope,
    score: Score | None,
    dimensions: Sequence[str] = (),
    interval: Interval = "total",
    own: Mapping[str, str] = NO_OTHERS,
    only: str = "",
) -> Scored:
    """The answers of a scope with this score, or any.

    Args:
        own: SQL of dimensions that the interface lacks.
        only: A condition on `c` beside the scope's filters.
    """
    params: dict[str, Any] = {}
    columns = [expression(scope, name, "calls", params, own) for name in dimensions]
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    params |= {"score": score.name} if score else {}
    asked = Asked(
        interval,
        f"CAST([{', '.join(f'toString({column})' for column in columns)}], 'Array(String)')",
        f"({filters}) AND ({only})" if only else filters,
        "name = {score:String}" if score else "1",
    )
    sql = scored_source(store, scope, asked, params)
    if score is None:
        return Scored(sql, params, "0", "0")
    judged, success = "isNotNull(value)", "ifNull(value >= {success:Float64}, false)"
    if isinstance(score.success, str):  # then the share of that label is what is compared
        judged, success = "label != ''", "label = {success:String}"
        sql = f"SELECT * REPLACE (if({judged}, toFloat64({success}), NULL) AS value) FROM ({sql})"
    elif score.success is None:
        judged, success = "0", "0"
    return Scored(sql, params | ({} if score.success is None else {"success": score.success}), success, judged)


def _score(row: Mapping[str, Any], ever: Mapping[str, Any], success: str) -> Score:
    labels = tuple(str(label) for label in row["labels"])
    if success and row["has_label"] and success not in labels:
        labels = (*labels, success)
    if not ever.get("values"):
        return Score(row["name"], row["times"], "label", None, labels)
    within = ever["least"] >= 0 and ever["most"] <= 1
    return Score(row["name"], row["times"], "share" if ever["shares"] else "number", HALF if within else None, labels)
