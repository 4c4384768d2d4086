"""Which chains, of one trace or several, are one request: by its id, the response's, failing these by equal counts.

Two instrumentations see a request at the same time; the same one twice is two requests, since gateways repeat ids. So
chains that share a key are parted where nothing of the key happened for a while, and there the n-th chain of each
instrumentation belongs to the n-th of the others, unless models, times or counts contradict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay_collector.settle.arrays import (
    NO,
    Array,
    any_in_runs,
    each_once,
    first_of_run,
    is_among,
    latest_in_run,
    number_in_run,
    sizes_of,
)
from outlay_collector.settle.facts import CLIENT_RANK, Bools, Count, Facts, Ids, Ints
from outlay_collector.settle.requests import SECOND_NS, Links, heads_of, names_agree
from outlay_collector.settle.tree import Tree

BY_ID_APART_NS = 5 * SECOND_NS
"""How far apart spans with one response id may lie: clocks of two machines differ."""
BY_COUNTS_APART_NS = SECOND_NS
"""The same for equal counts, which may be chance."""


@dataclass(frozen=True, eq=False)
class Joined:
    """What became of the chains."""

    request: Ints
    """Per span that is no aggregate and speaks of usage: a row that names its request, the same for all its spans."""
    conflict: Bools
    """Per span, at the rows that `request` names: chains share a response id and contradict each other."""


@dataclass(frozen=True, eq=False)
class Chains:
    """What the spans of each chain say together, one row per chain. Of several words the lowest rank's holds."""

    head: Ints
    """Row of its topmost span."""
    with_id: Bools
    """One of its spans knows the response's id."""
    scope: Ints
    """The instrumentation of its head."""
    input: Ints
    output: Ints
    """What it counts, UNKNOWN if nothing: an estimate contradicts nobody."""
    request_model: Ints
    response_model: Ints
    precedence: Ints
    """Its place among all chains by rank, then ids: which of two is rather the call."""
    requested: Keyed
    """The provider's id of its request, and when its spans speak of that."""
    response: Keyed
    """Its response id, likewise."""
    counted: Keyed
    """Its counts, where they may stand in for an id."""


@dataclass(frozen=True, eq=False)
class Keyed:
    """A key per chain, 0 for none, and how long the chain lasts for it: from the first to the last span that has it.

    As spans are looked up by key and time (`gather`), so is a chain measured: what is one request does not depend on
    which of its spans were settled together.
    """

    key: Ids
    began_ns: Ints
    ended_ns: Ints


def join(facts: Facts, tree: Tree, links: Links, rows: Ints) -> Joined:
    """Chains that are one request. `rows`: the spans that speak of usage and are no aggregates."""
    heads = heads_of(links)
    into, conflict = heads.copy(), np.zeros(len(facts), bool)
    shared = _sharing(facts, rows, heads)
    if not len(shared):
        return Joined(into, conflict)
    live = rows[is_among(heads[rows], shared) & ~facts.cached[rows]]
    chains = chains_of(facts, tree, live, heads)
    target = np.arange(len(facts))
    free = np.ones(len(chains.head), bool)
    for keyed, apart_ns in (
        (chains.requested, BY_ID_APART_NS),
        (chains.response, BY_ID_APART_NS),
        (chains.counted, BY_COUNTS_APART_NS),
    ):
        chain, winner = _meet(chains, keyed, np.flatnonzero(free & (keyed.key != 0)), apart_ns)
        fit = _near(keyed, chain, winner, apart_ns) & _agree(facts.models, chains, chain, winner)
        if keyed is chains.counted:
            fit &= _not_chance(chains, keyed, chain, winner)
        target[chains.head[chain]] = chains.head[np.where(fit, winner, chain)]
        # What is one request by that may meet others by the response's id, as one.
        free[chain] = (chain == winner) | ~fit if keyed is chains.requested else False
        if keyed is chains.response:
            broken = np.isin(winner, winner[~fit])
            conflict[chains.head[chain[broken]]] = True
    return Joined(target[target[into]], conflict)  # who won by the request's id may have lost by another


def _sharing(facts: Facts, rows: Ints, heads: Ints) -> Ints:
    """Heads of the chains that have a key in common with another chain."""
    keys = np.concatenate([facts.request_key[rows], facts.response_key[rows], facts.fingerprint[rows]])
    head = np.tile(heads[rows], 3)
    order = np.flatnonzero(keys)
    order = order[np.lexsort((head[order], keys[order]))]
    keys, head = keys[order], head[order]
    unique = first_of_run(keys, head)
    keys, head = keys[unique], head[unique]
    starts = np.flatnonzero(first_of_run(keys))
    sizes = sizes_of(starts, len(keys))
    return each_once(head[np.repeat(sizes > 1, sizes)])


def chains_of(facts: Facts, tree: Tree, rows: Ints, heads: Ints) -> Chains:
    """The chains of these spans; `heads` are those of all spans."""
    rows = rows[np.lexsort((facts.span_low[rows], facts.trace_low[rows], facts.trace_high[rows], facts.rank[rows]))]
    by_chain = np.argsort(heads[rows], kind="stable")  # within a chain by precedence
    rows = rows[by_chain]
    first = first_of_run(heads[rows])
    starts, chain = np.flatnonzero(first), np.cumsum(first) - 1

    def said(values: Array, known: Bools, nothing: int, order: Ints | None = None) -> Array:
        """Per chain the first value that is known: by precedence, or in another order of the places in `rows`."""
        places = np.arange(len(rows)) if order is None else order
        places = places[known[rows[places]]]
        places = places[first_of_run(chain[places])]
        found = np.full(len(starts), nothing, values.dtype)
        found[chain[places]] = values[rows[places]]
        return found

    def keyed(keys: Ids, key: Ids) -> Keyed:
        has = (keys[rows] == key[chain]) & (key[chain] != 0)
        began = np.where(has, facts.began_ns[rows], np.iinfo(np.int64).max)
        ended = np.where(has, facts.ended_ns[rows], np.iinfo(np.int64).min)
        return Keyed(key, np.minimum.reduceat(began, starts), np.maximum.reduceat(ended, starts))

    counted = (facts.counts >= 0) & ~facts.estimated[:, None]
    head_first = np.lexsort((heads[rows] != rows, chain))
    everything = np.ones(len(facts), bool)
    response_key = said(facts.response_key, facts.response_key != 0, 0)
    with_id = any_in_runs(facts.response_key[rows] != 0, starts)
    # Beside an id of its own a chain goes by its counts only where they are a trace's root's, or the client's.
    own = any_in_runs(
        ((tree.above[rows] == NO) | (facts.rank[rows] <= CLIENT_RANK)) & (facts.fingerprint[rows] != 0), starts
    )
    fingerprint = np.where(with_id & ~own, np.uint64(0), said(facts.fingerprint, facts.fingerprint != 0, 0))
    return Chains(
        head=heads[rows[starts]],
        with_id=with_id,
        scope=said(facts.scope, everything, 0, head_first),
        input=said(facts.counts[:, Count.INPUT], counted[:, Count.INPUT], NO),
        output=said(facts.counts[:, Count.OUTPUT], counted[:, Count.OUTPUT], NO),
        request_model=said(facts.request_model, facts.request_model != 0, 0),
        response_model=said(facts.response_model, facts.response_model != 0, 0),
        precedence=by_chain[starts],
        requested=keyed(facts.request_key, said(facts.request_key, facts.request_key != 0, 0)),
        response=keyed(facts.response_key, response_key),
        counted=keyed(facts.fingerprint, fingerprint),
    )


def _meet(chains: Chains, keyed: Keyed, at: Ints, apart_ns: int) -> tuple[Ints, Ints]:
    """Chains that meet others with their key, and beside each the one that is rather the call."""
    at = at[np.lexsort((chains.precedence[at], keyed.began_ns[at], keyed.key[at]))]
    new_key = first_of_run(keyed.key[at])
    parted = new_key | (keyed.began_ns[at] > _latest_before(keyed.ended_ns[at], new_key) + apart_ns)
    cluster = np.cumsum(parted)
    turn = np.lexsort((np.arange(len(at)), chains.scope[at], cluster))
    at, cluster = at[turn], cluster[turn]
    nth = number_in_run(first_of_run(cluster, chains.scope[at]))
    turn = np.lexsort((chains.precedence[at], nth, cluster))
    at, cluster, nth = at[turn], cluster[turn], nth[turn]
    starts = np.flatnonzero(first_of_run(cluster, nth))
    sizes = sizes_of(starts, len(at))
    several = np.repeat(sizes > 1, sizes)
    return at[several], np.repeat(at[starts], sizes)[several]


def _latest_before(ended_ns: Ints, first: Bools) -> Ints:
    """Latest end of what is before each element in its run; its own where the run starts."""
    so_far = latest_in_run(ended_ns, first)
    return np.where(first, ended_ns, np.append(so_far[:1], so_far[:-1]))


def _near(keyed: Keyed, one: Ints, other: Ints, apart_ns: int) -> Bools:
    """Whether chains overlap in time, or nearly."""
    began, ended = keyed.began_ns, keyed.ended_ns
    return (began[one] <= ended[other] + apart_ns) & (began[other] <= ended[one] + apart_ns)


def _agree(models: list[bytes], chains: Chains, one: Ints, other: Ints) -> Bools:
    """Whether nothing that chains say of their request contradicts."""
    names = (chains.request_model, chains.response_model)
    same_model = names_agree(models, [name[one] for name in names], [name[other] for name in names])
    known = (
        (chains.input[one] >= 0) & (chains.input[other] >= 0) & (chains.output[one] >= 0) & (chains.output[other] >= 0)
    )
    other_counts = known & (chains.input[one] != chains.input[other]) & (chains.output[one] != chains.output[other])
    agree: Bools = same_model & ~other_counts
    return agree


def _not_chance(chains: Chains, keyed: Keyed, one: Ints, other: Ints) -> Bools:
    """Equal counts mean one request where one side lacks the id; where both do, if one lies within the other."""
    began, ended = keyed.began_ns, keyed.ended_ns
    inside = (began[other] < began[one]) & (ended[other] >= ended[one])
    around = (began[one] < began[other]) & (ended[one] >= ended[other])
    neither = ~chains.with_id[one] & ~chains.with_id[other]
    one_lacks = chains.with_id[one] != chains.with_id[other]
    proven: Bools = (one == other) | one_lacks | (neither & (inside | around))
    return proven
