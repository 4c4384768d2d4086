"""What rises together is told together: a real store, real receivers on loopback, times as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.hand_calls import call, put
from tests.receiver import Received, receiver

from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import delete_budget, put_budget
from outlay_analytics.alerting.settings import parse_alerts
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FEATURES = [f"f{number}" for number in range(10)]
NOTHING: dict[str, Any] = {"anomalies": [], "notes": []}
CALL = {"input_tokens": 1000, "output_tokens": 100}


@dataclass(frozen=True)
class Rise:
    """How a feature's calls are in the last six hours: how many an hour, and what each costs."""

    times: int = 1
    cost: str = "0.01"


def world(store: Store, **rises: Rise) -> None:
    """A call an hour for forty days of every feature named; in the last six hours as its rise says."""
    rows = []
    for feature, rise in rises.items():
        for hour in range(40 * 24):
            at = NOW - timedelta(hours=hour + 1)
            now = rise if hour < 6 else Rise()
            rows += [call(at, now.cost, feature=feature, **CALL) for _ in range(now.times)]
    put(store, *rows)


def budget(store: Store, writer: Writer, name: str, amount: str, hook: Received, **scope: Any) -> None:
    put_budget(store, writer, "default", name, {"amount_usd": amount, "scope": scope, "notify": [hook.url]}, NOW)


def told(hook: Received, number: int) -> list[tuple[str, str]]:
    return [(one["labels"].get("budget", ""), one["status"]) for one in hook.json[number]["alerts"]]


def test_ten_features_that_rise_together_are_one_message(store: Store, writer: Writer, hook: Received) -> None:
    world(store, **{name: Rise(times=20) for name in FEATURES})
    for name in FEATURES:
        budget(store, writer, name, "5", hook, feature=[name])
    settings = parse_alerts({"allow": ["127.0.0.1"], "notify": [hook.url]})
    for minute in range(2):
        evaluate.evaluate(store, writer, NOW + minute * MINUTE, settings)
    evaluate.evaluate_anomalies(store, writer, NOW + 2 * MINUTE, settings)
    evaluate.evaluate(store, writer, NOW + 20 * MINUTE, settings)
    assert len(hook.bodies) == 1
    assert sorted(told(hook, 0)) == [(name, "firing") for name in FEATURES]
    shown = listing.list_alerts(store, "default", NOW, "firing")
    assert {one["rule"] for one in shown} >= {"over_budget", "anomaly"}
    for name in FEATURES:
        delete_budget(store, writer, "default", name)
    evaluate.evaluate(store, writer, NOW + 21 * MINUTE, settings)
    assert len(hook.bodies) == 2
    assert sorted(told(hook, 1)) == [("", "firing"), *((name, "resolved") for name in FEATURES)]
    for minute in range(22, 24):  # nothing is unusual any more
        evaluate.evaluate_anomalies(store, writer, NOW + minute * MINUTE, settings, finder=lambda *_, **__: NOTHING)
    assert [one["status"] for one in hook.json] == ["firing", "firing", "resolved"]
    assert len({one["groupKey"] for one in hook.json}) == 1


def test_features_that_rise_for_different_causes_are_told_apart(store: Store, writer: Writer, hook: Received) -> None:
    world(store, many=Rise(times=20), dear=Rise(cost="0.2"))
    for name in ("many", "dear"):
        budget(store, writer, name, "5", hook, feature=[name])
    evaluate.evaluate(store, writer, NOW, parse_alerts({"allow": ["127.0.0.1"]}))
    assert sorted(one["alerts"][0]["annotations"]["drivers"].split(" +")[0] for one in hook.json) == [
        "requests",
        "unit price",
    ]


def test_a_channel_hears_of_the_parts_that_are_meant_for_it(store: Store, writer: Writer, hook: Received) -> None:
    world(store, a=Rise(times=20), b=Rise(times=20))
    with receiver() as other:
        settings = parse_alerts({"allow": ["127.0.0.1"]})
        for name, channels in (("a", [hook.url, other.url]), ("b", [hook.url])):
            body = {"amount_usd": "5", "scope": {"feature": [name]}, "notify": channels}
            put_budget(store, writer, "default", name, body, NOW)
        assert evaluate.evaluate(store, writer, NOW, settings) == 2
        assert sorted(told(hook, 0)) == [("a", "firing"), ("b", "firing")]
        assert told(other, 0) == [("a", "firing")]
        delete_budget(store, writer, "default", "a")
        evaluate.evaluate(store, writer, NOW + MINUTE, settings)
        assert told(other, 1) == [("a", "resolved")]


def test_pagerduty_opens_one_incident_for_a_group_and_closes_it(store: Store, writer: Writer, hook: Received) -> None:
    world(store, a=Rise(times=20), b=Rise(times=20))
    channel = {"kind": "pagerduty", "routing_key": "k" * 32, "url": hook.url}
    settings = parse_alerts({"allow": ["127.0.0.1"]})
    for name in ("a", "b"):
        body = {"amount_usd": "5", "scope": {"feature": [name]}, "notify": [channel]}
        put_budget(store, writer, "default", name, body, NOW)
    evaluate.evaluate(store, writer, NOW, settings)
    for name in ("a", "b"):
        delete_budget(store, writer, "default", name)
    evaluate.evaluate(store, writer, NOW + MINUTE, settings)
    assert [one["event_action"] for one in hook.json] == ["trigger", "resolve"]
    assert hook.json[0]["dedup_key"] == hook.json[1]["dedup_key"]
    assert hook.json[0]["payload"]["summary"].startswith("Critical: a is over budget, and 1 more: requests")
    assert "b" in hook.json[0]["payload"]["custom_details"]["parts"][0]


def test_heading_over_gives_way_to_over_without_a_word_of_its_own(store: Store, writer: Writer, hook: Received) -> None:
    world(store, a=Rise(times=20))
    settings = parse_alerts({"allow": ["127.0.0.1"]})
    budget(store, writer, "a", "6.5", hook, feature=["a"])
    for minute in range(2):
        evaluate.evaluate(store, writer, NOW + minute * MINUTE, settings)
    rules = {one["rule"] for one in listing.list_alerts(store, "default", NOW, "firing")}
    assert "projected_over_budget" in rules
    assert "over_budget" not in rules
    put(store, call(NOW + MINUTE, "2", feature="a", **CALL))
    for minute in range(2, 8):
        evaluate.evaluate(store, writer, NOW + minute * MINUTE, settings)
    firing = [one["rule"] for one in listing.list_alerts(store, "default", NOW, "firing")]
    assert "over_budget" in firing
    assert "projected_over_budget" not in firing
    assert [one["status"] for one in hook.json] == ["firing", "firing"]
    assert hook.json[1]["alerts"][0]["labels"]["alertname"] == "over_budget"
