"""Oversized traces, a process-long one or an agent in a loop: only what a change touches is read and settled again.

Their skeleton, who is whose parent and when it came, is a few arrays; up and down it goes by pointers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outlay_collector.settle.arrays import NO, first_of_run, latest_in_run, rows_of
from outlay_collector.settle.facts import Bools, Facts, Ids, Ints, Role
from outlay_collector.settle.tree import MAX_DEPTH
from outlay_collector.store import Params, load_sql
from outlay_collector.store.client import Writer

PLACE_COLUMNS = ["project", "hour", "trace_id", "span_id"]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """All spans of oversized traces, one row each."""

    id: Ids
    trace: Ids
    parent_id: Ids
    """Id of its parent, 0 at a root."""
    parent: Ints
    """Row of its parent, NO where that is not there."""
    started_ns: Ints
    ended_ns: Ints
    changed: Bools
    """It came since its trace changed."""
    place: pa.Table
    """Where it is stored: a span that was sent again with another start in several hours, with a row for each."""

    @staticmethod
    def empty() -> Skeleton:
        """Of no trace."""
        ids, ints = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return Skeleton(ids, ids, ids, ints, ints, ints, np.zeros(0, bool), pa.table({}))

    def __len__(self) -> int:
        return len(self.id)

    def with_rows(self, other: Skeleton) -> Skeleton:
        """This one and that of other traces."""
        if not len(self):
            return other
        parent = np.where(other.parent == NO, NO, other.parent + len(self))
        return Skeleton(
            np.append(self.id, other.id),
            np.append(self.trace, other.trace),
            np.append(self.parent_id, other.parent_id),
            np.append(self.parent, parent),
            np.append(self.started_ns, other.started_ns),
            np.append(self.ended_ns, other.ended_ns),
            np.append(self.changed, other.changed),
            pa.concat_tables([self.place, other.place]),
        )

    def upwards(self, rows: Bools) -> Bools:
        """These and all above them: calls inherit from there, and what speaks of usage there may repeat them."""
        found, level = rows.copy(), np.flatnonzero(rows)
        for _ in range(MAX_DEPTH):
            level = self.parent[level]
            level = np.unique(level[level != NO])
            level = level[~found[level]]
            if not len(level):
                break
            found[level] = True
        return found

    def beside(self, rows: Bools) -> Bools:
        """These, and spans with the same parent at the same time: a client's span may belong below one of them."""
        given = np.flatnonzero(rows & (self.parent_id != 0))
        others = np.flatnonzero(~rows & np.isin(self.parent_id, self.parent_id[given]))
        at = np.concatenate([given, others])
        is_given = np.arange(len(at)) < len(given)
        # Of the given ones that began before another one ended, does the one that ends last end after that began?
        instant = np.where(is_given, self.started_ns[at], self.ended_ns[at])
        order = np.lexsort((~is_given, instant, self.parent_id[at]))
        at, is_given = at[order], is_given[order]
        until = np.where(is_given, self.ended_ns[at], np.iinfo(np.int64).min)
        latest = latest_in_run(until, first_of_run(self.parent_id[at]))
        found = rows.copy()
        found[at[latest >= self.started_ns[at]]] = True
        return found

    def everywhere(self, rows: Bools) -> Bools:
        """These, in every hour in which they are stored."""
        return np.isin(self.id, self.id[rows])

    def heads(self, facts: Facts, new: Bools) -> Bools:
        """From where to go down again, given what was read of new spans and those above.

        Spans that speak of usage or of a cache, since their sums depend on all that is below them; and new spans where
        anything is to be inherited. Below a new span that says nothing, nothing changes.
        """
        rows = rows_of(self.id, facts.id)
        speaks = (facts.role != Role.NONE) | facts.is_lookup
        inherits = np.isin(facts.trace, facts.trace[facts.says["context"]])
        heads = np.zeros(len(self), bool)
        heads[rows[(rows != NO) & (speaks | (new[rows] & inherits))]] = True
        return heads

    def downwards(self, rows: Bools) -> Bools:
        """All below these."""
        under = np.append(rows, False)  # so that no parent is no head
        found = np.zeros(len(self), bool)
        for _ in range(MAX_DEPTH):
            below = under[self.parent] & ~found
            if not below.any():
                break
            found |= below
            under = np.append(below, False)
        return found

    def idle(self) -> pa.Table:
        """Where traces lie in which nothing changed: what is marked all the same was scored."""
        return self.place.filter(pa.array(~np.isin(self.trace, self.trace[self.changed])))

    def places(self, rows: Bools) -> pa.Table:
        """Where these are stored."""
        return self.place.filter(pa.array(rows))


def read_skeleton(writer: Writer, changed: pa.Table, condition: tuple[str, Params]) -> Skeleton:
    """The skeleton of the spans for which a condition on `spans` holds; `changed` says since when their traces did."""
    which, params = condition
    found = writer.arrow(load_sql("outlay_collector.settle.sql", "skeleton", which=which), params)
    since = {
        (project, trace_id): at
        for project, trace_id, at in zip(
            changed["project"].to_pylist(), changed["trace_id"].to_pylist(), _ms(changed["since"]), strict=True
        )
    }
    ids = found["id"].to_numpy()
    traces, first, number = np.unique(found["trace"].to_numpy(), return_index=True, return_inverse=True)
    at = found.select(["project", "trace_id"]).take(pa.array(first))
    from_ms = np.array([since[row["project"], row["trace_id"]] for row in at.to_pylist()], np.int64)
    received_ms = np.array(_ms(found["received_at"]), np.int64)
    return Skeleton(
        ids,
        traces[number],
        found["parent_id"].to_numpy(),
        rows_of(ids, found["parent_id"].to_numpy()),
        _ns(found["started_at"]),
        _ns(found["ended_at"]),
        received_ms >= from_ms[number] if len(found) else np.zeros(0, bool),
        found.select(PLACE_COLUMNS),
    )


def _ms(column: pa.ChunkedArray) -> list[int]:
    found: list[int] = column.cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_pylist()
    return found


def _ns(column: pa.ChunkedArray) -> Ints:
    found: Ints = column.cast(pa.int64()).to_numpy()
    return found
