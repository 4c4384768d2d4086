"""The tables of the command line name what the answers have: a column that nobody fills would silently be left out."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.hand_calls import DAY, call, put

from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import list_budgets, put_budget
from outlay_analytics.alerting.settings import AlertSettings
from outlay_collector.store import Store
from outlay_web.cli.answers import ALERTS, BUDGETS

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)


def test_the_columns_of_budgets_and_alerts_exist(store: Store) -> None:
    writer = store.writer()
    put(store, call(NOW - (NOW - DAY) / 2, "2"))
    put_budget(store, writer, "default", "small", {"amount_usd": "1"}, NOW)
    evaluate.evaluate(store, writer, NOW, AlertSettings())
    [budget] = list_budgets(store, "default", NOW)
    assert set(BUDGETS) <= set(budget)
    first = listing.list_alerts(store, "default", NOW)[0]
    assert set(ALERTS) <= set(first)
    assert first["title"]
