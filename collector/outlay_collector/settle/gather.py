"""Which spans a run has to look at: of the traces that changed, and of those that share a response with them.

Round by round: read the spans of some traces (of oversized ones the part that a change touches, `giants`), look up who
else is noted as speaking of the same responses at the same time, and go on with their traces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle import keys
from outlay_collector.settle.across import Across, Source
from outlay_collector.settle.arrays import NO, each_once, is_among, rows_of
from outlay_collector.settle.facts import Bools, Facts, Ids, facts_of
from outlay_collector.settle.giants import Skeleton, read_skeleton
from outlay_collector.settle.reading import HOUR, PLACE, SQL
from outlay_collector.settle.values import among
from outlay_collector.store import load_sql

MAX_ROUNDS = 3
MAX_HOURS_AT_ONCE = 1_000_000
HOUR_S = 3600
HOUR_NS = HOUR_S * 1_000_000_000
Trace = tuple[bytes, bytes]
"""Project and trace id."""
EVER = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
_NOWHERE = pa.table({"project": pa.array([], pa.binary()), "hour": pa.array([], pa.uint32())})
_NO_PARTNERS = pa.table({"id": pa.array([], pa.uint64())})
_NOTHING_EARLIER = pa.schema(
    [
        *((name, pa.binary()) for name in ("stored", "project", "trace_id", "span_id")),
        ("started_at", pa.timestamp("ns", "UTC")),
        *((name, pa.uint64()) for name in ("trace", "id", "response_key")),
    ]
).empty_table()


@dataclass
class Gathered:
    """What a run decides on."""

    spans: pa.Table
    """Columns as in `table.COLUMNS`, every span once."""
    facts: Facts
    written: Bools
    """Per span, whether its trace is settled; others are there since a settled one shares a response with them."""
    earlier: pa.Table
    """What earlier runs made of these spans: rows of `sql/earlier.sql`."""
    noted: pa.Table | None
    """What earlier runs noted of responses that these spans speak of: rows of `sql/speakers.sql`."""
    elsewhere: list[pa.Table]
    """Traces of other cells that share a response with these: what `Across.tell` marks."""


@dataclass(frozen=True)
class _Part:
    """Spans that were read, and what earlier runs made of them."""

    spans: pa.Table
    facts: Facts
    earlier: pa.Table


@dataclass
class _State:
    """What is known so far."""

    oversized_spans: int
    oversized_hours: int
    traces: Ids = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Those that were looked for."""
    written: list[Ids] = field(default_factory=list)
    skeleton: Skeleton = field(default_factory=Skeleton.empty)
    parts: list[_Part] = field(default_factory=list)
    noted: list[pa.Table] = field(default_factory=list)
    elsewhere: list[pa.Table] = field(default_factory=list)
    """Where traces of other cells lie."""
    partners: list[pa.Table] = field(default_factory=list)
    read: Ids = field(default_factory=lambda: np.zeros(0, np.uint64))

    def take(self, part: _Part) -> None:
        """Remember spans that were read."""
        self.parts.append(part)
        self.read = np.append(self.read, part.facts.id)


def gather(
    own: Source, changed: pa.Table, oversized: tuple[int, int], across: Across | None = None
) -> tuple[Gathered | None, pa.Table]:
    """Read what these traces need, None without spans; and where oversized ones lie that were only scored.

    Args:
        own: The connection of the run.
        changed: Traces: project, trace_id, since when their spans changed, how many of them no run has seen.
        oversized: Of a trace with more spans, or over more hours, only what a change touches is read.
        across: Where there are several cells, a connection to what all hold; the traces that changed are this cell's.
    """
    state = _State(*oversized)
    partners: Ids = np.zeros(0, np.uint64)
    source = own
    idle = _NOWHERE
    for number in range(MAX_ROUNDS + 1):
        before = len(state.parts)
        if len(changed):
            lie = _read_traces(source, state, changed)
            if number == 0 and len(state.skeleton):
                idle = state.skeleton.idle()
            here = lie if source is own else _hours(own, changed)
            if number < MAX_ROUNDS:
                state.written.append(here["trace"].to_numpy())
            if here is not lie:
                away = ~np.isin(lie["trace"].to_numpy(), here["trace"].to_numpy())
                state.elsewhere.append(lie.filter(pa.array(away)))
        _read_touched(source, state, partners)
        if number == MAX_ROUNDS:
            break
        read = [part for part in state.parts[before:] if len(part.facts)]
        if across is not None:
            for part in read:
                across.note(part.spans, part.facts, np.isin(part.facts.trace, np.concatenate(state.written)))
            source = across
        found = [_partners(source, state, part) for part in read]
        found = [others for others in found if len(others)]
        if not found:
            break
        others = pa.concat_tables(found)
        state.partners.append(others)
        partners = others["id"].to_numpy()
        changed = _new_traces(state, others)
    return _gathered(state, [] if across is None else _elsewhere(across, state)), idle


def _hours(source: Source, traces: pa.Table) -> pa.Table:
    """Where these traces lie: rows of `sql/hours.sql`."""
    which, params = among(source.writer, traces.select(["project", "trace_id"]), "(project, trace_id)")
    return source.writer.arrow(load_sql(SQL, "hours", which=which), params)


def _read_traces(source: Source, state: _State, changed: pa.Table) -> pa.Table:
    """Read the spans of these traces; of oversized ones their skeleton. Returns where they lie."""
    lie = _hours(source, changed)
    state.traces = np.append(state.traces, lie["trace"].to_numpy())
    oversized = lie["stored_spans"].to_numpy() > state.oversized_spans
    oversized |= lie["hours"].to_numpy() > state.oversized_hours + 1
    seen = _seen(lie, changed)
    whole = _by_hour(lie.filter(pa.array(~oversized)))
    if len(whole):
        state.take(_read(source, whole, HOUR, _by_hour(lie.filter(pa.array(~oversized & seen)))))
    for part in _parts(lie.filter(pa.array(oversized))):
        some = among(source.writer, _by_hour(part), HOUR)
        state.skeleton = state.skeleton.with_rows(read_skeleton(source.writer, changed, some))
    return lie


def _read_touched(source: Source, state: _State, partners: Ids) -> None:
    """Read what is touched of oversized traces: what changed, all above it, what goes on beside it, and all below what
    that concerns."""
    skeleton = state.skeleton
    if not len(skeleton.id):
        return
    changed = skeleton.everywhere(skeleton.changed | np.isin(skeleton.id, partners))
    new = changed & ~np.isin(skeleton.id, state.read)
    touched = skeleton.everywhere(skeleton.upwards(skeleton.beside(new))) & ~np.isin(skeleton.id, state.read)
    if not touched.any():
        return
    part = _read(source, skeleton.places(touched), PLACE)
    state.take(part)
    below = skeleton.everywhere(skeleton.downwards(skeleton.heads(part.facts, new))) & ~np.isin(skeleton.id, state.read)
    if below.any():
        state.take(_read(source, skeleton.places(below), PLACE))


def _seen(lie: pa.Table, changed: pa.Table) -> Bools:
    """Which traces some run may have settled before: those that have spans beside the ones no run has seen."""
    projects = (each["project"].cast(pa.binary()) for each in (lie, changed))
    here, there = map(pc.binary_join_element_wise, projects, (lie["trace_id"], changed["trace_id"]), (b"\0", b"\0"))
    new_spans = changed["new_spans"].take(pc.index_in(here, there))
    seen: Bools = lie["stored_spans"].to_numpy() != new_spans.to_numpy()
    return seen


def _read(source: Source, places: pa.Table, expression: str, seen: pa.Table | None = None) -> _Part:
    """The spans at these places, with what earlier runs made of them.

    Args:
        expression: What `places` are of a row.
        seen: Those of the places where an earlier run may have made something; all by default.
    """
    spans = source.reader.read(*among(source.writer, places, expression))
    facts = facts_of(spans.table)
    looked_at = places if seen is None else seen
    if not len(looked_at):
        return _Part(spans.table, facts, _NOTHING_EARLIER)
    which, params = among(source.writer, looked_at, expression)
    earlier = source.writer.arrow(load_sql(SQL, "earlier", which=which), params)
    return _Part(spans.table, facts, earlier.filter(pa.array(_of_spans(facts, spans.moved, earlier))))


def _of_spans(facts: Facts, moved: set[tuple[int, int]], earlier: pa.Table) -> Bools:
    """Whether an earlier row is of a span that was read, in the hour it lies in or has moved from."""
    ids, hour = earlier["id"].to_numpy(), earlier["started_at"].cast(pa.int64()).to_numpy() // HOUR_NS
    rows = rows_of(facts.id, ids)
    found: Bools = rows != NO
    if len(facts):
        found &= facts.started_ns[rows] // HOUR_NS == hour
    if moved:
        left = [(int(i), int(h) * HOUR_S) in moved for i, h in zip(ids, hour, strict=True)]
        found |= np.array(left, bool)
    return found


def _parts(lie: pa.Table) -> list[pa.Table]:
    """Traces in parts of as many hours as are looked for at once: two spans may lie more than a year apart."""
    number = np.cumsum(lie["hours"].to_numpy().astype(np.int64)) // MAX_HOURS_AT_ONCE
    return [lie.filter(pa.array(number == each)) for each in np.unique(number).tolist()]


def _by_hour(lie: pa.Table) -> pa.Table:
    """Traces by each hour in which they may have spans."""
    hours = lie["hours"].to_numpy().astype(np.int64)
    rows = np.repeat(np.arange(len(lie)), hours)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(hours) - hours, hours)
    hour = lie["first"].to_numpy().astype(np.int64)[rows] + nth * HOUR_S
    taken = lie.select(["project", "trace_id"]).take(pa.array(rows))
    return pa.table(
        {"project": taken["project"], "hour": pa.array(hour.astype(np.uint32)), "trace_id": taken["trace_id"]}
    )


def _partners(source: Source, state: _State, read: _Part) -> pa.Table:
    """Spans elsewhere that are noted as speaking of the same responses at the same time, and are not read yet."""
    writer, wanted = source.writer, keys.of(read.facts)
    before = [key for key in read.earlier["response_key"].to_pylist() if key]
    if not len(wanted) and not before:
        return _NO_PARTNERS
    hours = wanted.hours
    if not before and source.noted is not None and not source.noted.may_have(hours, each_once(wanted.key)):
        return _NO_PARTNERS
    if before:
        # Where the spans were noted then: a stream's tail a day before it ends, a long span in 72 hours.
        at = read.facts.started_ns // HOUR_NS
        hours = np.union1d(hours, np.arange(at.min() - 24, at.max() + 73) * HOUR_S)
    each_key = each_once(np.append(wanted.key, np.array(before, np.uint64)))
    in_hours, hour_params = among(writer, pa.table({"hour": pa.array(hours.astype(np.uint32))}), "hour")
    in_keys, key_params = among(writer, pa.table({"key": pa.array(each_key)}), "key")
    found = writer.arrow(load_sql(SQL, "speakers", hours=in_hours, keys=in_keys), {**hour_params, **key_params})
    if not len(found):
        state.noted.append(found)
        return _NO_PARTNERS
    own = np.isin(found["id"].to_numpy(), read.facts.id)
    noted = found.filter(pa.array(own))
    state.noted.append(noted)
    others = found.filter(pa.array(~np.isin(found["id"].to_numpy(), state.read)))
    # What a span was noted for, it may have shared: whoever did is settled again without it.
    near = keys.Stretches.of(wanted, noted).meets(others)
    return others.filter(pa.array(near))


def _new_traces(state: _State, found: pa.Table) -> pa.Table:
    """The traces of these spans that were not read before. They changed in nothing themselves."""
    new = found.filter(pa.array(~is_among(found["trace"].to_numpy(), state.traces)))
    pairs = dict.fromkeys(zip(new["project"].to_pylist(), new["trace_id"].to_pylist(), strict=True))
    return traces(list(pairs), NEVER)


def traces(pairs: list[Trace], since: datetime) -> pa.Table:
    """Traces that changed since then; runs may have seen all of their spans."""
    return pa.table(
        {
            "project": pa.array([project for project, _ in pairs], pa.binary()),
            "trace_id": pa.array([trace_id for _, trace_id in pairs], pa.binary()),
            "since": pa.array([since] * len(pairs), pa.timestamp("ms", "UTC")),
            "new_spans": pa.array(np.zeros(len(pairs), np.uint64)),
        }
    )


def _elsewhere(across: Across, state: _State) -> list[pa.Table]:
    if not state.elsewhere:
        return []
    away = pa.concat_tables(state.elsewhere)
    return [across.received(_by_hour(part), pa.concat_tables(state.partners)) for part in _parts(away)]


def _gathered(state: _State, elsewhere: list[pa.Table]) -> Gathered | None:
    parts = [part for part in state.parts if len(part.facts)]
    if not parts:
        return None
    spans = pa.concat_tables([part.spans for part in parts]).unify_dictionaries().combine_chunks()
    facts = parts[0].facts if len(parts) == 1 else facts_of(spans)
    written = is_among(facts.trace, np.concatenate(state.written))
    noted = pa.concat_tables(state.noted) if state.noted else None
    earlier = pa.concat_tables([part.earlier for part in parts if len(part.earlier)] or [_NOTHING_EARLIER])
    return Gathered(spans, facts, written, earlier, noted, elsewhere)
