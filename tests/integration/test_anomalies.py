"""Incidents put into five quiet weeks are found, named by their channel, priced, and told once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from tests.hand_calls import call, put
from tests.receiver import receiver

from outlay.errors import StoreError
from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.repository import read_alerts
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.anomalies.detector import LEARN_H
from outlay_analytics.anomalies.incidents import CHANNELS, find, score
from outlay_analytics.anomalies.showing import CHANNEL_WORDS, _cause, _in_order
from outlay_analytics.explain.drivers import DRIVER_WORDS, HAPPENED
from outlay_analytics.incidents.repository import read_incidents
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.report import daily_report
from outlay_collector.store import Store

NOW = datetime(2026, 3, 20, 18, tzinfo=UTC)
BEGAN = NOW - timedelta(hours=6)
SCOPE = Scope(Window(NOW - timedelta(days=2), NOW))


def hour_of_calls(at: datetime, feature: str, noise: np.random.Generator, **changes: Any) -> list[dict[str, Any]]:
    """Twelve calls of $0.0112 to $0.0180, more by day than by night."""
    calls = 8 + round(4 * math.sin(at.hour / 24 * 2 * math.pi))
    rows = []
    for k in range(calls):
        read = changes.get("read", 800)
        tokens = round(1000 * float(noise.normal(1, 0.03)))
        output = round(100 * float(noise.normal(1, 0.03)) * changes.get("wordy", 1))
        lines = {"input": (tokens - read) * 1e-4, "cache_read": read * 1e-5, "output": output * 4e-4}
        cost = {name: f"{usd * changes.get('price', 1):.6f}" for name, usd in lines.items()}
        rows.append(
            call(
                at + timedelta(minutes=k),
                str(sum(map(Decimal, cost.values()))),
                feature=feature,
                input_tokens=tokens,
                cache_read_tokens=read,
                output_tokens=output,
                cost_lines=cost,
            )
        )
    return rows


def world(store: Store, days: int = 35, **changes: Any) -> None:
    """Two features; the changes apply to `search` from BEGAN on."""
    noise = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for k in range(days * 24):
        at = NOW - timedelta(hours=days * 24 - k)
        rows += hour_of_calls(at, "search", noise, **(changes if at >= BEGAN else {}))
        rows += hour_of_calls(at, "triage", noise)
    put(store, *rows)


@pytest.mark.parametrize(
    ("channel", "changes", "driver", "words"),
    [
        ("uncached_share", {"read": 0}, "cache_share", "less came from a cache"),
        ("usd_per_token", {"price": 1.5}, "unit_price", "each token cost more"),
        ("tokens_per_call", {"wordy": 3}, "output_tokens", "each call wrote more tokens"),
    ],
)
def test_an_incident_is_found_within_hours_and_named(
    store: Store, channel: str, changes: dict[str, Any], driver: str, words: str
) -> None:
    world(store, **changes)
    (anomaly,) = find(store, SCOPE, now=NOW, floor_usd=Decimal("0.1"))["anomalies"]
    assert anomaly["channel"] == channel
    assert anomaly["scope"] == {"feature": "search", "model": "gpt-5"}
    assert BEGAN <= anomaly["started_at"] <= BEGAN + timedelta(hours=2)
    assert anomaly["ended_at"] == NOW
    assert anomaly["impact_usd"] == anomaly["actual_usd"] - anomaly["expected_usd"] > 0
    assert 0.5 < anomaly["score"] <= 1
    assert anomaly["explain"]["drivers"][0]["driver"] == driver
    assert anomaly["summary"].startswith(words)
    again = find(store, SCOPE, now=NOW, floor_usd=Decimal("0.1"))["anomalies"]
    assert again[0]["id"] == anomaly["id"]
    assert find(store, SCOPE, now=NOW, floor_usd=Decimal(10_000))["anomalies"] == []


def test_a_quiet_world_has_none_and_a_young_one_says_it_cannot_tell(store: Store) -> None:
    world(store, days=10)
    found = find(store, SCOPE, now=NOW)
    assert found["anomalies"] == []
    assert "15 days" in found["notes"][0]
    assert find(store, Scope(Window(NOW - timedelta(days=900), NOW - timedelta(days=890))), now=NOW)["anomalies"] == []


def test_an_anomaly_is_told_once_and_resolved_when_it_is_over(store: Store) -> None:
    world(store, read=0)
    with receiver() as hook:
        settings = parse_alerts({"allow": ["127.0.0.1"], "notify": [hook.url], "anomaly_floor_usd": "0.1"})
        writer = store.writer()
        assert evaluate.evaluate_anomalies(store, writer, NOW, settings) == 1
        assert evaluate.evaluate_anomalies(store, writer, NOW + timedelta(minutes=15), settings) == 0
        first = hook.json[0]["alerts"][0]
        assert first["labels"]["channel"] == "uncached_share"
        assert first["labels"]["feature"] == "search"
        assert "cache share" in first["annotations"]["drivers"]
        calm = np.random.default_rng(4)
        later = [NOW + timedelta(hours=k) for k in range(5)]
        put(store, *[r for at in later for f in ("search", "triage") for r in hour_of_calls(at, f, calm)])
        assert evaluate.evaluate_anomalies(store, writer, NOW + timedelta(hours=5), settings) == 1
        assert hook.json[1]["status"] == "resolved"
        for minutes in (15, 30):  # it is over, and stays what it was
            after = NOW + timedelta(hours=5, minutes=minutes)
            assert evaluate.evaluate_anomalies(store, writer, after, settings) == 0
        assert [one["state"] for one in listing.list_alerts(store, "default", after)] == ["resolved"]


def found_in(project: str) -> dict[str, Any]:
    """An anomaly that goes on."""
    return {
        "id": project,
        "started_at": BEGAN,
        "ended_at": NOW,
        "ongoing": True,
        "scope": {"feature": project},
        "channel": "spend",
        "actual_usd": Decimal(30),
        "expected_usd": Decimal(10),
        "impact_usd": Decimal(20),
        "impact_lo_usd": Decimal(18),
        "impact_hi_usd": Decimal(22),
        "score": 0.9,
        "cause": "more calls",
        "summary": "more calls: $20.00 more than expected",
        "explain": {"drivers": [], "sentences": []},
        "parts": [],
    }


@pytest.mark.parametrize("failure", [StoreError("anomalies take too long to find"), IndexError("index 2")])
def test_a_project_whose_anomalies_cannot_be_found_stops_no_other_and_keeps_its_alerts(
    store: Store, failure: Exception
) -> None:
    failing: set[str] = set()

    def looks(store: Store, scope: Scope, **options: Any) -> dict[str, Any]:
        if scope.project in failing:
            raise failure
        return {"anomalies": [found_in(scope.project)], "notes": []}

    with receiver() as hook:
        settings = parse_alerts({"allow": ["127.0.0.1"], "notify": [hook.url]})

        def sent(projects: tuple[str, ...], minute: int) -> int:
            now = NOW + timedelta(minutes=minute)
            return evaluate.evaluate_anomalies(store, store.writer(), now, settings, projects, looks)

        assert sent(("a",), 0) == 1
        failing.add("a")
        assert sent(("a", "b"), 15) == 1
        assert [message["alerts"][0]["labels"]["project"] for message in hook.json] == ["a", "b"]
        states = {alert.project: alert.state for alert in read_alerts(store)}
        assert states == {"a": "firing", "b": "firing"}
        failing.clear()
        assert sent(("a", "b"), 30) == 0  # neither ended nor told again


def test_what_was_long_over_when_it_was_found_is_remembered_and_told_to_nobody(store: Store) -> None:
    old = found_in("a") | {
        "started_at": NOW - timedelta(days=20),
        "ended_at": NOW - timedelta(days=19),
        "ongoing": False,
    }

    def looks(store: Store, scope: Scope, **options: Any) -> dict[str, Any]:
        return {"anomalies": [one for one in (old,) if one["ended_at"] > scope.window.start], "notes": []}

    with receiver() as hook:
        settings = parse_alerts({"allow": ["127.0.0.1"], "notify": [hook.url]})
        assert evaluate.evaluate_anomalies(store, store.writer(), NOW, settings, ("a",), looks) == 0
        assert hook.json == []
    (one,) = read_incidents(store, "a")
    assert (one.incident_id, one.state, one.impact_usd) == ("a", "resolved", Decimal(20))
    assert read_alerts(store) == []


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (StoreError("anomalies take too long to find"), "anomalies take too long to find"),
        (IndexError("index 2"), "anomalies could not be looked for (IndexError); the server's log says more"),
    ],
)
def test_the_daily_report_is_told_without_anomalies_where_they_cannot_be_found(
    store: Store, failure: Exception, said: str
) -> None:
    def fails(*args: Any, **options: Any) -> dict[str, Any]:
        raise failure

    put(store, call(NOW - timedelta(hours=2), "3", feature="search"))
    report = daily_report(store, "default", NOW.date(), now=NOW, finder=fails)
    assert report["total"]["cost_usd"] == 3
    assert report["anomalies"] is None
    assert report["notes"] == [said]
    assert f"Unusual\n  {said[0].upper()}{said[1:]}.\n" in report["text"]
    assert "Spent $3.00" in report["text"]


def test_the_daily_report_tells_the_day(store: Store) -> None:
    world(store, days=20, price=2)
    report = daily_report(store, "default", NOW.date(), now=NOW)
    assert report["complete"] is False
    assert sum(d["usd"] for d in report["drivers"]) == report["change_usd"]
    assert report["change_usd"] == report["total"]["cost_usd"] - report["yesterday"]["cost_usd"]
    assert [row["feature"] for row in report["groups"]["feature"]] == ["search", "triage"]
    assert sum(row["cost_usd"] for row in report["groups"]["model"]) == report["total"]["cost_usd"]
    assert report["forecast"] is not None
    assert report["text"].startswith("Outlay, Friday 20 March 2026 (so far)\n\nSpent $")
    assert "By feature" in report["text"]
    whole = daily_report(store, "default", NOW.date() - timedelta(days=1), now=NOW)
    assert whole["complete"] is True
    with pytest.raises(BadRequest):
        daily_report(store, "default", NOW.date() + timedelta(days=3), now=NOW)


def test_scores_are_causal_and_stay_between_zero_and_one() -> None:
    r = np.random.default_rng(0)
    hours = 24 * 25
    t = np.arange(hours).astype("datetime64[h]").astype("datetime64[s]")
    calls = r.poisson(50, hours).astype(float)
    aux = {
        "calls": calls,
        "in_tok": calls * 1000,
        "cached_tok": calls * 500,
        "out_tok": calls * 100,
        "retries": calls * 0,
    }
    y = calls * 0.01 * r.normal(1, 0.02, hours)
    y[-3:] *= 20
    whole = score(t, y, aux)
    assert ((whole >= 0) & (whole <= 1)).all()
    assert whole[:LEARN_H].max() < 0.5 <= whole[-3:].max()
    for n in (LEARN_H + 5, hours - 30):
        assert score(t[:n], y[:n], {k: v[:n] for k, v in aux.items()}) == pytest.approx(whole[:n])
    minutes = np.arange(3000).astype("datetime64[m]").astype("datetime64[s]")
    metric = r.normal(10, 1, 3000)
    assert score(minutes[:2500], metric[:2500]) == pytest.approx(score(minutes, metric)[:2500])
    assert len(score(t[:1], y[:1])) == 1


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_top_driver_words_the_summary_whatever_channel_alerted(channel: str) -> None:
    assert set(HAPPENED) == set(DRIVER_WORDS)
    drivers = [{"driver": "cache_share", "usd": Decimal(-9)}, {"driver": "unit_price", "usd": Decimal(5)}]
    assert _cause(channel, [*drivers, {"driver": "requests", "usd": Decimal(2)}]) == "each token cost more"
    assert _cause(channel, drivers[:1]) == _cause(channel, []) == CHANNEL_WORDS[channel]


def test_what_the_channel_is_about_is_the_cause_where_a_dearer_driver_may_have_moved_by_chance() -> None:
    drivers = [{"driver": "model_mix", "usd": Decimal("0.0432")}, {"driver": "output_tokens", "usd": Decimal("0.0186")}]
    assert _cause("tokens_per_call", drivers) == "each call wrote more tokens"
    assert _cause("spend", drivers) == _cause("usd_per_token", drivers) == "calls moved to dearer models"
    drivers[1] = {"driver": "output_tokens", "usd": Decimal("0.01")}
    assert _cause("tokens_per_call", drivers) == "calls moved to dearer models"
    said = ["$1 more.", "extract: calls moved to dearer models (+$0.0432); 16%."]
    said += ["extract: each call wrote more tokens (+$0.0186); 129."]
    assert _in_order(said, "output_tokens") == [said[0], said[2], said[1]]


def test_it_is_said_from_when_on_hours_could_be_judged(store: Store) -> None:
    assert find(store, SCOPE, now=NOW)["judged_from"] is None
    world(store, days=10)
    assert find(store, SCOPE, now=NOW)["judged_from"] is None
    put(store, call(NOW - timedelta(days=20), "0.01", feature="search"))
    assert find(store, SCOPE, now=NOW)["judged_from"] == NOW - timedelta(days=20) + timedelta(hours=LEARN_H)
