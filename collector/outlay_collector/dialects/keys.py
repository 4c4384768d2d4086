"""Numbers for what the dialect tables name: dialects, attribute names, and the values that are looked up.

A row's attribute names are turned into numbers once; each value then finds its number by dialect and preference in
constant arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from outlay_collector.dialects import DIALECTS, common
from outlay_collector.dialects.literals import numbers
from outlay_collector.dialects.model import COUNT_FIELDS, FIELDS, NUMBER_FIELDS, TEXT_FIELDS, Dialect

NUMBER = {dialect.name: number for number, dialect in enumerate(DIALECTS, start=1)}


def sources(dialect: Dialect, field: str) -> tuple[str, ...]:
    """Where a dialect looks for a field: its own sources, then the common ones."""
    own = tuple(dialect.fields.get(field, ()))
    return (*own, *(key for key in common.FIELDS.get(field, ()) if key not in own))


def has_inside(field: str) -> bool:
    return any("#" in source for dialect in DIALECTS for source in sources(dialect, field))


def kinds(dialect: Dialect) -> tuple[str, ...]:
    own = tuple(kind.key for kind in dialect.kinds)
    return (*own, *(kind.key for kind in common.KINDS if kind.key not in own))


@cache
def keys() -> dict[str, int]:
    """Every attribute name that is looked up by number. The context's come first, in order of preference."""
    names: dict[str, int] = {}

    def add(name: str) -> None:
        names.setdefault(name, len(names) + 1)

    for found in common.CONTEXT.values():
        for name in found:
            add(name)
    for dialect in DIALECTS:
        for name in (*dialect.marks, *dialect.aggregate_input, *kinds(dialect)):
            add(name)
        if dialect.estimated_without:
            add(dialect.estimated_without)
        if dialect.tail[0]:
            add(dialect.tail[0])
        for blob in dialect.usage:
            add(blob.key)
        for field in FIELDS:
            for source in sources(dialect, field):
                add(source.split("#")[0])
    for name in common.OWN.values():
        add(name)
    return names


def context_count() -> int:
    """Numbers up to here are attributes that calls inherit."""
    return len({name for found in common.CONTEXT.values() for name in found})


def by_dialect(values: Sequence[int], kind: str = "UInt16") -> str:
    """A constant per dialect: a literal where all agree, else an element of an array."""
    if len(set(values)) == 1:
        return f"to{kind}({values[0]})"
    return f"{numbers(values, kind)}[dialect_id]"


def wanted(dialect: Dialect) -> dict[str, tuple[str, ...]]:
    """What is looked up for a row of a dialect: name of the value to the keys it may stand under, in order.

    A field that may stand inside a document has a second value, `e_`, from the keys asked after the document.
    """
    out: dict[str, tuple[str, ...]] = {}
    for field in (*TEXT_FIELDS, *NUMBER_FIELDS):
        found = sources(dialect, field)
        first = next((i for i, source in enumerate(found) if "#" in source), len(found))
        out[f"d_{field}"] = found[:first]
        if has_inside(field):
            out[f"e_{field}"] = tuple(source for source in found[first:] if "#" not in source)
    for field in COUNT_FIELDS:
        out[f"n_{field}"] = sources(dialect, field)
    out["blob_alone"] = tuple(blob.key for blob in dialect.usage if not blob.path)
    for field, key in common.OWN.items():
        out[f"o_{field}"] = (key,)
    return out


# Values that only a document holds. What else it says takes the number of the attribute that would say it.
INSIDE = ("b_service_tier", "b_input_tokens", "b_output_tokens", "b_input_excludes", "b_output_excludes")


@cache
def codes() -> dict[str, int]:
    """Numbers of the values that are looked up."""
    return {name: code for code, name in enumerate((*wanted(DIALECTS[0]), *INSIDE), start=1)}


def hits() -> str:
    """For dialect and key number, `dialect * (keys + 1) + key + 1`: what the key is wanted for, as value * 256 + rank.

    A key is wanted for two values at most; the second stands in the upper 16 bits.
    """
    names = keys()
    packed = [0] * (len(names) + 1)
    for dialect in DIALECTS:
        found = [0] * (len(names) + 1)
        for name, wanted_for in wanted(dialect).items():
            for rank, key in enumerate(wanted_for):
                hit = codes()[name] * 256 + rank
                earlier = found[names[key]]
                assert earlier < 1 << 16, f"{key} is wanted for three values"
                found[names[key]] = earlier | hit << 16 if earlier else hit
        packed += found
    return numbers(packed, "UInt32")


def said(name: str) -> str:
    """A looked-up value by its name in `wanted`, empty where the span does not say it."""
    return f"said[{codes()[name]}]"
