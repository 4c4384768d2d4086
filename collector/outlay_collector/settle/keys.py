"""By what spans of one request in different traces find each other, and when: the rows of `response_ids`.

The provider's id of a request or of its response is a key by itself. What stands in for one (equal counts, a stream's
opening) is common: with the minute in the key a look-up reads no more than that minute's and those around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outlay_collector.settle.arrays import each_once, first_of_run, latest_in_run
from outlay_collector.settle.facts import Bools, Facts, Ids, Ints, Role
from outlay_collector.settle.hashes import sip_hash, sip_hash_on
from outlay_collector.settle.joins import BY_ID_APART_NS

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_S = 3600
HOUR_NS = HOUR_S * SECOND_NS
MAX_HOURS = 72
"""Of a longer span the first hours are noted."""


@dataclass(frozen=True, eq=False)
class Keys:
    """What spans speak of, one row per key of a span."""

    row: Ints
    """The span, a row of the facts."""
    key: Ids
    began_ns: Ints
    ended_ns: Ints

    def __len__(self) -> int:
        return len(self.key)

    def only(self, rows: Bools) -> Keys:
        """Those of some spans: a flag per row of the facts."""
        kept = rows[self.row]
        return Keys(self.row[kept], self.key[kept], self.began_ns[kept], self.ended_ns[kept])

    def by_hour(self) -> tuple[Ints, Ints]:
        """Each key in every hour that its span lies in, with some seconds after it: place in these keys, and hour (s).

        Spans of one request have an hour in common.
        """
        first = self.began_ns // HOUR_NS
        hours = np.clip((self.ended_ns + BY_ID_APART_NS) // HOUR_NS - first + 1, 0, MAX_HOURS)
        places = np.repeat(np.arange(len(self)), hours)
        nth = np.arange(len(places)) - np.repeat(np.cumsum(hours) - hours, hours)
        return places, (first[places] + nth) * HOUR_S

    @property
    def hours(self) -> Ints:
        """The hours (s) that they are in."""
        return each_once(self.by_hour()[1])


def of(facts: Facts, minutes: tuple[int, ...] = (-1, 0, 1)) -> Keys:
    """The keys by which these spans are looked up; with `minutes=(0,)` those under which they are noted."""
    live = np.flatnonzero((facts.role != Role.NONE) & ~facts.cached)
    minute = facts.began_ns[live] // MINUTE_NS
    rows, found = [live, live], [facts.response_key[live], facts.request_key[live]]
    # Streams of roots may meet across traces, others only in their own, of which not all may be read (`giants`).
    stream, inside = facts.stream.copy(), np.flatnonzero((facts.stream != 0) & ~facts.rooted)
    stream[inside] = sip_hash(facts.stream[inside], facts.trace[inside])
    for stand_in in (facts.fingerprint, stream):
        has = np.flatnonzero(stand_in[live])
        each_minute, place = np.unique(minute[has], return_inverse=True)
        own = sip_hash(stand_in[live[has]])
        for step in minutes:
            rows.append(live[has])
            found.append(sip_hash_on(own, sip_hash((each_minute + step).view(np.uint64))[place]))
    row, key = np.concatenate(rows), np.concatenate(found)
    row, key = row[key != 0], key[key != 0]
    return Keys(row, key, facts.began_ns[row], facts.ended_ns[row])


def noted(spans: pa.Table, facts: Facts, own: Bools) -> tuple[pa.Table, Ints]:
    """Rows of `response_ids` without version, and the span that each is of, a row of the facts.

    Args:
        spans: Columns as in `table.COLUMNS`.
        facts: Of the same spans.
        own: Per span, whether it is noted.
    """
    spoken = of(facts, minutes=(0,)).only(own)
    place, hour = spoken.by_hour()
    row = spoken.row[place]
    taken = spans.select(["project", "trace_id", "span_id", "began_at", "ended_at"]).take(pa.array(row))
    found = pa.table(
        {
            "hour": pa.array(hour.astype(np.uint32)),
            "key": pa.array(spoken.key[place]),
            "project": taken["project"],
            "trace_id": taken["trace_id"],
            "span_id": taken["span_id"],
            "started_at": taken["began_at"],
            "ended_at": taken["ended_at"],
        }
    )
    return found, row


@dataclass(frozen=True, eq=False)
class Stretches:
    """When keys are spoken of: for each key stretches of time that do not touch, in order."""

    key: Ids
    began_ns: Ints
    ended_ns: Ints

    @staticmethod
    def of(keys: Keys, noted: pa.Table) -> Stretches:
        """The stretches of keys, and of rows of `response_ids`."""
        key = np.concatenate([keys.key, noted["key"].to_numpy()])
        began = np.concatenate([keys.began_ns, _ns(noted["started_at"])])
        ended = np.concatenate([keys.ended_ns, _ns(noted["ended_at"])]) + BY_ID_APART_NS
        order = np.lexsort((began, key))
        key, began, ended = key[order], began[order], ended[order]
        last = latest_in_run(ended, first_of_run(key))
        starts = first_of_run(key)
        starts[1:] |= began[1:] > last[:-1]
        ends = np.append(np.flatnonzero(starts)[1:] - 1, len(key) - 1)[: int(starts.sum())]
        return Stretches(key[starts], began[starts], last[ends])

    def meets(self, others: pa.Table) -> Bools:
        """Whether rows of `response_ids` overlap a stretch of their key, or nearly."""
        if not len(others) or not len(self.key):
            return np.zeros(len(others), bool)
        key, began = others["key"].to_numpy(), _ns(others["started_at"])
        until = _ns(others["ended_at"]) + BY_ID_APART_NS
        # The last stretch of the key that begins before the row has ended also ends last of those.
        first, last = np.searchsorted(self.key, key, "left"), np.searchsorted(self.key, key, "right")
        met = np.zeros(len(key), bool)
        for n in np.flatnonzero(last > first).tolist():
            at = first[n] + np.searchsorted(self.began_ns[first[n] : last[n]], until[n], "right") - 1
            met[n] = at >= first[n] and began[n] <= self.ended_ns[at]
        return met


def _ns(column: pa.ChunkedArray) -> Ints:
    found: Ints = column.cast(pa.int64()).to_numpy()
    return found
