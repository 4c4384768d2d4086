"""Digests, and what messages add: one small world, real receivers, times as arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.message import Message as Letter
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.mail_server import mail_server
from tests.receiver import receiver
from tests.web_server import own_store

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.advice import advice
from outlay_analytics.alerting.budget_rules import Finding
from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.alerting.states import begin
from outlay_analytics.digest import last_day, send_digests
from outlay_analytics.incidents.markers import put_marker
from outlay_analytics.notify.channels import Channel, parse_channel
from outlay_analytics.notify.messages import Message, pagerduty_event, slack_blocks
from outlay_analytics.notify.send import send
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, migrate, open_store

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)  # a Friday
HOUR = timedelta(hours=1)
FINDING = Finding("over_budget", "critical", True, Decimal(12), Decimal(1), "spent", Window(NOW - 6 * HOUR, NOW))
DIGEST = Message("m1", "default/digest:daily", "digest", "Outlay, Friday", (), "http://o/", "http://o", text="By model")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """A dollar an hour for three weeks."""
    made = open_store(own_store())
    migrate(made)
    put(made, *(call(NOW - (k + 1) * HOUR, "1", feature="search", input_tokens=10) for k in range(21 * 24)))
    yield made
    made.writer().run(f"DROP DATABASE IF EXISTS {made.dsn.database} SYNC")
    made.close()


def settings(**more: Any) -> AlertSettings:
    return parse_alerts({"allow": ["127.0.0.1"], **more})


def test_the_last_digest_that_is_due_is_sent_once_to_each_channel(store: Store) -> None:
    with receiver() as hook:
        writer = store.writer()
        wanted = settings(daily=[hook.url], weekly=[hook.url], digest_hour=7, digest_timezone="Europe/Berlin")
        assert send_digests(store, writer, NOW, wanted) == 2
        assert send_digests(store, writer, NOW + HOUR, wanted) == 0
        weekly, daily = sorted((body["commonAnnotations"] for body in hook.json), key=lambda said: said["summary"])
        assert (daily["summary"], weekly["summary"]) == (
            "Outlay, Thursday 19 March 2026",
            "Outlay, 9 Mar to 15 March 2026",
        )
        assert "Spent $24.00 in 24 calls" in daily["description"]
        assert "Spent $168.00 in 168 calls" in weekly["description"]
        assert [body["alerts"] for body in hook.json] == [[], []]
        tomorrow = NOW.replace(hour=6, minute=1) + timedelta(days=1)  # 07:01 in Berlin
        assert send_digests(store, writer, tomorrow - timedelta(minutes=2), wanted) == 0
        assert send_digests(store, writer, tomorrow, wanted) == 1


def test_a_digest_is_due_by_the_clocks_of_its_zone() -> None:
    wanted = settings(digest_hour=7, digest_timezone="Europe/Berlin")
    for hour, day in ((5, 18), (6, 19)):
        assert last_day("daily", NOW.replace(hour=hour), wanted) == date(2026, 3, day)
    summer = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)  # 07:00 of the Sunday on which clocks were moved
    assert last_day("daily", summer, wanted) == date(2026, 3, 28)
    assert last_day("daily", summer - timedelta(minutes=1), wanted) == date(2026, 3, 27)
    for day, sunday in ((22, 15), (23, 22), (24, 22)):
        assert last_day("weekly", datetime(2026, 3, day, 12, tzinfo=UTC), wanted) == date(2026, 3, sunday)


def test_a_digest_opens_no_incident_and_alertmanager_gets_none() -> None:
    change = pagerduty_event(DIGEST, "k" * 32)
    assert "event_action" not in change
    assert change["payload"]["custom_details"] == {"text": "By model"}
    assert "By model" in str(slack_blocks(DIGEST)["blocks"])
    with receiver() as hook:
        channel = Channel("p", "pagerduty", f"http://127.0.0.1:{hook.port}/v2/enqueue", routing_key="k" * 32)
        assert send(channel, DIGEST, now=NOW, outbound=settings().outbound).sent
    router = {"name": "router", "kind": "alertmanager", "url": "https://93.184.216.34/api/v2/alerts"}
    with pytest.raises(ConfigError, match="'router': an Alertmanager takes alerts, no digest"):
        parse_alerts({"channels": [router], "weekly": ["router"]})
    with pytest.raises(ConfigError, match="digest_hour = 24 must be a whole hour"):
        parse_alerts({"digest_hour": 24})
    with pytest.raises(ConfigError, match="digest_timezone = 'Berlin' is no time zone"):
        parse_alerts({"digest_timezone": "Berlin"})


def test_a_message_says_what_would_stop_it_where_the_month_is_heading_and_draws_the_days(store: Store) -> None:
    writer = store.writer()
    put(store, *(call(NOW - 3 * HOUR + timedelta(minutes=k), "2", feature="chat", attempt=2) for k in range(60)))
    with mail_server("AUTH PLAIN LOGIN") as box, receiver() as hook:
        mail = {"smtp": f"smtp://127.0.0.1:{box.port}", "smtp_from": "outlay@example.com", "smtp_tls": False}
        wanted = settings(**mail)
        body = {"amount_usd": "100", "period": "day", "scope": {"feature": ["chat"]}}
        put_budget(store, writer, "default", "chat", {**body, "notify": [hook.url, "ops@example.com"]}, NOW)
        assert evaluate.evaluate(store, writer, NOW, wanted) == 2
        said = hook.json[0]["alerts"][0]["annotations"]
        assert said["month_end"] == (
            "$120.00 spent so far; 0 complete days of spend are too few to forecast from; 4 are needed"
        )
        [letter] = box.letters
        text, page = (part_text(part) for part in letter.get_payload())  # type: ignore[arg-type]
        assert f"this month: {said['month_end']}" in text
        assert "<b>This month:</b> $120.00 spent so far" in page
        assert '<td align="right">20 Mar</td>' in page
        assert page.count('height="12"') == 1  # a bar for the one day with spend
        assert hook.json[0]["alerts"][0]["generatorURL"] in page.replace("&amp;", "&")
        assert hook.json[0]["alerts"][0]["generatorURL"] in text


def part_text(part: Letter) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def test_the_cheapest_lever_is_to_take_back_what_was_changed_else_what_turns_the_driver(store: Store) -> None:
    alert = replace(
        begin("default", "b", {"feature": ("search",)}, (), FINDING, NOW),
        drivers=({"driver": "retries", "usd": FINDING.actual_usd},),
    )
    found = advice(store, alert, NOW)
    assert found.lever == "cap repeats, or wait longer between them ($12.00 of it)"
    assert found.month_end.startswith("heading for $")
    assert len(found.chart) == 14
    put_marker(store.writer(), "default", "deploy 42", FINDING.window.start, NOW, {"feature": ["search"]})
    assert advice(store, alert, NOW).lever == "take back deploy 42, new since 20 March 06:30 UTC"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own, on Python 3.11
def test_apprise_sends_to_what_the_operator_named_and_nobody_else_may_name_it() -> None:
    with receiver() as hook:
        table = {"name": "teams", "kind": "apprise", "url": f"json://127.0.0.1:{hook.port}/hook"}
        named = parse_alerts({"channels": [table], "daily": ["teams"]})
        assert send(named.channels["teams"], DIGEST, now=NOW).sent
        assert (hook.json[0]["title"], "By model" in hook.json[0]["message"]) == ("Outlay, Friday", True)
        hook.status = 500
        refused = send(named.channels["teams"], DIGEST, now=NOW)
        assert (refused.sent, refused.retry) == (False, True)
        for entry in ({"kind": "apprise", "url": table["url"]}, {"apprise": table["url"]}):
            with pytest.raises(ConfigError, match=r"stands in \[\[alerts\.channels\]\]; give its name here"):
                parse_channel(entry, named.channels)
    with pytest.raises(ConfigError, match="Apprise does not know the URL moon://"):
        parse_alerts({"channels": [{**table, "url": "moon://secret-token"}]})
