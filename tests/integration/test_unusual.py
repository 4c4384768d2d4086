"""Anomalies from memory: the same through every window, looked for again only when an hour they read has changed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from tests.hand_calls import call, put

from outlay_analytics.window import Scope, Window
from outlay_collector.prices import PriceBook
from outlay_collector.prices_overlay import parse_overlay
from outlay_collector.store import Store
from outlay_web.auth import Authenticator
from outlay_web.config import Settings
from outlay_web.context import Context
from outlay_web.unusual import find_anomalies

NOW = datetime(2026, 3, 20, 18, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOSED = NOW.replace(minute=0)
BEGAN = CLOSED - 30 * HOUR


def context(store: Store, tmp_path: Path) -> Context:
    settings = Settings(data=tmp_path)
    keys = Authenticator(store, settings, lambda: NOW)
    prices = PriceBook(store, parse_overlay({}))
    return Context(store, settings, "test", keys, prices, clock=lambda: NOW)


def world(store: Store) -> None:
    """Two models of one feature for 40 days; from BEGAN on a third one, five times as dear, answers everything."""
    noise = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for k in range(40 * 24):
        at = CLOSED - (40 * 24 - k) * HOUR
        for n in range(8 + round(4 * math.sin(at.hour / 24 * 2 * math.pi))):
            tokens = round(1000 * float(noise.normal(1, 0.03)))
            model, price = ("large", "0.00005") if at >= BEGAN else (("a", "b")[n % 2], "0.00001")
            usd = str(tokens * Decimal(price))
            rows.append(call(at + timedelta(minutes=n), usd, feature="search", model=model, input_tokens=tokens))
    put(store, *rows)


def seen(ctx: Context, days: float, **options: Any) -> list[dict[str, Any]]:
    found = find_anomalies(ctx, Scope(Window(NOW - timedelta(days=days), NOW)), floor_usd=Decimal("0.5"), **options)
    assert found is not None
    listed: list[dict[str, Any]] = found["anomalies"]
    return listed


def test_a_swap_of_models_is_found_and_looks_the_same_through_every_window(store: Store, tmp_path: Path) -> None:
    world(store)
    ctx = context(store, tmp_path)
    (swap,) = seen(ctx, 30)
    assert swap["scope"] == {"feature": "search"}
    assert swap["channel"] in ("usd_per_token", "cost_per_call")
    assert BEGAN <= swap["started_at"] <= BEGAN + 2 * HOUR
    assert (swap["ended_at"], swap["ongoing"]) == (CLOSED, True)
    assert swap["explain"]["drivers"][0]["driver"] == "model_mix"
    assert seen(ctx, 7) == seen(ctx, 0.5) == [swap]
    yesterday = Scope(Window(NOW - timedelta(days=9), NOW - timedelta(days=2)))
    assert find_anomalies(ctx, yesterday) == {"anomalies": [], "notes": []}


def test_what_was_found_is_kept_until_a_closed_hour_changes(store: Store, tmp_path: Path) -> None:
    world(store)
    ctx = context(store, tmp_path)
    (before,) = seen(ctx, 30)
    recall = ctx.shared["recall"]
    (entry,) = recall._entries.values()
    found_at = entry.found_at
    put(store, call(NOW - timedelta(minutes=5), "900", feature="search", model="large", input_tokens=1000))
    assert seen(ctx, 30) == [before]  # the hour under way is not looked at
    assert entry.found_at == found_at
    put(store, call(CLOSED - 2 * HOUR, "900", feature="search", model="large", input_tokens=1000))
    entry.took_s = 0.0  # no need to rest in a test
    (after,) = seen(ctx, 30)
    assert after["actual_usd"] == before["actual_usd"] + 900
