"""From which similarity on a semantic cache answers rightly, with a guarantee, as for cascades (`guaranteed.py`).

An answer from the cache is wrong where its score (within 0 and 1) is below 0.5; which answer a score is about, see
`scored_answers.sql`. Similarities below every one at which an answer was scored are never chosen: what the nearest
entry would have answered is known of no miss. A hit is worth what it avoided; a lookup that would be one from now on,
or no longer, is taken to be worth the mean of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.guaranteed import CONFIDENCE, ERROR, check, guaranteed
from outlay_analytics.questions.scores import SQL, Score, choose, list_scores, scored
from outlay_collector.store import Row, Store, load_sql

STEPS = 40
FEW = 30
SIMILARITY = {"similarity": "ifNull(toString(c.cache_similarity), '')", "hit": "ifNull(toString(c.cache_hit), '')"}
UNSCORED = {"first_scored": 0, "first_wrong": 0, "scored_from": None, "first_least": None, "first_most": None}


@one_look()
def cache_thresholds(
    store: Store, scope: Scope, error: float = ERROR, confidence: float = CONFIDENCE, score: str = ""
) -> dict[str, Any]:
    """What each similarity as threshold would mean for a scope's semantic caches, lowest first.

    Args:
        error: Most of the answers from the cache that may be wrong.
        confidence: How sure that is to be.
        score: By which answers are judged; the most used one by default.

    Returns:
        `rows` of `threshold hit_ratio avoided_usd scored wrong_ratio` (of the scored answers with at least that
        similarity; None below the lowest at which one was scored, where more answers would be given than were judged);
        `score`, `lookups` (with a similarity), `hits`, `in_use` (the lowest similarity that was answered
        from the cache; empty without a hit); `guaranteed`, `guaranteed_reason`, `runs_missing` (see `guaranteed.py`;
        runs are scored answers, `saving_usd` is against the threshold in use).

    Raises:
        BadRequest: If `error` or `confidence` does not lie between 0 and 1, for an unknown score, and for filters by
            what lookups do not say.
    """
    check(error, confidence)
    scope = replace(scope, filters={**scope.filters, "cache": ("semantic",)})
    params: dict[str, Any] = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
    }
    filters = filter_sql(scope, "lookups", params)
    if filters is None:
        raise BadRequest("lookups of a cache do not know every dimension; filter by feature, service, model, tag …")
    seen = store.query(load_sql(SQL, "cache_seen", filters=filters), params)[0]
    chosen = choose(list_scores(store, scope), score)
    steps = candidates(seen)
    bins = {
        row["reached"]: {**UNSCORED, **row}
        for row in store.query(load_sql(SQL, "cache_similarities", filters=filters), params | {"steps": steps})
    }
    for row in _scored(store, scope, chosen, steps) if chosen else ():
        if row["reached"] in bins:
            bins[row["reached"]] |= row
    found = sorted(bins.values(), key=lambda one: one["confidence"])
    in_use = [] if seen["hit_from"] is None else [float(seen["hit_from"])]
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "rows": [_row(found, at) for at in steps],
        "score": chosen.name if chosen else None,
        "lookups": seen["lookups"],
        "hits": seen["hits"],
        "in_use": in_use,
        **guaranteed(
            found,
            steps,
            in_use,
            error,
            confidence,
            unscored="no answer from a semantic cache is scored" if seen["hits"] else "no semantic cache answered",
            unit="answers from the cache",
        ),
    }


def candidates(seen: Row) -> list[float]:
    """The similarities worth looking at: a regular grid, the lowest that was answered, and all where they are few."""
    if not seen["lookups"]:
        return []
    low, high = float(seen["lowest"]), float(seen["highest"])
    grid = {round(low + (high - low) * step / STEPS, 6) for step in range(STEPS + 1)}
    few = seen["similarities"] if len(seen["similarities"]) <= FEW else []
    used = [] if seen["hit_from"] is None else [seen["hit_from"]]
    return sorted({*grid, *few, *used})


def _scored(store: Store, scope: Scope, score: Score, steps: Sequence[float]) -> list[Row]:
    relation = scored(store, scope, score, tuple(SIMILARITY), own=SIMILARITY)
    return store.query(load_sql(SQL, "cache_scored", scored=relation.sql), relation.params | {"steps": steps})


def _row(bins: Sequence[Mapping[str, Any]], threshold: float) -> dict[str, Any]:
    kept = [one for one in bins if one["confidence"] >= threshold]
    lookups, reached = (sum(one["runs"] for one in some) for some in (bins, kept))
    known = sum(one["priced_escalations"] for one in bins)
    usd = sum((Decimal(one["rest_usd"]) for one in bins), Decimal(0))
    scored_from = min((one["confidence"] for one in bins if one["first_scored"]), default=float("inf"))
    judged, wrong = (sum(one[name] for one in kept) for name in ("first_scored", "first_wrong"))
    return {
        "threshold": threshold,
        "hit_ratio": reached / lookups if lookups else None,
        "avoided_usd": (usd / known * reached).quantize(PICO, ROUND_HALF_UP) if known else None,
        "scored": judged,
        "wrong_ratio": wrong / judged if judged and threshold >= scored_from else None,
    }
