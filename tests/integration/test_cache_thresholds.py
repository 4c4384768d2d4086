"""Thresholds of semantic caches, computed by hand from a small world."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, lookup, put
from tests.integration.test_quality import WEEK

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.cache_thresholds import cache_thresholds
from outlay_collector.store import Store

MINUTE = timedelta(minutes=1)


def world(store: Store, wrong: int = 40, **own: Any) -> None:
    """400 answers from the cache, of similarities .90 and .96, each avoids a cent; 100 misses at .80.

    Of the answers at .90 so many are wrong; all are scored, every other by a score of the whole trace.
    """
    rows, looks, scores = [], [], []
    for n in range(500):
        hit, similarity = n < 400, 0.80 if n >= 400 else 0.90 if n < 200 else 0.96
        row = call(
            n * MINUTE, "0", cost_state="cached" if hit else "computed", cache_kind="semantic", cache_hit=hit,
            cache_similarity=similarity, **own,
        )  # fmt: skip
        avoided = Decimal("0.01") if hit else None
        about = {"trace_id": row["trace_id"], "span_id": row["span_id"]}
        looks.append(
            lookup(n * MINUTE, kind="semantic", hit=hit, similarity=similarity, avoided_usd=avoided, **about, **own)
        )
        rows.append(row)
        if n % 2:
            about["span_id"] = ""
        at = {"label": "", "at": DAY + timedelta(days=9), "project": "default"}
        scores.append({**about, **at, "name": "right", "value": float(n >= wrong)})
    put(store, *rows, *looks)
    writer = store.writer()
    writer.insert("scores", scores)
    writer.close()


def test_the_lowest_similarity_that_answers_rightly_is_named_with_its_price(store: Store) -> None:
    world(store)
    found = cache_thresholds(store, WEEK)
    assert (found["score"], found["lookups"], found["hits"], found["in_use"]) == ("right", 500, 400, [0.9])
    sure = found["guaranteed"]
    assert 0.9 < sure["threshold"] <= 0.96
    assert (sure["runs"], sure["runs_missing"]) == (200, 0)
    assert sure["error_bound"] == pytest.approx(1 - 0.04 ** (1 / 200), rel=0.1)  # 200 of 200 right, four fifths of 5 %
    assert sure["saving_usd"] == Decimal("-2.00")  # 200 answers less from the cache
    assert sure["saving_lo_usd"] < Decimal(-2) < sure["saving_hi_usd"]
    rows = {row["threshold"]: row for row in found["rows"]}
    assert rows[0.9] == {
        "threshold": 0.9,
        "hit_ratio": 0.8,
        "avoided_usd": Decimal("4"),
        "scored": 400,
        "wrong_ratio": 0.1,
    }
    assert (rows[0.96]["wrong_ratio"], rows[0.96]["hit_ratio"]) == (0.0, 0.4)
    # below every answer that was scored nothing is known, whatever error is allowed
    assert cache_thresholds(store, WEEK, error=0.5)["guaranteed"]["threshold"] >= 0.9
    nothing = cache_thresholds(store, WEEK, error=0.001)
    assert nothing["guaranteed"] is None
    assert nothing["runs_missing"] > 1000
    assert "more scored answers from the cache" in nothing["guaranteed_reason"]


def test_where_all_answers_are_right_nothing_changes(store: Store) -> None:
    world(store, wrong=0, feature="chat")
    found = cache_thresholds(store, Scope(WEEK.window, {"feature": ("chat",)}))
    assert found["guaranteed"]["threshold"] == 0.9
    assert found["guaranteed"]["saving_usd"] == Decimal(0)
    empty = cache_thresholds(store, Scope(WEEK.window, {"feature": ("other",)}))
    assert (empty["rows"], empty["guaranteed"], empty["in_use"]) == ([], None, [])
    assert empty["guaranteed_reason"] == "no semantic cache answered"


def test_what_nobody_scored_or_nobody_can_tell_is_said(store: Store) -> None:
    put(store, lookup(MINUTE, kind="semantic", similarity=0.9, avoided_usd=None), lookup(MINUTE, kind="exact"))
    found = cache_thresholds(store, WEEK)
    assert found["guaranteed_reason"] == "no answer from a semantic cache is scored"
    assert (found["lookups"], found["rows"][0]["avoided_usd"]) == (1, None)
    with pytest.raises(BadRequest, match="lookups of a cache do not know every dimension"):
        cache_thresholds(store, Scope(WEEK.window, {"arm": ("a",)}))
    with pytest.raises(BadRequest, match="error must lie between 0 and 1"):
        cache_thresholds(store, WEEK, error=2)


def test_without_a_score_no_call_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, lookup(kind="semantic", similarity=0.9, hit=True), call(cache_kind="semantic"))
    asked: list[str] = []
    query = Store.query

    def noted(self: Store, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return query(self, sql, *rest)

    monkeypatch.setattr(Store, "query", noted)
    assert cache_thresholds(store, WEEK)["lookups"] == 1
    assert not any("FROM calls" in sql for sql in asked)
