"""What aggregates say beyond the calls below them, added up from the leaves of each trace."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from outlay_collector.settle.arrays import NO, first_of_run, is_among
from outlay_collector.settle.facts import UNKNOWN, Bools, Count, Facts, Ints
from outlay_collector.settle.merge import Counted, Members, Requests
from outlay_collector.settle.table import COMPLETED
from outlay_collector.settle.tree import Tree


@dataclass(frozen=True, eq=False)
class Sums:
    """What was added up: arrays with a row per span, set for the spans of traces with aggregates."""

    surplus: Bools
    """An aggregate that counts more than what is below it."""
    fills: Ints
    """The one request below an aggregate that counts nothing itself: what the aggregate counts beyond the others."""
    rest: Ints
    """Shape (spans, 6): what an aggregate counts beyond what is below."""
    below: Ints
    """How many requests are below a span: no row, a number."""
    model_of: Ints
    """The span that names a model: itself, or where the calls below all name one the first of them; else NO."""
    provider_of: Ints
    """The same for the provider."""


def add_up(facts: Facts, tree: Tree, aggregate: Bools, members: Members, requests: Requests) -> tuple[Requests, Ints]:
    """The requests with what aggregates add, and the aggregates that only repeat what is below them."""
    if not aggregate.any():
        return requests, np.zeros(0, np.int64)
    sums = _sums(facts, tree, aggregate, members, requests)
    surplus = aggregate & sums.surplus
    filling = np.flatnonzero(surplus & (sums.fills != NO))
    _fill(requests, sums.fills[filling], np.where(facts.counts[filling] != UNKNOWN, sums.rest[filling], UNKNOWN))
    beyond = np.flatnonzero(surplus & (sums.fills == NO))
    requests = requests.followed_by(_rests(facts, tree, beyond, sums))
    return requests, np.flatnonzero(aggregate & (~surplus | (sums.fills != NO)))


def _sums(facts: Facts, tree: Tree, aggregate: Bools, members: Members, requests: Requests) -> Sums:
    """From the deepest level up: each span's own counts and those of what is below it."""
    size = len(facts)
    request = np.full(size, NO)
    request[members.rows] = members.numbers
    counted = _counted_here(facts, tree, request, members.rows)
    nodes = np.flatnonzero(((request != NO) | aggregate) & is_among(facts.trace, facts.trace[aggregate]))
    own, has_usage, failed = facts.counts.copy(), facts.has_usage.copy(), facts.failed.copy()
    calls = nodes[~aggregate[nodes]]
    own[calls] = requests.counts[request[calls]]
    has_usage[calls] = requests.has_usage[request[calls]]
    failed[calls] = facts.failed[requests.call[request[calls]]]
    # Input decides whether an aggregate speaks of more requests than are below it: none is without input.
    decides = np.where(own[:, Count.INPUT] != UNKNOWN, int(Count.INPUT), int(Count.OUTPUT))
    own = np.maximum(own, 0)

    below, rest = np.zeros((size, len(Count)), np.int64), np.zeros((size, len(Count)), np.int64)
    requests_below, blanks = np.zeros(size, np.int64), np.zeros(size, np.int64)
    blank, fills, surplus = np.full(size, NO), np.full(size, NO), np.zeros(size, bool)
    on_request = np.where((request != NO) & ~aggregate & ~facts.cached, request, NO)
    by_start = np.lexsort((facts.id, facts.started_ns))
    models = _Names(by_start, on_request, *_models(facts, requests))
    providers = _Names(by_start, on_request, facts.provider, requests.rows["provider"])
    for depth in range(int(tree.depth[nodes].max()), -1, -1):
        at = nodes[tree.depth[nodes] == depth]
        more = own[at, decides[at]] > below[at, decides[at]]
        more &= ~facts.accumulates[at]
        surplus[at] = extra = aggregate[at] & has_usage[at] & ((requests_below[at] == 0) | more)
        one_blank = extra & (blanks[at] == 1)
        adds = counted[at] & ~aggregate[at]
        total = np.where(
            extra[:, None], np.maximum(own[at], below[at]), below[at] + np.where(adds[:, None], own[at], 0)
        )
        rest[at] = np.where(extra[:, None], total - below[at], 0)
        fills[at] = np.where(one_blank, blank[at], NO)
        is_blank = adds & ~has_usage[at] & ~failed[at]
        blanks_up = np.where(one_blank, 0, blanks[at] + is_blank)
        blank_up = np.where(one_blank, NO, np.where(is_blank, request[at], blank[at]))
        requests_below[at] += np.where(aggregate[at], extra & ~one_blank, counted[at])
        up = tree.above[at]
        inner = up != NO
        up, at = up[inner], at[inner]
        np.add.at(below, up, total[inner])
        np.add.at(requests_below, up, requests_below[at])
        np.add.at(blanks, up, blanks_up[inner])
        np.maximum.at(blank, up, blank_up[inner])
        for names in (models, providers):
            names.pass_up(at, up, surplus[at] & (fills[at] == NO))
    return Sums(surplus, fills, rest, requests_below, models.of(nodes), providers.of(nodes))


def _counted_here(facts: Facts, tree: Tree, request: Ints, rows: Ints) -> Bools:
    """The span at which each request counts in its trace: the topmost, of several the first."""
    rows = rows[~facts.cached[rows]]
    order = np.lexsort((facts.id[rows], facts.started_ns[rows], tree.depth[rows], facts.trace[rows], request[rows]))
    rows = rows[order]
    counted = np.zeros(len(facts), bool)
    counted[rows[first_of_run(request[rows], facts.trace[rows])]] = True
    return counted


class _Names:
    """What the calls below each span are named, by numbers of names: 0 is none."""

    def __init__(self, by_start: Ints, on_request: Ints, name: Ints, said_by: Ints) -> None:
        """Take names.

        Args:
            by_start: All spans in the order of their starts.
            on_request: The request of each span that is one of its spans, NO for aggregates and others.
            name: By span what it says.
            said_by: By request the span whose word on it holds.
        """
        size = len(by_start)
        self._own = name
        self._by_start = np.append(by_start, NO)  # so that no place is no row
        self._place = np.empty(size, np.int64)
        self._place[by_start] = np.arange(size)
        calls = np.flatnonzero(on_request != NO)
        # Of the calls below a span, itself included if it is one: the least and largest name, the first to say it.
        self._least, self._most = np.full(size, _MOST), np.full(size, NO)
        self._first = np.full(size, size)
        self._any_silent = np.zeros(size, bool)
        word = name[said_by[on_request[calls]]]
        self._add(calls, word, self._place[said_by[on_request[calls]]])

    def _add(self, at: Ints, word: Ints, place: Ints) -> None:
        """Note that calls at or below these spans have these names."""
        named = word != 0
        np.minimum.at(self._least, at[named], word[named])
        np.maximum.at(self._most, at[named], word[named])
        np.minimum.at(self._first, at[named], place[named])
        np.logical_or.at(self._any_silent, at, ~named)

    def pass_up(self, at: Ints, up: Ints, adds: Bools) -> None:
        """Let the calls below these spans be below those above, and those too that aggregates among these add."""
        lenders = self.of(at[adds])[at[adds]]
        self._add(up[adds], np.where(lenders != NO, self._own[lenders], 0), self._place[lenders])
        some = self._most[at] != NO
        np.minimum.at(self._least, up[some], self._least[at[some]])
        np.maximum.at(self._most, up[some], self._most[at[some]])
        np.minimum.at(self._first, up[some], self._first[at[some]])
        np.logical_or.at(self._any_silent, up, self._any_silent[at])

    def of(self, rows: Ints) -> Ints:
        """By span, set for these, whose name holds for what an aggregate adds: its own, unless calls below have
        several; else that of the first call below, where all have the same; NO where nobody's does."""
        found = np.full(len(self._own), NO)
        one_name = (self._least[rows] == self._most[rows]) & ~self._any_silent[rows]
        several = (self._most[rows] != NO) & (self._least[rows] != self._most[rows])
        lent = np.where(one_name, self._by_start[np.where(one_name, self._first[rows], len(self._own))], NO)
        found[rows] = np.where(self._own[rows] != 0, np.where(several, NO, rows), lent)
        return found


_MOST = np.iinfo(np.int64).max
_EDITION = re.compile(rb"([-@:]v?(20\d{2}-?\d{2}-?\d{2}|\d{4}|latest|\d+:\d+))+$")
"""What stands behind a model's name without making it another one: a date, a revision, `latest`."""


def _models(facts: Facts, requests: Requests) -> tuple[Ints, Ints]:
    """By span the number of the model it names, whatever its edition, and by request the span that names it."""
    editions: dict[bytes, int] = {}
    numbers = np.array([editions.setdefault(_EDITION.sub(b"", name), len(editions)) for name in facts.models], np.int64)
    name = numbers[np.where(facts.response_model != 0, facts.response_model, facts.request_model)]
    response, request = requests.rows["response_model"], requests.rows["request_model"]
    return name, np.where(facts.response_model[response] != 0, response, request)


def _fill(requests: Requests, filled: Ints, rest: Ints) -> None:
    """Give requests that count nothing themselves what the aggregate above counts beyond its other calls."""
    silent = ~requests.has_usage[filled]
    requests.counts[filled[silent]] = rest[silent]
    requests.filled[filled[silent]] = True


def _rests(facts: Facts, tree: Tree, rows: Ints, sums: Sums) -> Requests:
    """What aggregates say beyond what is below, as requests of their own: the whole of it where nothing is below."""
    whole = sums.below[rows] == 1  # itself
    left, said = sums.rest[rows], facts.counts[rows] != UNKNOWN
    room = np.where(said, left, _MOST)  # what is unknown bounds none of its parts
    left[:, Count.CACHE_READ] = np.minimum(left[:, Count.CACHE_READ], room[:, Count.INPUT])
    left[:, Count.CACHE_WRITE] = np.minimum(
        left[:, Count.CACHE_WRITE], room[:, Count.INPUT] - left[:, Count.CACHE_READ]
    )
    left[:, Count.CACHE_WRITE_1H] = np.minimum(left[:, Count.CACHE_WRITE_1H], left[:, Count.CACHE_WRITE])
    left[:, Count.REASONING] = np.minimum(left[:, Count.REASONING], room[:, Count.OUTPUT])
    counts = np.where(whole[:, None], facts.counts[rows], np.where(said, left, UNKNOWN))
    said_by = dict.fromkeys(COMPLETED, rows)
    only_whole = np.where(whole, rows, NO)
    lent, named = sums.provider_of[rows], sums.model_of[rows]
    # Where calls below have several models, its own name is that of whichever came last.
    says_model = (facts.request_model[rows] != 0) | (facts.response_model[rows] != 0)
    anonymous = np.where(whole | ~says_model | (named != NO), rows, NO)
    return Requests(
        call=rows,
        reason=np.where(whole, Counted.WHOLE, Counted.BEYOND),
        rows=said_by
        | {
            "reported_cost_usd": only_whole,
            "other_usage": only_whole,
            "provider": np.where(lent != NO, lent, rows),
            "request_model": anonymous,
            "response_model": anonymous,
        },
        counts=counts,
        has_usage=facts.has_usage[rows],
        estimated=facts.estimated[rows],
        billed_failure=facts.billed_failure[rows],
        attempt=facts.attempt[rows],
        lookup=tree.lookup[rows],
        conflict=np.zeros(len(rows), bool),
        unattributed=~whole,
        filled=np.zeros(len(rows), bool),
        model_of=np.where(named != rows, named, NO),
    )
