"""Digests: the report of yesterday each day, and of last week on Mondays, to the channels that want them.

A digest is due at an hour of the day of a time zone. The last one that was due is sent once, also after a restart or a
night without the server: its messages have ids of their own in the outbox, and what stands there is not sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.outbox import deliver, intend, known_ids, notification_id
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.anomalies.incidents import Finder, find
from outlay_analytics.notify.messages import Message
from outlay_analytics.query.text import rfc3339
from outlay_analytics.query.window import parse_timezone
from outlay_analytics.report import period_report
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

DAYS = {"daily": 1, "weekly": 7}


def send_digests(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings,
    projects: Sequence[str] = ("default",),
    budgets: Sequence[Budget] = (),
    finder: Finder = find,
) -> int:
    """Write down the digests that are due and not known yet, and send. Returns how many messages were accepted."""
    wanted = {"daily": settings.daily, "weekly": settings.weekly}
    for kind, channels in wanted.items():
        last = last_day(kind, now, settings)
        for project in projects if channels else ():
            key = f"{project}/digest:{kind}"
            message_id = hashlib.sha256(f"{key}|{last.isoformat()}".encode()).hexdigest()[:32]
            known = known_ids(store, [notification_id(message_id, channel) for channel in channels])
            fresh = [one for one in channels if notification_id(message_id, one) not in known]
            if not fresh:
                continue
            report = period_report(
                store,
                project,
                last,
                DAYS[kind],
                now=now,
                timezone=settings.digest_timezone,
                budgets=budgets,
                finder=finder,
                holidays=settings.holidays,
            )
            if report["total"]["calls"] or report["yesterday"]["calls"]:
                intend(writer, project, _message(key, message_id, project, report, settings), fresh, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def last_day(kind: str, now: datetime, settings: AlertSettings) -> date:
    """The last day of the newest digest that is due: yesterday, or last Sunday."""
    zone = parse_timezone(settings.digest_timezone)
    local = now.astimezone(zone)
    day = local.date()
    if local < datetime.combine(day, time(settings.digest_hour), zone):
        day -= timedelta(days=1)
    return day - timedelta(days=1 if kind == "daily" else day.weekday() + 1)


def _message(key: str, message_id: str, project: str, report: dict[str, Any], settings: AlertSettings) -> Message:
    window = report["window"]
    pairs = [("start", rfc3339(window["start"])), ("end", rfc3339(window["end"]))]
    pairs += [("project", project)] if project != "default" else []
    title, _, text = report["text"].partition("\n")
    return Message(
        message_id=message_id,
        group_key=key,
        status="digest",
        title=title,
        entries=(),
        link=f"{settings.public_url}/?{urlencode(pairs)}",
        sent_by=settings.public_url,
        text=text.strip("\n"),
    )
