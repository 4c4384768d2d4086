"""What spans carry under names that people choose: tags, a prompt's parts, billed units beside tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.common import OWN
from outlay_collector.dialects.model import OTHER_FIELDS
from outlay_collector.dialects.names import FREE, TAGS, free
from outlay_collector.settle.columns import maps_of
from outlay_collector.settle.reading.attributes import Attributes, Entries
from outlay_collector.settle.reading.said import MOST_COUNTED, Said
from outlay_collector.settle.reading.texts import binary, distinct, floats_of

PARTS, UNITS = TAGS + 1, TAGS + 2
TOKENS = b".tokens"
_NO_UNIT = OWN["estimated"].encode()


def tags_of(attributes: Attributes) -> tuple[Entries, list[bytes]]:
    """Tags, by their places among their names."""
    return _named(attributes, lambda beginning, _: 0 < beginning <= TAGS, lambda name, beginning: name[beginning:])


def prompt_parts_of(attributes: Attributes) -> Any:
    """How many tokens each part of a prompt has, a map per span: of parts with a count that a request can hold."""
    found, names = _named(
        attributes,
        lambda beginning, name: beginning == PARTS and name.endswith(TOKENS),
        lambda name, beginning: name[beginning : -len(TOKENS)],
    )
    numbers = floats_of(attributes.values.take(pa.array(found.at)))
    held = (numbers == np.floor(numbers)) & (numbers >= 0) & (numbers < MOST_COUNTED)
    counts = pa.array(numbers[held].astype(np.uint64))
    return maps_of(attributes.spans, found.row[held], binary(names).take(pa.array(found.name[held])), counts)


def other_usage_of(attributes: Attributes, said: Said) -> Any:
    """Units beside tokens, a map per span: of what dialects name, and what the application does (`outlay.usage.x`)."""
    found, names = _named(
        attributes,
        lambda beginning, name: beginning == UNITS and b"." not in name[len(FREE[-1]) :] and name != _NO_UNIT,
        lambda name, beginning: name[beginning:],
    )
    numbers = np.rint(floats_of(attributes.values.take(pa.array(found.at))))
    billed = np.where((numbers >= 0) & (numbers < MOST_COUNTED), numbers, 0).astype(np.int64)
    rows, names_said, counts = [], [], []
    for place, field in enumerate(OTHER_FIELDS):
        if field in said.counts:
            says = np.flatnonzero(said.count(field) > 0)
            rows.append(says)
            names_said.append(np.full(len(says), place))
            counts.append(said.count(field)[says])
    words = [*(name.encode() for name in OTHER_FIELDS), *names]
    number = {word: n for n, word in enumerate(dict.fromkeys(words))}
    own = np.array([number[word] for word in words], np.int64)
    row = np.concatenate([*rows, found.row])
    name = own[np.concatenate([*names_said, found.name + len(OTHER_FIELDS)])]
    count = np.concatenate([*counts, billed])
    # What the application says stands last, and holds.
    _, last = np.unique((row * len(number) + name)[::-1], return_index=True)
    kept = len(row) - 1 - last
    kept = kept[count[kept] > 0]
    return maps_of(
        attributes.spans,
        row[kept],
        binary(number).take(pa.array(name[kept])),
        pa.array(count[kept].astype(np.uint64)),
    )


def _named(attributes: Attributes, which: Any, shortened: Any) -> tuple[Entries, list[bytes]]:
    """The attributes with names of one purpose, by their places among the shortened names.

    Args:
        attributes: Of a batch.
        which: Says of a name by its beginning, a place in FREE from 1, whether it is one.
        shortened: The part that people chose of a name, by the length of its beginning.
    """
    chosen = attributes.chosen
    names: dict[bytes, int] = {}
    own = np.full(len(attributes.chosen_names) + 1, -1)
    for code in distinct(chosen.name)[0]:
        name = attributes.chosen_names[code]
        beginning = free(name)
        if which(beginning, name):
            own[code] = names.setdefault(shortened(name, len(FREE[beginning - 1])), len(names))
    found = chosen.where(own[chosen.name] >= 0)
    return Entries(found.row, own[found.name], found.at), list(names)
