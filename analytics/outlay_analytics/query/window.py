"""When: a window [start, end), its time zone, and the intervals it is cut into; as text and as SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_analytics.query.errors import SHOWN, BadRequest

Interval = Literal["hour", "day", "week", "month", "total"]

INTERVALS = ("hour", "day", "week", "month", "total")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2106, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """[start, end): inclusive start, exclusive end, aware UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, at in (("start", self.start), ("end", self.end)):
            if at.tzinfo is None:
                raise BadRequest(f"{name} {at} has no time zone")
            if not EARLIEST <= at <= LATEST:
                raise BadRequest(f"{name} must lie between {EARLIEST.year} and {LATEST.year}, not in {at.year}")
        if self.start > self.end:
            raise BadRequest(f"start {self.start.isoformat()} is after end {self.end.isoformat()}")

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def previous(self) -> Window:
        """The window of the same length just before."""
        return Window(max(self.start - self.length, EARLIEST), self.start)


EVERYTHING = Window(EARLIEST, LATEST)


def check_interval(name: str) -> Interval:
    """An interval's name, checked.

    Raises:
        BadRequest: If there is no such interval.
    """
    for known in INTERVALS:
        if name == known:
            return known  # type: ignore[return-value]
    raise BadRequest(f"interval must be one of {', '.join(INTERVALS)}, not {name[:SHOWN]!r}")


def bucket_sql(interval: Interval, at: str) -> str:
    """SQL for the start of the interval that the instant `at` lies in, as DateTime; reads {timezone:String}.

    Days, ISO weeks and months begin at midnight in the time zone; hours are counted from it, so that they are those of
    its clocks. `total` is one bucket. The same calendar as `history.start_of`.
    """
    if interval == "total":
        return "toDateTime(0, 'UTC')"
    if interval == "hour":
        return f"toTimeZone(toDateTime(toStartOfHour({at}, {{timezone:String}})), 'UTC')"
    if interval == "day":
        return f"toTimeZone(toDateTime(toStartOfDay({at}, {{timezone:String}})), 'UTC')"
    start = f"toStartOfWeek({at}, 1, {{timezone:String}})"
    if interval == "month":
        start = f"toStartOfMonth({at}, {{timezone:String}})"
    return f"toTimeZone(toDateTime({start}, {{timezone:String}}), 'UTC')"


def parse_timezone(name: str) -> ZoneInfo:
    """An IANA time zone.

    Raises:
        BadRequest: If there is no such zone.
    """
    try:
        if name == "localtime":
            raise ValueError
        return ZoneInfo(name)
    except Exception as exc:  # ValueError, KeyError or OSError by the shape of the name
        raise BadRequest(f"timezone {name[:SHOWN]!r} is not known; use an IANA name such as Europe/Berlin") from exc


def parse_window(
    start: str | None, end: str | None, now: datetime, default_days: int = 30, zone: str = "UTC"
) -> Window:
    """The window that `start` and `end` name; the last `default_days` days where they say nothing.

    Args:
        start: RFC 3339, a date (its midnight in `zone`), `now`, or back from now: `-24h`, `-30d`, `-15m`, `-2w`.
        end: The same; default `now`.
        now: The present, aware.
        zone: IANA name of the zone whose days dates without a time are.

    Raises:
        BadRequest: If one cannot be read, or the start is after the end.
    """
    until = parse_instant("end", end, now, zone) if end else now.astimezone(UTC)
    since = parse_instant("start", start, now, zone) if start else max(until - timedelta(days=default_days), EARLIEST)
    return Window(since, until)


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+\- ])(\d\d):(\d\d)))?", re.ASCII
)


def parse_instant(name: str, text: str, now: datetime, zone: str = "UTC") -> datetime:
    """One instant of the query string, as aware UTC; a date without a time is its midnight in `zone`.

    Raises:
        BadRequest: If it cannot be read, or no window can hold it.
    """
    at = _instant(name, text, now, zone)
    if not EARLIEST <= at <= LATEST:
        raise BadRequest(f"{name} must lie between {EARLIEST.year} and {LATEST.year}, not in {at.year}")
    return at


def _instant(name: str, text: str, now: datetime, zone: str) -> datetime:
    wrong = BadRequest(
        f"{name} {text[:SHOWN]!r} is not an instant; use RFC 3339 such as 2026-10-01T00:00:00Z, -24h, -30d or now"
    )
    if text == "now":
        return now.astimezone(UTC)
    relative = re.fullmatch(r"-(\d{1,6})([smhdw])", text, re.ASCII)
    try:
        if relative:
            return now.astimezone(UTC) - timedelta(seconds=int(relative[1]) * UNITS[relative[2]])
        match = INSTANT.fullmatch(text)
        if match is None:
            raise wrong
        year, month, day, hour, minute, second, fraction, _, sign, off_hour, off_minute = match.groups()
        if hour is None:
            return datetime(int(year), int(month), int(day), tzinfo=parse_timezone(zone)).astimezone(UTC)
        offset = timedelta(hours=int(off_hour or 0), minutes=int(off_minute or 0))
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(9, "0")[:6]),
            tzinfo=timezone(-offset if sign == "-" else offset),  # a plus sign left unescaped arrives as a space
        ).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise wrong from exc
