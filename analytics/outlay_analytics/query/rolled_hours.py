"""Which hours of a window the rollups answer, and which are read from calls.

An hour is clean when it was rolled up after its last change; a day is when all of its hours are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from outlay_analytics.query.dimensions import tag_key
from outlay_analytics.query.looks import once
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Interval, Window, parse_timezone
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.query.sql"
HOUR = 3600
DAY = 24 * HOUR
EVER = 2**32 - 1

Hours = tuple[list[int], ...]  # clean, open, …


@dataclass(frozen=True)
class Parts:
    """How a window is read: Unix seconds of days and hours from the rollups, the rest from calls.

    Attributes:
        days: Clean UTC days.
        hours: Clean hours, those of `days` left out.
        latency: Clean hours, all of them.
        latency_days: UTC days of clean hours alone that `latency_daily` knows; none where the answer is by the hour.
        astride: Whether intervals begin within these days, so that some of their hours lie in another one than noon.
        open: Hours between the first and the last clean one that must come from calls.
    """

    days: list[int] = field(default_factory=list)
    hours: list[int] = field(default_factory=list)
    latency: list[int] = field(default_factory=list)
    latency_days: list[int] = field(default_factory=list)
    astride: bool = False
    open: list[int] = field(default_factory=list)


def parts_of(store: Store, scope: Scope, interval: Interval, shift: timedelta = timedelta(0)) -> Parts:
    """Which hours and days of the window the rollups may answer."""
    window = scope.window
    first = -(-_seconds_up(window.start) // HOUR) * HOUR
    last = int(window.end.timestamp()) // HOUR * HOUR
    if last <= first or not _fits_hours(scope, interval, shift):
        return Parts()
    clean, changed, latency_days = _clean_hours(store, scope.project, first, last)
    if parted := _parted_hours(scope, interval, clean, shift):
        clean = [hour for hour in clean if hour not in parted]
        changed = sorted({*changed, *parted})
    if not clean:
        return Parts()
    dirty = [hour for hour in changed if clean[0] < hour < clean[-1]]
    whole = _whole_days(clean, changed, first, last) if interval != "hour" else set()
    fits = fits_days(scope, interval, shift)
    days = whole if fits else set()
    hours = [hour for hour in clean if hour - hour % DAY not in days] if days else clean
    return Parts(sorted(days), hours, clean, sorted(whole & set(latency_days)), not fits, dirty)


def parts_of_days(days: Sequence[int]) -> Parts:
    """Parts where these days, in order, are read from rollups and nothing else is."""
    if not days:
        return Parts()
    between = set(range(days[0], days[-1] + DAY, DAY)) - set(days)
    hours = [day + hour for day in days for hour in range(0, DAY, HOUR)]
    between_hours = [day + hour for day in sorted(between) for hour in range(0, DAY, HOUR)]
    return Parts(days=list(days), latency=hours, open=between_hours)


def dimension_days(store: Store, scope: Scope, name: str, *, alone: bool) -> Hours:
    """Days of the window that `dimension_daily` answers, and those none of whose calls says anything about `name`.

    Args:
        store: Where to look.
        scope: The window and the project.
        name: A dimension that spend_hourly lacks.
        alone: Whether the question is about this dimension and no other.
    """
    first = -(-_seconds_up(scope.window.start) // DAY) * DAY
    last = int(scope.window.end.timestamp()) // DAY * DAY
    if last <= first:
        return [], []
    params = {
        "project": scope.project,
        "dimension": name,
        "grains": ["full", "alone"] if alone else ["full"],
        "is_tag": tag_key(name) is not None,
        "first": first,
        "last": last,
    }
    return _looked_up(store, "source_dimension_days", params, ("kept", "unsaid"))


def ever_clean(store: Store, project: str) -> tuple[list[int], list[int]]:
    """All clean hours of a project, and all that changed since they were rolled up."""
    clean, changed, _ = _clean_hours(store, project, 0, EVER)
    return clean, changed


def whole_hours(window: Window, hours: Sequence[int]) -> list[int]:
    """Those of these hours, ascending, that lie in a window, with or without all of it."""
    return [hour for hour in hours if window.start.timestamp() - HOUR < hour < window.end.timestamp()]


def _clean_hours(store: Store, project: str, first: int, last: int) -> Hours:
    """The clean and the open hours of [first, last), and days with latency; see source_clean_hours.sql."""
    params = {"project": project, "first": first, "last": last}
    return _looked_up(store, "source_clean_hours", params, ("clean", "open", "latency_days"))


def _looked_up(store: Store, file: str, params: Mapping[str, Any], columns: tuple[str, ...]) -> Hours:
    """Lists of instants that a statement gives in one row; within `one_look` it is asked once."""

    def look() -> Hours:
        rows = store.query(load_sql(SQL, file), params)
        return tuple(list(rows[0][name]) if rows else [] for name in columns)

    found: Hours = once((store, file, repr(params)), look)
    return found


def _whole_days(clean: Sequence[int], dirty: Sequence[int], first: int, last: int) -> set[int]:
    """Days that lie in [first, last) and hold no hour that changed since."""
    spoiled = {hour - hour % DAY for hour in dirty}
    days = {hour - hour % DAY for hour in clean} - spoiled
    return {day for day in days if day >= first and day + DAY <= last}


def _seconds_up(at: datetime) -> int:
    whole = int(at.timestamp())
    return whole + 1 if at.microsecond else whole


def _fits_hours(scope: Scope, interval: Interval, shift: timedelta) -> bool:
    """Whether every UTC hour lies within one bucket, but for those that a day of the zone parts."""
    if interval == "total":
        return True
    return not shift % timedelta(hours=1) and (interval != "hour" or _offsets(scope) <= {0})


def _parted_hours(scope: Scope, interval: Interval, hours: Sequence[int], shift: timedelta) -> set[int]:
    """Those of these UTC hours within which a day of the zone begins: calls tell which of them are of which day."""
    if interval in ("total", "hour") or _offsets(scope) <= {0}:
        return set()
    local_day = _days_of(scope, shift)
    return {hour for hour in hours if local_day(hour) != local_day(hour + HOUR - 1)}


def _days_of(scope: Scope, shift: timedelta) -> Callable[[int], date]:
    """The day of the scope's zone that an instant, shifted, lies on."""
    zone = parse_timezone(scope.timezone)
    return lambda at: (datetime.fromtimestamp(at, UTC) + shift).astimezone(zone).date()


def fits_days(scope: Scope, interval: Interval, shift: timedelta) -> bool:
    """Whether every UTC day lies within one bucket."""
    if interval in ("total", "hour"):
        return interval == "total"
    return scope.timezone == "UTC" and not shift % timedelta(days=1)


def _offsets(scope: Scope) -> set[int]:
    """Seconds past the hour of the zone's offsets in the window (no zone changes them for less than two months)."""
    zone = parse_timezone(scope.timezone)
    offsets = set()
    at = scope.window.start - timedelta(days=366)
    while at < scope.window.end + timedelta(days=366):
        offset = at.astimezone(zone).utcoffset() or timedelta(0)
        offsets.add(int(offset.total_seconds()) % HOUR)
        at += timedelta(days=30)
    return offsets


def moved_hours(scope: Scope, days: Sequence[int], shift: timedelta) -> list[int]:
    """Hours of UTC days that lie on another day of the scope's zone than the noon of theirs."""
    local_day = _days_of(scope, shift)
    noons = {day: local_day(day + DAY // 2) for day in days}
    return [at for day in days for at in range(day, day + DAY, HOUR) if local_day(at) != noons[day]]


def hours_sql(name: str, hours: list[int], left_out: list[int] | None, params: dict[str, Any]) -> str:
    """A condition on `h.hour` for these hours: from the first to the last without `left_out`, or one by one if None."""
    if left_out is None:
        params[f"{name}_in"] = hours
        return f"h.hour IN {{{name}_in:Array(DateTime('UTC'))}}"
    params[f"{name}_first"], params[f"{name}_last"], params[f"{name}_out"] = hours[0], hours[-1], left_out
    first, last = (f"toDateTime({{{name}_{end}:UInt32}}, 'UTC')" for end in ("first", "last"))
    return f"h.hour >= {first} AND h.hour <= {last} AND h.hour NOT IN {{{name}_out:Array(DateTime('UTC'))}}"


def calls_hours_sql(window: Window, parts: Parts, params: dict[str, Any]) -> str:
    """The condition on `c.started_at` for what is not read from rollups; its values go into `params`."""
    params["start"] = sql_instant(window.start)
    params["end"] = sql_instant(window.end)
    start, end = "toDateTime64({start:String}, 9, 'UTC')", "toDateTime64({end:String}, 9, 'UTC')"
    if not parts.latency:
        return f"c.started_at >= {start} AND c.started_at < {end}"
    params["first_clean"] = parts.latency[0]
    params["last_clean"] = parts.latency[-1] + HOUR
    ranges = [
        f"(c.started_at >= {start} AND c.started_at < toDateTime({{first_clean:UInt32}}, 'UTC'))",
        f"(c.started_at >= toDateTime({{last_clean:UInt32}}, 'UTC') AND c.started_at < {end})",
    ]
    if parts.open:
        params["open_hours"] = parts.open
        ranges.append("toStartOfHour(c.started_at) IN {open_hours:Array(DateTime('UTC'))}")
    return f"({' OR '.join(ranges)})"
