"""Whose spans these are and what kind each is: by its scope, by what it says, by its name and by what it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, RAW, TAIL
from outlay_collector.dialects.names import KEYS, KIND, MARKS
from outlay_collector.dialects.recognize import dialect_of_scope, meaning_of, operation_of
from outlay_collector.settle.facts import UNKNOWN, Bools, Ints, Role, flat
from outlay_collector.settle.reading.attributes import Attributes
from outlay_collector.settle.reading.said import Said
from outlay_collector.settle.reading.texts import decoded, distinct

DEFAULT = len(DIALECTS) - 1
NEVER = 5
"""What a span says it is: a `Role`, NONE where its usage decides, or this where nothing makes it one."""
_ROLES = {
    "": Role.NONE,
    CALL: Role.CALL,
    AGGREGATE: Role.AGGREGATE,
    RAW: Role.RAW,
    TAIL: Role.TAIL,
    PLAIN: NEVER,
}
_KEY_NAMES = {number: name for name, number in KEYS.items()}
_AGGREGATE_KEYS = [KEYS[key] for dialect in DIALECTS for key in dialect.aggregate_input]
_STREAMING = "dostream"
"""In the name of an operation: its answer came as a stream."""


def dialects_of(spans: pa.Table, attributes: Attributes) -> tuple[Ints, Bools]:
    """The dialect of each span, and whether nothing but the default fits it."""
    names, versions = flat(spans["scope_name"]), flat(spans["scope_version"])
    words = [decoded(word) for word in versions.dictionary.to_pylist()] or [""]
    scope = names.indices.to_numpy().astype(np.int64) * len(words) + versions.indices.to_numpy()
    each, code = distinct(scope)
    of_scope = []
    for number in each:
        found = dialect_of_scope(decoded(names.dictionary[number // len(words)].as_py()), words[number % len(words)])
        of_scope.append(UNKNOWN if found is None else found)
    by_scope = np.array(of_scope or [UNKNOWN], np.int64)[code] if len(code) else np.zeros(0, np.int64)
    by_mark = np.full(len(spans), DEFAULT)
    known = attributes.known
    marks = MARKS[known.name]
    marked = np.flatnonzero(marks != DEFAULT)
    np.minimum.at(by_mark, known.row[marked], marks[marked])
    dialect = np.where(by_scope == UNKNOWN, by_mark, by_scope)
    return dialect, (by_scope == UNKNOWN) & (dialect == DEFAULT)


@dataclass(frozen=True, eq=False)
class Kinds:
    """What spans say they are."""

    role: Ints
    """A `Role`, or NEVER; NONE where nothing says it."""
    operation: Ints
    """Place among `operations`."""
    operations: list[bytes]
    streams: Bools
    """The kind says that the answer is a stream."""


def kinds_of(spans: pa.Table, attributes: Attributes, dialect: Ints, said: Said) -> Kinds:
    """What spans say they are, or show by their names and attributes whatever they say."""
    codes, words = said.pool.words(said.at(KIND))
    keys = np.where(codes > 0, said.key_of(KIND), 0)
    combined = np.where(said.at(KIND) > 0, (keys + 1) * len(words) + codes, 0)
    each, code = distinct(combined)
    roles, streams, operations = [], [], {b"": 0}
    numbers = []
    for number in each:
        role, operation, value = "", "", ""
        if number:
            value = decoded(words[number % len(words)].replace(b'"', b"").lower())
            role, operation = meaning_of(_KEY_NAMES[number // len(words) - 1], value)
        roles.append(int(_ROLES[role]))
        streams.append(_STREAMING in value)
        numbers.append(operations.setdefault(operation.encode(), len(operations)))
    shown = _shown(spans, attributes, dialect)
    read = np.array(roles, np.int64)[code]
    said_so = np.array(numbers, np.int64)[code]
    asked, urls = said.pool.words(said.pool.first_of(*(said.own(name) for name in ("url", "path", "route"))))
    at_path = np.array([operations.setdefault(operation_of(decoded(url)).encode(), len(operations)) for url in urls])
    return Kinds(
        np.where(shown != Role.NONE, shown, read),
        np.where(said_so == 0, at_path[asked], said_so),
        list(operations),
        np.array(streams, bool)[code],
    )


def _shown(spans: pa.Table, attributes: Attributes, dialect: Ints) -> Ints:
    """Roles that show in a span's name or attributes, NONE elsewhere."""
    found = np.full(len(spans), int(Role.NONE))
    for key in _AGGREGATE_KEYS:
        found[attributes.having(key)] = Role.AGGREGATE
    for number in distinct(dialect)[0]:
        table = DIALECTS[number]
        if table.tail[0]:
            found[_first_is(attributes, KEYS[table.tail[0]], table.tail[1]) & (dialect == number)] = Role.TAIL
        if table.raw_names:
            names = pa.array([name.encode() for name in table.raw_names], pa.binary())
            raw = pc.is_in(flat(spans["name"]), value_set=names).to_numpy(zero_copy_only=False)
            found[raw & (dialect == number)] = Role.RAW
    return found


def _first_is(attributes: Attributes, key: int, value: str) -> Bools:
    """Where an attribute, the first of its name, has a value."""
    known = attributes.known
    entries = np.flatnonzero(known.name == key)
    row, first = np.unique(known.row[entries], return_index=True)
    texts = attributes.values.take(pa.array(known.at[entries[first]]))
    found = np.zeros(attributes.spans, bool)
    found[row] = pc.equal(texts, pa.scalar(value.encode(), pa.binary())).to_numpy(zero_copy_only=False)
    return found


def role_of(
    kinds: Kinds, cached: Bools, has_counts: Bools, has_model: Bools, has_response: Bools, is_named: Bools
) -> Ints:
    """What the usage of spans stands for: a `Role`. One that names its model and who serves it speaks of a request,
    whether it counts anything or not."""
    read = kinds.role
    found: Ints = np.select(
        [
            cached,
            (read == Role.RAW) & (has_counts | has_response),
            (read == Role.CALL) & (has_counts | has_model),
            np.isin(read, (Role.TAIL, Role.AGGREGATE)) & has_counts,
            (read == Role.NONE) & (has_counts | is_named),
        ],
        [Role.CALL, Role.RAW, Role.CALL, read, Role.CALL],
        Role.NONE,
    )
    return found


def includes_cached(attributes: Attributes, dialect: Ints) -> Bools:
    """Where a span shows that its library's version includes cached tokens in the input, whoever the provider is."""
    found = np.zeros(attributes.spans, bool)
    for number in distinct(dialect)[0]:
        for name in DIALECTS[number].includes_cached_with:
            found |= (dialect == number) & attributes.having(KEYS[name])
    return found


def lacks_proof(attributes: Attributes, dialect: Ints) -> Bools:
    """Where the counts of a stream would be an estimate: it lacks the attribute by which its dialect says otherwise."""
    found = np.zeros(attributes.spans, bool)
    for number in distinct(dialect)[0]:
        proof = DIALECTS[number].estimated_without
        if proof:
            found |= (dialect == number) & ~attributes.having(KEYS[proof])
    return found


def has_dialect(dialect: Ints, which: Any) -> Bools:
    """Where a span's dialect is one of some tables, by what is said of a table."""
    return np.array([bool(which(table)) for table in DIALECTS])[dialect]
