"""Messages on their way out: written down before they are sent, so that a crash sends them again rather than never.

A message that its receiver does not take is tried again, later each time, for a day and an hour; one that can never be
taken (a refused address, a 404) is given up at once and logged. Those about one group reach a channel in order, but one
that is tried in vain holds up what fires after it for a quarter of an hour alone, and is given up once its receiver
took a newer one about the same. An end waits longer, until its beginning came or was given up: after an hour where the
receiver takes others.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.notify.channels import Channel, parse_channel
from outlay_analytics.notify.messages import Message
from outlay_analytics.notify.send import Delivery, Outbound, send
from outlay_analytics.query.text import sql_instant
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

logger = logging.getLogger(__name__)

FIRST_RETRY = timedelta(seconds=15)
LONGEST_RETRY = timedelta(hours=1)
GIVE_UP = timedelta(hours=25)
HELD = timedelta(minutes=15)
REFUSED = timedelta(hours=1)
REPLACED = "replaced by a newer message about the same, which was taken"
TIME_BUDGET_S = 15.0
BATCH = 100


def intend(
    writer: Writer, project: str, message: Message, channels: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """Write down that `message` must reach each channel. The same message is written once, however often intended."""
    rows = []
    for channel in dict.fromkeys(channels):
        rows.append(
            {
                "project": project,
                "notification_id": notification_id(message.message_id, channel),
                "group_key": message.group_key,
                "channel": channel,
                "message": message.to_json(),
                "state": "intent",
                "attempts": 0,
                "created_at": now,
                "next_attempt_at": now,
                "sent_at": None,
                "error": "",
                "version": 1,
            }
        )
    writer.insert("notifications", rows)
    return rows


def notification_id(message_id: str, channel: str) -> str:
    """Of a message to a channel: the same for every try, and after every crash."""
    return hashlib.sha256(f"{message_id}|{channel}".encode()).hexdigest()[:32]


def known_ids(store: Store, ids: Sequence[str]) -> set[str]:
    """Those of these notifications that were written down before, sent or not."""
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "notifications_known"), {"ids": list(ids)})
    return {row["notification_id"] for row in rows}


def deliver(
    store: Store,
    writer: Writer,
    now: datetime,
    channels: Mapping[str, Channel],
    outbound: Outbound,
    time_budget_s: float = TIME_BUDGET_S,
) -> int:
    """Send what is due, for at most about `time_budget_s` plus one request. Returns how many were accepted."""
    started = time.monotonic()
    sent = 0
    sql = load_sql("outlay_analytics.alerting.sql", "notifications_due")
    params = {"at": sql_instant(now), "max_rows": BATCH, "held_s": HELD.seconds, "refused_s": REFUSED.seconds}
    while due := store.query(sql, params):
        finished = False
        for row in due:
            if time.monotonic() - started > time_budget_s:
                return sent
            writer.check()
            replaced = row.pop("is_replaced")
            delivery = Delivery(False, False, REPLACED) if replaced else _try(row, now, channels, outbound)
            if row.pop("is_refused"):
                delivery = replace(delivery, retry=False)
            writer.insert("notifications", [_after(row, delivery, now)])
            sent += delivery.sent
            finished |= delivery.sent or not delivery.retry
        if not finished:
            break  # what waited behind these still does
    return sent


def _try(row: Mapping[str, Any], now: datetime, channels: Mapping[str, Channel], outbound: Outbound) -> Delivery:
    try:
        channel = parse_channel(row["channel"], channels)
    except ConfigError as exc:
        return Delivery(False, False, str(exc))
    message = replace(Message.from_json(row["message"]), message_id=row["notification_id"])
    return send(channel, message, now=now, outbound=outbound)


def _after(row: Mapping[str, Any], delivery: Delivery, now: datetime) -> dict[str, Any]:
    """The row after one try: sent, failed, or due again later."""
    out = dict(row) | {"attempts": row["attempts"] + 1, "version": row["version"] + 1, "error": delivery.reason}
    if delivery.sent:
        return out | {"state": "sent", "sent_at": now}
    if not delivery.retry or now - row["created_at"] >= GIVE_UP:
        logger.warning("an alert could not be sent to %s: %s", _shown(row["channel"]), delivery.reason)
        return out | {"state": "failed"}
    wait = min(FIRST_RETRY * 2 ** min(row["attempts"], 20), LONGEST_RETRY)
    return out | {"next_attempt_at": now + wait}


def _shown(channel: str) -> str:
    """A channel for the log, without what may be secret in its address."""
    return channel.split("/")[2] if "://" in channel else channel.split(":")[0]
