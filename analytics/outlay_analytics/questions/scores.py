"""Scores of calls and traces: which there are, and the answers they are about as a relation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay_analytics.query.spend_source import instant_text
from outlay_analytics.query.window import (
    NO_OTHERS,
    SHOWN,
    BadRequest,
    Interval,
    Scope,
    bucket_sql,
    expression,
    filter_sql,
)
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.questions.sql"
HALF = 0.5  # from here on a score between 0 and 1 is a success, unless another success is named


@dataclass(frozen=True)
class Score:
    """One name that answers are scored under.

    Attributes:
        name: As given.
        times: How many scores of the scope have it.
        kind: `share` (each is 0 or 1), `number`, `label` (no numbers at all).
        success: From which value on an answer is a success, or which label says so; None where nothing tells.
        labels: Up to 20 of its labels.
    """

    name: str
    times: int
    kind: str
    success: float | str | None
    labels: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        """As the API lists it."""
        return {"name": self.name, "n": self.times, "kind": self.kind}


def list_scores(store: Store, scope: Scope) -> list[Score]:
    """The scores given to a scope's calls, the most used first."""
    params = _params(scope)
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    return [_score(row) for row in store.query(load_sql(SQL, "score_names", filters=filters), params)]


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


def scored(
    scope: Scope,
    score: Score,
    dimensions: Sequence[str] = (),
    interval: Interval = "total",
    own: Mapping[str, str] = NO_OTHERS,
) -> Scored:
    """The answers of a scope that have this score; `own` is the SQL of dimensions that are none of the interface."""
    params = _params(scope) | {"score": score.name}
    columns = [expression(scope, name, "calls", params, own) for name in dimensions]
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    sql = load_sql(
        SQL,
        "scored",
        time=bucket_sql(interval, "c.started_at"),
        dimensions=f"CAST([{', '.join(f'toString({column})' for column in columns)}], 'Array(String)')",
        filters=filters,
    )
    judged, success = "isNotNull(value)", "ifNull(value >= {success:Float64}, false)"
    if isinstance(score.success, str):  # then the share of that label is what is compared
        judged, success = "label != ''", "label = {success:String}"
        sql = f"SELECT * REPLACE (if({judged}, toFloat64({success}), NULL) AS value) FROM ({sql})"
    elif score.success is None:
        judged, success = "0", "0"
    return Scored(sql, params | ({} if score.success is None else {"success": score.success}), success, judged)


def _params(scope: Scope) -> dict[str, Any]:
    return {
        "project": scope.project,
        "timezone": scope.timezone,
        "start": instant_text(scope.window.start),
        "end": instant_text(scope.window.end),
    }


def _score(row: Mapping[str, Any]) -> Score:
    labels = tuple(str(label) for label in row["labels"])
    if not row["values"]:
        return Score(row["name"], row["times"], "label", None, labels)
    within = row["least"] >= 0 and row["most"] <= 1
    return Score(row["name"], row["times"], "share" if row["shares"] else "number", HALF if within else None, labels)
