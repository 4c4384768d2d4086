"""A call's dimensions, of what its spans say: the preferred way to say each, in the words of `[attributes]`."""

from __future__ import annotations

import json
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
    row, name, text, texts = _entries(context)
    dimension, rank = _ways(name, mapping)
    of = dimension[name.indices.to_numpy()] if len(name) else np.zeros(0, np.int64)
    by_rank = rank[name.indices.to_numpy()] if len(name) else of
    return {
        each: _chosen(number, len(context), row, of, by_rank, text, texts, mapping, service, dialect)
        for number, each in enumerate(MAPPED)
    }


def _entries(context: Any) -> tuple[Ints, Any, Ints, list[bytes]]:
    """Of each entry its row, its name, its text's number; and the texts."""
    at = entries_of(context)
    names = context.keys[at].dictionary_encode()
    values = context.items[at].cast(pa.binary()).dictionary_encode()
    return rows_in(context), names, values.indices.to_numpy().astype(np.int64), values.dictionary.to_pylist()


def _ways(name: Any, mapping: AttributeMapping) -> tuple[Ints, Ints]:
    """By name, which dimension it says (NO for none), and how much it is preferred, 0 the most."""
    found: dict[bytes, tuple[int, int]] = {}
    for rank, place in enumerate(mapping.inherited.places):
        if place.dimension in MAPPED:
            found.setdefault(place.name.encode(), (MAPPED.index(place.dimension), rank))
    ways = [found.get(word, (NO, 0)) for word in name.dictionary.to_pylist()] or [(NO, 0)]
    dimension, rank_of = np.array(ways, np.int64).T
    return dimension, rank_of


def _chosen(
    number: int,
    size: int,
    row: Ints,
    dimension: Ints,
    rank: Ints,
    text: Ints,
    texts: list[bytes],
    mapping: AttributeMapping,
    service: Any,
    dialect: Any,
) -> Any:
    rewrites = mapping.rewrites.get(MAPPED[number])
    entries = np.flatnonzero(dimension == number)
    used = np.unique(text[entries])
    words = [_worded(texts[n], rewrites) for n in used.tolist()]
    place = np.searchsorted(used, text[entries])
    holds = np.array([bool(word) for word in words] or [False])[place] if len(entries) else np.zeros(0, bool)
    entries, place = entries[holds], place[holds]
    order = np.lexsort((rank[entries], row[entries]))
    rows, first = np.unique(row[entries][order], return_index=True)
    at = np.full(size, NO)
    at[rows] = place[order][first]
    if number == FEATURE:
        at = _with_services(at, words, service, dialect, rewrites)
    return binary(words).take(pa.array(at, mask=at == NO))


def _with_services(at: Ints, words: list[bytes], service: Any, dialect: Any, rewrites: Rewrites | None) -> Ints:
    """Where nothing names a feature, the service of what others wrote; its words are added."""
    others = pc.not_equal(flat(dialect).cast(pa.binary()), OWN_DIALECT)
    missing = np.flatnonzero((at == NO) & pc.fill_null(others, False).to_numpy(zero_copy_only=False))
    if not len(missing):
        return at
    names = flat(service).cast(pa.binary()).take(pa.array(missing)).dictionary_encode()
    number = []
    for name in names.dictionary.to_pylist():
        word = b"" if not name or name.startswith(_UNNAMED) else _worded(name, rewrites)
        number.append(len(words) if word else NO)
        words += [word] if word else []
    found = at.copy()
    codes = pc.fill_null(names.indices, len(number)).to_numpy(zero_copy_only=False)
    found[missing] = np.array([*number, NO], np.int64)[codes]
    return found


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
