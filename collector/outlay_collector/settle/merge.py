"""Requests of their spans: which span is the call, and what each of the others adds to it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay_collector.settle.arrays import NO, any_in_runs, first_of_run, sizes_of
from outlay_collector.settle.facts import CLIENT_RANK, UNKNOWN, Bools, Count, Facts, Ints
from outlay_collector.settle.joins import Joined
from outlay_collector.settle.table import COMPLETED
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
    """Put each request together from its last span to its first: each field has the first word on it."""
    sizes, last = members.sizes, members.rows[members.starts + members.sizes - 1]
    found = _said_by(facts, tree, last)
    for place in range(int(sizes.max(initial=1)) - 2, -1, -1):
        longer = np.flatnonzero(sizes > place + 1)
        _complete(facts, tree, found, longer, members.rows[members.starts[longer] + place])
    found.call = members.calls
    found.reason = np.where(sizes > 1, Counted.NEAREST, Counted.ALONE)
    found.counts, found.estimated = _counted(facts, members)
    found.conflict = any_in_runs(joined.conflict[joined.request[members.rows]], members.starts)
    return found


def _counted(facts: Facts, members: Members) -> tuple[Ints, Bools]:
    """What each request counts, field by field, and whether its input or output is an estimate.

    Each count is the first word of a span that counted; where none did, the first of one that estimated.
    """
    rows, estimated = members.rows, facts.estimated[members.rows]
    said = facts.counts[rows]
    unread = any_in_runs(_unread(facts, rows), members.starts) & (members.sizes > 1)
    counted = np.where(estimated[:, None], UNKNOWN, said)
    counted[unread[members.numbers], Count.OUTPUT] = UNKNOWN
    sure, guess = (_first_known(each, members) for each in (counted, np.where(estimated[:, None], said, UNKNOWN)))
    guessed = (sure == UNKNOWN) & (guess != UNKNOWN)
    nobody_counted = ~any_in_runs(facts.has_usage[rows] & ~estimated, members.starts)
    is_estimate = any_in_runs(estimated, members.starts) & nobody_counted
    is_estimate |= guessed[:, Count.INPUT] | guessed[:, Count.OUTPUT]
    return np.where(guessed, guess, sure), is_estimate


def _first_known(counts: Ints, members: Members) -> Ints:
    """The first count that is known of each request's spans, field by field; shape (requests, 6)."""
    found = np.full((len(members.starts), len(Count)), UNKNOWN)
    for count in Count:
        known = np.flatnonzero(counts[:, count] != UNKNOWN)
        first = known[first_of_run(members.numbers[known])]
        found[members.numbers[first], count] = counts[first, count]
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


def _complete(facts: Facts, tree: Tree, found: Requests, at: Ints, span: Ints) -> None:
    """Put a span before what is known so far of some requests: what it says comes first."""
    for name in COMPLETED:
        found.rows[name][at] = np.where(facts.says[name][span], span, found.rows[name][at])
    other = found.rows["other_usage"][at]
    guesses = facts.estimated[span] & ~facts.estimated[other] & facts.says["other_usage"][other]
    keeps = facts.says["other_usage"][span] & ~guesses
    found.rows["other_usage"][at] = np.where(keeps, span, other)
    found.has_usage[at] |= facts.has_usage[span]
    found.billed_failure[at] |= facts.billed_failure[span]
    found.attempt[at] = np.maximum(found.attempt[at], facts.attempt[span])
    found.lookup[at] = np.where(tree.lookup[span] != NO, tree.lookup[span], found.lookup[at])


def _unread(facts: Facts, rows: Ints) -> Bools:
    """Whether a stream was not read to its end: the client's own span counts what came in, and that is the input only.

    What others count as output is then what the stream began with; what they estimate is not.
    """
    input_known = facts.counts[rows, Count.INPUT] != UNKNOWN
    output_known = facts.counts[rows, Count.OUTPUT] != UNKNOWN
    unread: Bools = (facts.rank[rows] <= CLIENT_RANK) & input_known & ~output_known
    return unread
