"""A test message, to see whether a channel works: it says that it is one, and it never leaves an incident open.

Receivers that keep a state (PagerDuty, Alertmanager, webhooks in Alertmanager's form) get the end right behind the
beginning, under the same key, and the beginning already carries its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.alerting.messages import compose
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import Alert
from outlay_analytics.notify.channels import HOLD_STATE, Channel, parse_channel
from outlay_analytics.notify.messages import Message, instant
from outlay_analytics.notify.send import Delivery, send

TITLE = "Test message from Outlay: nothing happened"
LASTS = timedelta(minutes=1)  # for a receiver that hears only the beginning


def try_channels(project: str, now: datetime, settings: AlertSettings, notify: Sequence[str]) -> list[dict[str, Any]]:
    """Send a test message to every channel at once and say what became of each."""
    out = []
    for entry in notify:
        try:
            result = _send(parse_channel(entry, settings.channels), project, now, settings)
        except ConfigError as exc:
            result = Delivery(False, False, str(exc))
        out.append({"channel": entry, "sent": result.sent, "reason": result.reason or None})
    return out


def _send(channel: Channel, project: str, now: datetime, settings: AlertSettings) -> Delivery:
    begun = send(channel, trial_message(project, now, settings), now=now, outbound=settings.outbound)
    if not begun.sent or channel.kind not in HOLD_STATE:
        return begun
    end = trial_message(project, now, settings, over=True)
    for _ in range(2):
        ended = send(channel, end, now=now, outbound=settings.outbound)
        if ended.sent:
            return ended
    return replace(ended, reason=f"it took the test but not its end, so a test incident may be open: {ended.reason}")


def trial_message(project: str, now: datetime, settings: AlertSettings, over: bool = False) -> Message:
    """The message that begins a test, or ends it."""
    key = f"{project}/test:{int(now.timestamp() * 1000):x}"
    sample = Alert(
        project=project,
        alert_id="test",
        fingerprint=f"test-{int(now.timestamp() * 1000):x}",
        rule="test",
        severity="info",
        budget="",
        scope={},
        state="resolved" if over else "firing",
        reason="this is a test, nothing happened and nothing needs to be done",
        actual_usd=None,
        expected_usd=None,
        window_start=now - timedelta(hours=1),
        window_end=now,
        started_at=now - LASTS,
        evaluated_at=now,
        resolved_at=now if over else now + LASTS,
        group_key=key,
    )
    made = compose(key, [sample], {}, settings)
    status = "resolved" if over else "test"
    entries = tuple(replace(entry, summary=f"{TITLE} ({instant(now)})") for entry in made.entries)
    return replace(made, status=status, title=TITLE, entries=entries)
