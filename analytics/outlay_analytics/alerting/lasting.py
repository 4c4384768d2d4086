"""Alertmanagers hear once an hour of what still fires: they forget it at a restart, and end what has fallen silent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from outlay.errors import ConfigError
from outlay_analytics.alerting.messages import compose
from outlay_analytics.alerting.outbox import intend, known_ids, notification_id
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import Alert
from outlay_analytics.notify.channels import parse_channel
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


class Lasting:
    """Gathers what fires and was told before this round, and says it again to the Alertmanagers of each group."""

    def __init__(self, settings: AlertSettings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._known: list[tuple[str, str, str, list[Alert]]] = []  # project, group, channel, alerts

    def hear(self, project: str, key: str, alerts: Sequence[Alert]) -> None:
        """What of a group may be spoken of."""
        firing = [alert for alert in alerts if alert.state == "firing" and alert.told_firing]
        hour = self._now.replace(minute=0, second=0, microsecond=0)
        if all(alert.notified_at is not None and alert.notified_at >= hour for alert in firing):
            return
        for channel in dict.fromkeys(channel for alert in firing for channel in alert.told_to):
            if self._is_alertmanager(channel):
                self._known.append((project, key, channel, [one for one in firing if channel in one.told_to]))

    def tell(self, store: Store, writer: Writer) -> None:
        """Write down what was not said yet in this hour."""
        if not self._known:
            return
        ids = [self._id(key, alerts) for _, key, _, alerts in self._known]
        said = known_ids(store, [notification_id(id_, one[2]) for id_, one in zip(ids, self._known, strict=True)])
        for id_, (project, key, channel, alerts) in zip(ids, self._known, strict=True):
            if notification_id(id_, channel) not in said:
                message = replace(compose(key, alerts, {}, self._settings), message_id=id_)
                intend(writer, project, message, [channel], self._now)

    def _id(self, key: str, alerts: Sequence[Alert]) -> str:
        of = sorted(alert.alert_id for alert in alerts)
        return hashlib.sha256("|".join(["lasting", key, *of, f"{self._now:%Y-%m-%dT%H}"]).encode()).hexdigest()[:32]

    def _is_alertmanager(self, channel: str) -> bool:
        try:
            return parse_channel(channel, self._settings.channels).kind == "alertmanager"
        except ConfigError:
            return False
