"""Money that passes budgets, at a fixed moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.notify.messages import Message
from outlay_collector.store import Store
from outlay_collector.store.client import Writer
from tests.hand_calls import call, put
from tests.receiver import Received

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = parse_alerts({"allow": ["127.0.0.1"]})


def spend(store: Store, days: int, usd: str, *, until: datetime = NOW, **fields: Any) -> None:
    """One call every hour for `days` days, each costing `usd`."""
    tokens = {"input_tokens": 1000, "output_tokens": 100, "feature": "search"}
    rows = [call(until - timedelta(hours=k + 1), usd, **{**tokens, **fields}) for k in range(days * 24)]
    put(store, *rows)


def put_small(store: Store, writer: Writer, hook: Received, **more: Any) -> None:
    """A budget of ten dollars for what `spend` spends, told to `hook`."""
    body = {"amount_usd": "10", "scope": {"feature": ["search"]}, "notify": [hook.url], **more}
    put_budget(store, writer, "default", "search", body, NOW)


def message() -> Message:
    """A message, whatever it says."""
    return Message("m1", "g", "firing", "title", (), "http://x", "http://x")
