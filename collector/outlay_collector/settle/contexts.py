"""What calls were for: feature, user, tags …, of their own spans and of those around them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from outlay_collector.dialects.inherited import GROUPS, OUTERMOST
from outlay_collector.settle.arrays import NO
from outlay_collector.settle.facts import Ints, flat
from outlay_collector.settle.resolve import Contexts

# Names of which one hides the others: who says a prompt's name says its version too, or that it has none.
_GROUPS = [frozenset(name.encode() for name in names) for names in GROUPS.values()]
_OUTERMOST = frozenset(name.encode() for name in OUTERMOST)
Context = dict[bytes, bytes]


def contexts_of(column: Any, contexts: Contexts) -> Any:
    """The context of each request, given those of the spans: a column of maps."""
    own = flat(column)
    rows = contexts.near.copy()
    merged: dict[tuple[int, ...], int] = {}
    more: list[list[tuple[bytes, bytes]]] = []
    for request, chain in contexts.chains.items():
        if chain not in merged:
            merged[chain] = len(more)
            more.append(list(merge_chain(chain, own).items()))
        rows[request] = len(own) + merged[chain]
    if more:
        own = pa.concat_arrays([own, pa.array(more, own.type)])
    return own.take(pa.array(rows, mask=rows == NO))


def inherited_by(column: Any, near: Ints, above: Ints) -> list[Context]:
    """The contexts of single spans, each merged with those above it; `above` is a row per span, as in `Tree`."""
    own = flat(column)
    found = []
    for row in near.tolist():
        chain = []
        while row != NO:
            chain.append(row)
            row = int(above[row])
        found.append(merge_chain(tuple(chain), own))
    return found


def merge_chain(chain: tuple[int, ...], own: Any) -> Context:
    """One context of those of a chain of rows, the strongest first; NO parts what different spans inherit."""
    parts: list[list[int]] = [[]]
    for row in chain:
        if row == NO:
            parts.append([])
        else:
            parts[-1].append(row)
    found: Context = {}
    for part in reversed(parts):
        found |= _inherit([dict(own[row].as_py()) for row in part])
    return found


def _inherit(nearest_first: list[Context]) -> Context:
    found: Context = {}
    for said in reversed(nearest_first):
        hidden = frozenset().union(*(group for group in _GROUPS if group & said.keys()))
        stays = {name: found[name] for name in _OUTERMOST & found.keys()}
        found = {name: value for name, value in found.items() if name not in hidden} | said | stays
    return found
