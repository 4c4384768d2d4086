"""The `[alerts]` section of outlay.toml, read once and checked.

[alerts]
allow = ["hooks.internal:8080", "10.1.0.0/16"]   # may be private or on another port
notify = ["oncall"]            # for anomalies and for evaluations that fail
anomalies = true
anomaly_floor_usd = "5"        # smaller anomalies raise no alert
floor_usd = "1"                # least excess of the burn-rate and above-projection rules
repeat_hours = 24
smtp = "smtp://user:password@mail.example.com:587"
smtp_from = "outlay@example.com"
smtp_tls = true                # false: also send where the server offers no encryption

[[alerts.channels]]
name = "oncall"
kind = "webhook"               # webhook, slack, pagerduty, alertmanager or email
url = "https://hooks.example.com/outlay"
secret = "signs every message"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from outlay.errors import ConfigError
from outlay_analytics.notify.channels import Channel, parse_channel, refuse_address
from outlay_analytics.notify.guarded_http import Allowed, RefusedAddress, check_numeric, check_soon
from outlay_analytics.notify.send import Mail, Outbound

KEYS = (
    "allow",
    "channels",
    "notify",
    "anomalies",
    "anomaly_floor_usd",
    "floor_usd",
    "repeat_hours",
    "smtp",
    "smtp_from",
    "smtp_tls",
)


@dataclass(frozen=True)
class AlertSettings:
    """What the operator wants of alerts.

    Attributes:
        outbound: What sending may reach.
        channels: Named channels.
        notify: Channels for anomalies and failed evaluations.
        anomalies: Whether anomalies raise alerts.
        anomaly_floor_usd: Least impact of an anomaly that raises one.
        floor_usd: Least excess of the burn-rate and above-projection rules.
        repeat: How often a firing alert is told again.
        public_url: Where people reach the pages, for links; set by start-up.
    """

    outbound: Outbound = field(default_factory=Outbound)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    anomalies: bool = True
    anomaly_floor_usd: Decimal = Decimal(5)
    floor_usd: Decimal = Decimal(1)
    repeat: timedelta = timedelta(hours=24)
    public_url: str = "http://127.0.0.1:4318"

    def guard(self, url: str) -> None:
        """Refuse an address that sending would refuse, so that it is not taken in the first place.

        Raises:
            RefusedAddress: Says why.
        """
        check_soon(url, self.outbound.allowed)


def parse_alerts(section: Mapping[str, Any]) -> AlertSettings:
    """Read `[alerts]`.

    Raises:
        ConfigError: Naming the key, its value and what is allowed.
    """
    unknown = sorted(set(section) - set(KEYS))
    if unknown:
        raise ConfigError(f"[alerts] has no {unknown[0]!r}; it knows {', '.join(KEYS)}")
    channels: dict[str, Channel] = {}
    for table in _list(section, "channels"):
        name = str(table.get("name", "")) if isinstance(table, Mapping) else ""
        if not name or name in channels:
            raise ConfigError(f"[[alerts.channels]] name {name!r} must be given, once")
        channels[name] = parse_channel(table)
    notify = tuple(str(entry) for entry in _list(section, "notify"))
    allowed = Allowed.parse([str(entry) for entry in _list(section, "allow")])
    for channel in {**channels, **{entry: parse_channel(entry, channels) for entry in notify}}.values():
        try:
            if channel.url:
                refuse_address(channel.url, lambda url: check_numeric(url, allowed))
        except RefusedAddress as exc:
            raise ConfigError(f"[alerts] {channel.name!r}: {exc}") from exc
    hours = section.get("repeat_hours", 24)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0.1 <= hours <= 24 * 365:
        raise ConfigError(f"[alerts] repeat_hours = {hours!r} must be a number of hours from 0.1 to 8760")
    if not isinstance(section.get("anomalies", True), bool):
        raise ConfigError(f"[alerts] anomalies = {section['anomalies']!r} must be true or false")
    return AlertSettings(
        outbound=Outbound(allowed, _mail(section)),
        channels=channels,
        notify=notify,
        anomalies=section.get("anomalies", True),
        anomaly_floor_usd=_usd(section, "anomaly_floor_usd", "5"),
        floor_usd=_usd(section, "floor_usd", "1"),
        repeat=timedelta(hours=float(hours)),
    )


def _list(section: Mapping[str, Any], key: str) -> list[Any]:
    value = section.get(key, [])
    if not isinstance(value, list):
        raise ConfigError(f"[alerts] {key} = {value!r} must be a list")
    return value


def _usd(section: Mapping[str, Any], key: str, default: str) -> Decimal:
    value = section.get(key, default)
    try:
        amount = Decimal(str(value))
        if isinstance(value, bool) or not amount.is_finite() or amount < 0:
            raise InvalidOperation
    except InvalidOperation as exc:
        raise ConfigError(f'[alerts] {key} = {value!r} must be an amount such as "5"') from exc
    return amount


def _mail(section: Mapping[str, Any]) -> Mail:
    url, sender = str(section.get("smtp", "")), str(section.get("smtp_from", ""))
    if url and (urlsplit(url).scheme not in ("smtp", "smtps") or not urlsplit(url).hostname):
        raise ConfigError("[alerts] smtp must be smtp://user:password@host:587 or smtps://user:password@host:465")
    if url and "@" not in sender:
        raise ConfigError(f"[alerts] smtp_from = {sender!r} must be an e-mail address")
    tls = section.get("smtp_tls", True)
    if not isinstance(tls, bool):
        raise ConfigError(f"[alerts] smtp_tls = {tls!r} must be true or false")
    return Mail(url, sender, tls)
