"""Which alerts are told in one message: those that began to fire together for one cause, and parts of one another.

As in Alertmanager a group is told at once when it begins, and what joins it later is gathered (`reasons.heard`).
The cause is the driver that raised the spend most, so that ten features with ten times the requests are one message
with ten parts, and a feature whose prompts grew on the same day is another. A budget holds its features, and a feature
its models: parts of what fires are told with it, whatever their cause. What an incident does to a budget joins the
incident, however long that has gone on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from outlay_analytics.alerting.kinds import FAILED
from outlay_analytics.alerting.reasons import PRECEDENCE, consequence, within
from outlay_analytics.alerting.states import ABOUT, Alert

TOGETHER = timedelta(hours=3)


def grouped(alerts: Sequence[Alert], now: datetime) -> list[Alert]:
    """The alerts in their order, those that begin to fire now with the group that they join or open."""
    placed = [alert for alert in alerts if alert.state == "firing" and alert.fired_at != now]
    joined: dict[str, str] = {}
    for alert in sorted((one for one in alerts if one.state == "firing" and one.fired_at == now), key=weight):
        mine = replace(alert, group_key=_group(alert, placed, now))
        joined[alert.alert_id] = mine.group_key
        placed.append(mine)
    return [replace(one, group_key=joined.get(one.alert_id, one.group_key)) for one in alerts]


def weight(alert: Alert) -> tuple[bool, bool, int, int, str, str]:
    """An alert's place in a message: what fires, what is critical, what is widest, what weighs most."""
    rule = (alert.rule, alert.severity)
    rank = PRECEDENCE.index(rule) if rule in PRECEDENCE else len(PRECEDENCE)
    width = sum(dim not in ABOUT for dim in alert.scope)
    return alert.state != "firing", alert.severity != "critical", width, rank, alert.budget, alert.fingerprint


def _group(alert: Alert, placed: Sequence[Alert], now: datetime) -> str:
    groups: dict[str, list[Alert]] = defaultdict(list)
    for other in placed:
        if other.project == alert.project:
            groups[other.group_key].append(other)
    for key, members in groups.items():
        if key == alert.own_key or any(other.own_key == alert.own_key for other in members):
            return key
    for key, members in groups.items():
        began = min(other.fired_at or other.started_at for other in members)
        fresh = now - began <= TOGETHER
        if any((fresh and _related(alert, other)) or consequence(alert, other) for other in members):
            return key
    return alert.own_key


def _related(alert: Alert, other: Alert) -> bool:
    if alert.cause == other.cause:
        return True
    if alert.rule in FAILED or other.rule in FAILED:
        return False
    return within(alert.scope, other.scope) or within(other.scope, alert.scope)
