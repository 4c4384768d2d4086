"""Who hears of what: a pager that takes only what is critical, beside a channel that hears of everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.alerting_world import spend
from tests.receiver import Received, receiver

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
BEGAN = NOW - timedelta(hours=6)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)


def two_channels(people: Received, pager: Received, **more: Any) -> AlertSettings:
    channels = [
        {"name": "people", "kind": "slack", "url": people.url},
        {"name": "pager", "kind": "pagerduty", "routing_key": "k" * 32, "url": pager.url, "severities": ["critical"]},
    ]
    return parse_alerts({"allow": ["127.0.0.1"], "notify": ["people", "pager"], "channels": channels, **more})


def unusual(now: datetime, actual: str, expected: str, feature: str = "search", ongoing: bool = True) -> dict[str, Any]:
    """An incident as the detector has it."""
    amounts = {"actual_usd": Decimal(actual), "expected_usd": Decimal(expected)}
    impact = amounts["actual_usd"] - amounts["expected_usd"]
    drivers = [{"driver": "requests", "usd": impact, "share": 1.0}]
    return amounts | {
        "id": f"{feature}-1",
        "scope": {"feature": feature},
        "channel": "spend",
        "started_at": BEGAN,
        "ended_at": now if ongoing else BEGAN + HOUR,
        "ongoing": ongoing,
        "impact_usd": impact,
        "impact_lo_usd": impact / 2,
        "impact_hi_usd": impact * 2,
        "score": 0.9,
        "cause": "more requests came",
        "explain": {"drivers": drivers, "sentences": ["More requests came."]},
        "parts": (),
    }


def look(store: Store, writer: Writer, settings: AlertSettings, now: datetime, *found: dict[str, Any]) -> None:
    evaluate.evaluate_anomalies(
        store, writer, now, settings, finder=lambda *_, **__: {"anomalies": list(found), "notes": []}
    )


def actions(pager: Received) -> list[tuple[str, str]]:
    return [(one["event_action"], one["payload"]["severity"]) for one in pager.json]


def test_an_incident_that_grows_is_told_to_the_pager_once_and_its_end_only_where_it_was_told(
    store: Store, writer: Writer, hook: Received
) -> None:
    with receiver() as pager:
        settings = two_channels(hook, pager)
        look(store, writer, settings, NOW, unusual(NOW, "30", "20"))
        assert [len(hook.bodies), len(pager.bodies)] == [1, 0]
        for hours, actual in ((1, "100"), (2, "104"), (3, "109")):  # from the first on it is critical
            now = NOW + hours * HOUR
            look(store, writer, settings, now, unusual(now, actual, "40"))
        assert actions(pager) == [("trigger", "critical")]
        assert pager.json[0]["payload"]["summary"].startswith(
            "unusual spend in feature search: more requests came: $60"
        )
        told = len(hook.bodies)
        now = NOW + 4 * HOUR
        look(store, writer, settings, now, unusual(now, "110", "90"))  # seen again it was less: still theirs
        now = NOW + 8 * HOUR
        look(store, writer, settings, now, unusual(now, "110", "90", ongoing=False))
        assert [one["event_action"] for one in pager.json] == ["trigger", "resolve"]
        assert len({one["dedup_key"] for one in pager.json}) == 1
        assert len(hook.bodies) == told  # people hear no all-clear
        look(store, writer, settings, NOW + 9 * HOUR, unusual(NOW, "12", "2", "chat", ongoing=True))
        look(store, writer, settings, NOW + 20 * HOUR, unusual(NOW, "12", "2", "chat", ongoing=False))
        assert len(pager.bodies) == 2  # neither the beginning of a warning, nor its end


def test_what_became_critical_is_one_message_more_for_the_pager_and_none_for_who_knows_it(
    store: Store, writer: Writer, hook: Received
) -> None:
    with receiver() as pager:
        settings = two_channels(hook, pager, critical_usd="9")
        look(store, writer, settings, NOW, unusual(NOW, "14", "6"))
        look(store, writer, settings, NOW + HOUR, unusual(NOW + HOUR, "16", "7"))
        assert [len(hook.bodies), len(pager.bodies)] == [1, 1]
        (alert,) = listing.list_alerts(store, "default", NOW, "firing")
        assert (alert["severity"], alert["delivery_error"]) == ("critical", None)


def test_a_part_that_is_critical_reaches_the_pager_where_the_whole_is_a_warning(
    store: Store, writer: Writer, hook: Received
) -> None:
    with receiver() as pager:
        settings = two_channels(hook, pager)
        whole = unusual(NOW, "160", "100") | {"scope": {}, "id": "all-1"}
        look(store, writer, settings, NOW, whole, unusual(NOW, "70", "10"))
        assert [len(hook.bodies), len(pager.bodies)] == [1, 1]
        assert "unusual spend in feature search" in pager.json[0]["payload"]["summary"]
        assert pager.json[0]["payload"]["custom_details"]["parts"] == []


def test_a_budget_tells_the_pager_when_it_is_over_and_people_before(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 45, "0.01", until=NOW)
    spend(store, 2, "0.09", until=NOW)
    with receiver() as pager:
        settings = two_channels(hook, pager)
        body = {"amount_usd": "100", "scope": {"feature": ["search"]}, "notify": ["people", "pager"]}
        put_budget(store, writer, "default", "search", body, NOW, channels=settings.channels)
        for minute in range(2):
            evaluate.evaluate(store, writer, NOW + minute * QUARTER, settings)
        assert [len(hook.bodies), len(pager.bodies)] == [1, 0]
        put_budget(store, writer, "default", "search", {**body, "amount_usd": "5"}, NOW, channels=settings.channels)
        evaluate.evaluate(store, writer, NOW + 3 * QUARTER, settings)
        assert actions(pager) == [("trigger", "critical")]
        assert len(hook.bodies) == 2


@pytest.mark.parametrize("severities", [[], "critical", ["urgent"], ["critical", 3]])
def test_severities_that_are_none_are_refused(severities: Any) -> None:
    channel = {"name": "pager", "kind": "pagerduty", "routing_key": "k", "severities": severities}
    with pytest.raises(ConfigError, match=r'must be a list such as \["critical"\]'):
        parse_alerts({"channels": [channel]})


@pytest.mark.parametrize(
    ("impact", "expected", "severity"),
    [("50", "50", "critical"), ("49", "1", "warning"), ("200", "300", "warning"), ("900", "0", "critical")],
)
def test_an_incident_is_critical_where_it_doubles_the_spend_by_many_dollars(
    impact: str, expected: str, severity: str
) -> None:
    assert AlertSettings().severity(Decimal(impact), Decimal(expected)) == severity


def test_a_channel_that_is_added_hears_of_what_fires_and_one_that_is_taken_out_of_its_end(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 20, "0.5", until=NOW)
    settings = parse_alerts({"allow": ["127.0.0.1"]})
    with receiver() as other:
        body = {"amount_usd": "10", "scope": {"feature": ["search"]}}
        for minute, (amount, channel) in enumerate((("10", hook), ("10", other), ("10", other), ("9999", other))):
            body |= {"amount_usd": amount, "notify": [channel.url]}
            put_budget(store, writer, "default", "search", body, NOW)
            evaluate.evaluate(store, writer, NOW + minute * QUARTER, settings)
        evaluate.evaluate(store, writer, NOW + 5 * QUARTER, settings)
        for one in (hook, other):
            assert [said["status"] for said in one.json] == ["firing", "resolved"]


def test_an_alertmanager_hears_the_end_of_a_warning_that_became_critical(
    store: Store, writer: Writer, hook: Received
) -> None:
    channels = [{"name": "router", "kind": "alertmanager", "url": hook.url}]
    settings = parse_alerts({"allow": ["127.0.0.1"], "notify": ["router"], "channels": channels})
    look(store, writer, settings, NOW, unusual(NOW, "60", "50"))
    for hours in (2, 3):
        now = NOW + hours * HOUR
        look(store, writer, settings, now, unusual(now, "125", "60"))
    look(store, writer, settings, NOW + 9 * HOUR, unusual(NOW, "125", "60", ongoing=False))
    heard = [(one["labels"]["severity"], one["endsAt"]) for body in hook.json for one in body]
    held = dict(heard)  # an Alertmanager knows alerts by their labels, and what it heard last of each
    assert heard[0][0] == "warning"
    assert held["warning"] <= "2026-03-20T14:30:00Z", "it ended when it became critical"
    assert held["critical"] <= "2026-03-20T21:30:00Z"
    assert ("critical", "2026-03-21T15:30:00Z") in heard, "an hour later it goes on, a day ahead"
