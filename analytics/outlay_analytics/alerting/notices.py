"""What must be said after a round, and to whom: one message per group of alerts and channels, written down first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from outlay.errors import ConfigError
from outlay_analytics.alerting.advice import advice
from outlay_analytics.alerting.explained import Explainer
from outlay_analytics.alerting.groups import grouped
from outlay_analytics.alerting.lasting import Lasting
from outlay_analytics.alerting.messages import NO_ADVICE, compose, in_order
from outlay_analytics.alerting.outbox import intend
from outlay_analytics.alerting.reasons import NEWS, channels_unheard, inhibited, spoken_for, why_notify
from outlay_analytics.alerting.repository import (
    numbered,
    read_acknowledgements,
    read_silences,
    read_told_before,
    write_alerts,
)
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import Alert
from outlay_analytics.notify.channels import parse_channel
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

REMEMBERED = timedelta(days=35)  # longer than a budget's period: what was told in it is not told again


@dataclass(frozen=True)
class Audience:
    """Channels that hear the same.

    Attributes:
        parts: All that is to be said to them about a group.
        reasons: Why each of the parts is told to them, by alert id; empty where it is only said again.
    """

    channels: list[str]
    parts: list[Alert]
    reasons: Mapping[str, str]

    @property
    def is_news(self) -> bool:
        """Whether it is news, or only keeps those right who hold a state."""
        return not self.channels or not NEWS.isdisjoint(self.reasons.values())


def notify(
    store: Store,
    writer: Writer,
    round_: Sequence[Alert],
    others: Sequence[Alert],
    settings: AlertSettings,
    now: datetime,
) -> None:
    """Write down what must be said, one message per group and channels, then the alerts as they are now.

    Args:
        round_: What was evaluated in this round.
        others: What was not, but is open or ended without a word: it may be told with the round's.
    """
    explainer = Explainer(store)
    fresh = [alert for alert in round_ if alert.version == 1]
    round_ = [alert for alert in round_ if alert.version > 1] + numbered(store, fresh)
    round_ = [routed(alert, settings) for alert in round_]
    began = [alert for alert in round_ if alert.fired_at == now and alert.state == "firing"]
    earlier = read_told_before(store, began, now - REMEMBERED)
    round_ = [spoken_for(explainer.explain(alert), earlier) if alert.fired_at == now else alert for alert in round_]
    alerts = grouped([*round_, *others], now)
    before = {alert.alert_id: alert for alert in others}
    silences, on_it = read_silences(store, now), read_acknowledgements(store, alerts)
    groups: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        groups[alert.project, alert.group_key].append(alert)
    lasting = Lasting(settings, now)
    for (project, key), members in groups.items():
        group = [spoken_for(alert, members) for alert in members]
        speaking = [
            alert
            for alert in group
            if (alert.project, alert.fingerprint) not in silences
            and not (alert.state == "firing" and inhibited(alert, group))
        ]
        reasons = {
            alert.alert_id: why_notify(
                alert, speaking, now, settings.repeat, None, alert.alert_id in on_it, _floor(alert, settings)
            )
            if alert.notify
            else ""  # told to nobody is not told: it waits for a channel
            for alert in speaking
        }
        lasting.hear(project, key, speaking)
        told: dict[str, Alert] = {}
        if any(reasons.values()):
            said = [explainer.explain(alert) if alert.state == "firing" else alert for alert in speaking]
            for one in _audiences(said, reasons, settings):
                if one.channels:
                    lead = in_order(one.parts, one.reasons)[0]
                    more = advice(store, lead, now, settings.holidays) if lead.state == "firing" else NO_ADVICE
                    intend(writer, project, compose(key, one.parts, one.reasons, settings, more), one.channels, now)
                told |= {alert.alert_id: _told(told.get(alert.alert_id, alert), now, one) for alert in one.parts}
        after = [told.get(alert.alert_id, alert) for alert in group]
        write_alerts(writer, [alert for alert in after if before.get(alert.alert_id) != alert])
    lasting.tell(store, writer)


def routed(alert: Alert, settings: AlertSettings) -> Alert:
    """The alert with those of its channels that take its severity, or heard of it when it was as severe."""
    notify = [one for one in alert.notify if one in alert.told_to or settings.takes(one, alert.severity)]
    return replace(alert, notify=tuple(notify))


def _floor(alert: Alert, settings: AlertSettings) -> Decimal:
    return settings.anomaly_floor_usd if alert.rule == "anomaly" else settings.floor_usd


def _audiences(alerts: Sequence[Alert], reasons: Mapping[str, str], settings: AlertSettings) -> list[Audience]:
    """Who must hear what: channels, and all that is to be said to them about a group, where there is anything for them.

    What fires is said again beside the news, and what has ended since the last message is said once. Alerts with a
    reason that concerns none of their channels come last, without a channel.
    """
    firing = {alert.fingerprint for alert in alerts if alert.state == "firing"}
    unheard = {alert.alert_id: channels_unheard(alert, alerts) for alert in alerts}
    said = [
        alert
        for alert in alerts
        if alert.state == "firing"
        or (alert.state == "resolved" and alert.told_firing and alert.fingerprint not in firing)
    ]
    audiences: dict[tuple[tuple[str, str], ...], Audience] = {}
    heard: set[str] = set()
    for channel in dict.fromkeys(channel for alert in said for channel in _hearers(alert)):
        parts = [alert for alert in said if channel in _hearers(alert)]
        mine = {one.alert_id: _reason(channel, one, reasons[one.alert_id], unheard[one.alert_id]) for one in parts}
        if not any(_concerns(channel, reason, settings) for reason in mine.values() if reason):
            continue
        audience = audiences.setdefault(tuple(mine.items()), Audience([], parts, mine))
        audience.channels.append(channel)
        heard |= {alert.alert_id for alert in parts}
    nobody = [alert for alert in alerts if reasons[alert.alert_id] and alert.alert_id not in heard]
    return [*audiences.values(), Audience([], nobody, reasons)]


def _hearers(alert: Alert) -> tuple[str, ...]:
    """Who may be told of an alert: its end is for those who heard of it."""
    return alert.notify if alert.state == "firing" else alert.told_to


def _reason(channel: str, alert: Alert, reason: str, unheard: Collection[str]) -> str:
    """Why one channel is told, given why an alert is told at all."""
    if reason in ("first", "reached"):
        return reason if channel in unheard else ""
    return "reached" if reason in NEWS and channel in unheard else reason


def _concerns(channel: str, reason: str, settings: AlertSettings) -> bool:
    """Whether a channel takes a message for a reason; what is no news is for those who hold a state, or want ends."""
    if reason in NEWS:
        return True
    try:
        known = parse_channel(channel, settings.channels)
    except ConfigError:
        return True  # the outbox says what is wrong with it
    return known.holds_state or (reason == "resolved" and known.ends)


def _told(alert: Alert, now: datetime, audience: Audience) -> Alert:
    channels = tuple(dict.fromkeys((*alert.told_to, *audience.channels)))
    if alert.told_firing and set(audience.reasons.values()) <= {"reached", ""}:
        return replace(alert, notified_channels=channels)  # the others know it as it was told to them
    told = replace(alert, notified_at=now, notified_state=f"{alert.state}:{alert.severity}", notified_channels=channels)
    if not audience.is_news:
        return told
    return replace(told, notified_actual_usd=alert.actual_usd, notified_expected_usd=alert.expected_usd)
