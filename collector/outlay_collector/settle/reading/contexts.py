"""What spans say that calls below them inherit: contexts, a map per span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.dialects.inherited import Inherited, Place
from outlay_collector.dialects.inside import said_inside
from outlay_collector.dialects.names import NUMBER
from outlay_collector.settle.columns import maps_of
from outlay_collector.settle.facts import Bools, Ints, Role, flat
from outlay_collector.settle.reading.attributes import Asked, Attributes, asked_of
from outlay_collector.settle.reading.chosen import tags_of
from outlay_collector.settle.reading.texts import binary

SERVER = b"server"
_NEVER_NAMES = (Role.CALL, Role.RAW, Role.TAIL)
"""Spans of a request are named after what their library does, not after what it is for."""


@dataclass(frozen=True)
class Places:
    """Where spans say what calls inherit, by number, the preferred first."""

    inherited: Inherited

    @cached_property
    def names(self) -> list[bytes]:
        """What contexts call it."""
        return list(dict.fromkeys(place.name.encode() for place in self.inherited.places))

    @cached_property
    def name_of(self) -> Ints:
        """By place, its name's number."""
        number = {name: n for n, name in enumerate(self.names)}
        return np.array([number[place.name.encode()] for place in self.inherited.places], np.int64)

    @cached_property
    def of_spans(self) -> dict[bytes, list[int]]:
        """By attribute of a span, the places that ask for it."""
        return self._by_key(False)

    @cached_property
    def inside(self) -> dict[bytes, list[tuple[tuple[str, ...], int]]]:
        """By attribute of a span whose text is looked into: paths, and the places that ask for them."""
        found: dict[bytes, list[tuple[tuple[str, ...], int]]] = {}
        for number, place in enumerate(self.inherited.places):
            key, inside, path = place.source.key.partition("#")
            if inside and not place.in_resource:
                found.setdefault(key.encode(), []).append((tuple(path.split(".")), number))
        return found

    @cached_property
    def keys_of_spans(self) -> frozenset[bytes]:
        """Every attribute of a span that some place asks for."""
        return frozenset((*self.of_spans, *self.inside))

    @cached_property
    def of_resources(self) -> dict[bytes, list[int]]:
        """By attribute of a resource, the places that ask for it."""
        return self._by_key(True)

    @cached_property
    def outermost(self) -> list[tuple[int, Place]]:
        """Places that are spans' own names."""
        return [(n, place) for n, place in enumerate(self.inherited.places) if not place.source.key]

    def _by_key(self, in_resource: bool) -> dict[bytes, list[int]]:
        found: dict[bytes, list[int]] = {}
        for number, place in enumerate(self.inherited.places):
            if place.source.key and place.in_resource == in_resource:
                found.setdefault(place.source.key.encode(), []).append(number)
        return found


@dataclass(frozen=True, eq=False)
class _Said:
    """What spans say, an entry each."""

    row: Ints
    place: Ints
    value: Any


def contexts_of(spans: pa.Table, attributes: Attributes, dialect: Ints, role: Ints, places: Places) -> Any:
    """What calls below inherit, a map per span: of several spellings of a name the first that says something."""
    own = attributes.asked
    said = [_asked(own, places.of_spans), *_inside(own, places.inside), *_span_names(spans, dialect, role, places)]
    if places.of_resources:
        of_resources = asked_of(flat(spans["resource"]), lambda name: name in places.of_resources)
        said.append(_asked(of_resources, places.of_resources))
    tags, tag_names = tags_of(attributes)
    row = np.concatenate([*(each.row for each in said), tags.row])
    # By the order of preference, then tags as they were sent: those have no preference.
    place = np.concatenate([*(each.place for each in said), np.full(len(tags), len(places.name_of))])
    value = pa.concat_arrays([*(each.value for each in said), attributes.values.take(pa.array(tags.at))])
    name = np.append(places.name_of, 0)[place]
    name[len(name) - len(tags) :] = tags.name + len(places.names)
    counts = pc.greater(pc.binary_length(value), 0).to_numpy(zero_copy_only=False)
    counts &= _holds(spans, places, row, place, value)
    says = np.flatnonzero(counts)
    order = says[np.lexsort((says, place[says], row[says]))]
    words = [*places.names, *(b"tag." + each for each in tag_names)]
    first = np.sort(np.unique(row[order] * len(words) + name[order], return_index=True)[1])
    kept = order[first]
    return maps_of(len(spans), row[kept], binary(words).take(pa.array(name[kept])), value.take(pa.array(kept)))


def _asked(asked: Asked, places: dict[bytes, list[int]]) -> _Said:
    """The attributes that some place asks for."""
    code, row = asked.entries.name, asked.entries.row
    found: list[tuple[Ints, Ints]] = []
    for layer in range(max((len(each) for each in places.values()), default=0)):
        of = [each[layer] if len(each := places.get(word, [])) > layer else -1 for word in asked.names]
        place = np.array([*of, -1], np.int64)[code]
        here = np.flatnonzero(place >= 0)
        if not len(here):
            break
        found.append((here, place[here]))
    at = np.concatenate([np.zeros(0, np.int64), *(each for each, _ in found)])
    place = np.concatenate([np.zeros(0, np.int64), *(each for _, each in found)])
    return _Said(row[at], place, _plain(asked.values.take(pa.array(asked.entries.at[at]))))


def _inside(asked: Asked, places: dict[bytes, list[tuple[tuple[str, ...], int]]]) -> Iterable[_Said]:
    """What some place asks for inside of texts; few senders have such."""
    for number, word in enumerate(asked.names):
        if word not in places:
            continue
        at = np.flatnonzero(asked.entries.name == number)
        texts = _plain(asked.values.take(pa.array(asked.entries.at[at]))).to_pylist()
        found = [
            (row, place, said.encode("utf-8", "surrogatepass"))
            for row, text in zip(asked.entries.row[at].tolist(), texts, strict=True)
            for place, said in said_inside(text, places[word])
        ]
        rows, numbers, values = ([each[n] for each in found] for n in range(3))
        yield _Said(np.array(rows, np.int64), np.array(numbers, np.int64), pa.array(values, pa.binary()))


def _plain(values: Any) -> Any:
    found = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return found.cast(pa.binary())


def _span_names(spans: pa.Table, dialect: Ints, role: Ints, places: Places) -> Iterable[_Said]:
    """Names of spans that are no calls, of dialects whose users name them."""
    for number, place in places.outermost:
        named = np.isin(dialect, [NUMBER[name] for name in place.source.dialects]) & ~np.isin(role, _NEVER_NAMES)
        rows = np.flatnonzero(named)
        yield _Said(rows, np.full(len(rows), number), _plain(flat(spans["name"]).take(pa.array(rows))))


def _holds(spans: pa.Table, places: Places, row: Ints, place: Ints, value: Any) -> Bools:
    """Where what is said counts as said."""
    found: npt.NDArray[np.bool_] = np.ones(len(row), bool)
    for number, each in enumerate(places.inherited.places):
        source = each.source
        if not source.server_only and not source.not_a_name:
            continue
        at = np.flatnonzero(place == number)
        if not len(at):
            continue
        if source.server_only:
            kinds = pc.equal(flat(spans["kind"]).cast(pa.binary()), SERVER).to_numpy(zero_copy_only=False)
            found[at] &= kinds[row[at]]
        for word in source.not_a_name:
            same = pc.equal(value.take(pa.array(at)), pa.scalar(word.encode(), pa.binary()))
            found[at] &= ~same.to_numpy(zero_copy_only=False)
    return found
