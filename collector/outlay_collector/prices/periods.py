"""The time line of price lists: which one prices the calls that start in which stretch, and which books are closed.

A time line is a list of stretches, each from its start to the next one's; the last is open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from outlay.errors import OutlayError
from outlay.pricing.catalog import EPOCH
from outlay_collector.store.client import Writer


class BooksClosed(OutlayError):
    """The stretch of time is in closed books; it has to be reopened on purpose."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """From `starts_at` until the next epoch, calls are priced with `price_version`."""

    starts_at: datetime
    price_version: str
    closed: bool = False


Timeline = tuple[Epoch, ...]


def read(writer: Writer, project: str) -> Timeline:
    """A project's time line, oldest first; empty for a project without calls."""
    rows = writer.query(
        "SELECT starts_at, price_version, closed FROM price_epochs FINAL WHERE project = {project:String} "
        "ORDER BY starts_at",
        {"project": project},
    )
    return tuple(Epoch(row["starts_at"], row["price_version"], bool(row["closed"])) for row in rows)


def write(writer: Writer, project: str, before: Timeline, after: Timeline) -> None:
    """Replace a time line by another in one insert: starts that vanish become tombstones."""
    kept = {epoch.starts_at for epoch in after}
    rows = [(epoch, 0) for epoch in after if epoch not in before]
    rows += [(epoch, 1) for epoch in before if epoch.starts_at not in kept]
    _insert(writer, ((project, epoch, gone) for epoch, gone in rows))


def begin(writer: Writer, started: Iterable[tuple[str, Epoch]]) -> None:
    """Add epochs to the time lines of projects."""
    _insert(writer, ((project, epoch, 0) for project, epoch in started))


def _insert(writer: Writer, rows: Iterable[tuple[str, Epoch, int]]) -> None:
    version = time.time_ns()
    writer.insert(
        "price_epochs",
        [
            {
                "project": project,
                "starts_at": epoch.starts_at,
                "price_version": epoch.price_version,
                "closed": epoch.closed,
                "version": version,
                "is_deleted": gone,
            }
            for project, epoch, gone in rows
        ],
    )


def at(line: Timeline, moment: datetime) -> Epoch:
    """The epoch in force at `moment`."""
    return [epoch for epoch in line if epoch.starts_at <= moment][-1]


def within(line: Timeline, start: datetime, end: datetime) -> list[Epoch]:
    """The epochs that hold in some part of [start, end)."""
    return [epoch for epoch, stops in _stretches(line) if epoch.starts_at < end and stops > start]


def _stretches(line: Timeline) -> list[tuple[Epoch, datetime]]:
    """Every epoch with its end: where the next begins."""
    ends = [*(epoch.starts_at for epoch in line), datetime.max.replace(tzinfo=UTC)][1:]
    return list(zip(line, ends, strict=True))


def changed(
    line: Timeline, start: datetime, end: datetime, change: Callable[[Epoch], Epoch], *, cuts: Iterable[datetime] = ()
) -> Timeline:
    """`line` with every epoch's part inside [start, end) put through `change`, cut also at `cuts`."""
    bounds = {epoch.starts_at for epoch in line} | {start, end} | {cut for cut in cuts if start < cut < end}
    result: list[Epoch] = []
    for bound in sorted(bound for bound in bounds if bound >= EPOCH):
        now = at(line, bound)
        epoch = Epoch(bound, now.price_version, now.closed)
        if start <= bound < end:
            epoch = change(epoch)
        last = result[-1] if result else None
        if last is None or (last.price_version, last.closed) != (epoch.price_version, epoch.closed):
            result.append(epoch)
    return tuple(result)


def refuse_closed(line: Timeline, start: datetime, end: datetime) -> None:
    """Raise `BooksClosed` if any part of [start, end) is closed."""
    for epoch, stops in _stretches(line):
        if epoch.closed and epoch.starts_at < end and stops > start:
            raise BooksClosed(
                f"the books are closed from {max(epoch.starts_at, start):%Y-%m-%d} "
                f"until {min(stops, end):%Y-%m-%d}; reopen them to change what is in them"
            )


def dump(line: Timeline) -> str:
    """A time line as JSON, for keeping it beside a repricing."""
    return json.dumps([[epoch.starts_at.isoformat(), epoch.price_version, epoch.closed] for epoch in line])


def load(text: str) -> Timeline:
    """The inverse of `dump`."""
    return tuple(Epoch(datetime.fromisoformat(start), version, closed) for start, version, closed in json.loads(text))
