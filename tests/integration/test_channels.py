"""What each kind of channel gets: tests that open nothing, and letters that never travel in the clear by surprise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from tests.mail_server import mail_server
from tests.receiver import Received

from outlay.errors import ConfigError
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.alerting.trial import try_channels
from outlay_analytics.notify.channels import Channel
from outlay_analytics.notify.messages import Message
from outlay_analytics.notify.send import Delivery, send

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MAIL = Channel("ops@example.com", "email", to=("ops@example.com",))
MESSAGE = Message("m1", "g", "firing", "Critical: all is over budget", (), "http://x", "http://x")


def trial(hook: Received, kind: str, now: datetime = NOW, **fields: str) -> list[dict[str, Any]]:
    table = {"name": "tried", "kind": kind, "url": hook.url, **fields}
    return try_channels("default", now, parse_alerts({"allow": ["127.0.0.1"], "channels": [table]}), ["tried"])


def test_a_test_of_pagerduty_is_over_at_once_and_says_what_it_is(hook: Received) -> None:
    assert trial(hook, "pagerduty", routing_key="k" * 32)[0]["sent"]
    begun, ended = hook.json
    assert [begun["event_action"], ended["event_action"]] == ["trigger", "resolve"]
    assert begun["dedup_key"] == ended["dedup_key"]
    assert begun["payload"]["severity"] == "info"
    assert begun["payload"]["summary"].startswith("Test message from Outlay: nothing happened")
    trial(hook, "pagerduty", NOW + timedelta(seconds=1), routing_key="k" * 32)
    assert hook.json[2]["dedup_key"] != begun["dedup_key"]


@pytest.mark.parametrize("kind", ["alertmanager", "webhook"])
def test_a_test_alert_has_an_end_and_is_resolved(hook: Received, kind: str) -> None:
    assert trial(hook, kind)[0]["sent"]
    begun, ended = (body[0] if kind == "alertmanager" else body["alerts"][0] for body in hook.json)
    assert begun["labels"] == ended["labels"]
    assert begun["labels"]["alertname"] == "test"
    assert (begun["startsAt"], begun["endsAt"]) == ("2026-03-20T12:29:00Z", "2026-03-20T12:31:00Z")
    assert ended["endsAt"] == "2026-03-20T12:30:00Z"
    assert "this is a test" in begun["annotations"]["description"]
    if kind == "webhook":
        assert [body["status"] for body in hook.json] == ["firing", "resolved"]


def test_a_test_for_people_is_one_message(hook: Received) -> None:
    assert trial(hook, "slack")[0]["sent"]
    (body,) = hook.json
    assert body["text"] == "Test message from Outlay: nothing happened"


def test_a_test_whose_end_is_not_taken_says_so(hook: Received) -> None:
    taken = hook.status

    class Once(list[bytes]):
        def append(self, body: bytes) -> None:
            hook.status = 500 if self else taken
            super().append(body)

    hook.bodies = Once()
    (found,) = trial(hook, "pagerduty", routing_key="k" * 32)
    assert found["sent"] is False
    assert found["reason"] == "it took the test but not its end, so a test incident may be open: answered 500"
    assert len(hook.bodies) == 3


def mail(port: int, **more: Any) -> AlertSettings:
    section = {"smtp": f"smtp://outlay:s3cret@127.0.0.1:{port}", "smtp_from": "outlay@example.com", **more}
    return parse_alerts(section)


def test_without_starttls_neither_password_nor_letter_is_sent() -> None:
    with mail_server("AUTH PLAIN LOGIN") as box:
        found = send(MAIL, MESSAGE, now=NOW, outbound=mail(box.port).outbound)
        assert (found.sent, found.retry) == (False, True)
        assert "offers no STARTTLS" in found.reason
        assert "alerts.smtp_tls = false" in found.reason
        assert {text.split(" ")[0].upper() for text in box.commands} <= {"EHLO", "QUIT"}


def test_a_starttls_that_fails_sends_nothing_either() -> None:
    with mail_server("AUTH PLAIN LOGIN", "STARTTLS") as box:
        for tls in (True, False):
            found = send(MAIL, MESSAGE, now=NOW, outbound=mail(box.port, smtp_tls=tls).outbound)
            assert not found.sent
        assert not [text for text in box.commands if text.upper().startswith(("AUTH", "MAIL", "DATA"))]


def test_the_operator_may_allow_mail_without_encryption_and_letters_are_dated() -> None:
    with mail_server("AUTH PLAIN LOGIN") as box:
        assert send(MAIL, MESSAGE, now=NOW, outbound=mail(box.port, smtp_tls=False).outbound) == Delivery(True)
        (letter,) = box.letters
        assert parsedate_to_datetime(letter["Date"]) == NOW
        assert letter["Message-ID"] == "<m1@example.com>"
        assert letter["To"] == "ops@example.com"
    with pytest.raises(ConfigError, match="smtp_tls = 'no' must be true or false"):
        parse_alerts({"smtp_tls": "no"})
