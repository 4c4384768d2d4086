"""A client's span beside the framework's of the same request, where it should be below it.

Some instrumentations open a span and do not make it the current one (Langfuse's `openai` under LangChain's callback):
what the client writes then stands beside it. Such a span is taken for the child of the one sibling it lies within.
"""

from __future__ import annotations

import numpy as np

from outlay_collector.settle.arrays import first_of_run, is_among, latest_in_run, latest_place
from outlay_collector.settle.facts import CLIENT_RANK, Bools, Count, Facts, Ids, Ints, Role

_NEVER = np.iinfo(np.int64).min


def parents_of(facts: Facts) -> Ids:
    """The id of each span's parent, or of the sibling that stands in for it."""
    parent = facts.parent_id.copy()
    calls = (facts.role == Role.CALL) & ~facts.cached & (facts.parent_id != 0)
    clients = calls & (facts.rank <= CLIENT_RANK)
    hosts = calls & (facts.rank > CLIENT_RANK) & (facts.response_key == 0)
    hosts &= is_among(facts.parent_id, facts.parent_id[clients])
    if hosts.any():
        guest, host = _within(facts, np.flatnonzero(clients), np.flatnonzero(hosts))
        same = _same_request(facts, guest, host)
        parent[guest[same]] = facts.id[host[same]]
    return parent


def _within(facts: Facts, clients: Ints, hosts: Ints) -> tuple[Ints, Ints]:
    """Clients' spans, each beside the one sibling among the hosts whose time holds all of theirs."""
    rows = np.concatenate([hosts, clients])
    is_host = np.arange(len(rows)) < len(hosts)
    order = np.lexsort((facts.id[rows], ~is_host, facts.started_ns[rows], facts.parent_id[rows]))
    rows, is_host = rows[order], is_host[order]
    first = first_of_run(facts.parent_id[rows])
    # Of the hosts that began before, the one that ends last must hold the client's span, and the second must not.
    ended = np.where(is_host, facts.ended_ns[rows], _NEVER)
    latest = latest_place(ended, first)
    before = np.where(first, _NEVER, np.append(_NEVER, ended[latest][:-1]))
    second = latest_in_run(np.minimum(before, ended), first)
    own = facts.ended_ns[rows]
    found = np.flatnonzero(~is_host & (ended[latest] >= own) & (second < own))
    return rows[found], rows[latest[found]]


def _same_request(facts: Facts, guest: Ints, host: Ints) -> Bools:
    """Whether another instrumentation wrote the host, names the same model, and counts the same or nothing."""
    whole = [Count.INPUT, Count.OUTPUT]
    same_counts = (facts.counts[guest][:, whole] == facts.counts[host][:, whole]).all(axis=1)
    other_scope = facts.scope[guest] != facts.scope[host]
    same: Bools = other_scope & (same_counts | ~facts.has_usage[host])
    asked = zip(facts.request_model[guest].tolist(), facts.request_model[host].tolist(), strict=True)
    same &= np.array([_same_model(facts.models[one], facts.models[other]) for one, other in asked], bool)
    return same


def _same_model(one: bytes, other: bytes) -> bool:
    """Both are known, and one is how the other begins: beside each other is less than below each other."""
    return bool(one and other) and (one.startswith(other) or other.startswith(one))
