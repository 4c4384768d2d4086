"""Many budgets are answered with the queries of a few, and each as if it had been asked alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.hand_calls import call, put, roll_up

from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budgets import get_budget, list_budgets
from outlay_analytics.alerting.settings import parse_alerts
from outlay_collector.store import Store

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
Count = Callable[[Callable[[], Any]], int]


@pytest.fixture
def spent(store: Store) -> Store:
    rows = [
        call(NOW - timedelta(hours=hour + 1, minutes=7 * number), "0.01", feature=f"f{number}", team=f"t{number % 2}")
        for number in range(6)
        for hour in range(0, 30 * 24, 3)
    ]
    put(store, *rows)
    roll_up(store, sorted({row["started_at"].replace(minute=0) for row in rows})[:-5])
    return store


@pytest.fixture
def count(spent: Store, monkeypatch: pytest.MonkeyPatch) -> Count:
    """How many queries a function makes."""
    real, made = type(spent).query, [0]

    def counted(self: Store, *args: Any, **fields: Any) -> Any:
        made[0] += 1
        return real(self, *args, **fields)

    def during(run: Callable[[], Any]) -> int:
        made[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(type(spent), "query", counted)
            run()
        return made[0]

    return during


def budgets(number: int) -> list[Budget]:
    return [Budget(f"b{k}", Decimal(1000), scope={"feature": (f"f{k}",)}, configured=True) for k in range(number)]


def test_queries_do_not_grow_with_budgets(spent: Store, count: Count) -> None:
    settings = parse_alerts({})

    def page(found: list[Budget]) -> Any:
        return list_budgets(spent, "default", NOW, found)

    def round_(found: list[Budget]) -> Any:
        return evaluate.evaluate(spent, spent.writer(), NOW, settings, found)

    for run in (page, round_):
        assert count(partial(run, budgets(2))) == count(partial(run, budgets(6)))


def test_each_budget_is_answered_as_if_asked_alone(spent: Store) -> None:
    scopes: list[dict[str, tuple[str, ...]]] = [
        {},
        {"feature": ("f0",)},
        {"feature": ("f1", "f2", "f1")},
        {"feature": ("none",)},
        {"team": ("t0",)},
        {"feature": ("f0", "f3"), "team": ("t0",)},
        {"customer": ("",)},
        {"tag.plan": ("free",)},
    ]
    made = [
        Budget(f"{zone} {period} {number}", Decimal(3), period, scope, zone, configured=True)
        for number, scope in enumerate(scopes)
        for zone, period in (("UTC", "month"), ("Europe/Berlin", "week"), ("Asia/Kolkata", "day"))
    ]
    together = {one["name"]: one for one in list_budgets(spent, "default", NOW, made)}
    for budget in made:
        assert together[budget.name] == get_budget(spent, "default", budget.name, NOW, [budget])
    assert together["UTC month 1"]["spent_usd"] > 0
