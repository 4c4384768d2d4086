"""What spans carry inside JSON texts: fields at a path, and whole usage objects in the words of their provider."""

from __future__ import annotations

from functools import cache

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.keys import NUMBER, by_dialect, codes, keys, sources
from outlay_collector.dialects.literals import text, texts
from outlay_collector.dialects.model import FIELDS, Blob
from outlay_collector.dialects.vocabulary import (
    INPUT_EXCLUDES_CACHED,
    OUTPUT_EXCLUDES_REASONING,
    STYLES,
    WORDS,
)


@cache
def documents() -> dict[str, int]:
    """Attributes or contents that are read as JSON: key to its place in the array `documents`."""
    found: dict[str, int] = {}
    for dialect in DIALECTS:
        for field in FIELDS:
            for source in sources(dialect, field):
                if "#" in source:
                    found.setdefault(source.split("#")[0], len(found) + 1)
        for blob in dialect.usage:
            if blob.path:
                found.setdefault(blob.key, len(found) + 1)
    return found


def document_texts() -> str:
    """The texts of all documents, in order."""
    return (
        "["
        + ", ".join(
            f"if(mapContains(attributes, {text(key)}), attributes[{text(key)}], texts[{text(key)}])"
            for key in documents()
        )
        + "]"
    )


def opening_dialects() -> str:
    """Numbers of the dialects that look into documents."""
    found = [
        NUMBER[dialect.name]
        for dialect in DIALECTS
        if any("#" in source for field in FIELDS for source in sources(dialect, field))
        or any(blob.path for blob in dialect.usage)
    ]
    return ", ".join(map(str, found))


def inside(field: str) -> str:
    """A field from inside JSON texts, for the dialects that have such sources; lazily, only where it is asked for."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for dialect in DIALECTS:
        found = tuple(source for source in sources(dialect, field) if "#" in source)
        if found:
            groups.setdefault(found, []).append(NUMBER[dialect.name])
    branches = []
    for wanted, members in groups.items():
        tried = []
        for source in wanted:
            key, path = source.split("#", 1)
            tried.append(f"trim(BOTH '\"' FROM JSONExtractRaw(documents[{documents()[key]}], {_path(path)}))")
        value = tried[0] if len(tried) == 1 else f"arrayFirst(x -> x NOT IN ('', 'null'), [{', '.join(tried)}])"
        branches.append(f"dialect_id IN ({', '.join(map(str, members))}), {value}")
    return f"multiIf({', '.join(branches)}, '')" if branches else "''"


def _path(path: str) -> str:
    return ", ".join(str(int(part) + 1) if part.isdigit() else text(part) for part in path.split("."))


def blob_inside() -> str:
    """Usage object of a row from inside a larger document."""
    groups: dict[tuple[Blob, ...], list[int]] = {}
    for dialect in DIALECTS:
        found = tuple(blob for blob in dialect.usage if blob.path)
        if found:
            groups.setdefault(found, []).append(NUMBER[dialect.name])
    branches = []
    for blobs, members in groups.items():
        tried = [f"JSONExtractRaw(documents[{documents()[blob.key]}], {_path(blob.path)})" for blob in blobs]
        value = f"arrayFirst(x -> startsWith(x, '{{'), [{', '.join(tried)}])"
        branches.append(f"dialect_id IN ({', '.join(map(str, members))}), {value}")
    return f"multiIf({', '.join(branches)}, '')"


def blob_style() -> str:
    """Style of a usage object that stands alone: by dialect, and by its key where a dialect has several."""
    names = keys()
    alone, special = [], []
    for dialect in DIALECTS:
        plain = [blob for blob in dialect.usage if not blob.path]
        usual = STYLES.index(plain[-1].style) if plain else 0
        alone.append(usual)
        special += [
            f"dialect_id = {NUMBER[dialect.name]} AND has(ids, {names[blob.key]}), {STYLES.index(blob.style)}"
            for blob in plain
            if STYLES.index(blob.style) != usual
        ]
    usual_style = by_dialect(alone, "UInt8")
    return f"multiIf({', '.join(special)}, {usual_style})" if special else usual_style


def blob_style_inside() -> str:
    """Style of a usage object inside a document, by dialect."""
    nested = [next((blob.style for blob in dialect.usage if blob.path), STYLES[0]) for dialect in DIALECTS]
    return by_dialect([STYLES.index(style) for style in nested], "UInt8")


def blob_type() -> str:
    """The Tuple type that reads every word of the vocabulary in one pass over the JSON."""
    tree: dict[str, object] = {}
    for word in words():
        node = tree
        *outer, last = word.split(".")
        for part in outer:
            node = node.setdefault(part, {})  # type: ignore[assignment]
        node.setdefault(last, None)
    return f"Tuple({_members(tree)})"


def _members(tree: dict[str, object]) -> str:
    parts = []
    for name, node in tree.items():
        kind = "Nullable(Float64)" if node is None else f"Tuple({_members(node)})"  # type: ignore[arg-type]
        parts.append(f"{name} {kind}")
    return ", ".join(parts)


@cache
def words() -> dict[str, int]:
    """Every word of the vocabulary: number of its count * 256 + preference there.

    Input and output have numbers of their own, since what they include differs by where they stand.
    """
    own = {"input_tokens": "b_input_tokens", "output_tokens": "b_output_tokens"}
    return {
        word: codes()[own.get(field, f"n_{field}")] * 256 + rank
        for field, found in WORDS.items()
        for rank, word in enumerate(found)
    }


def word_excludes(field: str, rank: str) -> str:
    """Whether the word of that rank leaves cached tokens (or reasoning) out of its count, in the row's style."""
    table = INPUT_EXCLUDES_CACHED if field == "input_tokens" else OUTPUT_EXCLUDES_REASONING
    tests = []
    for style, found in table.items():
        for word, others in found.items():
            beside = f" AND hasAny(names, {texts(others)})" if others else ""
            tests.append(f"(style = {STYLES.index(style)} AND {rank} = {words()[word]}{beside})")
    return f"({' OR '.join(tests)})"
