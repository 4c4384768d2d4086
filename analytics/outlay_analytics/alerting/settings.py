"""The `[alerts]` section of outlay.toml, read once and checked.

[alerts]
allow = ["hooks.internal:8080", "10.1.0.0/16"]   # may be private or on another port
notify = ["oncall"]            # for anomalies and for evaluations that fail
anomalies = true
anomaly_floor_usd = "5"        # smaller anomalies raise no alert
critical_usd = "50"            # from here on one that doubles the spend is critical; ten times the floor unless given
floor_usd = "1"                # least excess of the burn-rate and above-projection rules
repeat_hours = 24              # told again so often while nobody acknowledges; never unless given
daily = ["oncall"]             # who gets yesterday's report each day
weekly = ["oncall"]            # who gets last week's on Mondays
digest_hour = 8                # from which hour on
digest_timezone = "UTC"        # of days, weeks and that hour
smtp = "smtp://user:password@mail.example.com:587"
smtp_from = "outlay@example.com"
smtp_tls = true                # false: also send where the server offers no encryption

[[alerts.channels]]
name = "oncall"
kind = "webhook"               # webhook, slack, pagerduty, alertmanager, email or apprise
url = "https://hooks.example.com/outlay"
secret = "signs every message"
severities = ["critical"]      # hears of these alone; of everything unless given
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, StrictBool, StrictStr, model_validator
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay_analytics.notify.apprise import open_url
from outlay_analytics.notify.channels import Channel, parse_channel, refuse_address
from outlay_analytics.notify.guarded_http import Allowed, RefusedAddress, check_numeric, check_soon
from outlay_analytics.notify.send import Mail, Outbound
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.window import parse_timezone
from outlay_collector.prices.tables import STRICT, Slips, read_table

TENFOLD = 10


def _usd(value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
        if isinstance(value, bool) or not amount.is_finite() or amount < 0:
            raise InvalidOperation
    except InvalidOperation:
        raise ValueError('must be an amount such as "5"') from None
    return amount


def _hours(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 24 * 365:
        raise ValueError("must be a number of hours from 0.1 to 8760")
    return timedelta(hours=float(value))


def _hour(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 23:
        raise ValueError("must be a whole hour from 0 to 23")
    return value


def _zone(value: object) -> str:
    try:
        parse_timezone(value if isinstance(value, str) else "")
    except BadRequest as exc:
        raise ValueError(f"is no time zone such as Europe/Berlin: {exc}") from None
    return str(value)


def _smtp(value: object) -> str:
    if not isinstance(value, str) or (
        value and (urlsplit(value).scheme not in ("smtp", "smtps") or not urlsplit(value).hostname)
    ):
        raise ValueError("must be smtp://user:password@host:587 or smtps://user:password@host:465")
    return value


Usd = Annotated[Decimal, BeforeValidator(_usd)]


@table(config=STRICT, frozen=True)
class AlertsTable:
    """`[alerts]` as it is written."""

    allow: tuple[StrictStr, ...] = ()
    channels: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    notify: tuple[StrictStr, ...] = ()
    anomalies: StrictBool = True
    anomaly_floor_usd: Usd = Decimal(5)
    critical_usd: Usd | None = None
    floor_usd: Usd = Decimal(1)
    repeat_hours: Annotated[timedelta | None, BeforeValidator(_hours)] = None
    daily: tuple[StrictStr, ...] = ()
    weekly: tuple[StrictStr, ...] = ()
    digest_hour: Annotated[int, BeforeValidator(_hour)] = 8
    digest_timezone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    smtp: Annotated[str, BeforeValidator(_smtp)] = field(default="", repr=False)
    smtp_from: StrictStr = ""
    smtp_tls: StrictBool = True

    @model_validator(mode="after")
    def _has_a_sender(self) -> Self:
        if self.smtp and "@" not in self.smtp_from:
            raise ValueError(f"smtp_from = {self.smtp_from!r} must be an e-mail address")
        return self


@dataclass(frozen=True)
class AlertSettings:
    """What the operator wants of alerts.

    Attributes:
        outbound: What sending may reach.
        channels: Named channels.
        notify: Channels for anomalies and failed evaluations.
        anomalies: Whether anomalies raise alerts.
        anomaly_floor_usd: Least impact of an anomaly that raises one.
        critical_usd: Least impact of one that is critical; None for ten times that floor.
        floor_usd: Least excess of the burn-rate and above-projection rules.
        daily, weekly: Who gets the report of yesterday each day, and of last week on Mondays.
        digest_hour, digest_timezone: From which hour on, and of which zone it and the days are.
        repeat: How often a firing alert that nobody acknowledged is told again though nothing changed; None for never.
        public_url: Where people reach the pages, for links; set by start-up.
        holidays: Days on which less is expected, from `[holidays]`.
    """

    outbound: Outbound = field(default_factory=Outbound)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    anomalies: bool = True
    anomaly_floor_usd: Decimal = Decimal(5)
    critical_usd: Decimal | None = None
    floor_usd: Decimal = Decimal(1)
    repeat: timedelta | None = None
    daily: tuple[str, ...] = ()
    weekly: tuple[str, ...] = ()
    digest_hour: int = 8
    digest_timezone: str = "UTC"
    public_url: str = "http://127.0.0.1:4318"
    holidays: Holidays = NO_HOLIDAYS

    def severity(self, impact_usd: Decimal, expected_usd: Decimal) -> str:
        """How severe an incident is: critical where it at least doubles the spend, by `critical_usd` or more."""
        limit = self.critical_usd if self.critical_usd is not None else TENFOLD * self.anomaly_floor_usd
        return "critical" if impact_usd >= max(limit, expected_usd) else "warning"

    def takes(self, channel: str, severity: str) -> bool:
        """Whether a channel, in stored form, hears of alerts of a severity."""
        try:
            return parse_channel(channel, self.channels).takes(severity)
        except ConfigError:
            return True  # the outbox says what is wrong with it

    def guard(self, url: str) -> None:
        """Refuse an address that sending would refuse, so that it is not taken in the first place.

        Raises:
            RefusedAddress: Says why.
        """
        check_soon(url, self.outbound.allowed)


def parse_alerts(section: Mapping[str, Any]) -> AlertSettings:
    """Read `[alerts]`.

    Raises:
        ConfigError: Naming each key, its value and what is allowed.
    """
    written = read_table(AlertsTable, section, "[alerts]")
    slips = Slips()
    channels: dict[str, Channel] = {}
    for channel in written.channels:
        with slips.gathered():
            name = str(channel.get("name", ""))
            if not name or name in channels:
                raise ConfigError(f"[[alerts.channels]] name {name!r} must be given, once")
            channels[name] = parse_channel(channel, operator=True)
    slips.raise_all()  # who is told may be one of them
    allowed = Allowed()
    with slips.gathered():
        allowed = Allowed.parse(list(written.allow))
    named = dict(channels)
    for entry in (*written.notify, *written.daily, *written.weekly):
        with slips.gathered():
            named[entry] = parse_channel(entry, channels)
            if entry in (*written.daily, *written.weekly) and named[entry].kind == "alertmanager":
                raise ConfigError(f"[alerts] {entry!r}: an Alertmanager takes alerts, no digest")
    slips.raise_all()
    for one in named.values():
        with slips.gathered():
            _refuse_unreachable(one, allowed)
    slips.raise_all()
    return AlertSettings(
        outbound=Outbound(allowed, Mail(written.smtp, written.smtp_from, written.smtp_tls)),
        channels=channels,
        notify=written.notify,
        anomalies=written.anomalies,
        anomaly_floor_usd=written.anomaly_floor_usd,
        critical_usd=written.critical_usd,
        floor_usd=written.floor_usd,
        repeat=written.repeat_hours,
        daily=written.daily,
        weekly=written.weekly,
        digest_hour=written.digest_hour,
        digest_timezone=written.digest_timezone,
    )


def _refuse_unreachable(channel: Channel, allowed: Allowed) -> None:
    try:
        if channel.kind == "apprise":
            open_url(channel.url)
        elif channel.url:
            refuse_address(channel.url, lambda url: check_numeric(url, allowed))
    except RefusedAddress as exc:
        raise ConfigError(f"[alerts] {channel.name!r}: {exc}") from exc
