"""Alerts at the edges: a store that fails in the middle of a round, and a server that was off for days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.alerting_world import MINUTE, NOW, SETTINGS, put_small, spend
from tests.receiver import Received

from outlay.errors import StoreError
from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import delete_budget, list_budgets, put_budget
from outlay_analytics.alerting.rules import put_rule
from outlay_collector.store import Store
from outlay_collector.store.client import Writer
from outlay_collector.store.lease import Fence
from outlay_web.config import Settings
from outlay_web.http.context import Context
from outlay_web.server.watch import Alerts

DAY = timedelta(days=1)


class Failing:
    """A connection on which one insert fails: before the store has it, or after, when only the answer is lost."""

    def __init__(self, writer: Writer, number: int, taken: bool) -> None:
        self._writer = writer
        self._left = number
        self._taken = taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._left -= 1
        if self._left != 0 or self._taken:
            self._writer.insert(table, rows)
        if self._left == 0:
            raise StoreError("the store does not answer", retryable=True)


def evaluated(store: Store, writer: Any, at: datetime) -> int:
    return evaluate.evaluate(store, cast(Writer, writer), at, SETTINGS)


def test_a_round_that_fails_anywhere_is_made_again_and_tells_nothing_anew(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 2, "0.5")
    steps = [(number, taken) for number in (1, 2, 3) for taken in (False, True)]
    for step, (number, taken) in enumerate(steps):
        at = NOW + step * timedelta(hours=7)
        body = {"amount_usd": str(1 + step), "scope": {"feature": ["search"]}, "notify": [hook.url]}
        put_budget(store, writer, "default", "search", body, at)
        before = len(hook.headers)
        with pytest.raises(StoreError):
            evaluated(store, Failing(writer, number, taken), at)
        for minute in range(1, 4):
            evaluated(store, writer, at + minute * MINUTE)
        ids = [headers["Outlay-Notification-Id"] for headers in hook.headers[before:]]
        assert len(set(ids)) == 1, f"insert {number}, taken: {taken}"
        assert len(ids) == (2 if (number, taken) == (3, False) else 1), "what is not known to be sent is sent again"
        delete_budget(store, writer, "default", "search", now=at)
        evaluated(store, writer, at + 5 * MINUTE)
        assert hook.json[-1]["status"] == "resolved"


def test_a_server_that_was_off_for_three_days_tells_what_is_true_now_and_no_more(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 40, "0.5")
    rule = {"kind": "no_data", "threshold": "0.9", "window": "24h", "severity": "critical", "notify": [hook.url]}
    put_rule(store, writer, "default", "silence", rule, NOW)
    put_small(store, writer, hook, amount_usd="240")  # 234 are spent by noon
    put_budget(store, writer, "default", "day", {"amount_usd": "5", "period": "day", "notify": [hook.url]}, NOW)
    for minute in range(2):
        evaluated(store, writer, NOW + minute * MINUTE)
    firing = {one["budget"]: one["rule"] for one in listing.list_alerts(store, "default", NOW, "firing")}
    assert firing["day"] == "over_budget"
    hook.status = 503  # the last message before the stop did not arrive
    spend(store, 1, "4", until=NOW + MINUTE)
    evaluated(store, writer, NOW + 2 * MINUTE)
    hook.status, before, back = 200, len(hook.bodies), NOW + 3 * DAY

    for minute in range(4):
        evaluated(store, writer, back + minute * MINUTE)
    told = hook.json[before:]
    firing = {one["budget"] or one["rule_name"]: one for one in listing.list_alerts(store, "default", back, "firing")}
    assert len(told) <= 4, [(one["status"], one["commonAnnotations"].get("summary")) for one in told]
    assert firing["silence"]["reason"].startswith("0 calls in 24 hours, at least 24 in the weeks before")
    assert firing["search"]["rule"] == "over_budget"
    assert firing.get("day", {}).get("rule") != "over_budget", "today nothing is spent"
    standing = {one["name"]: one["spent_usd"] for one in list_budgets(store, "default", back)}
    assert (standing["day"], standing["search"]) == (0, 330)

    spend(store, 3, "0.5", until=back)  # what applications kept meanwhile
    for minute in range(5, 9):
        evaluated(store, writer, back + minute * MINUTE)
    firing = {one["budget"] or one["rule_name"]: one for one in listing.list_alerts(store, "default", back, "firing")}
    assert "silence" not in firing
    told = hook.json[before:]
    assert len(told) <= 6, [(one["status"], one["commonAnnotations"].get("summary")) for one in told]


def test_a_round_that_failed_is_made_again_by_the_next_minute_though_nothing_changed(
    store: Store, writer: Writer, hook: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(store, 2, "0.5")
    put_small(store, writer, hook)
    at = [NOW]
    config = {"alerts": SETTINGS, "budgets": (), "rules": ()}
    ctx = SimpleNamespace(
        store=store,
        config=config,
        now=lambda: at[0],
        settings=Settings(data=Path(), public_url="https://outlay.example"),
    )
    watch = Alerts(cast(Context, ctx), store, cast(Fence, SimpleNamespace(held=lambda: True)), lambda: None, str)

    def hangs(*_: Any) -> int:
        raise StoreError("the store does not answer", retryable=True)

    with monkeypatch.context() as held:
        held.setattr(evaluate, "evaluate", hangs)
        with pytest.raises(StoreError):
            watch.judge_budgets()
    for minute in (1, 2):
        at[0] = NOW + minute * MINUTE
        watch.judge_budgets()
    assert [one["status"] for one in hook.json] == ["firing"]
