"""How well models are scored at one thing each: at a task, or in a feature; each judged by the score it mostly has."""

from __future__ import annotations

from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.scored_sums import MAX_SCORES, Answers, Sums, answers_of
from outlay_collector.store import Store

ByModel = dict[tuple[str, str], Sums]


def answers_by_model(
    store: Store, scope: Scope, at: str, model: str = "c.model", score: str = "", success: str = ""
) -> Answers:
    """Scored answers by what they were used for and by model.

    Args:
        at: The use, as text on `c`: a task, a feature.
        model: What a model is, as text on `c`.
        score, success: See `quality`.
    """
    own = {"use": at, "told_model": model}
    return answers_of(store, scope, tuple(own), score=score, success=success, most=MAX_SCORES, own=own)


def sums_by_model(answers: Answers, score: str = "") -> tuple[ByModel, dict[str, str]]:
    """Sums by (use, model), and the score that each use is judged by: `score`, else what most of its answers have."""
    sums: ByModel = {}
    told: dict[str, str] = {}
    most: dict[str, int] = {}
    for name in [score] if score else [one.name for one in answers.scores[:MAX_SCORES]]:
        found = {(use or "", model or ""): one for (_, use, model), one in answers.groups.get(name, {}).items()}
        counts: dict[str, int] = {}
        for (use, _), one in found.items():
            counts[use] = counts.get(use, 0) + one.score.units
        for use, n in counts.items():
            if n > most.get(use, 0):
                most[use], told[use] = n, name
                sums = {key: one for key, one in sums.items() if key[0] != use}
                sums |= {key: one for key, one in found.items() if key[0] == use}
    return sums, told
