"""Hours that changed → `spend_hourly`, `latency_hours`, their days, look-ups, prompts, scored answers, cascades:
rebuilt, never added to.
Days that went quiet → `dimension_daily` (dimensions.py), when no hour is due and the budget lasts.

An hour is due when it has been quiet for a minute, or has waited five. Until then it is answered from `calls`, so
freshness never waits for a rollup. A run works through the newest hours first, many to a statement, within its
budget; what remains is the next run's. The order of writes makes every crash harmless: hours, then days, and last
`rolled_hours`, which alone makes them believed.

Settling and rolling up take turns on one thread. A writer of `calls` elsewhere marks the hours dirty before and after.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from outlay_collector.rollup.cascades import rebuild_cascade_days, rebuild_cascades
from outlay_collector.rollup.dimensions import due_days, next_version, rebuild_day
from outlay_collector.rollup.prompts import rebuild_prompts
from outlay_collector.rollup.scored import rebuild_scored
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock, utc_now

SQL = "outlay_collector.rollup.sql"
SUMS = load_sql(SQL, "rollup_sums")
QUIET = timedelta(seconds=60)
MAX_WAIT = timedelta(minutes=5)
MAX_DUE = 20_000
MIN_CHUNK, MAX_CHUNK = 4, 744
MAX_SPAN = timedelta(days=90)  # a statement may touch a hundred monthly partitions at most
FAST_S, SLOW_S = 0.2, 0.8
LOOK_FOR_DAYS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DirtyHour:
    """An hour of a project whose calls changed after it was last rolled up."""

    project: str
    hour: datetime
    changed_at: datetime
    rolled_at: datetime

    @property
    def day(self) -> datetime:
        return self.hour.replace(hour=0)


class Rollup:
    """Keeps the rollups up to date; `run_once` is a job of the pipeline's scheduler."""

    def __init__(self, store: Store, *, budget_s: float = 2.0, clock: Clock = utc_now) -> None:
        self.store = store
        self.clock = clock
        self.budget_s = budget_s
        self.waiting = True  # whether hours or days were due, or will be, when it last looked
        self._writer: Writer | None = None
        self._first_seen: dict[tuple[str, datetime], datetime] = {}
        self._chunk = 24
        self._version = 0
        self._days_looked_at: datetime | None = None
        self._days_waiting = False

    def run_once(self, now: datetime | None = None) -> bool:
        """Rebuild what is due, for about `budget_s` seconds; return whether more is due already.

        Args:
            now: The moment that decides what is due; the clock by default.
        """
        writer = self._writer = self._writer or self.store.local.writer()
        now = now or self.clock()
        dirty = self._dirty(writer)
        due = self._due(dirty, now)
        waiting = {(one.project, one.hour) for one in dirty}
        started = time.monotonic()
        done = 0
        more_days = False
        for chunk in self._chunks(due):
            began = time.monotonic()
            waiting -= {(one.project, one.hour) for one in chunk}
            self._rebuild(writer, chunk, waiting)
            done += len(chunk)
            self._adapt(len(chunk), time.monotonic() - began)
            if time.monotonic() - started > self.budget_s:
                break
        if done == len(due) and len(dirty) < MAX_DUE:
            more_days = self._rebuild_days(writer, now, waiting, started, look=bool(due))
        self.waiting = bool(dirty) or self._days_waiting
        return done < len(due) or more_days

    def close(self) -> None:
        """Give the connection back. Safe to call twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _rebuild_days(
        self, writer: Writer, now: datetime, open_hours: Iterable[tuple[str, datetime]], started: float, *, look: bool
    ) -> bool:
        """Rebuild the days that went quiet while the budget lasts; return whether more are due already.

        Days are looked for once a minute, and when hours were rolled up (`look`).
        """
        looked_at = self._days_looked_at
        if not look and looked_at is not None and timedelta(0) <= now - looked_at < LOOK_FOR_DAYS:
            return False
        self._version = next_version(self._version)
        due, self._days_waiting = due_days(writer, now, open_hours, self._version, self.clock())
        self._days_looked_at = now
        for number, (project, day) in enumerate(due):
            if number and time.monotonic() - started > self.budget_s:
                self._days_looked_at, self._days_waiting = None, True
                return True
            self._version = next_version(self._version)
            rebuild_day(writer, project, day, self._version, self.clock())
        return False

    def _dirty(self, writer: Writer) -> list[DirtyHour]:
        rows = writer.query(load_sql(SQL, "rollup_due"), {"limit": MAX_DUE})
        return [DirtyHour(row["project"], row["hour"], row["changed_at"], row["rolled_at"]) for row in rows]

    def _due(self, dirty: list[DirtyHour], now: datetime) -> list[DirtyHour]:
        keys = {(one.project, one.hour) for one in dirty}
        self._first_seen = {key: self._first_seen.get(key, now) for key in keys}
        return [
            one
            for one in dirty
            if now - one.changed_at >= QUIET
            or now - max(one.rolled_at, self._first_seen[one.project, one.hour]) >= MAX_WAIT
        ]

    def _chunks(self, due: list[DirtyHour]) -> Iterator[list[DirtyHour]]:
        """Newest first, one project to a chunk and whole days together where the chunk allows."""
        projects = dict.fromkeys(one.project for one in due)
        for project in projects:
            rest = [one for one in due if one.project == project]
            while rest:
                near = [one for one in rest[:MAX_CHUNK] if rest[0].hour - one.hour < MAX_SPAN]
                size = min(self._chunk, len(near))
                while size < len(near) and near[size].day == near[size - 1].day:
                    size += 1
                yield rest[:size]
                rest = rest[size:]

    def _adapt(self, hours: int, took_s: float) -> None:
        """Many hours to a statement while they are light, few when they are heavy."""
        if took_s < FAST_S and hours >= self._chunk:
            self._chunk = min(self._chunk * 2, MAX_CHUNK)
        elif took_s > SLOW_S:
            self._chunk = max(self._chunk // 2, MIN_CHUNK)

    def _rebuild(self, writer: Writer, chunk: list[DirtyHour], waiting: Iterable[tuple[str, datetime]]) -> None:
        """Rebuild the hours of `chunk`, then the days none of whose hours are still `waiting`."""
        project = chunk[0].project
        hours = sorted(one.hour for one in chunk)
        rolled_at = self.clock()
        self._version = next_version(self._version)
        params = {
            "project": project,
            "hours": hours,
            "first": hours[0],
            "last": hours[-1],
            "version": self._version,
        }
        collect = load_sql(SQL, "rollup_collect")
        writer.run(f"CREATE OR REPLACE TEMPORARY TABLE rollup_fresh ENGINE = Memory AS {collect}", params)
        writer.run(load_sql(SQL, "rollup_spend", sums=SUMS), params)
        writer.run(load_sql(SQL, "rollup_latency"), params)
        seen = writer.query(load_sql(SQL, "rollup_seen"), params)[0]
        if seen["lookups"]:
            writer.run(load_sql(SQL, "rollup_lookups"), params)
        if seen["prompts"]:
            rebuild_prompts(writer, params)
        if seen["scores"]:
            rebuild_scored(writer, params)
        if seen["cascades"]:
            rebuild_cascades(writer, {**params, "moment": rolled_at}, cells=self.store.cells.count > 1)
        open_days = {hour.replace(hour=0) for name, hour in waiting if name == project}
        days = sorted({one.day for one in chunk} - open_days)
        if days:
            of_days = {"project": project, "days": days, "version": self._version}
            writer.run(load_sql(SQL, "rollup_days", sums=SUMS), of_days)
            writer.run(load_sql(SQL, "rollup_latency_days"), of_days)
            rebuild_cascade_days(writer, of_days)
        writer.insert("rolled_hours", [{"project": project, "hour": hour, "rolled_at": rolled_at} for hour in hours])
