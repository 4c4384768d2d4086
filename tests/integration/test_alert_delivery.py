"""Messages on their way: over crashes, receivers that are down or slow, and addresses that are refused."""

from __future__ import annotations

import hashlib
import hmac
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.alerting_world import MINUTE, NOW, SETTINGS, message, put_small, spend
from tests.receiver import Received

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate, listing, notices, outbox
from outlay_analytics.alerting.budget import parse_budgets
from outlay_analytics.alerting.budgets import delete_budget
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.alerting.trial import try_channels
from outlay_analytics.notify.channels import Channel, parse_channel
from outlay_analytics.notify.guarded_http import Allowed, check_numeric
from outlay_analytics.notify.send import send
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


def test_an_address_that_sending_would_refuse_stops_the_start() -> None:
    webhook = {"name": "oncall", "kind": "webhook", "url": "http://10.1.2.3:8080/x"}
    for section in ({"channels": [webhook]}, {"notify": ["http://10.1.2.3:8080/x"]}):
        with pytest.raises(ConfigError, match=r"http://10\.1\.2\.3:8080/x.* port 8080 .*alerts\.allow"):
            parse_alerts(section)
        assert parse_alerts({**section, "allow": ["10.1.0.0/16"]}).outbound.allowed
    budget = {"name": "a", "amount_usd": "1", "notify": ["http://169.254.169.254/"]}
    with pytest.raises(ConfigError, match=r"'a': .*169\.254\.169\.254 is not a public address"):
        parse_budgets([budget], None, lambda url: check_numeric(url, Allowed()))


def test_a_crash_between_intent_and_sending_sends_after_the_restart(
    store: Store, writer: Writer, hook: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)

    def killed(*args: Any, **kwargs: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "deliver", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(store, writer, NOW, SETTINGS)
    assert hook.bodies == []
    monkeypatch.undo()
    assert evaluate.evaluate(store, store.writer(), NOW + MINUTE, SETTINGS) == 1
    assert len(hook.bodies) == 1
    assert evaluate.evaluate(store, store.writer(), NOW + 2 * MINUTE, SETTINGS) == 0


def test_a_crash_after_the_intent_writes_it_only_once(
    store: Store, writer: Writer, hook: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(notices, "write_alerts", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(store, writer, NOW, SETTINGS)
    monkeypatch.undo()
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 1
    assert len(hook.bodies) == 1


def test_a_receiver_that_is_down_gets_its_message_later(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    hook.status = 503
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 0
    assert evaluate.evaluate(store, writer, NOW + timedelta(seconds=5), SETTINGS) == 0
    assert len(hook.bodies) == 1  # not due again yet
    hook.status = 200
    assert evaluate.evaluate(store, writer, NOW + MINUTE, SETTINGS) == 1
    ids = {headers["Outlay-Notification-Id"] for headers in hook.headers}
    assert len(ids) == 1


def test_an_end_never_overtakes_its_beginning(store: Store, writer: Writer, hook: Received) -> None:
    hook.status = 503
    outbox.intend(writer, "default", message(), [hook.url], NOW)
    outbox.deliver(store, writer, NOW, {}, SETTINGS.outbound)
    hook.status, later = 200, NOW + timedelta(seconds=5)
    outbox.intend(writer, "default", replace(message(), message_id="m2", status="resolved"), [hook.url], later)
    assert outbox.deliver(store, writer, later, {}, SETTINGS.outbound) == 0  # it waits behind its beginning
    assert outbox.deliver(store, writer, NOW + MINUTE, {}, SETTINGS.outbound) == 2
    assert [body["status"] for body in hook.json] == ["firing", "firing", "resolved"]


def test_a_message_that_is_never_taken_holds_up_what_fires_for_minutes_and_an_end_for_an_hour(
    store: Store, writer: Writer, hook: Received
) -> None:
    def intend(name: str, at: datetime, status: str = "firing", group: str = "g") -> None:
        said = replace(message(), message_id=name, title=name, status=status, group_key=group)
        outbox.intend(writer, "default", said, [hook.url], at)

    def deliver(minutes: int) -> list[str]:
        before = len(hook.headers)
        outbox.deliver(store, writer, NOW + minutes * MINUTE, {}, SETTINGS.outbound)
        states = {row["notification_id"]: row["state"] for row in store.query("SELECT * FROM notifications FINAL")}
        tried = [headers["Outlay-Notification-Id"] for headers in hook.headers[before:]]
        return [names[one] for one in tried if states[one] == "sent"]

    names = {outbox.notification_id(name, hook.url): name for name in ("poison", "second", "third", "end", "other")}
    hook.refuses = lambda body: b"poison" in body
    intend("poison", NOW)
    assert deliver(0) == []
    intend("second", NOW + MINUTE)
    assert deliver(2) == []  # in order, for now
    [waiting] = listing.undelivered(store)
    assert (waiting["messages"], waiting["since"], waiting["reason"]) == (2, NOW, "answered 500")
    assert deliver(16) == ["second"]
    deliver(17)
    errors = {row["error"] for row in store.query("SELECT error FROM notifications FINAL WHERE state = 'failed'")}
    assert errors == {outbox.REPLACED}, "the second said all that still holds"
    assert listing.undelivered(store) == []
    hook.refuses = lambda body: b"third" in body
    intend("third", NOW + 20 * MINUTE)
    deliver(20)
    intend("end", NOW + 21 * MINUTE, "resolved")
    assert deliver(50) == []
    intend("other", NOW + 51 * MINUTE, group="another")
    assert deliver(52) == ["other"]  # so it takes messages
    assert [deliver(minutes) for minutes in (75, 120)] == [[], ["end"]]


def test_chat_and_letters_hear_no_all_clear_and_an_alertmanager_hears_hourly_that_it_goes_on(
    store: Store, writer: Writer, hook: Received
) -> None:
    spend(store, 2, "0.5")
    slack, router = {"kind": "slack", "url": hook.url}, {"kind": "alertmanager", "url": hook.url}
    put_small(store, writer, hook, notify=[slack, router, {**slack, "url": f"{hook.url}/all", "ends": True}])
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 3
    assert [evaluate.evaluate(store, writer, NOW + k * 20 * MINUTE, SETTINGS) for k in (1, 2, 3)] == [0, 1, 0]
    held = [body[0]["endsAt"] for body in hook.json if isinstance(body, list)]
    assert held == ["2026-03-21T12:30:00Z", "2026-03-21T13:10:00Z"]
    delete_budget(store, writer, "default", "search")
    assert evaluate.evaluate(store, writer, NOW + 99 * MINUTE, SETTINGS) == 2
    ended = [body for body in hook.json[-2:] if "blocks" in body]
    assert [body["text"] for body in ended] == ["Resolved: search is over budget"]
    assert [path for path, body in zip(hook.paths, hook.json, strict=True) if body in ended] == ["/hook/all"]


def test_what_was_told_to_nobody_is_told_once_somebody_is_named(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 2, "0.5")
    put_small(store, writer, hook, notify=[])
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 0
    (alert,) = [one for one in listing.list_alerts(store, "default", NOW) if one["rule"] == "over_budget"]
    assert (alert["state"], alert["notified_at"]) == ("firing", None)
    put_small(store, writer, hook)
    assert [evaluate.evaluate(store, writer, NOW + k * MINUTE, SETTINGS) for k in (1, 2)] == [1, 0]


def test_a_message_is_tried_for_a_day_before_it_is_given_up(
    store: Store, writer: Writer, hook: Received, caplog: pytest.LogCaptureFixture
) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    hook.status = 500
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    at = NOW
    while at < NOW + timedelta(hours=27):
        at += timedelta(minutes=20)
        outbox.deliver(store, writer, at, {}, SETTINGS.outbound)
    (row,) = store.query("SELECT state, attempts, error, next_attempt_at FROM notifications FINAL")
    assert (row["state"], row["error"]) == ("failed", "answered 500")
    assert row["next_attempt_at"] >= NOW + timedelta(hours=24)
    assert 25 <= row["attempts"] <= 50
    assert "could not be sent to 127.0.0.1" in caplog.text


def test_loopback_is_refused_unless_the_operator_allows_it(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    assert evaluate.evaluate(store, writer, NOW, AlertSettings()) == 0
    assert hook.bodies == []
    (row,) = store.query("SELECT state, error FROM notifications FINAL")
    assert row["state"] == "failed"
    assert "alerts.allow" in row["error"]


def test_a_slow_receiver_does_not_hold_up_the_job(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook, notify=[f"{hook.url}/{k}" for k in range(20)])
    hook.release = threading.Event()
    for number in range(20):
        outbox.intend(writer, "default", message(), [f"{hook.url}/{number}"], NOW)
    outbox.deliver(store, writer, NOW, {}, SETTINGS.outbound, time_budget_s=1.0)
    assert hook.bodies == []  # it went on while every receiver still held its request
    hook.release.set()


def test_a_secret_signs_the_body(hook: Received) -> None:
    channel = Channel("oncall", "webhook", hook.url, secret="s3cret")
    assert send(channel, message(), now=NOW, outbound=SETTINGS.outbound).sent
    stamp, signature = hook.headers[0]["Outlay-Signature"].split(",")
    signed = f"{stamp.removeprefix('t=')}.".encode() + hook.bodies[0]
    assert signature == "v1=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert stamp == f"t={int(NOW.timestamp())}"


def test_redirects_are_not_followed_and_not_retried(hook: Received) -> None:
    hook.status, hook.location = 307, "http://169.254.169.254/"
    delivery = send(Channel("x", "webhook", hook.url), message(), now=NOW, outbound=SETTINGS.outbound)
    assert (delivery.sent, delivery.retry) == (False, False)
    assert "redirects are not followed" in delivery.reason


def test_every_kind_of_channel_gets_its_own_form(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 60, "0.25")
    spend(store, 20, "0.25")
    put_small(
        store,
        writer,
        hook,
        notify=[
            {"kind": "slack", "url": hook.url},
            {"kind": "pagerduty", "routing_key": "k" * 32, "url": hook.url},
            {"kind": "alertmanager", "url": hook.url},
        ],
    )
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 3
    slack = next(body for body in hook.json if "blocks" in body)
    pagerduty = next(body for body in hook.json if "routing_key" in body)
    alertmanager = next(body for body in hook.json if isinstance(body, list))
    assert slack["text"].startswith("Critical: search is over budget")
    assert pagerduty["event_action"] == "trigger"
    assert pagerduty["payload"]["severity"] == "critical"
    assert len(pagerduty["payload"]["custom_details"]["drivers"]) >= 1
    assert alertmanager[0]["labels"]["alertname"] == "over_budget"
    assert alertmanager[0]["endsAt"] == "2026-03-21T12:30:00Z"  # without one it would end it in five minutes


def test_addresses_are_read_as_people_write_them() -> None:
    assert parse_channel("https://hooks.slack.com/services/T/B/x").kind == "slack"
    assert parse_channel("https://example.com/x").kind == "webhook"
    assert parse_channel("ops@example.com").to == ("ops@example.com",)
    assert parse_channel("pagerduty:KEY").routing_key == "KEY"
    assert parse_channel({"webhook": "https://example.com", "secret": "s"}).secret == "s"
    named = parse_alerts({"channels": [{"name": "oncall", "kind": "webhook", "url": "https://example.com"}]}).channels
    assert parse_channel("oncall", named).url == "https://example.com"
    with pytest.raises(ConfigError, match="colour"):
        parse_channel({"kind": "webhook", "url": "https://example.com", "colour": "red"})


def test_a_test_message_says_what_became_of_it(hook: Received) -> None:
    result = try_channels("default", NOW, SETTINGS, [hook.url, "http://10.0.0.1/"])
    assert result[0] == {"channel": hook.url, "sent": True, "reason": None}
    assert result[1]["sent"] is False
    assert hook.json[0]["alerts"][0]["labels"]["alertname"] == "test"
