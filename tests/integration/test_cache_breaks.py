"""Prompts that stopped being read from the provider's cache, computed by hand from small worlds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put
from tests.integration.test_quality import WEEK

from outlay_analytics.questions.prompts import prompts
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
D = Decimal


def chat(at: timedelta, read: int, prompt: str = "support") -> dict[str, Any]:
    """1,000 tokens at a millicent each, of them some read from the cache at a tenth."""
    lines = {"input": str(D(1000 - read) / 100_000), "cache_read": str(D(read) / 1_000_000)}
    cost = str(sum(map(D, lines.values())))
    return call(at, cost, prompt=prompt, input_tokens=1000, cache_read_tokens=read, cost_lines=lines)


def test_the_hour_of_the_break_and_its_dollars_a_day_are_told(store: Store) -> None:
    """Ten calls an hour: for two days 800 of 1,000 tokens are read, then none for a day."""
    put(store, *(chat(n * HOUR / 10, 800 if n < 480 else 0) for n in range(720)))
    [found] = prompts(store, WEEK)["cache_breaks"]
    assert (found["prompt"], found["began_at"], found["ended_at"]) == ("support", DAY + 48 * HOUR, None)
    assert (found["hit_ratio_before"], found["hit_ratio_after"]) == (0.8, 0.0)
    assert found["lost_usd"] == found["usd_per_day"]  # it has lasted a day
    assert abs(found["usd_per_day"] - D("0.8") * 240 * 1000 * D("0.000009")) < D("1e-9")


def test_a_break_that_was_mended_has_an_end(store: Store) -> None:
    put(store, *(chat(n * HOUR / 10, 0 if 300 <= n < 420 else 800) for n in range(720)))
    [found] = prompts(store, WEEK)["cache_breaks"]
    assert (found["began_at"], found["ended_at"]) == (DAY + 30 * HOUR, DAY + 42 * HOUR)
    assert abs(found["lost_usd"] - D("0.8") * 120 * 1000 * D("0.000009")) < D("1e-9")


def test_what_was_never_cached_or_only_wavers_is_no_break(store: Store) -> None:
    put(store, *(chat(n * HOUR / 10, 0, "never") for n in range(300)))
    put(store, *(chat(n * HOUR / 10, 800 if n % 3 else 0, "wavers") for n in range(300)))
    put(store, *(chat(n * HOUR / 10, 800 if n < 290 else 0, "too few") for n in range(300)))
    put(store, *(chat(n * HOUR / 10, 800 if n > 150 else 0, "rises") for n in range(300)))
    assert prompts(store, WEEK)["cache_breaks"] == []


def test_however_many_prompts_there_are_the_dearest_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts are read a few at a time, those that can have lost most first; z loses most, m less, a nothing."""
    monkeypatch.setattr("outlay_analytics.questions.cache_breaks.AT_ONCE", 1)
    put(store, *(chat(n * HOUR / 10, 800, "a") for n in range(720)))
    put(store, *(chat(n * HOUR / 10, 800 if n < 600 else 0, "m") for n in range(720)))
    put(store, *(chat(n * HOUR / 10, 800 if n < 480 else 0, "z") for n in range(720)))
    found = prompts(store, WEEK)["cache_breaks"]
    assert [one["prompt"] for one in found] == ["z", "m"]
    monkeypatch.setattr("outlay_analytics.questions.cache_breaks.SHOWN", 1)
    assert [one["prompt"] for one in prompts(store, WEEK)["cache_breaks"]] == ["z"]
