"""What alerts say: one message per group of them, and its form for each kind of receiver.

Every message tells what happened, how much against what was expected, since when, the top three drivers, where to
look and how to silence it. The webhook's body is Alertmanager's version 4, so that existing receivers understand it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.explain.drivers import title
from outlay_analytics.query.text import rfc3339, usd

MOST = 20  # entries in full, where a receiver limits what it takes (Slack: 50 blocks)
GROUP_LABELS = ("budget", "rule", "project")
ADVICE_WORDS = {"lever": "cheapest lever", "month_end": "this month"}
OPEN_END = "0001-01-01T00:00:00Z"
HELD = timedelta(days=1)  # so long an Alertmanager holds what it is told
_PAGERDUTY_SEVERITY = {"critical": "critical", "warning": "warning"}


@dataclass(frozen=True)
class Entry:
    """One alert inside a message; instants and money are texts, so that it can be kept as JSON.

    Attributes:
        severity_before: The severity under which it was told last, where that was another; empty otherwise.
    """

    fingerprint: str
    alert_id: str
    rule: str
    severity: str
    status: str
    summary: str
    description: str
    starts_at: str
    ends_at: str
    labels: dict[str, str]
    actual_usd: str | None
    expected_usd: str | None
    drivers: list[dict[str, str]]
    link: str
    silence: str
    severity_before: str = ""


@dataclass(frozen=True)
class Message:
    """Everything said about one group at one moment.

    Attributes:
        message_id: The same for every try, so that a receiver can drop repeats.
        group_key: What it is about, stable over time.
        status: `firing`, `resolved` or `test`.
        title: One line.
        entries: The alerts, most severe first.
        link: The page that explains it.
        sent_by: The public address of this Outlay.
        lever: What would stop it at the least cost; empty where that is not known.
        month_end: What the month is heading for.
        chart: (day, USD) of what was spent, the oldest first; for letters.
        text: What a digest says; it has no entries.
    """

    message_id: str
    group_key: str
    status: str
    title: str
    entries: tuple[Entry, ...]
    link: str
    sent_by: str
    lever: str = ""
    month_end: str = ""
    chart: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Message:
        table = json.loads(text)
        table["entries"] = tuple(Entry(**entry) for entry in table["entries"])
        table["chart"] = tuple((day, usd_) for day, usd_ in table.get("chart", ()))
        return cls(**table)


def instant(moment: datetime | None) -> str:
    """RFC 3339 in UTC; Alertmanager's "not yet" for None."""
    return OPEN_END if moment is None else rfc3339(moment)


def driver_words(drivers: Sequence[Mapping[str, Any]], limit: int = 3) -> str:
    """The largest drivers in one phrase: `input tokens +$12.40, cache share +$3.10`."""
    parts = []
    for driver in drivers[:limit]:
        amount = Decimal(str(driver["usd"]))
        parts.append(f"{title(str(driver['driver']))} {'+' if amount >= 0 else ''}{usd(amount)}")
    return ", ".join(parts) or "not known"


def alertmanager_v4(message: Message, receiver: str) -> dict[str, Any]:
    """The body of a webhook: Alertmanager's webhook format, version 4."""
    status = "resolved" if message.status == "resolved" else "firing"
    alerts = [_alertmanager_alert(entry, message) for entry in message.entries]
    shared = _shared([a["annotations"] for a in alerts])
    return {
        "version": "4",
        "groupKey": message.group_key,
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": _shared([{k: v for k, v in a["labels"].items() if k in GROUP_LABELS} for a in alerts]),
        "commonLabels": _shared([a["labels"] for a in alerts]),
        "commonAnnotations": shared if alerts else {"summary": message.title, "description": message.text},
        "externalURL": message.sent_by,
        "alerts": alerts,
    }


def alertmanager_api(message: Message, now: datetime) -> list[dict[str, Any]]:
    """The body of `POST /api/v2/alerts` of an Alertmanager, as sent at `now`.

    Without an end an Alertmanager takes an alert for over five minutes after it heard of it (its `resolve_timeout`). It
    knows an alert by its labels, of which the severity is one: what was told under another severity ends there.
    """
    out = []
    for alert in (_alertmanager_alert(entry, message) for told in message.entries for entry in _severities(told, now)):
        kept = {key: alert[key] for key in ("labels", "annotations", "startsAt", "generatorURL")}
        goes_on = alert["endsAt"] == OPEN_END
        out.append({**kept, "endsAt": instant(now + HELD) if goes_on else alert["endsAt"]})
    return out


def _severities(entry: Entry, now: datetime) -> list[Entry]:
    """An alert, and before it its end under the severity that it had."""
    if not entry.severity_before:
        return [entry]
    end = instant(now) if entry.ends_at == OPEN_END else entry.ends_at
    return [replace(entry, severity=entry.severity_before, status="resolved", ends_at=end), entry]


def _alertmanager_alert(entry: Entry, message: Message) -> dict[str, Any]:
    annotations = {
        "summary": entry.summary,
        "description": entry.description,
        "drivers": driver_words(entry.drivers),
        "since": entry.starts_at,
        "silence": entry.silence,
    }
    annotations |= {name: text for name, text in advice_of(message).items() if entry.status == "firing"}
    for name in ("actual_usd", "expected_usd"):
        if getattr(entry, name) is not None:
            annotations[name] = getattr(entry, name)
    return {
        "status": "resolved" if entry.status == "resolved" else "firing",
        "labels": {"alertname": entry.rule, "severity": entry.severity, **entry.labels},
        "annotations": annotations,
        "startsAt": entry.starts_at,
        "endsAt": entry.ends_at,
        "generatorURL": entry.link,
        "fingerprint": entry.fingerprint,
    }


def advice_of(message: Message) -> dict[str, str]:
    """What would stop it and where the month is heading, as far as that is known."""
    found = {"lever": message.lever, "month_end": message.month_end}
    return {name: text for name, text in found.items() if text}


def _shared(tables: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not tables:
        return {}
    return {key: value for key, value in tables[0].items() if all(table.get(key) == value for table in tables)}


def plain_text(message: Message) -> str:
    """The message for e-mail and for Slack's fallback."""
    lines = [message.title, ""]
    lines += [f"{ADVICE_WORDS[name]}: {text}" for name, text in advice_of(message).items()]
    if len(lines) > 2:
        lines.append("")
    if message.text:
        lines += [message.text, f"look: {message.link}", ""]
    for entry in message.entries:
        lines += [
            f"{entry.summary}",
            f"  {entry.description}",
            f"  since {entry.starts_at}" + (f", ended {entry.ends_at}" if entry.status == "resolved" else ""),
            f"  drivers: {driver_words(entry.drivers)}",
            f"  look: {entry.link}",
            f"  silence: {entry.silence}",
            "",
        ]
    return "\n".join(lines)


def slack_blocks(message: Message) -> dict[str, Any]:
    """The body for a Slack incoming webhook; `text` is the fallback for notifications."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": message.title[:150]}}]
    for entry in message.entries[:MOST]:
        fields = [
            f"*What*\n{entry.summary}",
            f"*Actual against expected*\n{usd(entry.actual_usd)} against {usd(entry.expected_usd)}",
            f"*Since*\n{entry.starts_at}",
            f"*Drivers*\n{driver_words(entry.drivers)}",
        ]
        blocks.append(
            {"type": "section", "fields": [{"type": "mrkdwn", "text": _slack_escape(text)[:2000]} for text in fields]}
        )
        words = f"{_slack_escape(entry.description)}\n<{entry.link}|Look> · {_slack_escape(entry.silence)}"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": words[:2000]}]})
    lines = [f"*{ADVICE_WORDS[name].capitalize()}*\n{text}" for name, text in advice_of(message).items()]
    if lines:
        said = [{"type": "mrkdwn", "text": _slack_escape(text)[:2000]} for text in lines]
        blocks.append({"type": "section", "fields": said})
    if message.text:
        words = f"```{_slack_escape(message.text)[:2900]}```"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": words}})
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{message.link}|Look>"}]})
    if more(message):
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _slack_escape(more(message))}]})
    return {"text": _slack_escape(message.title), "blocks": blocks}


def _slack_escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def pagerduty_event(message: Message, routing_key: str) -> dict[str, Any]:
    """One PagerDuty event (Events API v2) for a message; the key of its group joins trigger and resolve."""
    if not message.entries:
        return _pagerduty_change(message, routing_key)
    lead = message.entries[0]
    alone = len(message.entries) == 1
    return {
        "routing_key": routing_key,
        "event_action": "resolve" if message.status == "resolved" else "trigger",
        "dedup_key": hashlib.sha256(message.group_key.encode()).hexdigest()[:32],
        "client": "Outlay",
        "client_url": message.sent_by,
        "links": [{"href": entry.link, "text": f"Explain {entry.summary}"[:1024]} for entry in message.entries[:MOST]],
        "payload": {
            "summary": (lead.summary if alone else message.title)[:1024],
            "source": "outlay",
            "severity": _PAGERDUTY_SEVERITY.get(lead.severity, "info"),
            "timestamp": lead.starts_at,
            "component": lead.labels.get("budget") or lead.labels.get("rule", ""),
            "group": message.group_key,
            "class": lead.rule,
            "custom_details": {
                "description": lead.description,
                "actual_usd": lead.actual_usd,
                "expected_usd": lead.expected_usd,
                "drivers": lead.drivers,
                "silence": lead.silence,
                **advice_of(message),
                "parts": [f"{entry.status}: {entry.description}" for entry in message.entries[1 : 1 + MOST]],
                "more": more(message),
            },
        },
    }


def _pagerduty_change(message: Message, routing_key: str) -> dict[str, Any]:
    """A change event, which opens no incident."""
    return {
        "routing_key": routing_key,
        "payload": {"summary": message.title[:1024], "source": "outlay", "custom_details": {"text": message.text}},
        "links": [{"href": message.link, "text": "Look"}],
    }


def more(message: Message) -> str:
    """What a message has no room for, in words; empty where everything fits."""
    left = len(message.entries) - MOST
    return f"{left} more at {message.sent_by}/alerts" if left > 0 else ""
