"""Days that went quiet → `dimension_daily`: the calls of a day by one dimension that `spend_hourly` lacks.

A day is rebuilt from its calls once it is over, all its hours are rolled up, and nothing changed for ten minutes; until
then, and for what is left out, `calls` answer. A dimension whose values are few is kept with all keys of `spend_daily`
(`full`), one of more values by itself (`alone`), one of too many not at all (`none`): at most one row to eight calls
for each, one to four for all together, so that a session per call costs nothing here, nor does a day of few calls.
What no call of a day says has no rows: `spend_daily` answers, with its value unknown.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.rollup.sql"
# The dimensions of the interface that spend_hourly lacks, tags aside, and their columns of `calls`.
COLUMNS: Mapping[str, str] = {
    "customer": "customer",
    "user": "user",
    "session": "session",
    "request_model": "request_model",
    "service_tier": "service_tier",
    "task": "task",
    "prompt": "prompt",
    "prompt_version": "prompt_version",
    "route_tier": "route_tier",
    "cache": "cache_kind",
    "experiment": "experiment",
    "arm": "arm",
    "dialect": "dialect",
}
KEYS = "service, environment, feature, team, provider, model, operation, cascade, tier, repeated, cost_state, status"
MAX_TAGS = 20
EMPTY_KEYS = (
    "'' AS service, '' AS environment, '' AS feature, '' AS team, '' AS provider, '' AS model, '' AS operation, "
    "'' AS cascade, toInt16(0) AS tier, false AS repeated, cost_state, '' AS status"
)
CALLS_PER_ROW, CALLS_PER_ROW_OF_ALL = 8, 4
QUIET = timedelta(minutes=10)
MIN_CALLS = 1_000  # of a day
MAX_DAYS = 4_000
Grain = Literal["full", "alone", "none"]


@dataclass(frozen=True, slots=True)
class Found:
    """A dimension that calls of a day say something about.

    Attributes:
        name: In the interface: `user`, `tag.plan`.
        sql: Its value, from `calls AS c`.
        values: How many there are.
    """

    name: str
    sql: str
    values: int


def due_days(
    writer: Writer, now: datetime, open_hours: Iterable[tuple[str, datetime]], version: int, rolled_at: datetime
) -> tuple[list[tuple[str, datetime]], bool]:
    """(project, day) of the days to rebuild, newest first; and whether others will be due.

    Days of few calls are only marked as such, all at once: `calls` answer for them as quickly.

    Args:
        writer: The roll-up's connection.
        now: The moment that decides.
        open_hours: Project and hour of what is not rolled up yet: such a day waits.
        version: Of this look.
        rolled_at: When it begins.
    """
    rows = writer.query(load_sql(SQL, "rollup_dimension_due"), {"now": now, "limit": MAX_DAYS})
    unready = {(project, hour.replace(hour=0)) for project, hour in open_hours}
    due = [row for row in rows if now - row["changed_at"] >= QUIET and (row["project"], row["day"]) not in unready]
    small = [
        {
            "project": row["project"],
            "hour": row["day"],
            "dimension": "",
            "grain": "small",
            "rolled_at": rolled_at,
            "version": version,
        }
        for row in due
        if row["calls"] < MIN_CALLS
    ]
    if small:
        writer.insert("dimension_days", small)
    return [(row["project"], row["day"]) for row in due if row["calls"] >= MIN_CALLS], len(due) < len(rows)


def rebuild_day(writer: Writer, project: str, day: datetime, version: int, rolled_at: datetime) -> None:
    """Rebuild one day of a project by every dimension, and say that it may be believed: as of `rolled_at`, now."""
    params: dict[str, Any] = {"project": project, "day": day, "version": version}
    counted = writer.query(
        load_sql(
            SQL,
            "rollup_dimension_values",
            said=", ".join(f"countIf(calls.`{column}` != '')" for column in COLUMNS.values()),
            distinct=", ".join(f"uniq(calls.`{column}`)" for column in COLUMNS.values()),
        ),
        params,
    )[0]
    found = [
        Found(name, f"toString(c.`{column}`)", values)
        for (name, column), said, values in zip(
            COLUMNS.items(), counted["said"], counted["distinct_values"], strict=True
        )
        if said
    ]
    tags = writer.query(load_sql(SQL, "rollup_dimension_tags"), params | {"limit": MAX_TAGS + 1})
    for number, row in enumerate(tags[:MAX_TAGS]):
        params[f"tag_{number}"] = row["key"]
        found.append(Found(f"tag.{row['key']}", f"c.tags[{{tag_{number}:String}}]", row["distinct_values"]))
    grains = grains_of(found, counted["calls"], counted["day_keys"])
    kept = [one for one in found if grains[one.name] != "none"]
    if kept:
        writer.run(_rebuild_sql(kept, grains, params), params)
    shared = {"project": project, "hour": day, "rolled_at": rolled_at, "version": version}
    if grains:
        rows = [shared | {"dimension": name, "grain": grain} for name, grain in grains.items()]
        writer.insert("dimension_days", rows)
    itself: Grain = "none" if len(tags) > MAX_TAGS else "full"
    writer.insert("dimension_days", [shared | {"dimension": "", "grain": itself}])


def grains_of(found: Sequence[Found], calls: int, day_keys: int) -> dict[str, Grain]:
    """How each dimension of a day is kept: `alone` for as many as the rows allow, the rest of them for `full`."""
    grains: dict[str, Grain] = {one.name: "none" for one in found}
    left = calls // CALLS_PER_ROW_OF_ALL
    smallest = sorted(found, key=lambda one: (one.values, one.name))
    kept: list[Found] = []
    for one in smallest:
        if one.values <= min(calls // CALLS_PER_ROW, left):
            grains[one.name] = "alone"
            left -= one.values
            kept.append(one)
    for one in kept:
        more = one.values * (max(day_keys, 1) - 1)
        if one.values + more <= calls // CALLS_PER_ROW and more <= left:
            grains[one.name] = "full"
            left -= more
    return grains


def next_version(last: int) -> int:
    """A version above the last one and above those of other processes before."""
    return max(last + 1, time.time_ns())


def _rebuild_sql(kept: list[Found], grains: Mapping[str, Grain], params: dict[str, Any]) -> str:
    """The statement; names of dimensions go into `params`."""
    names, values, sets = [], [], []
    for number, one in enumerate(kept):
        params[f"name_{number}"] = one.name
        names.append(f"grouping(v{number}) = 0, {{name_{number}:String}}")
        values.append(f"grouping(v{number}) = 0, v{number}")
        sets.append(f"(v{number}, {KEYS if grains[one.name] == 'full' else 'cost_state'})")
    return load_sql(
        SQL,
        "rollup_dimensions",
        values=", ".join(f"{one.sql} AS v{number}" for number, one in enumerate(kept)),
        dimension=f"multiIf({', '.join(names)}, '')",
        value=f"multiIf({', '.join(values)}, '')",
        keys=KEYS if "full" in {grains[one.name] for one in kept} else EMPTY_KEYS,
        sets=", ".join(sets),
        sums=load_sql(SQL, "rollup_sums"),
    )
