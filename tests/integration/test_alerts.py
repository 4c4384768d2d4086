"""Alerts end to end: a real store, a real receiver on loopback, times as arguments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.alerting_world import MINUTE, NOW, SETTINGS, put_small, spend
from tests.receiver import Received

from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import delete_budget, put_budget
from outlay_analytics.alerting.rounds import Rounds
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.query.errors import BadRequest
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


def test_a_budget_that_is_passed_posts_one_alertmanager_message(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 60, "0.25")
    spend(store, 20, "0.25")
    put_small(store, writer, hook)
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 1
    (body,) = hook.json
    assert (body["version"], body["status"], body["groupKey"]) == ("4", "firing", "default/budget:search")
    first = body["alerts"][0]
    assert first["labels"]["alertname"] == "over_budget"
    assert first["labels"] | {"budget": "search", "severity": "critical", "feature": "search"} == first["labels"]
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert "spent $234.00 of $10.00 (2340%) since 1 March" in first["annotations"]["summary"]
    assert first["annotations"]["actual_usd"] == "234.000000000000"
    assert first["annotations"]["expected_usd"] == "10.000000000000"
    assert first["annotations"]["drivers"].startswith("requests +$")
    assert "/silence" in first["annotations"]["silence"]
    assert first["generatorURL"].startswith("http://127.0.0.1:4318/explain?start=2026-03-01T00%3A00%3A00Z")
    assert hook.headers[0]["Content-Type"] == "application/json"
    # The same again says nothing: it was told, and its weaker siblings are inhibited.
    for minute in range(1, 4):
        assert evaluate.evaluate(store, writer, NOW + minute * MINUTE, SETTINGS) == 0
    states = {a["rule"]: a["state"] for a in listing.list_alerts(store, "default", NOW)}
    assert states["over_budget"] == "firing"
    assert len(hook.bodies) == 1
    assert {a["delivery_error"] for a in listing.list_alerts(store, "default", NOW)} == {None}


def test_an_alert_that_reached_nobody_says_so(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    nobody_allowed = parse_alerts({})
    assert evaluate.evaluate(store, writer, NOW, nobody_allowed) == 0
    (over,) = [a for a in listing.list_alerts(store, "default", NOW) if a["rule"] == "over_budget"]
    assert over["delivery_error"].startswith("1 channel not reached: ")
    assert "allow" in over["delivery_error"]
    assert hook.url not in over["delivery_error"]
    assert hook.bodies == []


def test_an_alert_repeats_where_that_is_wanted_resolves_and_begins_anew(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    assert evaluate.evaluate(store, writer, NOW + timedelta(hours=25), SETTINGS) == 0
    daily = replace(SETTINGS, repeat=timedelta(hours=24))
    assert evaluate.evaluate(store, writer, NOW + timedelta(hours=25), daily) == 1
    assert hook.json[1]["status"] == "firing"
    put_small(store, writer, hook, amount_usd="100000")
    later = NOW + timedelta(hours=26)
    evaluate.evaluate(store, writer, later, SETTINGS)
    assert evaluate.evaluate(store, writer, later + MINUTE, SETTINGS) == 1
    assert hook.json[2]["status"] == "resolved"
    resolved = hook.json[2]["alerts"][0]
    assert resolved["endsAt"] == "2026-03-21T14:31:00Z"
    assert resolved["fingerprint"] == hook.json[0]["alerts"][0]["fingerprint"]
    found = listing.list_alerts(store, "default", later, state="resolved")
    assert any(a["reason"].startswith("over; it was: spent $") for a in found)


def test_a_deleted_budget_resolves_its_alerts_at_once(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    delete_budget(store, writer, "default", "search")
    assert evaluate.evaluate(store, writer, NOW + MINUTE, SETTINGS) == 1
    assert hook.json[1]["status"] == "resolved"


def test_projected_overspend_waits_for_a_second_evaluation(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 60, "0.5")
    put_small(store, writer, hook, amount_usd="300")
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 0
    (pending,) = listing.list_alerts(store, "default", NOW)
    assert (pending["rule"], pending["state"], pending["severity"]) == ("projected_over_budget", "pending", "critical")
    assert evaluate.evaluate(store, writer, NOW + MINUTE, SETTINGS) == 1
    annotations = hook.json[0]["alerts"][0]["annotations"]
    assert "heading for $37" in annotations["summary"]
    assert "of $300.00 by 1 April" in annotations["summary"]


def test_ten_times_the_usual_spend_burns(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 60, "0.1")
    spend(store, 1, "2", until=NOW)
    put_small(store, writer, hook, amount_usd="120")
    for minute in (0, 1):
        evaluate.evaluate(store, writer, NOW + minute * MINUTE, SETTINGS)
    found = {a["rule"]: a for a in listing.list_alerts(store, "default", NOW, state="firing")}
    assert found["burn_rate"]["severity"] == "critical"
    assert "times as fast" in found["burn_rate"]["reason"]


def test_silenced_and_acknowledged_alerts_keep_quiet(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    (alert,) = [a for a in listing.list_alerts(store, "default", NOW) if a["rule"] == "over_budget"]
    assert listing.acknowledge(store, writer, "default", alert["id"], NOW, by="kim")["acknowledged_by"] == "kim"  # type: ignore[index]
    assert evaluate.evaluate(store, writer, NOW + timedelta(hours=25), SETTINGS) == 0
    until = NOW + timedelta(days=3)
    assert listing.silence(store, writer, "default", alert["id"], NOW, until)["silenced_until"] == until  # type: ignore[index]
    delete_budget(store, writer, "default", "search")
    assert evaluate.evaluate(store, writer, NOW + timedelta(hours=26), SETTINGS) == 0
    assert len(hook.bodies) == 1
    assert listing.acknowledge(store, writer, "default", "nothing", NOW) is None
    assert listing.silence(store, writer, "default", "nothing", NOW) is None


def test_a_silence_without_end_is_refused(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    alert = next(a for a in listing.list_alerts(store, "default", NOW) if a["rule"] == "over_budget")
    with pytest.raises(BadRequest, match="a silence ends within 90 days"):
        listing.silence(store, writer, "default", alert["id"], NOW, datetime(9999, 12, 31, tzinfo=UTC))
    (still,) = [a for a in listing.list_alerts(store, "default", NOW) if a["id"] == alert["id"]]
    assert still["silenced_until"] is None


def test_a_round_is_due_when_something_changed_and_else_from_time_to_time(store: Store, writer: Writer) -> None:
    rounds = Rounds()
    assert rounds.due(store, NOW)
    assert not rounds.due(store, NOW + MINUTE)
    writer.insert("dirty_hours", [{"project": "default", "hour": NOW.replace(minute=0), "changed_at": NOW}])
    assert rounds.due(store, NOW + 2 * MINUTE)
    assert not rounds.due(store, NOW + 3 * MINUTE)
    put_budget(store, writer, "default", "b", {"amount_usd": "1"}, NOW)
    assert rounds.due(store, NOW + 4 * MINUTE)
    assert not rounds.due(store, NOW + 5 * MINUTE)
    assert rounds.due(store, NOW + 9 * MINUTE)


def test_a_round_is_due_while_an_alert_waits_for_a_second_look(store: Store, writer: Writer) -> None:
    spend(store, 30, "1")
    put_budget(store, writer, "default", "b", {"amount_usd": "700"}, NOW)
    rounds = Rounds()
    assert rounds.due(store, NOW)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    waits = [one["state"] for one in listing.list_alerts(store, "default", NOW)]
    assert rounds.due(store, NOW + MINUTE) == ("pending" in waits)
    assert "pending" in waits
