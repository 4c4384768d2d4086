"""How well models are scored at one thing each: at a task, or in a feature; each judged by the score it mostly has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.quality import Sums
from outlay_analytics.questions.scores import SQL, Score, scored
from outlay_collector.store import Store, load_sql

MAX_SCORES = 8  # names that are looked at to find the one that most answers have
MAX_ROWS = 10_000
ByModel = dict[tuple[str, str], Sums]


def sums_by_model(
    store: Store, scope: Scope, scores: Sequence[Score], at: str, model: str = "c.model"
) -> tuple[ByModel, dict[str, str]]:
    """Sums by (what it was used for, model), and the score that each use is judged by: what most of its answers have.

    Args:
        at: The use, as text on `c`: a task, a feature.
        model: What a model is, as text on `c`.
    """
    sums: ByModel = {}
    told: dict[str, str] = {}
    most: dict[str, int] = {}
    for score in scores:
        found = _of_score(store, scope, score, {"use": at, "told_model": model})
        answers: dict[str, int] = {}
        for (use, _), one in found.items():
            answers[use] = answers.get(use, 0) + one.score.units
        for use, n in answers.items():
            if n > most.get(use, 0):
                most[use], told[use] = n, score.name
                sums = {key: one for key, one in sums.items() if key[0] != use}
                sums |= {key: one for key, one in found.items() if key[0] == use}
    return sums, told


def _of_score(store: Store, scope: Scope, score: Score, own: Mapping[str, str]) -> ByModel:
    relation = scored(store, scope, score, tuple(own), own=own)
    sql = load_sql(
        SQL,
        "quality",
        keys="told[1] AS use, told[2] AS model",
        group="use, model",
        scored=relation.sql,
        success=relation.success,
        judged=relation.judged,
    )
    rows = store.query(sql, relation.params | {"max_rows": MAX_ROWS})
    return {(row["use"], row["model"]): Sums(row) for row in rows}
