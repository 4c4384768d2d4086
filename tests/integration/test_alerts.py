"""Budgets and alerts end to end: a real store, a real receiver on loopback, times as arguments."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.receiver import Received, receiver

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate, listing, outbox
from outlay_analytics.alerting.budgets import (
    all_budgets,
    delete_budget,
    get_budget,
    list_budgets,
    parse_budgets,
    put_budget,
)
from outlay_analytics.alerting.rounds import Rounds
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.alerting.trial import try_channels
from outlay_analytics.notify.channels import Channel, parse_channel
from outlay_analytics.notify.guarded_http import Allowed, check_numeric
from outlay_analytics.notify.send import send
from outlay_analytics.query.errors import BadRequest
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTINGS = parse_alerts({"allow": ["127.0.0.1"]})


@pytest.fixture
def writer(store: Store) -> Writer:
    return store.writer()


@pytest.fixture
def hook() -> Iterator[Received]:
    with receiver() as received:
        yield received


def spend(store: Store, days: int, usd: str, *, until: datetime = NOW, **fields: Any) -> None:
    """One call every hour for `days` days, each costing `usd`."""
    tokens = {"input_tokens": 1000, "output_tokens": 100, "feature": "search"}
    rows = [call(until - timedelta(hours=k + 1), usd, **{**tokens, **fields}) for k in range(days * 24)]
    put(store, *rows)


def test_an_address_that_sending_would_refuse_stops_the_start() -> None:
    webhook = {"name": "oncall", "kind": "webhook", "url": "http://10.1.2.3:8080/x"}
    for section in ({"channels": [webhook]}, {"notify": ["http://10.1.2.3:8080/x"]}):
        with pytest.raises(ConfigError, match=r"http://10\.1\.2\.3:8080/x.* port 8080 .*alerts\.allow"):
            parse_alerts(section)
        assert parse_alerts({**section, "allow": ["10.1.0.0/16"]}).outbound.allowed
    budget = {"name": "a", "amount_usd": "1", "notify": ["http://169.254.169.254/"]}
    with pytest.raises(ConfigError, match=r"'a': .*169\.254\.169\.254 is not a public address"):
        parse_budgets([budget], None, lambda url: check_numeric(url, Allowed()))


def test_a_budget_comes_back_as_it_was_put_with_how_it_stands(store: Store, writer: Writer) -> None:
    spend(store, 30, "0.5")
    body = {
        "amount_usd": "1000.25",
        "period": "month",
        "scope": {"feature": "search"},
        "notify": ["https://x.example/h"],
    }
    put_budget(store, writer, "default", "all", body, NOW)
    found = get_budget(store, "default", "all", NOW)
    assert found is not None
    assert {key: found[key] for key in ("amount_usd", "period", "scope", "timezone", "notify")} == {
        "amount_usd": Decimal("1000.25"),
        "period": "month",
        "scope": {"feature": ["search"]},
        "timezone": "UTC",
        "notify": ["https://x.example/h"],
    }
    assert found["window"] == {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 4, 1, tzinfo=UTC)}
    assert found["spent_usd"] == Decimal("0.5") * (19 * 24 + 12)  # 00:30 of 1 March to 11:30 of 20 March
    assert 360 < found["projected_usd"] < 385  # 31 days of 24 calls of $0.50 are $372
    assert found["probability_over"] < 0.01
    put_budget(store, writer, "default", "all", {"amount_usd": 5}, NOW)
    assert [b["amount_usd"] for b in list_budgets(store, "default", NOW)] == [5]
    assert delete_budget(store, writer, "default", "all")
    assert not delete_budget(store, writer, "default", "all")
    assert get_budget(store, "default", "all", NOW) is None


def test_periods_begin_in_the_budgets_own_time_zone(store: Store, writer: Writer) -> None:
    for period, start in (("day", (2026, 3, 19, 23)), ("week", (2026, 3, 15, 23)), ("month", (2026, 2, 28, 23))):
        body = {"amount_usd": "1", "period": period, "timezone": "Europe/Berlin"}
        shown = put_budget(store, writer, "default", period, body, NOW)
        assert shown["window"]["start"] == datetime(*start, tzinfo=UTC)


SECRETS = [
    {"kind": "webhook", "url": "https://x.example/h?token=tok-2", "secret": "sign-3"},
    {"kind": "pagerduty", "routing_key": "route-4"},
    "pagerduty:route-5",
    "https://hooks.slack.com/services/T0/B0/path-6",
    "https://hooks.slack.com/services/T0/B0/path-7",
    "a@b.example",
]


def test_credentials_of_channels_are_shown_masked_and_kept_when_the_mask_is_put_back(
    store: Store, writer: Writer
) -> None:
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": SECRETS}, NOW)
    found = get_budget(store, "default", "b", NOW)
    assert found is not None
    assert found["notify"] == [
        {"kind": "webhook", "url": "https://x.example/h?token=***", "secret": "***"},
        {"kind": "pagerduty", "routing_key": "***"},
        "pagerduty:***",
        "https://hooks.slack.com/***",
        "https://hooks.slack.com/***",
        "a@b.example",
    ]
    kept = all_budgets(store)[0].notify
    put_budget(store, writer, "default", "b", {"amount_usd": "2", "notify": found["notify"]}, NOW)
    assert all_budgets(store)[0].amount_usd == 2
    assert all_budgets(store)[0].notify == kept


def test_a_mask_with_another_address_or_in_a_new_budget_is_refused(store: Store, writer: Writer) -> None:
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": SECRETS[:1]}, NOW)
    elsewhere = {"kind": "webhook", "url": "https://evil.example/h", "secret": "***"}
    for name, entry in (("b", elsewhere), ("new", "pagerduty:***")):
        with pytest.raises(BadRequest, match="masked"):
            put_budget(store, writer, "default", name, {"amount_usd": "1", "notify": [entry]}, NOW)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "amount_usd"),
        ({"amount_usd": "-1"}, "'-1'"),
        ({"amount_usd": "0"}, "'0'"),
        ({"amount_usd": "NaN"}, "'NaN'"),
        ({"amount_usd": True}, "'True'"),
        ({"amount_usd": "1", "period": "year"}, "'year'"),
        ({"amount_usd": "1", "scope": {"color": "red"}}, "'color'"),
        ({"amount_usd": "1", "timezone": "Mars/Base"}, "'Mars/Base'"),
        ({"amount_usd": "1", "notify": ["nobody"]}, "'nobody'"),
        ({"amount_usd": "1", "notify": ["ftp://x/"]}, "ftp"),
        ({"amount_usd": "1", "amount": 2}, "'amount'"),
    ],
)
def test_a_wrong_budget_is_refused_by_name_and_value(
    store: Store, writer: Writer, body: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        put_budget(store, writer, "default", "b", body, NOW)


def test_budgets_of_the_config_file_are_read_and_cannot_be_changed(store: Store, writer: Writer) -> None:
    configured = parse_budgets([{"name": "file", "amount_usd": "10", "scope": {"team": ["growth"]}}])
    assert get_budget(store, "default", "file", NOW, configured)["configured"] is True  # type: ignore[index]
    with pytest.raises(BadRequest, match=r"outlay\.toml"):
        put_budget(store, writer, "default", "file", {"amount_usd": "1"}, NOW, configured)
    with pytest.raises(ConfigError, match="twice"):
        parse_budgets([{"name": "a", "amount_usd": "1"}] * 2)
    with pytest.raises(ConfigError, match="amount"):
        parse_budgets([{"name": "a", "amount": "1"}])
    with pytest.raises(ConfigError, match="allow_all"):
        parse_alerts({"allow_all": True})


def put_small(store: Store, writer: Writer, hook: Received, **more: Any) -> None:
    body = {"amount_usd": "10", "scope": {"feature": ["search"]}, "notify": [hook.url], **more}
    put_budget(store, writer, "default", "search", body, NOW)


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


def test_an_alert_repeats_resolves_and_begins_anew(store: Store, writer: Writer, hook: Received) -> None:
    spend(store, 20, "0.5")
    put_small(store, writer, hook)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    assert evaluate.evaluate(store, writer, NOW + timedelta(hours=25), SETTINGS) == 1
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


def test_a_budget_for_what_no_call_has_is_taken_and_says_what_was_probably_meant(store: Store, writer: Writer) -> None:
    spend(store, 3, "0.5")
    body = {"amount_usd": "5", "scope": {"feature": ["serach"], "tag.plan": ["pro"]}}
    made = put_budget(store, writer, "default", "typo", body, NOW)
    assert "no call of the last 90 days has feature serach; did you mean search?" in made["note"]
    assert "no call of the last 90 days has tag.plan pro" in made["note"]
    assert get_budget(store, "default", "typo", NOW) == made == list_budgets(store, "default", NOW)[0]
    known = put_budget(store, writer, "default", "known", {"amount_usd": "5", "scope": {"feature": ["search"]}}, NOW)
    assert "no call" not in known["note"]
    put(store, call(NOW - timedelta(days=80), "1", feature="idle"))
    assert (
        "no call"
        not in put_budget(store, writer, "default", "idle", {"amount_usd": "5", "scope": {"feature": ["idle"]}}, NOW)[
            "note"
        ]
    )


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

    monkeypatch.setattr(evaluate, "write_alerts", killed)
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
        outbox.intend(writer, "default", _message(), [f"{hook.url}/{number}"], NOW)
    outbox.deliver(store, writer, NOW, {}, SETTINGS.outbound, time_budget_s=1.0)
    assert hook.bodies == []  # it went on while every receiver still held its request
    hook.release.set()


def _message() -> Any:
    from outlay_analytics.notify.messages import Message

    return Message("m1", "g", "firing", "title", (), "http://x", "http://x")


def test_a_secret_signs_the_body(hook: Received) -> None:
    channel = Channel("oncall", "webhook", hook.url, secret="s3cret")
    assert send(channel, _message(), now=NOW, outbound=SETTINGS.outbound).sent
    stamp, signature = hook.headers[0]["Outlay-Signature"].split(",")
    signed = f"{stamp.removeprefix('t=')}.".encode() + hook.bodies[0]
    assert signature == "v1=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert stamp == f"t={int(NOW.timestamp())}"


def test_redirects_are_not_followed_and_not_retried(hook: Received) -> None:
    hook.status, hook.location = 307, "http://169.254.169.254/"
    delivery = send(Channel("x", "webhook", hook.url), _message(), now=NOW, outbound=SETTINGS.outbound)
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
    assert "endsAt" not in alertmanager[0]


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


def test_channel_settings_default_to_the_budgets_own(store: Store, writer: Writer, hook: Received) -> None:
    settings = replace(SETTINGS, channels={"oncall": Channel("oncall", "webhook", hook.url)})
    spend(store, 20, "0.5")
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": ["oncall"]}, NOW, (), settings.channels)
    assert evaluate.evaluate(store, writer, NOW, settings) == 1
    assert hook.json[0]["receiver"] == "oncall"


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
