"""The time line of price lists: which one prices the calls that start in which stretch, and which books are closed.

A time line is a list of stretches, each from its start to the next one's; the last is open.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from outlay.errors import OutlayError
from outlay.pricing.catalog import EPOCH
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


class BooksClosed(OutlayError):
    """The stretch of time is in closed books; it has to be reopened on purpose."""


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """From `starts_at` until the next period, calls are priced with `price_version`."""

    starts_at: datetime
    price_version: str
    closed: bool = False


Timeline = tuple[PricePeriod, ...]
_changes: Counter[tuple[str, str]] = Counter()
"""By store, how often this process changed time lines."""


def read(writer: Writer, project: str) -> Timeline:
    """A project's time line, oldest first; empty for a project without calls."""
    rows = writer.query(
        "SELECT starts_at, price_version, closed FROM price_epochs FINAL WHERE project = {project:String} "
        "ORDER BY starts_at",
        {"project": project},
    )
    return tuple(PricePeriod(row["starts_at"], row["price_version"], bool(row["closed"])) for row in rows)


def read_all(writer: Writer, projects: Iterable[str]) -> dict[str, Timeline]:
    """The time lines of some projects that have calls, oldest first."""
    rows = writer.query(
        "SELECT project, starts_at, price_version, closed FROM price_epochs FINAL "
        "WHERE project IN {projects:Array(String)} ORDER BY project, starts_at",
        {"projects": sorted(projects)},
    )
    found: dict[str, list[PricePeriod]] = {}
    for row in rows:
        period = PricePeriod(row["starts_at"], row["price_version"], bool(row["closed"]))
        found.setdefault(str(row["project"]), []).append(period)
    return {project: tuple(line) for project, line in found.items()}


def write(writer: Writer, project: str, before: Timeline, after: Timeline) -> None:
    """Replace a time line by another in one insert: starts that vanish become tombstones."""
    kept = {period.starts_at for period in after}
    rows = [(period, 0) for period in after if period not in before]
    rows += [(period, 1) for period in before if period.starts_at not in kept]
    _insert(writer, ((project, period, gone) for period, gone in rows))


def begin(writer: Writer, started: Iterable[tuple[str, PricePeriod]]) -> None:
    """Add periods to the time lines of projects."""
    _insert(writer, ((project, period, 0) for project, period in started))


class Lines:
    """Time lines of projects; where every writer is in this process, they are read again after a change only."""

    def __init__(self) -> None:
        self._lines: dict[str, Timeline] = {}
        self._changes = -1

    def read(self, writer: Writer, projects: set[str]) -> dict[str, Timeline]:
        """The time lines of some projects that have calls, oldest first."""
        if not writer.store.embedded:
            return read_all(writer, projects)
        changes = _changes[_place(writer.store)]
        if changes != self._changes:
            self._lines, self._changes = {}, changes
        new = projects - self._lines.keys()
        if new:
            self._lines |= read_all(writer, new)
        return {project: self._lines[project] for project in projects & self._lines.keys()}


def _place(store: Store) -> tuple[str, str]:
    return store.dsn.path, store.database


def _insert(writer: Writer, rows: Iterable[tuple[str, PricePeriod, int]]) -> None:
    version = time.time_ns()
    try:
        writer.insert(
            "price_epochs",
            [
                {
                    "project": project,
                    "starts_at": period.starts_at,
                    "price_version": period.price_version,
                    "closed": period.closed,
                    "version": version,
                    "is_deleted": gone,
                }
                for project, period, gone in rows
            ],
        )
    finally:
        _changes[_place(writer.store)] += 1


def at(line: Timeline, moment: datetime) -> PricePeriod:
    """The period in force at `moment`."""
    return [period for period in line if period.starts_at <= moment][-1]


def within(line: Timeline, start: datetime, end: datetime) -> list[PricePeriod]:
    """The periods that hold in some part of [start, end)."""
    return [period for period, stops in _with_ends(line) if period.starts_at < end and stops > start]


def _with_ends(line: Timeline) -> list[tuple[PricePeriod, datetime]]:
    """Every period with its end: where the next begins."""
    ends = [*(period.starts_at for period in line), datetime.max.replace(tzinfo=UTC)][1:]
    return list(zip(line, ends, strict=True))


def changed(
    line: Timeline,
    start: datetime,
    end: datetime,
    change: Callable[[PricePeriod], PricePeriod],
    *,
    cuts: Iterable[datetime] = (),
) -> Timeline:
    """`line` with every period's part inside [start, end) put through `change`, cut also at `cuts`."""
    bounds = {period.starts_at for period in line} | {start, end} | {cut for cut in cuts if start < cut < end}
    result: list[PricePeriod] = []
    for bound in sorted(bound for bound in bounds if bound >= EPOCH):
        now = at(line, bound)
        period = PricePeriod(bound, now.price_version, now.closed)
        if start <= bound < end:
            period = change(period)
        last = result[-1] if result else None
        if last is None or (last.price_version, last.closed) != (period.price_version, period.closed):
            result.append(period)
    return tuple(result)


def refuse_closed(line: Timeline, start: datetime, end: datetime) -> None:
    """Raise `BooksClosed` if any part of [start, end) is closed."""
    for period, stops in _with_ends(line):
        if period.closed and period.starts_at < end and stops > start:
            raise BooksClosed(
                f"the books are closed from {max(period.starts_at, start):%Y-%m-%d} "
                f"until {min(stops, end):%Y-%m-%d}; reopen them to change what is in them"
            )


def dump(line: Timeline) -> str:
    """A time line as JSON, for keeping it beside a repricing."""
    return json.dumps([[period.starts_at.isoformat(), period.price_version, period.closed] for period in line])


def load(text: str) -> Timeline:
    """The inverse of `dump`."""
    return tuple(
        PricePeriod(datetime.fromisoformat(start), version, closed) for start, version, closed in json.loads(text)
    )
