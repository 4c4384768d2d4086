"""What the scored answers of a scope add up to, by any dimensions and interval, for one score or for each there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import dimension_value
from outlay_analytics.query.groups import MAX_ROWS
from outlay_analytics.query.scope import NO_OTHERS, Scope
from outlay_analytics.query.window import Interval
from outlay_analytics.questions.scores import HALF, SQL, Score, choose, list_scores, scored, scores_ever
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Row, Store, load_sql

COUNTS = ("answers", "judged", "successes", "priced_answers", "priced_successes")
MAX_SCORES = 8  # names that are looked at to find the one that most answers have
Key = tuple[Any, ...]
ByKey = Mapping[Key, "Sums"]


class Sums:
    """What the scored answers of a group add up to."""

    def __init__(self, row: Mapping[str, Any] | None = None) -> None:
        self.score = Moments.read(row, "score") if row else Moments()
        self.counts = {name: int(row[name]) if row else 0 for name in COUNTS}
        self.usd = Decimal(row["answers_usd"]) if row else Decimal(0)
        labels: tuple[Sequence[str], Sequence[int]] = row["labels"] if row else ((), ())
        self.labels = dict(zip(*labels, strict=True))

    def __add__(self, other: Sums) -> Sums:
        both = Sums()
        both.score = self.score + other.score
        both.counts = {name: self.counts[name] + other.counts[name] for name in COUNTS}
        both.usd = self.usd + other.usd
        names = {**self.labels, **other.labels}
        both.labels = {name: self.labels.get(name, 0) + other.labels.get(name, 0) for name in names}
        return both


@dataclass(frozen=True)
class Answers:
    """The scored answers of a scope.

    Attributes:
        scores: All scores there, the most used first.
        groups: By the name of a score, sums by (time or None, dimension values); of those that were asked for.
        totals: By the name of a score, the sums of all its answers, each once; of the first of those at least.
    """

    scores: list[Score]
    groups: Mapping[str, ByKey]
    totals: Mapping[str, Sums]


def answers_of(
    store: Store,
    scope: Scope,
    names: Sequence[str] = (),
    step: Interval = "total",
    *,
    score: str = "",
    success: str = "",
    most: int = 1,
    own: Mapping[str, str] = NO_OTHERS,
) -> Answers:
    """The scores of a scope, and the sums of the one named, or of the `most` that are used most.

    A few names are read in one go. Where there are many, or a success is given, they are listed first.

    Args:
        names: Dimensions.
        own: SQL of those that the interface lacks.

    Raises:
        BadRequest: As `choose`.
    """
    ever = scores_ever(store, scope) if not success else {}
    if success or len(ever) > MAX_SCORES:
        scores = list_scores(store, scope, success)
        chosen = choose(scores, score, success)
        asked = [chosen] if score and chosen else [chosen, *scores[1:most]] if chosen else []
        groups = {one.name: scored_sums(store, scope, one, names, step, own) for one in asked}
        whole = {one.name: scored_sums(store, scope, one) for one in asked[:1]} if names or step != "total" else groups
        return Answers(scores, groups, {name: sum(found.values(), Sums()) for name, found in whole.items()})
    if not ever:
        choose([], score)
        return Answers([], {}, {})
    relation = scored(store, scope, None, names, step, own)
    columns = ["time", *(f"d{number}" for number in range(len(names)))]
    sql = load_sql(
        SQL,
        "answers",
        keys=", ".join(["time", *(f"told[{number + 1}] AS d{number}" for number in range(len(names)))]),
        group=", ".join(columns),
        scored=relation.sql,
    )
    judged = [name for name, one in ever.items() if one.success is not None]
    rows = store.query(sql, relation.params | {"judged": judged, "half": HALF, "max_rows": 5 * MAX_ROWS})
    sums: dict[str, dict[Key, Sums]] = {}
    totals = {}
    for row in rows:
        if row["is_total"]:
            totals[str(row["name"])] = Sums(row)
        else:
            sums.setdefault(str(row["name"]), {})[_key(row, names, step)] = Sums(row)
    scores = [ever[name].used(one.counts["answers"], one.labels) for name, one in totals.items()]
    scores.sort(key=lambda one: (-one.times, one.name))
    choose(scores, score)
    return Answers(scores, sums, totals)


def _key(row: Row, names: Sequence[str], step: Interval) -> Key:
    return (
        None if step == "total" else row["time"],
        *(dimension_value(name, row[f"d{number}"]) for number, name in enumerate(names)),
    )


def scored_sums(
    store: Store,
    scope: Scope,
    score: Score,
    names: Sequence[str] = (),
    step: Interval = "total",
    own: Mapping[str, str] = NO_OTHERS,
) -> dict[Key, Sums]:
    """The sums of the scored answers by (time or None, dimension values)."""
    relation = scored(store, scope, score, names, step, own)
    keys = ["time", *(f"told[{number + 1}] AS d{number}" for number in range(len(names)))]
    sql = load_sql(
        SQL,
        "quality",
        keys=", ".join(keys),
        group=", ".join(["time", *(f"d{number}" for number in range(len(names)))]),
        scored=relation.sql,
        success=relation.success,
        judged=relation.judged,
    )
    rows = store.query(sql, relation.params | {"max_rows": 5 * MAX_ROWS})
    return {_key(row, names, step): Sums(row) for row in rows}
