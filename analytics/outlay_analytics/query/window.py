"""What a question is about: a window [start, end), filters, project and time zone; and their SQL.

A dimension is a name of the interface with one SQL expression per table that knows it. Values always travel as
parameters: `filter_sql` turns the filters of a scope into a condition over bound arrays. Columns are always named with
their table's alias (`c.model`): ClickHouse prefers an alias of the SELECT, `… AS model`, to a column of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal
from zoneinfo import ZoneInfo

from outlay.errors import OutlayError
from outlay_analytics.query.model_tiers import DEFAULT_TIERS, ModelTiers
from outlay_analytics.query.score_filters import BadScoreFilter, check_values, condition_sql, score_name

Table = Literal["calls", "rollup", "lookups"]
Interval = Literal["hour", "day", "week", "month", "total"]

INTERVALS = ("hour", "day", "week", "month", "total")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2106, 1, 1, tzinfo=UTC)
MAX_GROUPS = 8
SHOWN = 80


class BadRequest(OutlayError):
    """A question that cannot be answered as asked: says which part, its value and what is allowed."""


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


@dataclass(frozen=True)
class Scope:
    """Which calls a question is about.

    Attributes:
        window: By the calls' start.
        filters: Values by dimension; any of them matches, the empty text matches calls that do not say.
        project: Never more than one.
        timezone: IANA name; the zone of day, week and month.
        model_tiers: Which tier a model belongs to.

    Raises:
        BadRequest: If a filter or the time zone is not known, or a score is compared with no number.
    """

    window: Window
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    project: str = "default"
    timezone: str = "UTC"
    model_tiers: ModelTiers = DEFAULT_TIERS

    def __post_init__(self) -> None:
        for name, values in self.filters.items():
            check_filter(name, values)
        parse_timezone(self.timezone)


@dataclass(frozen=True)
class Dimension:
    """SQL expressions, text except where said, that give a dimension's value; None where the table does not know it.

    `calls AS c`, `rollup AS h` (spend_hourly, latency_hourly, their days) and `lookups AS c` are tables; `$tier(…)`
    stands for the expression that classifies a model.
    """

    calls: str
    rollup: str | None = None
    lookups: str | None = None
    number: bool = False


def _calls(column: str) -> Dimension:
    return Dimension(f"c.{column}")


def _records(column: str) -> Dimension:
    """What calls and lookups say, and the rollups do not."""
    return Dimension(f"c.{column}", lookups=f"c.{column}")


def _rolled(column: str) -> Dimension:
    """What calls and rollups say, and lookups do not."""
    return Dimension(f"c.{column}", f"h.{column}")


def _all(column: str) -> Dimension:
    return Dimension(f"c.{column}", f"h.{column}", f"c.{column}")


DIMENSIONS: Mapping[str, Dimension] = {
    "feature": _all("feature"),
    "team": _all("team"),
    "customer": _records("customer"),
    "user": _records("`user`"),
    "session": _records("session"),
    "environment": _all("environment"),
    "service": _all("service"),
    "provider": _all("provider"),
    "model": _all("model"),
    "request_model": _calls("request_model"),
    "model_tier": Dimension("$tier(c.model)", "$tier(h.model)", "$tier(c.model)"),
    "service_tier": _calls("service_tier"),
    "operation": _rolled("operation"),
    "task": _records("task"),
    "prompt": _records("prompt"),
    "prompt_version": _records("prompt_version"),
    "cascade": Dimension("c.cascade_name", "h.cascade"),
    "cascade_tier": Dimension(
        "ifNull(toString(c.cascade_tier), '')", "if(h.cascade_tier < 0, '', toString(h.cascade_tier))", number=True
    ),
    "route_tier": _calls("route_tier"),
    "cache": Dimension("c.cache_kind", lookups="c.kind"),
    "experiment": _calls("experiment"),
    "arm": _calls("arm"),
    "cost_state": _rolled("cost_state"),
    "status": _rolled("status"),
    "dialect": _calls("dialect"),
}
TIER_OF = re.compile(r"\$tier\((.+)\)")
NO_OTHERS: Mapping[str, str] = {}
NOT_ANSWERS = "('embeddings', 'rerank')"  # operations of calls that no text comes back from
ID_FILTERS = ("trace_id", "call_id", "response_id")


def check_dimension(name: str, where: str) -> None:
    """Refuse a name that is no dimension.

    Raises:
        BadRequest: Naming it and what is allowed.
    """
    if name not in DIMENSIONS and tag_key(name) is None:
        allowed = ", ".join(DIMENSIONS)
        raise BadRequest(f"{where}: {name[:SHOWN]!r} is not a dimension; allowed: {allowed}, tag.<key>")


def check_filter(name: str, values: Sequence[str] = (), where: str = "filter") -> None:
    """Refuse a filter that is neither a dimension nor an id nor a score.

    Raises:
        BadRequest: Naming it and what is allowed.
    """
    if score_name(name) is not None:
        try:
            check_values(name, values)
        except BadScoreFilter as exc:
            raise BadRequest(str(exc)) from exc
    elif name not in ID_FILTERS:
        check_dimension(name, where)


def is_filter(name: str) -> bool:
    """Whether a parameter narrows the calls that a question is about."""
    return name in DIMENSIONS or name in ID_FILTERS or tag_key(name) is not None or score_name(name) is not None


def is_of_records(name: str) -> bool:
    """Whether a filter is about single calls, so that no rollup can tell and nothing can be grouped by it."""
    return name in ID_FILTERS or score_name(name) is not None


def tag_key(name: str) -> str | None:
    """`plan` of `tag.plan`, None for another dimension."""
    return name[4:] if name.startswith("tag.") and len(name) > 4 else None


def check_groups(names: Sequence[str]) -> tuple[str, ...]:
    """The dimensions of a `group_by`, checked.

    Raises:
        BadRequest: For an unknown dimension, one given twice, or more than 8.
    """
    for name in names:
        check_dimension(name, "group_by")
    if len(set(names)) < len(names):
        raise BadRequest(f"group_by names a dimension twice: {', '.join(names)[:SHOWN]}")
    if len(names) > MAX_GROUPS:
        raise BadRequest(f"group_by takes at most {MAX_GROUPS} dimensions, not {len(names)}")
    return tuple(names)


def check_interval(name: str) -> Interval:
    """An interval's name, checked.

    Raises:
        BadRequest: If there is no such interval.
    """
    for known in INTERVALS:
        if name == known:
            return known  # type: ignore[return-value]
    raise BadRequest(f"interval must be one of {', '.join(INTERVALS)}, not {name[:SHOWN]!r}")


def expression(
    scope: Scope, name: str, table: Table, params: dict[str, Any], own: Mapping[str, str] = NO_OTHERS
) -> str | None:
    """SQL for a dimension's value on `table` under its alias, parameters put into `params`; None where it has none.

    `own` is the SQL of dimensions that the table knows besides.
    """
    if name in own:
        return own[name]
    key = tag_key(name)
    if name in DIMENSIONS:
        found: str | None = getattr(DIMENSIONS[name], table)
        tier = TIER_OF.fullmatch(found or "")
        return scope.model_tiers.expression(tier[1], params) if tier else found
    if key is None or table == "rollup":
        return None
    names = {value: held for held, value in params.items() if held.startswith("tag_key_")}
    held = names.get(key) or f"tag_key_{len(names)}"
    params[held] = key
    return f"c.tags[{{{held}:String}}]"


def dimension_value(name: str, text: str) -> str | int | None:
    """A dimension's value as shown: None where it is unknown, a number where it is one."""
    if not text:
        return None
    return int(text) if name in DIMENSIONS and DIMENSIONS[name].number else text


def filter_sql(scope: Scope, table: Table, params: dict[str, Any], own: Mapping[str, str] = NO_OTHERS) -> str | None:
    """The filters as one SQL condition on `table` under its alias, values put into `params`; None if it cannot tell."""
    conditions = []
    for number, (name, values) in enumerate(sorted(scope.filters.items())):
        score = score_name(name)
        if score is not None:
            if table == "rollup":
                return None
            key = f"filter_{number}"
            conditions.append(condition_sql(key, scope.project, score, values, table == "calls", params))
            continue
        if name in ID_FILTERS:
            condition = _id_filter(name, table, number)
            if name == "call_id":
                params[f"filter_{number}_traces"] = [value.partition(":")[0] for value in values]
        else:
            sql = expression(scope, name, table, params, own)
            condition = None if sql is None else f"{sql} IN {{filter_{number}:Array(String)}}"
        if condition is None:
            return None
        params[f"filter_{number}"] = list(values)
        conditions.append(condition)
    return " AND ".join(conditions) or "1"


def _id_filter(name: str, table: Table, number: int) -> str | None:
    values = f"{{filter_{number}:Array(String)}}"
    if name == "trace_id":
        return None if table == "rollup" else f"c.trace_id IN {values}"
    if table != "calls":
        return None
    if name == "response_id":
        return f"c.response_id IN {values}"
    return f"c.trace_id IN {{filter_{number}_traces:Array(String)}} AND c.call_id IN {values}"


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
