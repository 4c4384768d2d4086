"""What spans carry inside JSON texts: fields at a path, and whole usage objects in the words of their provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.model import FIELDS, NUMBER_FIELDS, TEXT_FIELDS, Dialect
from outlay_collector.dialects.names import sources
from outlay_collector.dialects.numbers import number_of
from outlay_collector.dialects.vocabulary import (
    DURATION,
    INPUT_EXCLUDES_CACHED,
    OUTPUT_EXCLUDES_REASONING,
    REGION,
    SEARCH_SIZE,
    SEARCH_SIZES,
    TIER,
    WORDS,
)

_MOST = int(sys.float_info.max)
Document = Callable[[str], Any]
"""The JSON value of the text that a span has under a name; None where it has none, or no JSON."""


@dataclass(frozen=True)
class UsageObject:
    """What a usage object counts, by field. A count is None where its word holds no number."""

    counts: Mapping[str, float] = field(default_factory=dict)
    input_excludes_cached: bool = False
    output_excludes_reasoning: bool = False
    service_tier: str = ""
    region: str = ""
    has_other_models: bool = False
    """It tells of other models that worked for the same request, whose tokens are not among the counts."""


def document_keys(dialect: Dialect) -> tuple[str, ...]:
    """Names of the texts that a dialect reads as JSON."""
    fields = (source.split("#")[0] for name in FIELDS for source in sources(dialect, name) if "#" in source)
    answers = (source.split("#")[0] for source in dialect.answers)
    return tuple(dict.fromkeys((*fields, *(blob.key for blob in dialect.usage), *answers)))


def _fields_inside(dialect: Dialect) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """By field that may stand in a document: names and paths, in order."""
    found = {}
    for name in (*TEXT_FIELDS, *NUMBER_FIELDS):
        places = [source.split("#", 1) for source in sources(dialect, name) if "#" in source]
        if places:
            found[name] = tuple((key, tuple(path.split("."))) for key, path in places)
    return found


_INSIDE = {dialect.name: _fields_inside(dialect) for dialect in DIALECTS}


def fields_inside(dialect: Dialect, document: Document, is_said: Callable[[str], bool]) -> dict[str, str]:
    """The fields that no attribute says and a document does, as texts.

    Args:
        dialect: Whose documents these are.
        document: Gives them.
        is_said: Whether an attribute says a field already.
    """
    found = {}
    for name, places in _INSIDE[dialect.name].items():
        if not is_said(name):
            texts = (text_of(at(document(key), path)) for key, path in places)
            text = next((text for text in texts if text), "")
            if text:
                found[name] = text
    return found


def usage_of(dialect: Dialect, document: Document) -> UsageObject:
    """What the usage objects among a dialect's texts count together: per count the fuller object's word."""
    read = []
    for blob in dialect.usage:
        found = at(document(blob.key), tuple(blob.path.split(".")) if blob.path else ())
        if blob.part and isinstance(found, (dict, list)):
            found = {blob.part: found}
        if isinstance(found, dict):
            read.append(read_usage(found, blob.style))
    return _fullest(read)


def answers_of(dialect: Dialect, document: Document) -> Iterator[Mapping[str, Any]]:
    """The whole answers of providers among a dialect's texts."""
    for source in dialect.answers:
        key, _, path = source.partition("#")
        found = at(document(key), tuple(path.split(".")) if path else ())
        if isinstance(found, dict):
            yield found


def _fullest(objects: list[UsageObject]) -> UsageObject:
    if len(objects) == 1:
        return objects[0]
    ordered = sorted(objects, key=lambda each: -sum(count > 0 for count in each.counts.values()))
    counts: dict[str, float] = {}
    for each in ordered:
        counts = {**each.counts, **counts}
    return UsageObject(
        counts,
        next((each.input_excludes_cached for each in ordered if "input_tokens" in each.counts), False),
        next((each.output_excludes_reasoning for each in ordered if "output_tokens" in each.counts), False),
        next((each.service_tier for each in ordered if each.service_tier), ""),
        next((each.region for each in ordered if each.region), ""),
        any(each.has_other_models for each in ordered),
    )


def parse(text: bytes) -> Any:
    """The JSON value of a text, None where it is none."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return None


def parse_usage(text: bytes) -> Any:
    """The same of a usage object, which may also be written as Python shows a dict of plain values."""
    if text.startswith(b"{'"):
        text = text.replace(b"'", b'"').replace(b"None", b"null").replace(b"True", b"true").replace(b"False", b"false")
    return parse(text)


def at(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of a JSON value, None where nothing does."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def text_of(value: Any) -> str:
    """A JSON value as the text that an attribute would have; empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip('"')
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def read_usage(usage: Any, style: str) -> UsageObject:
    """What a usage object counts: of several words for a count the preferred one is read."""
    if not isinstance(usage, dict):
        return UsageObject()
    words: dict[str, float] = {}
    _collect(usage, _TREE, words)
    if usage.get("type") != "duration":
        words.pop(DURATION, None)
    counts: dict[str, float] = {}
    chosen: dict[str, str] = {}
    for word in sorted(words, key=_PREFERENCE.__getitem__):
        name = _FIELD_OF[word]
        if name not in chosen:
            chosen[name] = word
            counts[name] = words[word]
    if usage.get(SEARCH_SIZE) in SEARCH_SIZES:
        counts[f"requests_{usage[SEARCH_SIZE]}"] = 1
    if style == "disjoint":
        _make_whole(counts, chosen)
    excludes = _excludes(INPUT_EXCLUDES_CACHED, style, chosen.get("input_tokens"), words)
    steps = usage.get("iterations")
    for entry in steps if isinstance(steps, list) else ():
        if isinstance(entry, dict) and entry.get("type") == "compaction":
            _add_compaction(counts, read_usage(entry, style), excludes)
    tier, region = next((usage[name] for name in TIER if name in usage), ""), usage.get(REGION)
    return UsageObject(
        counts,
        excludes,
        _excludes(OUTPUT_EXCLUDES_REASONING, style, chosen.get("output_tokens"), words),
        tier if isinstance(tier, str) else "",
        region if isinstance(region, str) else "",
        _has_other_models(steps if isinstance(steps, list) else ()),
    )


def _has_other_models(steps: Sequence[Any]) -> bool:
    """Whether several models answered in turn, or one gave advice; a refusal before any output is not billed."""
    told = [step for step in steps if isinstance(step, dict) and isinstance(step.get("model"), str)]
    advised = any(step.get("type") == "advisor_message" for step in told)
    return advised or len({step["model"] for step in told if step.get("output_tokens")}) > 1


def _make_whole(counts: dict[str, float], chosen: dict[str, str]) -> None:
    """Add to each side's disjoint count its parts of other kinds, unless the total has them in it already."""
    given, produced = counts.get("input_tokens"), counts.get("output_tokens")
    if given is None or produced is None or counts.get("total_tokens") == given + produced:
        return
    for side in ("input", "output"):
        parts = [f"{side}_{kind}_tokens" for kind in ("audio", "image", "video", "text")]
        counts[f"{side}_tokens"] += sum(counts.get(part, 0) for part in parts)
    # Kinds by modality are cuts through the whole prompt, cached or not.
    if any("_modality_" in word for word in chosen.values()):
        chosen["input_tokens"] = "input_modality"


def _add_compaction(counts: dict[str, float], step: UsageObject, excludes_cached: bool) -> None:
    """Add what a compaction counts to an answer's counts, as they count; to what the answer itself used, if known."""
    more = dict(step.counts)
    if step.input_excludes_cached and not excludes_cached:
        more["input_tokens"] += more.get("cache_read_tokens", 0) + more.get("cache_write_tokens", 0)
    for name, count in more.items():
        if name in counts or name not in ("input_tokens", "output_tokens"):
            counts[name] = counts.get(name, 0) + count


def _excludes(
    table: Mapping[str, Mapping[str, tuple[str, ...]]], style: str, word: str | None, words: Mapping[str, float]
) -> bool:
    """Whether a word leaves parts out of its count in a style: always, or beside certain others."""
    beside = table.get(style, {}).get(word or "")
    return beside is not None and (not beside or any(other in words for other in beside))


def _tree() -> dict[str, Any]:
    """The words by their parts: a word at its end, a tree of what may follow elsewhere."""
    tree: dict[str, Any] = {}
    for words in WORDS.values():
        for word in words:
            node = tree
            *outer, last = word.split(".")
            for part in outer:
                node = node.setdefault(part, {})
            node[last] = word
    return tree


_TREE = _tree()
_FIELD_OF = {word: name for name, words in WORDS.items() for word in words}
_PREFERENCE = {word: rank for words in WORDS.values() for rank, word in enumerate(words)}


def _collect(value: Mapping[str, Any], tree: Mapping[str, Any], words: dict[str, float]) -> None:
    """Note every word of the vocabulary that holds a number."""
    for name, inner in value.items():
        node = tree.get(name)
        if isinstance(node, str):
            number = _number(inner)
            if number is not None:
                words[node] = number
        elif node is not None and isinstance(inner, dict):
            _collect(inner, node, words)
        elif node is not None and isinstance(inner, list):
            _collect(_by_modality(inner), node, words)


def _by_modality(entries: list[Any]) -> dict[str, float]:
    """A list of kinds with their tokens as an object: `[{"modality": "AUDIO", "tokenCount": 5}]` is `{"AUDIO": 5}`."""
    found: dict[str, float] = {}
    for entry in entries:
        if isinstance(entry, dict):
            kind = str(entry.get("modality")).upper().removeprefix("MODALITY_").removeprefix("MEDIAMODALITY.")
            number = _number(next((entry[name] for name in _TOKEN_COUNTS if name in entry), None))
            if number is not None:
                found[kind] = found.get(kind, 0) + number
    return found


_TOKEN_COUNTS = ("tokenCount", "token_count", "tokens")


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, int, float)):
        return float(value) if abs(value) < _MOST else None
    return number_of(value.encode()) if isinstance(value, str) else None
