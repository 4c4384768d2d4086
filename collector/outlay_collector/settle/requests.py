"""Which spans of one trace speak of one request: nested ones, and a stream's opening and its tail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from outlay_collector.settle.arrays import NO, last_of_run
from outlay_collector.settle.facts import Bools, Count, Facts, Ints, Role
from outlay_collector.settle.tree import Tree

SECOND_NS = 1_000_000_000
BURST_GAP_NS = 2 * SECOND_NS
"""Tails belong to streams of one burst; a longer silence parts bursts."""


class Reason(IntEnum):
    """Why a span is no call: it speaks of a request that another span stands for."""

    NONE = 0
    SAME_REQUEST = 1
    """A framework's span and the client's below it."""
    SAME_RESPONSE = 2
    """It has the response's id, or failing that the counts, of a span elsewhere."""
    RAW_CHILD = 3
    """A restatement of the span above, as it came off the wire."""
    STREAM_USAGE = 4
    """The usage of a stream that another span opened."""
    REPEATS_DESCENDANTS = 5
    """The sum of calls below."""

    @property
    def text(self) -> str:
        """As `repeats` and the trace page say it."""
        return self.name.lower() if self else ""


class Likeness(IntEnum):
    """How surely a span and the one above it are one request."""

    DIFFERENT = 0
    BOTH_SILENT = 1
    """Neither counts anything, and both ended alike."""
    ONLY_PARENT_COUNTS = 2
    ONLY_CHILD_COUNTS = 3
    SAME_OUTPUT = 4
    SAME_INPUT = 5
    SAME_RESPONSE = 6
    RAW = 7


@dataclass(frozen=True, eq=False)
class Pairs:
    """Spans that speak of usage, each with the nearest such span above it. One row per pair."""

    child: Ints
    parent: Ints
    likeness: Ints
    other_response: Bools
    """Both know the id of their response, and the ids differ."""


@dataclass(eq=False)
class Links:
    """Chains of spans that are one request. One row per span."""

    up: Ints
    """The span above it in its chain, or NO."""
    down: Ints
    """The span below it in its chain (of several the first linked), or NO."""
    reason: Ints
    """Why it is one request with the span above it: a `Reason`."""


def pair(facts: Facts, tree: Tree) -> Pairs:
    """Each span that speaks of usage beside the one above it, and how alike they are."""
    child = np.flatnonzero((facts.role != Role.NONE) & (tree.above != NO))
    parent = tree.above[child]
    key, parent_key = facts.response_key[child], facts.response_key[parent]
    raw = facts.role[child] == Role.RAW
    other_response = ~raw & (key != 0) & (parent_key != 0) & (key != parent_key)
    counts, parent_counts = facts.counts[child], facts.counts[parent]
    same_input = (counts[:, Count.INPUT] >= 0) & (counts[:, Count.INPUT] == parent_counts[:, Count.INPUT])
    same_output = (counts[:, Count.OUTPUT] > 0) & (counts[:, Count.OUTPUT] == parent_counts[:, Count.OUTPUT])
    counted, parent_counted = facts.has_usage[child], facts.has_usage[parent]
    failed, parent_failed = facts.failed[child], facts.failed[parent]
    both = np.select([same_input, same_output], [Likeness.SAME_INPUT, Likeness.SAME_OUTPUT], Likeness.DIFFERENT)
    likeness = np.select(
        [
            ~_are_calls(facts, child, parent),
            raw,
            (key != 0) & (key == parent_key),
            other_response,
            ~models_agree(facts, child, parent),
            counted & parent_counted,
            counted,
            # A child that failed did not count: the parent's usage is of another try.
            parent_counted,
            parent_failed | ~failed,
        ],
        [
            Likeness.DIFFERENT,
            Likeness.RAW,
            Likeness.SAME_RESPONSE,
            Likeness.DIFFERENT,
            Likeness.DIFFERENT,
            both,
            Likeness.ONLY_CHILD_COUNTS,
            np.where(failed, Likeness.DIFFERENT, Likeness.ONLY_PARENT_COUNTS),
            Likeness.BOTH_SILENT,
        ],
        Likeness.DIFFERENT,
    )
    return Pairs(child, parent, likeness, other_response)


def _are_calls(facts: Facts, child: Ints, parent: Ints) -> Bools:
    """Whether both are calls by their role, and neither was answered from a cache."""
    roles = (facts.role[parent] == Role.CALL) & np.isin(facts.role[child], (Role.CALL, Role.RAW))
    calls: Bools = roles & ~facts.cached[parent] & ~facts.cached[child]
    return calls


def models_agree(facts: Facts, one: Ints, other: Ints) -> Bools:
    """Whether two spans may speak of one model: one of them names none, or one's name is how the other's begins."""
    names = (facts.request_model, facts.response_model)
    return names_agree(facts.models, [name[one] for name in names], [name[other] for name in names])


def names_agree(models: list[bytes], one: list[Ints], other: list[Ints]) -> Bools:
    """For each row whether any of `one`'s models may be any of `other`'s; each distinct case is looked at once."""
    sides = [np.unique(side[0] * len(models) + side[1], return_inverse=True) for side in (one, other)]
    cases = sides[0][1] * len(sides[1][0]) + sides[1][1]
    _, first, case = np.unique(cases, return_index=True, return_inverse=True)
    named = ([models[code] for code in name[first].tolist()] for name in (*one, *other))
    agree = [
        any(x.startswith(y) or y.startswith(x) for x in (a, b) for y in (c, d))
        for a, b, c, d in zip(*named, strict=True)
    ]
    return np.array(agree, bool)[case]


def link(facts: Facts, pairs: Pairs) -> Links:
    """Each parent is one request with at most one of its children: the surest, of equals the last to start."""
    alike = np.flatnonzero(pairs.likeness != Likeness.DIFFERENT)
    child, parent, likeness = pairs.child[alike], pairs.parent[alike], pairs.likeness[alike]
    order = np.lexsort((facts.id[child], facts.started_ns[child], likeness, parent))
    best = order[last_of_run(parent[order])]
    child, parent, likeness = child[best], parent[best], likeness[best]
    size = len(facts)
    links = Links(np.full(size, NO), np.full(size, NO), np.full(size, int(Reason.NONE)))
    links.up[child], links.down[parent] = parent, child
    links.reason[child] = np.select(
        [likeness == Likeness.RAW, likeness == Likeness.SAME_RESPONSE],
        [Reason.RAW_CHILD, Reason.SAME_RESPONSE],
        Reason.SAME_REQUEST,
    )
    return links


def link_tails(facts: Facts, links: Links) -> None:
    """Join a stream's usage, in a span of its own at its end, to the span that opened it: in order, burst by burst.

    Both lie in one trace, or are roots of two.
    """
    if not (facts.role == Role.TAIL).any():
        return
    of_streams: dict[tuple[int, ...], list[tuple[int, int, int]]] = {}
    for row in np.flatnonzero((facts.stream != 0) & (facts.role != Role.NONE)).tolist():
        at = facts.began_ns[row] if facts.role[row] == Role.TAIL else facts.ended_ns[row]
        trace = 0 if facts.rooted[row] else int(facts.trace[row])
        stream = (int(facts.project[row]), trace, int(facts.stream[row]))
        of_streams.setdefault(stream, []).append((int(at), int(facts.id[row]), row))
    for events in of_streams.values():
        for burst in _bursts(sorted(events)):
            tails = [row for row in burst if facts.role[row] == Role.TAIL]
            openings = [row for row in burst if facts.role[row] != Role.TAIL]
            for tail, opening in zip(tails, openings, strict=False):
                links.up[tail], links.reason[tail] = opening, Reason.STREAM_USAGE
                if links.down[opening] == NO:
                    links.down[opening] = tail


def _bursts(events: list[tuple[int, int, int]]) -> list[list[int]]:
    """Rows of events (instant, id, row) in order of time, parted where nothing happened for a while."""
    bursts: list[list[int]] = []
    last = 0
    for at, _, row in events:
        if not bursts or at > last + BURST_GAP_NS:
            bursts.append([])
        bursts[-1].append(row)
        last = max(last, at)
    return bursts


def find_aggregates(facts: Facts, pairs: Pairs, links: Links) -> Bools:
    """Spans whose usage stands for what is below: agents, and calls with calls of other counts below them."""
    child, parent = pairs.child, pairs.parent
    others = (pairs.likeness == Likeness.DIFFERENT) & ~pairs.other_response & _are_calls(facts, child, parent)
    others &= facts.has_usage[parent] & facts.has_usage[child]
    others &= (links.down[parent] == NO) & (links.up[parent] == NO)
    found: Bools = facts.role == Role.AGGREGATE
    found[parent[others]] = True
    return found


def heads_of(links: Links) -> Ints:
    """Topmost span of each span's chain, however many wrappers a chain has; each step doubles the one before."""
    head = np.where(links.up == NO, np.arange(len(links.up)), links.up)
    while True:
        higher = head[head]
        if np.array_equal(higher, head):
            return head
        head = higher
