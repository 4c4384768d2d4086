"""A call's dimensions, of what its spans say: the preferred way to say each, in the words of `[attributes]`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.dialects.inherited import MAPPED, UNNAMED_SERVICE
from outlay_collector.dialects.rewrites import Rewrites
from outlay_collector.settle.arrays import NO
from outlay_collector.settle.columns import entries_of, rows_in
from outlay_collector.settle.facts import Ints, flat
from outlay_collector.settle.mapping import AttributeMapping
from outlay_collector.settle.reading.texts import binary, decoded, encoded

OWN_DIALECT = b"outlay"
FEATURE = MAPPED.index("feature")
_UNNAMED = UNNAMED_SERVICE.encode()


def dimensions_of(context: Any, service: Any, dialect: Any, mapping: AttributeMapping) -> dict[str, Any]:
    """The columns of `MAPPED`, null where nobody says it.

    Args:
        context: A map per call, names as in `mapping.inherited`.
        service: Of each call; what others wrote is for the service as a whole where nothing else is said.
        dialect: Of each call.
    """
    said = _said(context, mapping)
    return {
        each: _chosen(number, len(context), said, mapping.rewrites.get(each), service, dialect)
        for number, each in enumerate(MAPPED)
    }


@dataclass(frozen=True, eq=False)
class _Said:
    """The entries of contexts that say a dimension."""

    row: Ints
    dimension: Ints
    """Place in MAPPED."""
    rank: Ints
    """How much this way to say it is preferred, 0 the most."""
    text: Ints
    """Place among `texts`."""
    texts: Any
    """The distinct ones, as Arrow's."""


def _said(context: Any, mapping: AttributeMapping) -> _Said:
    at = entries_of(context)
    names = context.keys[at].dictionary_encode()
    ways = _ways(names.dictionary.to_pylist(), mapping)
    by_name = names.indices.to_numpy()
    says = np.flatnonzero(ways[by_name, 0] != NO)  # tags and others are no words to be looked at
    dimension, rank = ways[by_name[says]].T
    texts = context.items[at].cast(pa.binary()).take(pa.array(says)).dictionary_encode()
    return _Said(rows_in(context)[says], dimension, rank, texts.indices.to_numpy(), texts.dictionary)


def _ways(names: list[bytes], mapping: AttributeMapping) -> Ints:
    """Shape (names, 2): which dimension each says (NO for none), and how much that way is preferred, 0 the most."""
    found: dict[bytes, tuple[int, int]] = {}
    for rank, place in enumerate(mapping.inherited.places):
        if place.dimension in MAPPED:
            found.setdefault(place.name.encode(), (MAPPED.index(place.dimension), rank))
    return np.array([found.get(word, (NO, 0)) for word in names], np.int64).reshape(-1, 2)


def _chosen(number: int, size: int, said: _Said, rewrites: Rewrites | None, service: Any, dialect: Any) -> Any:
    entries = np.flatnonzero(said.dimension == number)
    if not len(entries) and number != FEATURE:
        return pa.nulls(size, pa.binary())
    used, place = np.unique(said.text[entries], return_inverse=True)
    words = _all_worded(said.texts.take(pa.array(used)), rewrites)
    holds = pc.binary_length(words).to_numpy(zero_copy_only=False)[place] > 0
    entries, place = entries[holds], place[holds]
    order = np.lexsort((said.rank[entries], said.row[entries]))
    rows, first = np.unique(said.row[entries][order], return_index=True)
    at = np.full(size, NO)
    at[rows] = place[order][first]
    if number == FEATURE:
        at, words = _with_services(at, words, service, dialect, rewrites)
    return words.take(pa.array(at, mask=at == NO))


def _with_services(at: Ints, words: Any, service: Any, dialect: Any, rewrites: Rewrites | None) -> tuple[Ints, Any]:
    """Where nothing names a feature, the service of what others wrote; its words are added."""
    others = pc.not_equal(flat(dialect).cast(pa.binary()), OWN_DIALECT)
    missing = np.flatnonzero((at == NO) & pc.fill_null(others, False).to_numpy(zero_copy_only=False))
    if not len(missing):
        return at, words
    names = flat(service).cast(pa.binary()).take(pa.array(missing)).dictionary_encode()
    number: list[int] = []
    more: list[bytes] = []
    for name in names.dictionary.to_pylist():
        word = b"" if not name or name.startswith(_UNNAMED) else _worded(name, rewrites)
        number.append(len(words) + len(more) if word else NO)
        more += [word] if word else []
    found = at.copy()
    codes = pc.fill_null(names.indices, len(number)).to_numpy(zero_copy_only=False)
    found[missing] = np.array([*number, NO], np.int64)[codes]
    return found, pa.concat_arrays([words, binary(more)])


def _all_worded(said: Any, rewrites: Rewrites | None) -> Any:
    """Values in the words that they are to have; those that stay as they are, which is most, are not looked at."""
    if rewrites:
        return binary(_worded(word, rewrites) for word in said.to_pylist())
    is_json = pc.or_(pc.starts_with(said, b"["), pc.starts_with(said, b'"')).to_numpy(zero_copy_only=False)
    if not is_json.any():
        return said
    words = said.to_pylist()
    for n in np.flatnonzero(is_json).tolist():
        words[n] = _worded(words[n], None)
    return binary(words)


def _worded(said: bytes, rewrites: Rewrites | None) -> bytes:
    """A value in the words that it is to have: of a list its first text, of a JSON text what it says."""
    word = _first_text(said)
    return encoded(rewrites.of(decoded(word))) if rewrites and word else word


def _first_text(said: bytes) -> bytes:
    if said[:1] not in (b"[", b'"'):
        return said
    try:
        found = json.loads(said)
    except ValueError:
        return said
    if isinstance(found, list):
        found = next((each for each in found if isinstance(each, str) and each), "")
    return encoded(found) if isinstance(found, str) else said
