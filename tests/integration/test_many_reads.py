"""How often a question reads the whole of a window that has very many values: not once more because they are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.hand_calls import DAY, call, put
from tests.many_values import fill

from outlay_analytics.anomalies import incidents, watching
from outlay_analytics.anomalies.memory import statistic_of
from outlay_analytics.explain.change import explain, outline
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.caching import caching
from outlay_analytics.questions.spend import spend
from outlay_analytics.report import daily_report
from outlay_collector.store import Row, Store

ONE = timedelta(days=1)
MANY = 1_500
SCOPE = Scope(Window(DAY, DAY + ONE))
SPEND = "AS groups_left_out"
SEGMENTS = "AS embeds"
COMBINATIONS = "HAVING usd != 0"
LARGEST = "arrayMap(one -> one.3, groupArraySorted"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], Counter[str]]:
    """Asks, and says how often each statement was run, by a text that only it has."""
    titles: Counter[str] = Counter()
    plain = Store.query

    def counted(self: Store, sql: str, params: Any = None) -> list[Row]:
        titles.update(title for title in (SPEND, SEGMENTS, COMBINATIONS, LARGEST) if title in sql)
        return plain(self, sql, params)

    def ask(question: Callable[[], Any]) -> Counter[str]:
        titles.clear()
        monkeypatch.setattr(Store, "query", counted)
        question()
        monkeypatch.setattr(Store, "query", plain)
        return Counter(titles)

    return ask


@pytest.mark.parametrize("dimension", ["feature", "session", "tag.plan"])
@pytest.mark.parametrize("interval", ["total", "day"])
def test_each_window_is_measured_once_however_many_groups_it_has(
    store: Store, asked: Callable[[Callable[[], Any]], Counter[str]], dimension: str, interval: str
) -> None:
    fill(store, dimension, MANY, DAY + ONE, days=2)
    found: dict[str, Any] = {}

    def question() -> None:
        found.update(spend(store, SCOPE, (dimension,), interval, compare="previous", limit=20))

    assert asked(question)[SPEND] == 2
    assert len([row for row in found["rows"] if not row.get("remainder")]) <= 20
    assert sum(row["cost_usd"] for row in found["rows"]) == found["total"]["cost_usd"]
    assert sum(row["calls"] for row in found["rows"]) == found["total"]["calls"]


@pytest.mark.parametrize("by", ["feature", "session"])
def test_the_segments_of_very_many_values_are_read_once_a_window(
    store: Store, asked: Callable[[Callable[[], Any]], Counter[str]], by: str
) -> None:
    fill(store, by, 6_000, DAY + ONE, days=2)
    counts = asked(lambda: outline(store, SCOPE, SCOPE.window.previous(), by))
    assert (counts[SEGMENTS], counts[LARGEST]) == (2, 2)


def test_combinations_of_very_many_values_are_read_once_a_window(
    store: Store, asked: Callable[[Callable[[], Any]], Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay_analytics.explain.slices.MOST_ROWS", 200)
    fill(store, "user", MANY, DAY + ONE, days=2)
    put(store, call(DAY + timedelta(hours=1), "50", user="value-7"))
    assert asked(lambda: explain(store, SCOPE))[COMBINATIONS] == 2


def test_few_groups_are_shown_each_by_itself(store: Store) -> None:
    put(store, *(call(DAY + timedelta(minutes=k), "0.5", feature=f"f{k % 5}") for k in range(20)))
    for limit, others in ((5, 0), (4, 1)):
        found = spend(store, SCOPE, ("feature",), limit=limit)
        assert len([row for row in found["rows"] if not row.get("remainder")]) == limit
        assert found.get("groups_left_out", 0) == others
        assert sum(row["cost_usd"] for row in found["rows"]) == Decimal(10)
        assert len(caching(store, SCOPE, limit=limit)["rows"]) == 5


def test_series_too_small_to_be_told_are_not_searched(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of a project with very many small features is not kept by those."""
    now = DAY + 20 * ONE
    fill(store, "feature", MANY, now, days=29)
    hours = [now - timedelta(hours=k + 1) for k in range(20 * 24)]
    put(store, *(call(at, "9" if k < 6 else "1", feature="big", input_tokens=1000) for k, at in enumerate(hours)))
    searched: dict[Hashable, float] = {}

    def counted(series: Hashable, channel: str, data: Floats) -> Floats:
        searched[series] = float(np.sum(data[:, 0]))
        return statistic_of(series, channel, data)

    monkeypatch.setattr(watching, "statistic_of", counted)
    found = daily_report(store, "default", (now - ONE).date(), now=now)
    assert {"feature": "big", "model": "gpt-5"} in [one["scope"] for one in found["anomalies"]]
    assert len(searched) <= 3
    assert min(searched.values()) >= float(incidents.FLOOR_USD)
