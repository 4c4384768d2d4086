"""JSON texts of the spans that say something nowhere else: opened one by one, as few spans have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.parsing.searches import in_answer
from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.model import Dialect
from outlay_collector.dialects.names import KEYS
from outlay_collector.dialects.opened import (
    UsageObject,
    answers_of,
    document_keys,
    fields_inside,
    parse,
    parse_usage,
    usage_of,
)
from outlay_collector.settle.facts import UNKNOWN, Bools, Ints
from outlay_collector.settle.reading.attributes import Attributes
from outlay_collector.settle.reading.said import MOST_COUNTED, Said
from outlay_collector.settle.reading.texts import EMPTY, binary, decoded, encoded

NAMES = tuple(dict.fromkeys(key for dialect in DIALECTS for key in document_keys(dialect)))
"""Every text that some dialect reads as JSON."""
_ALONE = frozenset(blob.key for dialect in DIALECTS for blob in dialect.usage if not blob.path)
"""Those that are usage objects as a whole."""
_KEY_NAMES = {number: name for name, number in KEYS.items()}
_OPENING = np.array([bool(document_keys(dialect)) for dialect in DIALECTS])
Texts = Mapping[int, Mapping[str, bytes]]
"""Contents of spans, by row and name."""


@dataclass(frozen=True, eq=False)
class Objects:
    """What usage objects say together apart from attributes, by span."""

    input: Ints
    output: Ints
    input_excludes_cached: Bools
    output_excludes_reasoning: Bools
    service_tier: Ints
    """Where its text stands."""
    region: Ints
    """Likewise."""
    has_other_models: Bools
    """They tell of other models' work for the same request, which is not counted."""


def opening(attributes: Attributes, dialect: Ints, has_content: Bools) -> Bools:
    """Which spans have texts that their dialect reads as JSON; `has_content` tells of contents, attributes are here."""
    has: Bools = has_content & _OPENING[dialect]
    has[_document_entries(attributes, dialect)[0]] = True
    return has


def _document_entries(attributes: Attributes, dialect: Ints) -> tuple[Ints, Ints]:
    """Attributes of opening dialects that are documents: spans, and their places among the known ones."""
    known = attributes.known
    is_document = np.zeros(len(KEYS) + 1, bool)
    is_document[[KEYS[name] for name in NAMES]] = True
    found = np.flatnonzero(is_document[known.name] & _OPENING[dialect[known.row]])
    return known.row[found], found


def open_all(attributes: Attributes, dialect: Ints, said: Said, opens: Bools, contents: Texts) -> Objects:
    """Read the documents and usage objects of the spans that have such; what they say is added to `said`."""
    spans = attributes.spans
    found = Objects(
        np.full(spans, UNKNOWN),
        np.full(spans, UNKNOWN),
        np.zeros(spans, bool),
        np.zeros(spans, bool),
        np.full(spans, EMPTY),
        np.full(spans, EMPTY),
        np.zeros(spans, bool),
    )
    rows = np.flatnonzero(opens)
    if not len(rows):
        return found
    texts = _texts(attributes, dialect, contents)
    models = said.field("request_model")
    tiers: dict[int, bytes] = {}
    regions: dict[int, bytes] = {}
    fields: list[tuple[str, int, str]] = []
    for row in rows.tolist():
        table = DIALECTS[int(dialect[row])]
        document = _documents(texts.get(row, {}))
        fields += [(name, row, text) for name, text in fields_inside(table, document, _is_said(said, row)).items()]
        read = usage_of(table, document)
        _take_usage(found, said, row, read)
        if table.answers:
            _take_searches(table, document, said, row, models[row])
        for words, word in ((tiers, read.service_tier), (regions, read.region)):
            if word:
                words[row] = encoded(word)
    said.put(fields)
    for places, words in ((found.service_tier, tiers), (found.region, regions)):
        first = said.pool.add(binary(words.values()))
        for n, row in enumerate(words):
            places[row] = first + n
    return found


def _is_said(said: Said, row: int) -> Callable[[str], bool]:
    return lambda name: bool(said.pool.length[said.at(name)[row]])


def _documents(texts: Mapping[str, bytes]) -> Callable[[str], Any]:
    """The documents of one span, each parsed when it is asked for."""
    parsed: dict[str, Any] = {}

    def document(key: str) -> Any:
        if key not in parsed:
            parsed[key] = (parse_usage if key in _ALONE else parse)(texts[key]) if key in texts else None
        return parsed[key]

    return document


def _texts(attributes: Attributes, dialect: Ints, contents: Texts) -> dict[int, dict[str, bytes]]:
    """The texts of documents by span and name: an attribute goes before a content of the same name."""
    found = {row: dict(texts) for row, texts in contents.items()}
    rows, places = _document_entries(attributes, dialect)
    known = attributes.known
    for row, place in zip(rows[::-1].tolist(), places[::-1].tolist(), strict=True):
        text = attributes.values[int(known.at[place])].as_py()
        found.setdefault(row, {})[_KEY_NAMES[int(known.name[place])]] = text
    return found


def _take_searches(table: Dialect, document: Callable[[str], Any], said: Said, row: int, at_model: int) -> None:
    """Count the searches that the provider's answer shows, where nothing tells their number."""
    if said.count("web_searches")[row] != UNKNOWN:
        return
    model = decoded(said.pool.texts[int(at_model)].as_py()).rpartition("/")[2]
    made = max((in_answer(answer, model) for answer in answers_of(table, document)), default=0)
    if made:
        said.counts.put("web_searches", row, made)


def _take_usage(found: Objects, said: Said, row: int, usage: UsageObject) -> None:
    found.input_excludes_cached[row] = usage.input_excludes_cached
    found.output_excludes_reasoning[row] = usage.output_excludes_reasoning
    found.has_other_models[row] = usage.has_other_models
    for name, number in usage.counts.items():
        count = round(number)
        if not 0 <= count < MOST_COUNTED:
            continue
        if name == "input_tokens":
            found.input[row] = count
        elif name == "output_tokens":
            found.output[row] = count
        else:
            known = said.count(name)[row]
            if known <= 0 < count or known == UNKNOWN:
                said.counts.put(name, row, count)
