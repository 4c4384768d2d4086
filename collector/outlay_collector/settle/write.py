"""Write what was decided: calls with their prices, repeats, look-ups, response ids; and take back what is no more.

What an earlier run made of the spans of this one and this one does not, is the difference of two sets of keys. A row is
taken back by one with its key, marked as deleted, in the same INSERT as what is new, so that no reader sees half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import keys
from outlay_collector.settle.arrays import NO, rows_of
from outlay_collector.settle.billable import billable
from outlay_collector.settle.calls import calls_of
from outlay_collector.settle.contexts import inherited_by
from outlay_collector.settle.dimensions import dimensions_of
from outlay_collector.settle.facts import Ints
from outlay_collector.settle.gather import Gathered
from outlay_collector.settle.mapping import AttributeMapping
from outlay_collector.settle.noted import Noted
from outlay_collector.settle.reading import PLACE
from outlay_collector.settle.requests import Reason
from outlay_collector.settle.resolve import Resolved
from outlay_collector.settle.values import among
from outlay_collector.store.client import Writer

HOUR_NS = 3_600_000_000_000
KEY = ("project", "trace_id", "span_id", "started_at")


@dataclass(frozen=True)
class Run:
    """One run of settle, as what it writes is concerned."""

    writer: Writer
    prices: PriceBook
    version: int
    """Of all its rows."""
    at: datetime
    mapping: AttributeMapping
    """Where calls' dimensions stand."""
    across: Writer | None = None
    """A connection to all cells, which share the response ids; None where there is one."""
    noted: Noted | None = None
    """Learns which keys are noted."""
    on_calls: Callable[[pa.Table], None] | None = None
    """Takes rows of `calls` that are stored."""


def write(run: Run, gathered: Gathered, resolved: Resolved) -> None:
    """Write the rows of this run."""
    writer, version = run.writer, run.version
    requests = billable(gathered, resolved)
    gone = _gone(gathered, "calls", resolved.requests.call, "name")
    requests = _with_deleted(requests, gone)
    lookups = _lookups_of(gathered)
    _mark_hours(writer, [requests, gathered.spans.select(KEY).take(pa.array(lookups.rows)), lookups.gone], run.at)
    if len(requests):
        calls = calls_of(writer, run.prices, requests, version, run.mapping)
        writer.insert_arrow("calls", calls)
        if run.on_calls is not None:
            run.on_calls(calls)
    _write_lookups(run, gathered, resolved, lookups)
    _write_repeats(writer, gathered, resolved, version)
    _write_response_ids(run, gathered)


def _gone(gathered: Gathered, stored: str, rows: Ints, *more: str) -> pa.Table:
    """Keys of an earlier run's rows of one table that none of these spans has now, with more columns of their spans."""
    earlier, facts = gathered.earlier, gathered.facts
    if len(earlier):
        earlier = earlier.filter(pc.equal(earlier["stored"], stored.encode()))
    now = np.zeros(len(facts), bool)
    now[rows] = True
    at = rows_of(facts.id, earlier["id"].to_numpy())
    hour = earlier["started_at"].cast(pa.int64()).to_numpy() // HOUR_NS
    stays = now[at] & (facts.started_ns[at] // HOUR_NS == hour)  # or the span has moved
    gone = np.flatnonzero(gathered.written[at] & ~stays)
    keys_gone = earlier.select(KEY).take(pa.array(gone))
    for name in more:
        keys_gone = keys_gone.append_column(name, gathered.spans[name].take(pa.array(at[gone])))
    return keys_gone


def _with_deleted(rows: pa.Table, gone: pa.Table) -> pa.Table:
    """Rows, and rows of nothing but a key that take others back."""
    if not len(gone):
        return rows
    deleted = gone.append_column("is_deleted", pa.array(np.ones(len(gone), np.uint8)))
    same = deleted.cast(pa.schema([rows.schema.field(name).with_nullable(True) for name in deleted.column_names]))
    return pa.concat_tables([rows, same], promote_options="default")


def _mark_hours(writer: Writer, tables: list[pa.Table], at: datetime) -> None:
    """Mark the hours whose calls and look-ups this run may change, before it changes them."""
    mark_hours(writer, pa.concat_tables(_hours_of(table) for table in tables), at)


def mark_hours(writer: Writer, hours: pa.Table, at: datetime) -> None:
    """Mark hours, rows of project and hour, to be rolled up again."""
    distinct = hours.group_by(["project", "hour"]).aggregate([])
    moment = pa.array([at] * len(distinct), pa.timestamp("ms", "UTC"))
    writer.insert_arrow("dirty_hours", distinct.append_column("changed_at", moment))


def _hours_of(rows: pa.Table) -> pa.Table:
    hour = rows["started_at"].cast(pa.int64()).to_numpy() // HOUR_NS * (HOUR_NS // 1_000_000_000)
    return pa.table({"project": rows["project"].cast(pa.binary()), "hour": pa.array(hour.astype(np.uint32))})


@dataclass(frozen=True)
class Lookups:
    """Rows of spans that are look-ups, of those that are written, and the keys of what is taken back."""

    rows: Ints
    gone: pa.Table


def _lookups_of(gathered: Gathered) -> Lookups:
    lookups = np.flatnonzero(gathered.facts.is_lookup)
    return Lookups(lookups[gathered.written[lookups]], _gone(gathered, "lookups", lookups))


def _write_lookups(run: Run, gathered: Gathered, resolved: Resolved, lookups: Lookups) -> None:
    """Look-ups in the application's caches. A hit is a call, priced by now; a miss has the model of the call below."""
    writer, spans, facts, requests = run.writer, gathered.spans, gathered.facts, resolved.requests
    rows, gone = lookups.rows, lookups.gone
    if not len(rows) and not len(gone):
        return
    avoided = _avoided_usd(writer, gathered, rows[facts.cached[rows]])
    below: dict[int, tuple[int, int]] = {}
    for request in np.flatnonzero(requests.lookup != NO).tolist():
        first = (int(facts.started_ns[requests.call[request]]), request)
        lookup = int(requests.lookup[request])
        below[lookup] = min(below.get(lookup, first), first)
    said = inherited_by(spans["context"], resolved.tree.context[rows], resolved.tree.context_above)
    contexts = [dict(context or ()) for context in said.to_pylist()]
    provider, model = [], []
    for row in rows.tolist():
        called = below.get(row)
        said_by = requests.rows if called else {}
        at = called[1] if called else 0
        named = [spans[name][row].as_py() for name in ("response_model", "request_model")]
        if called:
            by = [(name, int(said_by[name][at])) for name in ("response_model", "request_model")]
            named += [spans[name][said_at].as_py() for name, said_at in by if said_at != NO]
        model.append(next((name for name in named if name), b""))
        own = spans["provider"][row].as_py()
        provider.append(own or (spans["provider"][int(said_by["provider"][at])].as_py() if called else b""))
    taken = spans.take(pa.array(rows))
    dimensions = dimensions_of(_maps(contexts), taken["service"], taken["dialect"], run.mapping)
    found = {name: taken[name] for name in (*KEY, "duration_ns", "service", "environment")} | {
        "kind": taken["cache_kind"],
        "hit": pa.array(facts.cached[rows]),
        "similarity": taken["cache_similarity"],
        "avoided_usd": pa.array([avoided.get(row) for row in rows.tolist()], pa.decimal128(38, 12)),
        "provider": pa.array(provider, pa.binary()),
        "model": pa.array(model, pa.binary()),
        **{name: pc.fill_null(column, b"") for name, column in dimensions.items()},
        "tags": pa.array([_tags(context) for context in contexts], pa.map_(pa.binary(), pa.binary())),
    }
    _insert(writer, "lookups", pa.table(found), gone, run.version)


def _maps(contexts: list[dict[bytes, bytes]]) -> Any:
    return pa.array([list(context.items()) for context in contexts], pa.map_(pa.binary(), pa.binary()))


def _tags(context: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(name.removeprefix(b"tag."), value) for name, value in context.items() if name.startswith(b"tag.")]


def _avoided_usd(writer: Writer, gathered: Gathered, rows: Ints) -> dict[int, Any]:
    """What answers from a cache saved, by the row of their span: as their calls were priced."""
    if not len(rows):
        return {}
    facts = gathered.facts
    taken = gathered.spans.select(["project", "trace_id", "span_id"]).take(pa.array(rows))
    hour = pa.array((facts.started_ns[rows] // HOUR_NS * (HOUR_NS // 1_000_000_000)).astype(np.uint32))
    places = pa.table(
        {"project": taken["project"], "hour": hour, "trace_id": taken["trace_id"], "span_id": taken["span_id"]}
    )
    which, params = among(writer, places, PLACE)
    found = writer.query(
        "SELECT bitXor(sipHash64(project, trace_id), sipHash64(span_id)) AS id, cache_avoided_usd AS usd "
        f"FROM calls FINAL WHERE cost_state = 'cached' AND {which}",
        params,
    )
    at = rows_of(facts.id, np.array([row["id"] for row in found], np.uint64))
    return {int(row): each["usd"] for row, each in zip(at, found, strict=True)}


def _write_repeats(writer: Writer, gathered: Gathered, resolved: Resolved, version: int) -> None:
    """Spans that speak of a request which another span stands for."""
    spans, repeats = gathered.spans, resolved.repeats
    gone = _gone(gathered, "repeats", repeats.span)
    keep = gathered.written[repeats.span]
    rows, of = repeats.span[keep], repeats.of[keep]
    if not len(rows) and not len(gone):
        return
    in_order = np.argsort(rows, kind="stable")  # rows that come sorted are cheap to store
    rows, of, reason = rows[in_order], of[in_order], repeats.reason[keep][in_order]
    taken = spans.select([*KEY, "response_id", "dialect"]).take(pa.array(rows))
    names = pa.array([each.text for each in Reason])
    other = pa.array(of, mask=of == NO)
    found = {name: taken[name] for name in taken.column_names} | {
        "reason": pa.DictionaryArray.from_arrays(pa.array(reason.astype(np.int8)), names),
        "of_trace_id": pc.fill_null(spans["trace_id"].take(other), b""),
        "of_span_id": pc.fill_null(spans["span_id"].take(other), b""),
    }
    _insert(writer, "repeats", pa.table(found), gone, version)


def _write_response_ids(run: Run, gathered: Gathered) -> None:
    """Which spans speak of which response, so that other traces with the same response find them."""
    facts = gathered.facts
    found, row = keys.noted(gathered.spans, facts, gathered.written)
    if run.noted is not None:
        run.noted.add(found["hour"].to_numpy(), found["key"].to_numpy())
    gone = found.slice(0, 0)
    noted = gathered.noted
    if noted is not None and len(noted):
        hour, key = found["hour"].to_pylist(), found["key"].to_pylist()
        now = set(zip(hour, key, facts.id[row].tolist(), strict=True))
        was = zip(noted["hour"].to_pylist(), noted["key"].to_pylist(), noted["id"].to_pylist(), strict=True)
        stale = np.array([each not in now for each in was], bool)
        stale &= np.isin(noted["trace"].to_numpy(), facts.trace[gathered.written])
        gone = noted.filter(pa.array(stale)).select(found.column_names)
    _insert(run.across or run.writer, "response_ids", found, gone, run.version)


def _insert(writer: Writer, table: str, rows: pa.Table, gone: pa.Table, version: int) -> None:
    """Insert rows, and those that take back what is gone."""
    rows = _with_deleted(rows.append_column("is_deleted", pa.array(np.zeros(len(rows), np.uint8))), gone)
    writer.insert_arrow(table, rows.append_column("version", pa.array(np.full(len(rows), version, np.uint64))))
