"""Requests of their spans: which span is the call, and what each of the others adds to it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay_collector.settle.arrays import NO, any_in_runs, first_of_run, sizes_of
from outlay_collector.settle.facts import CLIENT_RANK, COMPLETED, UNKNOWN, Bools, Count, Facts, Ints
from outlay_collector.settle.joins import Joined
from outlay_collector.settle.tree import Tree


class Counted(IntEnum):
    """Why a span is a call."""

    ALONE = 0
    """No other span speaks of its request."""
    NEAREST = 1
    """Of the spans of its request it is nearest the wire."""
    WHOLE = 2
    """It sums up calls, and none are below it."""
    BEYOND = 3
    """It sums up calls, and counts more than those below it."""


@dataclass(frozen=True, eq=False)
class Members:
    """Spans by the request they speak of, the call first. Requests are numbered in this order."""

    rows: Ints
    starts: Ints
    """Where each request starts in `rows`."""

    @property
    def sizes(self) -> Ints:
        return sizes_of(self.starts, len(self.rows))

    @property
    def calls(self) -> Ints:
        """The call of each request."""
        return self.rows[self.starts]

    @property
    def numbers(self) -> Ints:
        """The request of each of `rows`."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)


@dataclass(eq=False)
class Requests:
    """Billable requests, one row each. What is not a number or a flag is a row of the facts, NO for none."""

    call: Ints
    """The span that is the call: its place, its name and its start are the request's."""
    reason: Ints
    """Why it is one: a `Counted`."""
    rows: dict[str, Ints]
    """For each column of COMPLETED and for other_usage, the span that says it."""
    counts: Ints
    """Shape (requests, 6), as in `Count`."""
    has_usage: Bools
    estimated: Bools
    billed_failure: Bools
    attempt: npt.NDArray[np.uint16]
    lookup: Ints
    """The look-up in the application's cache that it was made for."""
    conflict: Bools
    """Its spans share a response id with another request that contradicts."""
    unattributed: Bools
    """What an aggregate counts beyond its calls: nobody knows which requests those were."""
    filled: Bools
    """It counts nothing itself; its counts are what the aggregate above counts beyond its other calls."""
    model_of: Ints
    """An aggregate that names no model has that of this call below it."""

    def __len__(self) -> int:
        return len(self.call)

    def followed_by(self, others: Requests) -> Requests:
        """These requests, then the others."""
        found: dict[str, Any] = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(others, field.name)
            if isinstance(mine, dict):
                found[field.name] = {name: np.concatenate([mine[name], theirs[name]]) for name in mine}
            else:
                found[field.name] = np.concatenate([mine, theirs])
        return Requests(**found)


def members_of(facts: Facts, tree: Tree, rows: Ints, joined: Joined) -> Members:
    """Spans by request. The lowest rank comes first; of equals the first trace, there the innermost: what repeats its
    descendants is no call."""
    request = joined.request[rows]
    order = np.lexsort(
        (
            facts.id[rows],
            facts.span_low[rows],
            -tree.depth[rows],
            facts.trace_low[rows],
            facts.trace_high[rows],
            facts.rank[rows],
            request,
        )
    )
    return Members(rows[order], np.flatnonzero(first_of_run(request[order])))


def merge(facts: Facts, tree: Tree, members: Members, joined: Joined) -> Requests:
    """Put each request together from its last span to its first: each field has the first word on it.

    Counts come from spans that counted, an estimate only where none did.
    """
    sizes, last = members.sizes, members.rows[members.starts + members.sizes - 1]
    found = _said_by(facts, tree, last)
    truncated = _unread(facts, last)
    for place in range(int(sizes.max(initial=1)) - 2, -1, -1):
        longer = np.flatnonzero(sizes > place + 1)
        span = members.rows[members.starts[longer] + place]
        truncated[longer] |= _unread(facts, span)
        _complete(facts, tree, found, longer, span, truncated[longer])
    found.call = members.calls
    found.reason = np.where(sizes > 1, Counted.NEAREST, Counted.ALONE)
    found.conflict = any_in_runs(joined.conflict[joined.request[members.rows]], members.starts)
    return found


def _said_by(facts: Facts, tree: Tree, rows: Ints) -> Requests:
    """Requests of one span each."""
    no = np.zeros(len(rows), bool)
    return Requests(
        call=rows,
        reason=np.full(len(rows), int(Counted.ALONE)),
        rows={name: rows.copy() for name in (*COMPLETED, "other_usage")},
        counts=facts.counts[rows],
        has_usage=facts.has_usage[rows],
        estimated=facts.estimated[rows],
        billed_failure=facts.billed_failure[rows],
        attempt=facts.attempt[rows],
        lookup=tree.lookup[rows],
        conflict=no.copy(),
        unattributed=no.copy(),
        filled=no.copy(),
        model_of=np.full(len(rows), NO),
    )


def _complete(facts: Facts, tree: Tree, found: Requests, at: Ints, span: Ints, truncated: Bools) -> None:
    """Put a span before what is known so far of some requests: what it says comes first."""
    for name in COMPLETED:
        found.rows[name][at] = np.where(facts.says[name][span], span, found.rows[name][at])
    counted = found.has_usage[at] & ~found.estimated[at]
    weaker = counted & facts.estimated[span]  # an estimate, and those after it have counted
    other = found.rows["other_usage"][at]
    keeps = facts.says["other_usage"][span] & ~(weaker & facts.says["other_usage"][other])
    found.rows["other_usage"][at] = np.where(keeps, span, other)
    first = np.where(weaker[:, None], found.counts[at], facts.counts[span])
    second = np.where(weaker[:, None], facts.counts[span], found.counts[at])
    counts = np.where(first != UNKNOWN, first, second)
    counts[truncated, Count.OUTPUT] = UNKNOWN
    found.counts[at] = counts
    found.estimated[at] = (facts.estimated[span] | found.estimated[at]) & ~(
        counted | (facts.has_usage[span] & ~facts.estimated[span])
    )
    found.has_usage[at] |= facts.has_usage[span]
    found.billed_failure[at] |= facts.billed_failure[span]
    found.attempt[at] = np.maximum(found.attempt[at], facts.attempt[span])
    found.lookup[at] = np.where(tree.lookup[span] != NO, tree.lookup[span], found.lookup[at])


def _unread(facts: Facts, rows: Ints) -> Bools:
    """Whether a stream was not read to its end: the client's own span counts what came in, and that is the input only.

    What others call output is then the count that the stream began with.
    """
    input_known = facts.counts[rows, Count.INPUT] != UNKNOWN
    output_known = facts.counts[rows, Count.OUTPUT] != UNKNOWN
    unread: Bools = (facts.rank[rows] <= CLIENT_RANK) & input_known & ~output_known
    return unread
