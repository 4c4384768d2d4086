"""The tree of each trace: who is above whom, and what spans inherit from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay_collector.settle.arrays import NO, rows_of
from outlay_collector.settle.facts import Bools, Facts, Ints, Role
from outlay_collector.settle.siblings import parents_of

MAX_DEPTH = 64
"""Nobody nests deeper; what does is a mistake of its sender and stands for itself."""
_DOUBLINGS = 7  # 2^7 steps up: more than MAX_DEPTH


@dataclass(frozen=True, eq=False)
class Tree:
    """Where each span stands. All arrays hold rows, NO for none, one per span."""

    above: Ints
    """Nearest span above that speaks of usage."""
    depth: Ints
    """How many spans that speak of usage are above it: no row, a number."""
    lookup: Ints
    """Nearest look-up in the application's cache above."""
    context: Ints
    """Nearest span, itself included, that says something which calls inherit."""
    context_above: Ints
    """Where what it inherits goes on above that: the same for its parent."""


def place(facts: Facts) -> Tree:
    """Parents and what is inherited, level by level. Rings and what is nested too deep stand for themselves."""
    parent, depth = _parents(facts)
    speaks = facts.role != Role.NONE
    speaking, lookup, context = (_own(said) for said in (speaks, facts.is_lookup, facts.says["context"]))
    above, lookup_above, context_above = (np.full(len(facts), NO, np.int64) for _ in range(3))
    usage_depth = np.zeros(len(facts), np.int64)
    levels = np.split(np.argsort(depth, kind="stable"), np.cumsum(np.bincount(depth)))
    for level in levels[1:]:
        up = parent[level]
        above[level], lookup_above[level], context_above[level] = speaking[up], lookup[up], context[up]
        usage_depth[level] = usage_depth[up] + speaks[up]
        for nearest in (speaking, lookup, context):
            nearest[level] = np.where(nearest[level] != NO, nearest[level], nearest[up])
    return Tree(above, usage_depth, lookup_above, context, context_above)


def _own(said: Bools) -> Ints:
    return np.where(said, np.arange(len(said)), NO)


def _parents(facts: Facts) -> tuple[Ints, Ints]:
    """Each span's parent and its depth below the root, by steps of doubling length."""
    parent = rows_of(facts.id, parents_of(facts))
    depth, ahead = (parent != NO).astype(np.int64), parent.copy()
    for _ in range(_DOUBLINGS):
        on = np.flatnonzero(ahead != NO)
        depth[on] += depth[ahead[on]]
        ahead[on] = ahead[ahead[on]]
    parent[(depth > MAX_DEPTH) | (ahead != NO)] = NO
    depth[parent == NO] = 0
    return parent, depth
