"""What calls were for: feature, user, tags …, of their own spans and of those around them.

A context is a map of names to texts. What a span says holds together with what it inherits from the spans above it,
nearest first: of one name the nearest word counts, for some names the outermost, and who says one name of a group (a
prompt's name and version) hides what spans further up say of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.inherited import GROUPS, OUTERMOST
from outlay_collector.settle.arrays import NO, first_of_run
from outlay_collector.settle.columns import maps_of
from outlay_collector.settle.facts import Bools, Ints, flat
from outlay_collector.settle.resolve import Contexts

_GROUPS = [frozenset(name.encode() for name in names) for names in GROUPS.values()]
_OUTERMOST = frozenset(name.encode() for name in OUTERMOST)


def contexts_of(column: Any, contexts: Contexts, above: Ints, requests: int) -> Any:
    """The context of each request, given those of the spans: a column of maps, null where nobody says anything.

    Args:
        column: What each span says itself.
        contexts: Whose words hold for each request; of several spans the first one's before the others'.
        above: By span the next one above that says something, as `Tree.context_above`.
        requests: How many requests there are.
    """
    spans, span = np.unique(contexts.near, return_inverse=True)
    whole, at = _whole(flat(column), spans, above)
    first = first_of_run(contexts.request)
    row = np.full(requests, NO)
    row[contexts.request[first]] = at[span[first]]
    more = np.isin(contexts.request, contexts.request[~first])
    if more.any():
        several, group = np.unique(contexts.request[more], return_inverse=True)
        merged = _Merging(whole, group, _places(group), at[span[more]]).by_nearest(len(several))
        row[several] = len(whole) + np.arange(len(several))
        whole = pa.concat_arrays([whole, merged])
    return whole.take(pa.array(row, mask=row == NO))


def inherited_by(column: Any, near: Ints, above: Ints) -> Any:
    """The contexts of single spans with what they inherit, by the nearest span that says something, or NO."""
    spans, span = np.unique(near[near != NO], return_inverse=True)
    whole, at = _whole(flat(column), spans, above)
    row = np.full(len(near), NO)
    row[near != NO] = at[span]
    return whole.take(pa.array(row, mask=row == NO))


def _whole(own: Any, spans: Ints, above: Ints) -> tuple[Any, Ints]:
    """The contexts of some spans together with what they inherit: maps, and the place of each span's among them."""
    at = spans.copy()
    inheriting = np.flatnonzero(above[spans] != NO)
    if not len(inheriting):
        return own, at
    row, group = spans[inheriting], np.arange(len(inheriting))
    rows: list[Ints] = []
    groups: list[Ints] = []
    ranks: list[Ints] = []
    while len(row):
        rows.append(row)
        groups.append(group)
        ranks.append(np.full(len(row), len(ranks)))
        row = above[row]
        group, row = group[row != NO], row[row != NO]
    group = np.concatenate(groups)
    order = np.argsort(group, kind="stable")
    steps = _Merging(own, group[order], np.concatenate(ranks)[order], np.concatenate(rows)[order])
    at[inheriting] = len(own) + np.arange(len(inheriting))
    return pa.concat_arrays([own, steps.by_inheritance(len(inheriting))]), at


class _Merging:
    """Maps to be made one per group: their entries, in the order of the groups and within one of how near they are."""

    def __init__(self, maps: Any, group: Ints, rank: Ints, row: Ints) -> None:
        """Take maps.

        Args:
            maps: A column of maps.
            group: Of each map to be merged its group, ascending.
            rank: How near it is in its group, from 0.
            row: Where it stands in the column.
        """
        offsets = maps.offsets.to_numpy().astype(np.int64)
        sizes = np.diff(offsets)[row]
        step = np.repeat(np.arange(len(row)), sizes)
        self._at = np.repeat(offsets[row] - np.cumsum(sizes) + sizes, sizes) + np.arange(len(step))
        self._maps = maps
        self._group, self._rank = group[step], rank[step]
        names = maps.keys.take(pa.array(self._at)).dictionary_encode()
        self._name = names.indices.to_numpy().astype(np.int64)
        self._names: list[bytes] = names.dictionary.to_pylist()

    def by_nearest(self, groups: int) -> Any:
        """Of each name the nearest word."""
        return self._made(groups, self._runs()[0])

    def by_inheritance(self, groups: int) -> Any:
        """Of each name the nearest word that nothing nearer hides, or the outermost."""
        nearest, outermost = self._runs()
        kept = np.where(self._is(_OUTERMOST)[nearest], outermost, nearest)
        hidden = np.zeros(len(self._at), bool)
        for names in _GROUPS:
            of_group = np.flatnonzero(self._is(names))
            least = np.full(groups, len(self._rank))
            np.minimum.at(least, self._group[of_group], self._rank[of_group])
            hidden[of_group] |= self._rank[of_group] > least[self._group[of_group]]
        return self._made(groups, kept[~hidden[kept] | self._is(_OUTERMOST)[kept]])

    def _is(self, names: frozenset[bytes]) -> Bools:
        found: Bools = np.array([*(name in names for name in self._names), False])[self._name]
        return found

    def _runs(self) -> tuple[Ints, Ints]:
        """Of each name of each group the first and the last entry."""
        named = self._group * len(self._names) + self._name
        order = np.argsort(named, kind="stable")
        starts = np.flatnonzero(first_of_run(named[order]))
        ends = np.append(starts[1:], len(order)) - 1 if len(starts) else starts
        return order[starts], order[ends]

    def _made(self, groups: int, kept: Ints) -> Any:
        kept = np.sort(kept)
        at = pa.array(self._at[kept])
        made = maps_of(groups, self._group[kept], self._maps.keys.take(at), self._maps.items.take(at))
        return made.cast(self._maps.type)


def _places(group: Ints) -> Ints:
    """Each element's place in its run."""
    starts = np.flatnonzero(first_of_run(group))
    return np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
