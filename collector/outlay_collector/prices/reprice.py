"""Reprice history: show the difference, apply it, undo it.

To apply is to move the stretch of the project's time line to another price list (`periods.py`) and then to make
the calls agree with it. Both steps may be repeated, so a crash between them is mended by `resume`. To undo is to
restore the stretch and do the same. Calls are rewritten one version above the row that was read: what settle writes
meanwhile is newer and wins. Hours are marked dirty before and after, so that a rollup running beside it cannot miss a
change.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay.errors import ConfigError
from outlay_collector.prices import periods
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.fees import with_fees
from outlay_collector.prices.source import calls_with, whole_calls
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock, utc_now

SQL = "outlay_collector.prices.sql"
PART_CALLS = 200_000
FIGURES = {
    "cache_avoided_usd": "avoided_usd",
    "version": "version + 1",
    "input_tokens": "if(old_cost_state = 'cached', NULL, input_tokens)",
    "output_tokens": "if(old_cost_state = 'cached', NULL, output_tokens)",
}


Agreeing = Callable[[PriceBook, Writer, str, datetime, datetime], None]
"""Makes the calls of a project that started in a window agree with the price lists in force."""


def reprice(
    book: PriceBook,
    writer: Writer,
    start: datetime,
    end: datetime,
    *,
    project: str = "default",
    dry_run: bool = True,
    version: str | None = None,
    reopen: bool = False,
    agreeing: Agreeing | None = None,
    clock: Clock = utc_now,
) -> dict[str, Any]:
    """What the calls that started in [start, end) cost at another price list; unless `dry_run`, make it so.

    Args:
        book: The prices; `version` is its newest list unless given.
        writer: A connection of the caller's.
        reopen: Also change closed books; the difference is kept as an adjustment.
        agreeing: As `agree`, which it is by default.
        clock: Tests set it.

    Returns:
        `id` (None for a dry run), `start`, `end`, `price_version`, `calls` and `newly_priced` (of those that change),
        `before_usd`, `after_usd`, `change_usd` and `rows` with the same per `day`, `feature`, `provider`, `model`.

    Raises:
        BooksClosed: If a closed month lies in the window and `reopen` is not given.
        ConfigError: If the window is empty or the price list is not known.
    """
    if start >= end:
        raise ConfigError(f"nothing to reprice: {start.isoformat()} is not before {end.isoformat()}")
    target = version or book.ensure(writer)
    if not writer.query(
        "SELECT 1 FROM price_versions WHERE price_version = {version:String} LIMIT 1", {"version": target}
    ):
        raise ConfigError(f"there is no price list {target!r}")
    line = periods.read(writer, project)
    if not dry_run and not reopen:
        periods.refuse_closed(line, start, end)
    rows = _preview(book, writer, project, start, end, target, line)
    result = _summary(rows, start, end, target)
    if dry_run or not line:
        return {"id": None, **result}
    identity = uuid.uuid4().hex[:12]
    writer.insert("repriced_days", [{"repricing": identity, **row} for row in rows])
    record = {
        "id": identity,
        "project": project,
        "starts_at": start,
        "ends_at": end,
        "price_version": target,
        "epochs_before": periods.dump(line),
        "created_at": clock(),
    }
    _note(writer, record, "applying")
    _finish(book, writer, {**record, "state": "applying"}, agreeing, clock)
    return {"id": identity, **result}


def undo(
    book: PriceBook,
    writer: Writer,
    identity: str,
    *,
    reopen: bool = False,
    agreeing: Agreeing | None = None,
    clock: Clock = utc_now,
) -> None:
    """Put back the price lists that a repricing moved, and the calls' figures with them.

    Raises:
        ConfigError: If there is no such repricing, or it is undone already.
        BooksClosed: As `reprice`.
    """
    found = writer.query("SELECT * FROM repricings FINAL WHERE id = {id:String}", {"id": identity})
    if not found or found[0]["state"] in ("undone", "undoing"):
        raise ConfigError(f"there is no repricing {identity!r} to undo")
    record = found[0]
    if not reopen:
        periods.refuse_closed(periods.read(writer, record["project"]), record["starts_at"], record["ends_at"])
    _note(writer, record, "undoing")
    _finish(book, writer, {**record, "state": "undoing"}, agreeing, clock)


def resume(book: PriceBook, writer: Writer, agreeing: Agreeing | None = None, clock: Clock = utc_now) -> int:
    """Finish repricings that a crash interrupted; returns how many there were. Call it at start-up."""
    open_ones = writer.query(
        "SELECT * FROM repricings FINAL WHERE state IN ('applying', 'undoing') ORDER BY created_at"
    )
    for record in open_ones:
        _finish(book, writer, record, agreeing, clock)
    return len(open_ones)


def repricings(store: Store, project: str = "default") -> list[dict[str, Any]]:
    """Every repricing of a project with both figures, newest first."""
    return store.query(load_sql(SQL, "reprice_history"), {"project": project})


def _preview(
    book: PriceBook,
    writer: Writer,
    project: str,
    start: datetime,
    end: datetime,
    version: str,
    line: periods.Timeline,
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    source = calls_with("feature", "model", "reported_cost_usd")
    for params in _parts(writer, project, start, end):
        book.prepare(writer, source, params, version=version)
        changes = load_sql(SQL, "reprice_changes", priced=with_fees(book.price_select(source, version=version)))
        for row in writer.query(load_sql(SQL, "reprice_days", changes=changes), params):
            at = datetime(row["day"].year, row["day"].month, row["day"].day, tzinfo=UTC)
            rows.append({**row, "closed": bool(line) and periods.at(line, max(at, start)).closed})
    return rows


def _summary(rows: list[dict[str, Any]], start: datetime, end: datetime, version: str) -> dict[str, Any]:
    before = sum((row["before_usd"] for row in rows), Decimal(0))
    after = sum((row["after_usd"] for row in rows), Decimal(0))
    return {
        "start": start,
        "end": end,
        "price_version": version,
        "calls": sum(row["calls"] for row in rows),
        "newly_priced": sum(row["newly_priced"] for row in rows),
        "before_usd": before,
        "after_usd": after,
        "change_usd": after - before,
        "rows": [{**row, "change_usd": row["after_usd"] - row["before_usd"]} for row in rows],
    }


def _finish(book: PriceBook, writer: Writer, record: dict[str, Any], agreeing: Agreeing | None, clock: Clock) -> None:
    """Move the time line as the record says, make the calls agree with it, and note that it is done."""
    project, start, end = record["project"], record["starts_at"], record["ends_at"]
    line, old = periods.read(writer, project), periods.load(record["epochs_before"])
    undoing = record["state"] == "undoing"

    def moved(one: periods.PricePeriod) -> periods.PricePeriod:
        version = periods.at(old, one.starts_at).price_version if undoing else record["price_version"]
        return periods.PricePeriod(one.starts_at, version, one.closed)

    periods.write(writer, project, line, periods.changed(line, start, end, moved, cuts=[one.starts_at for one in old]))
    if agreeing is None:
        agree(book, writer, project, start, end, clock=clock)
    else:
        agreeing(book, writer, project, start, end)
    _note(writer, record, "undone" if undoing else "applied")


def agree(
    book: PriceBook, writer: Writer, project: str, start: datetime, end: datetime, *, clock: Clock = utc_now
) -> None:
    """Rewrite the calls of a window whose figures are not those of the price list in force."""
    names = [
        row["name"]
        for row in writer.query("DESCRIBE TABLE calls")
        if row["default_type"] not in ("ALIAS", "MATERIALIZED")
    ]
    values = ", ".join(f"{FIGURES.get(name, name)} AS {name}" for name in names)
    source = whole_calls()
    for params in _parts(writer, project, start, end):
        book.prepare(writer, source, params, later=False)
        changes = load_sql(SQL, "reprice_changes", priced=with_fees(book.price_select(source, later=False)))
        writer.run("CREATE OR REPLACE TEMPORARY TABLE repriced_calls AS calls ENGINE = Memory")
        filled = load_sql(SQL, "reprice_table", columns=", ".join(names), values=values, changes=changes)
        writer.run(filled, params)
        _mark_dirty(writer, clock())
        writer.run(f"INSERT INTO calls ({', '.join(names)}) SELECT {', '.join(names)} FROM repriced_calls")
        writer.run(load_sql(SQL, "reprice_lookups"))
        _mark_dirty(writer, clock())
        writer.run("DROP TEMPORARY TABLE repriced_calls")


def _mark_dirty(writer: Writer, at: datetime) -> None:
    writer.run(
        "INSERT INTO dirty_hours (project, hour, changed_at) "
        "SELECT DISTINCT project, toStartOfHour(started_at), {at:DateTime64(3, 'UTC')} FROM repriced_calls",
        {"at": at},
    )


def _parts(writer: Writer, project: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    """The window in runs of whole days of about `PART_CALLS` calls, as parameters of reprice_source.sql."""
    days = writer.query(
        "SELECT toDate(started_at) AS day, count() AS calls FROM calls WHERE project = {project:String} "
        "AND started_at >= {start:DateTime64(9)} AND started_at < {end:DateTime64(9)} GROUP BY day ORDER BY day",
        {"project": project, "start": start, "end": end},
    )
    first, calls = start, 0
    for nth, row in enumerate(days, 1):
        calls += row["calls"]
        after = datetime(row["day"].year, row["day"].month, row["day"].day, tzinfo=UTC) + timedelta(days=1)
        if calls >= PART_CALLS or nth == len(days):
            yield {"project": project, "start": first, "end": min(end, after)}
            first, calls = after, 0


def _note(writer: Writer, record: dict[str, Any], state: str) -> None:
    columns = ("id", "project", "starts_at", "ends_at", "price_version", "epochs_before", "created_at")
    writer.insert(
        "repricings", [{**{name: record[name] for name in columns}, "state": state, "version": time.time_ns()}]
    )
