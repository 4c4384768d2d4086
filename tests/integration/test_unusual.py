"""Anomalies from memory: the same through every window, looked for again only when an hour they read has changed."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hand_calls import call, put
from tests.scrape import value
from tests.waiting import until
from tests.web_server import llm_span, own_store, running

from outlay_analytics.anomalies import incidents
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.store import Store
from outlay_web.cache import Cache
from outlay_web.config import Settings
from outlay_web.http.auth import Authenticator
from outlay_web.http.context import Context
from outlay_web.services.anomalies import find_anomalies

NOW = datetime(2026, 3, 20, 18, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOSED = NOW.replace(minute=0)
BEGAN = CLOSED - 30 * HOUR


def context(store: Store, tmp_path: Path) -> Context:
    settings = Settings(data=tmp_path)
    keys = Authenticator(store, settings, lambda: NOW)
    prices = PriceBook(store, parse_overrides({}))
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
    (entry,) = ctx.cache._entries.values()
    found_at = entry.found_at
    put(store, call(NOW - timedelta(minutes=5), "900", feature="search", model="large", input_tokens=1000))
    assert seen(ctx, 30) == [before]  # the hour under way is not looked at
    assert entry.found_at == found_at
    put(store, call(CLOSED - 2 * HOUR, "900", feature="search", model="large", input_tokens=1000))
    entry.took_s = 0.0  # no need to rest in a test
    (after,) = seen(ctx, 30)
    assert after["actual_usd"] == before["actual_usd"] + 900


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_search_that_fails_says_so_everywhere_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **options: Any) -> dict[str, Any]:
        raise IndexError("index 2 is out of bounds")

    clock, working = Clock(), incidents.find
    monkeypatch.setattr(incidents, "find", fails)  # before the server looks by itself
    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1)) as server:
        server.assembly.context.cache = Cache(clock)
        server.send_spans([llm_span(1, 1, outlay__feature="search")])
        server.wait_for_calls(1)
        answer = server.api("/anomalies")
        assert answer.status == 503
        assert "could not be looked for (IndexError)" in answer.error[2]
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        report = server.api("/report")
        assert report.status == 200
        assert report.json["anomalies"] is None
        assert "could not be looked for (IndexError)" in report.json["notes"][0]
        assert "Anomalies could not be looked for (IndexError)" in report.json["text"]
        for path in ("/", "/forecast"):
            text = server.get(path).text
            assert "Anomalies could not be looked for (IndexError)" in text, path
            assert "data-pending" not in text, path  # or the page would ask again every 2.5 seconds without end
            assert "Nothing: " not in text, path
        job = next(job for job in server.api("/status").json["jobs"] if job["name"] == "find anomalies")
        assert job["failures"] == job["runs"] > 0
        assert job["last_error"] == "IndexError: index 2 is out of bounds"
        assert value(server, "outlay_job_failures_total", job="find anomalies") == job["failures"]
        assert "IndexError: index 2 is out of bounds" in server.get("/settings").text
        monkeypatch.setattr(incidents, "find", working)
        assert server.api("/anomalies").status == 503  # it rests first
        clock.now += 600
        assert server.api("/anomalies").status == 200
        assert server.api("/report").json["anomalies"] == []
        assert (
            next(j for j in server.api("/status").json["jobs"] if j["name"] == "find anomalies")["last_error"] is None
        )


def test_an_earlier_answer_that_could_not_be_renewed_says_so(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **options: Any) -> dict[str, Any]:
        raise IndexError("index 2 is out of bounds")

    ctx, clock = context(store, tmp_path), Clock()
    ctx.cache = Cache(clock)
    scope = Scope(Window(NOW - timedelta(days=2), NOW))
    put(store, call(CLOSED - 2 * HOUR, "900"))
    known = find_anomalies(ctx, scope)
    put(store, call(CLOSED - HOUR, "900"))
    monkeypatch.setattr(incidents, "find", fails)
    clock.now += 600
    found = find_anomalies(ctx, scope)
    assert known is not None
    assert found is not None
    assert found["anomalies"] == known["anomalies"]
    assert "newest hours could not be looked through (IndexError)" in found["notes"][-1]


def test_the_overview_says_nothing_only_after_it_has_looked_with_enough_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    looks = incidents.find

    def waits(store: Store, scope: Scope, **options: Any) -> dict[str, Any]:
        go.wait(60)
        return looks(store, scope, **options)

    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1)) as server:
        closed = server.assembly.context.now().replace(minute=0, second=0, microsecond=0)

        def overview(days: int) -> str:
            project = f"days{days}"
            rows = [call(closed - (k + 1) * HOUR, "1", project=project, feature="search") for k in range(days * 24)]
            put(server.assembly.context.store, *rows)
            assert server.api("/anomalies", ("project", project)).status == 200
            # The server looks too, and may have done so between two rows: then it says so until it has looked again.
            until(lambda: "have changed since" not in unrested(project), "looked through")
            return unrested(project)

        def unrested(project: str, path: str = "/") -> str:
            for key, entry in list(server.assembly.context.cache._entries.items()):
                if key[:2] == ("anomalies", project):
                    entry.took_s = 0.0  # no need to rest in a test
            return server.get(path, ("project", project)).text

        young, grown, old = overview(3), overview(20), overview(50)
        assert "Too early to tell." in young
        assert "Anomalies need 15 days of history to compare with." in young
        assert "Nothing: " not in young
        assert "Nothing: every other hour" in grown
        assert f"Hours before {closed - 5 * 24 * HOUR:%-d %B %H:%M} UTC have too little past to be judged." in grown
        assert "Nothing: every hour" in old
        monkeypatch.setattr(incidents, "find", waits)
        put(server.assembly.context.store, call(closed - HOUR, "1", project="unseen"))
        unseen = server.get("/", ("project", "unseen")).text
        go.set()
        assert "Looking through the hours" in unseen
        assert "Nothing: " not in unseen
        go.clear()
        put(server.assembly.context.store, call(closed - 2 * HOUR, "900", project="days50", feature="search"))
        shown = [unrested("days50", path) for path in ("/", "/incidents")]
        go.set()
        for page in shown:
            assert "data-pending>" in page
            assert "Some hours have changed since they were looked through; that is done again now." in page
            assert "Nothing: " not in page
            assert "Nothing out of the ordinary" not in page
