"""Which spans are billable calls and which repeat one: a pure function over the facts.

    resolve(facts) -> Resolved

A span is its row number, and NO stands for none. The same facts in any order give the same calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay_collector.settle.arrays import NO, any_in_runs, first_of_run
from outlay_collector.settle.facts import Facts, Ints, Role
from outlay_collector.settle.joins import join
from outlay_collector.settle.merge import Members, Requests, members_of, merge
from outlay_collector.settle.requests import Links, Reason, find_aggregates, link, link_tails, pair
from outlay_collector.settle.sums import add_up
from outlay_collector.settle.tree import Tree, place


@dataclass(frozen=True, eq=False)
class Repeats:
    """Spans that speak of a request which is counted elsewhere, one row each."""

    span: Ints
    reason: Ints
    """Why it is no call: a `Reason`."""
    of: Ints
    """The call that is counted instead; NO where several are."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """Whose words on what a call was for hold: of each request the spans that say it, the strongest first, a row each.

    With what such a span says holds what it inherits from above (`Tree.context_above`).
    """

    request: Ints
    """A row of the requests, ascending; requests of which nobody says anything are left out."""
    near: Ints
    """The span, of the request or above it."""


@dataclass(frozen=True, eq=False)
class Resolved:
    """What was decided."""

    tree: Tree
    requests: Requests
    repeats: Repeats
    contexts: Contexts
    flagged: dict[int, tuple[int, ...]]
    """By request, its spans, where others than its call have flags."""


def resolve(facts: Facts) -> Resolved:
    """Decide which spans are calls, what they count, and which repeat one."""
    tree = place(facts)
    pairs = pair(facts, tree)
    links = link(facts, pairs)
    link_tails(facts, links)
    aggregate = find_aggregates(facts, pairs, links)
    speaking = np.flatnonzero((facts.role != Role.NONE) & ~aggregate)
    joined = join(facts, tree, links, speaking)
    members = members_of(facts, tree, speaking, joined)
    merged = merge(facts, tree, members, joined)
    requests, covered = add_up(facts, tree, aggregate, members, merged)
    every = _with_aggregates(members, requests)
    return Resolved(tree, requests, _repeats(links, members, covered), _contexts(tree, every), _flagged(facts, every))


def _with_aggregates(members: Members, requests: Requests) -> Members:
    """The spans of all requests: those that aggregates add have one each."""
    alone = requests.call[len(members.starts) :]
    starts = np.append(members.starts, len(members.rows) + np.arange(len(alone)))
    return Members(np.append(members.rows, alone), starts)


def _repeats(links: Links, members: Members, covered: Ints) -> Repeats:
    """Spans that another one of their request stands for, then aggregates that the calls below them cover."""
    call = members.calls[members.numbers]
    again = members.rows != call
    span, of = members.rows[again], call[again]
    down = links.down[span]
    as_parent = np.where(down != NO, links.reason[down], Reason.NONE)
    as_parent = np.where(as_parent == Reason.RAW_CHILD, Reason.SAME_REQUEST, as_parent)
    elsewhere = np.where(as_parent != Reason.NONE, as_parent, Reason.SAME_RESPONSE)
    reason = np.where(links.up[span] != NO, links.reason[span], elsewhere)
    return Repeats(
        np.append(span, covered),
        np.append(reason, np.full(len(covered), int(Reason.REPEATS_DESCENDANTS))),
        np.append(of, np.full(len(covered), NO)),
    )


def _contexts(tree: Tree, members: Members) -> Contexts:
    """Whose context each request has: nearly always one span's, or none's."""
    near, request = tree.context[members.rows], members.numbers
    said = np.flatnonzero((near != NO) & first_of_run(request, near))
    each = request[said] * len(tree.context) + near[said]
    first = said[np.sort(np.unique(each, return_index=True)[1])]
    return Contexts(request[first], near[first])


def _flagged(facts: Facts, members: Members) -> dict[int, tuple[int, ...]]:
    others = facts.says["flags"][members.rows] & ~first_of_run(members.numbers)
    found, sizes = {}, members.sizes
    for request in np.flatnonzero(any_in_runs(others, members.starts)).tolist():
        start, size = int(members.starts[request]), int(sizes[request])
        found[request] = tuple(members.rows[start : start + size].tolist())
    return found
