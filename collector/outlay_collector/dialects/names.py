"""What each dialect asks an attribute for, as arrays: names and dialects become numbers, of which the tables are rows.

A dialect asks a name for a few values at most (`llm.model_name` may be both models). `ASKED` holds that as layers of
one array: dialect and name's number to the value's number and how much the name is preferred for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from outlay_collector.dialects import DIALECTS, common, operations
from outlay_collector.dialects.model import COUNT_FIELDS, FIELDS, NUMBER_FIELDS, TEXT_FIELDS, Dialect

NUMBER = {dialect.name: number for number, dialect in enumerate(DIALECTS)}
AFTER = " after documents"
"""Ends the name of a field's value from the attributes that are asked after the JSON texts."""
OWN = "own "
"""Begins the name of a value that is asked of the application's own attributes, whatever the dialect."""
KIND = "kind"
RANKS = 256
"""A value's number and a name's rank for it, 0 the best, are packed as number * RANKS + rank."""
FREE = (*common.TAG_PREFIXES, "outlay.prompt.part.", "outlay.usage.")
"""Beginnings of names that people choose: tags, then parts of a prompt, then billed units."""
TAGS = len(common.TAG_PREFIXES)


def sources(dialect: Dialect, field: str) -> tuple[str, ...]:
    """Where a dialect looks for a field: its own sources, then the common ones."""
    own = tuple(dialect.fields.get(field, ()))
    return (*own, *(key for key in common.FIELDS.get(field, ()) if key not in own))


def kinds(dialect: Dialect) -> tuple[str, ...]:
    """The attributes that say what a span is, in order."""
    own = tuple(kind.key for kind in dialect.kinds)
    return (*own, *(kind.key for kind in operations.KINDS if kind.key not in own))


def asked_for(dialect: Dialect) -> dict[str, tuple[str, ...]]:
    """The values a dialect looks up, each with the attributes that may hold it, in order.

    A field that may stand in a document has a second value, from the attributes asked after the document.
    """
    found: dict[str, tuple[str, ...]] = {KIND: kinds(dialect)}
    for field in (*TEXT_FIELDS, *NUMBER_FIELDS):
        every = sources(dialect, field)
        first = next((n for n, source in enumerate(every) if "#" in source), len(every))
        found[field] = every[:first]
        found[field + AFTER] = tuple(source for source in every[first:] if "#" not in source)
    for field in COUNT_FIELDS:
        found[field] = sources(dialect, field)
    return found | {OWN + field: (key,) for field, key in common.OWN.items()}


VALUES = {name: number for number, name in enumerate(asked_for(DIALECTS[0]), start=1)}
"""Numbers of the values that are looked up, from 1."""


def _keys() -> dict[str, int]:
    """Every attribute name that a table mentions, from 1."""
    found: dict[str, None] = {}
    for dialect in DIALECTS:
        found |= dict.fromkeys((*dialect.marks, *dialect.aggregate_input, dialect.estimated_without, dialect.tail[0]))
        found |= dict.fromkeys(dialect.includes_cached_with)
        found |= dict.fromkeys(blob.key for blob in dialect.usage)
        found |= dict.fromkeys(source.split("#")[0] for field in FIELDS for source in sources(dialect, field))
        found |= dict.fromkeys(name for names in asked_for(dialect).values() for name in names)
    found.pop("", None)
    return {name: number for number, name in enumerate(found, start=1)}


KEYS = _keys()
KEY_OF = {name.encode(): number for name, number in KEYS.items()}


def _asked() -> tuple[npt.NDArray[np.int32], ...]:
    """Layers of (dialect, key): value and rank, packed; 0 where the dialect asks the key for no (other) value."""
    layers: list[npt.NDArray[np.int32]] = []
    for number, dialect in enumerate(DIALECTS):
        uses: dict[int, int] = {}
        for value, names in asked_for(dialect).items():
            for rank, name in enumerate(names):
                key = KEYS[name]
                layer = uses[key] = uses.get(key, -1) + 1
                if layer == len(layers):
                    layers.append(np.zeros((len(DIALECTS), len(KEYS) + 1), np.int32))
                layers[layer][number, key] = VALUES[value] * RANKS + rank
    return tuple(layers)


ASKED = _asked()


def _marks() -> npt.NDArray[np.int64]:
    """By key: the dialect that it gives away, else the default, the last. Of several the first table counts."""
    found = np.full(len(KEYS) + 1, len(DIALECTS) - 1)
    for number, dialect in reversed(list(enumerate(DIALECTS))):
        for mark in dialect.marks:
            found[KEYS[mark]] = number
    return found


MARKS = _marks()


def free(name: bytes) -> int:
    """Which beginning of `FREE` a name has, from 1; 0 for none."""
    return next((n for n, beginning in enumerate(_FREE, start=1) if name.startswith(beginning)), 0)


_FREE = tuple(beginning.encode() for beginning in FREE)
