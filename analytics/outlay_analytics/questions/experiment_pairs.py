"""Evaluations: every arm answers the same items, so that arms are compared item by item.

`outlay.evaluate` tags each call with its item (`evaluation_item`). What differs between items then cancels: the mean of
the paired differences gets Student's t interval, from `LEAST_ITEMS` items on (Student, Biometrika 6, 1908). An
evaluation is looked at once, when it is over, so that the interval is for one look. An item that was asked several
times, or in several runs, counts once, with its mean; one that an arm has no value of compares with nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from outlay_analytics.query.scope import Scope, expression, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.scores import SQL, Score, scored
from outlay_analytics.statistics.intervals import Z_975, Interval, interval
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Store, load_sql

ITEM = "c.tags['evaluation_item']"
METHOD = "paired by item: Student's t for the mean of the differences, 95 % each, for one look"
LEAST_ITEMS = 30
MAX_ROWS = 200_000  # of arms and items
MOST_ITEMS = 10**8
Values = dict[str, dict[str, float]]  # by arm and item


def item_differences(store: Store, scope: Scope, score: Score | None, control: str) -> dict[tuple[str, str], Moments]:
    """By (arm, kind: score, cost, error) the differences to the control, one per item that both have a value of."""
    values = _values(store, scope, score)
    return {
        (arm, kind): _moments(mine[item] - theirs for item, theirs in of.get(control, {}).items() if item in mine)
        for kind, of in values.items()
        for arm, mine in of.items()
        if arm != control
    }


def paired(found: Moments) -> tuple[Interval, str]:
    """The mean difference with its interval, and why it has none."""
    if found.value is None:
        return Interval(None), "no item has a value of both"
    if found.units < LEAST_ITEMS:
        return Interval(found.value), f"{found.units} items of at least {LEAST_ITEMS}"
    if not found.variance > 0:
        return Interval(found.value), "all items differ by the same"
    return interval(found), ""


def more_items(found: Moments, distance: float) -> int | None:
    """How many more items, until the interval is narrower than `distance`; None if too many."""
    if not distance > 0 or not found.variance > 0:
        return None
    needed = math.ceil(Z_975**2 * found.variance / distance**2)
    return None if needed > MOST_ITEMS else max(0, needed - found.units)


def _moments(differences: Iterable[float]) -> Moments:
    known = list(differences)
    a, n = math.fsum(known), float(len(known))
    return Moments(len(known), a, n, math.fsum(one * one for one in known), n, a, shares=False)


def _values(store: Store, scope: Scope, score: Score | None) -> Mapping[str, Values]:
    params: dict[str, Any] = {"project": scope.project, "max_rows": MAX_ROWS}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    arm, filters = expression(scope, "arm", "calls", params), filter_sql(scope, "calls", params)
    assert arm is not None  # calls know every dimension
    assert filters is not None
    rows = store.query(load_sql(SQL, "experiment_items", arm=arm, item=ITEM, filters=filters), params)
    found: dict[str, Values] = {"cost": {}, "error": {}, "score": {}}
    for row in rows:
        found["error"].setdefault(row["arm"], {})[row["item"]] = row["error"]
        if row["cost"] is not None:
            found["cost"].setdefault(row["arm"], {})[row["item"]] = row["cost"]
    if score is not None:
        relation = scored(store, scope, score, ("arm", "item"), own={"item": ITEM})
        sql = load_sql(SQL, "experiment_item_scores", scored=relation.sql)
        for row in store.query(sql, relation.params | {"max_rows": MAX_ROWS}):
            found["score"].setdefault(row["arm"], {})[row["item"]] = row["score"]
    return found
