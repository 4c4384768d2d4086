"""Dialect tables to SQL: one set of expressions that reads any span, whatever wrote it.

The dialect is found once per row. Every attribute name that some table mentions has a number (`keys.py`), and what
stands in JSON texts is opened only where a table says so (`documents.py`). So the SQL grows with the fields, not with
the dialects, and adding a table adds data rather than branches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from outlay_collector.dialects import DEFAULT, DIALECTS, common, providers
from outlay_collector.dialects.documents import (
    blob_inside,
    blob_style,
    blob_style_inside,
    blob_type,
    document_texts,
    documents,
    inside,
    opening_dialects,
    word_excludes,
    words,
)
from outlay_collector.dialects.keys import (
    INSIDE,
    NUMBER,
    codes,
    context_count,
    has_inside,
    hits,
    keys,
    kinds,
    said,
)
from outlay_collector.dialects.literals import array, numbers, text, texts
from outlay_collector.dialects.model import (
    AGGREGATE,
    CALL,
    COUNT_FIELDS,
    NUMBER_FIELDS,
    OTHER_FIELDS,
    PLAIN,
    RAW,
    TAIL,
    TEXT_FIELDS,
)
from outlay_collector.dialects.vocabulary import WORDS

ROLES = {"": 0, CALL: 1, AGGREGATE: 2, RAW: 3, TAIL: 4, PLAIN: 5}


def fragments() -> dict[str, str]:
    """Everything that `read.sql`, `inside.sql` and `canonical.sql` ask for."""
    names = keys()
    raw = [
        f"(dialect_id = {NUMBER[d.name]} AND span.name IN ({', '.join(text(n) for n in d.raw_names)}))"
        for d in DIALECTS
        if d.raw_names
    ]
    guessing = [
        f"(dialect_id = {NUMBER[d.name]} AND NOT has(ids, {names[d.estimated_without]}))"
        for d in DIALECTS
        if d.estimated_without
    ]
    tails = [
        f"(dialect_id = {NUMBER[d.name]} AND v[indexOf(ids, {names[d.tail[0]]})] = {text(d.tail[1])})"
        for d in DIALECTS
        if d.tail[0]
    ]
    return {
        "key_number": key_number(),
        "free_beginnings": texts(free_beginnings()),
        "free_lengths": numbers([len(x) for x in free_beginnings()], "UInt8"),
        "tags": str(len(common.TAG_PREFIXES)),
        "dialect_of_scope": dialect_of_scope(),
        "mark_dialects": mark_dialects(),
        "default_dialect": str(NUMBER[DEFAULT.name]),
        "kind_keys": kind_keys(),
        "hits": hits(),
        "keys": str(len(keys()) + 1),
        "kind_exact": kind_exact(),
        "kind_otherwise": kind_otherwise(),
        "role": role(),
        "operation": operation(),
        "context_keys": str(context_count()),
        "context_names": _context_names(),
        "documents": document_texts(),
        "opening_dialects": opening_dialects(),
        "document_keys": numbers(keys()[key] for key in documents()),
        "document_names": texts(documents()),
        "blob_alone": str(codes()["blob_alone"]),
        "blob_inside": blob_inside(),
        "blob_style": blob_style(),
        "blob_style_inside": blob_style_inside(),
        "blob_type": text(blob_type()),
        "words": texts(words()),
        "word_ranks": numbers(words().values()),
        "word_count": count("one.2"),
        **_word_bounds(),
        "inside_texts": ", ".join(_inside_texts()),
        "b_service_tier": str(codes()["b_service_tier"]),
        **{f"said_{field}": _said_field(field) for field in (*TEXT_FIELDS, *NUMBER_FIELDS)},
        **{f"own_{field}": said(f"o_{field}") for field in common.OWN},
        **{f"count_{field}": f"counts[{codes()[f'n_{field}']}]" for field in COUNT_FIELDS if field not in OTHER_FIELDS},
        **{f"blob_{name[2:]}": f"counts[{codes()[name]}]" for name in INSIDE if name != "b_service_tier"},
        "first_other": str(codes()[f"n_{OTHER_FIELDS[0]}"]),
        "last_other": str(codes()[f"n_{OTHER_FIELDS[-1]}"]),
        "other_names": texts(OTHER_FIELDS),
        "first_count": str(min(codes()[f"n_{field}"] for field in COUNT_FIELDS)),
        "last_count": str(max(codes()[f"n_{field}"] for field in COUNT_FIELDS)),
        "aggregate_input": _aggregate_input(),
        # Dialects that report a stream's usage in a span of its own.
        "stream_dialects": ", ".join(str(NUMBER[dialect.name]) for dialect in DIALECTS if dialect.tail[0]),
        "rank": per_dialect([dialect.rank for dialect in DIALECTS]),
        "dialect_name": per_dialect([dialect.name for dialect in DIALECTS]),
        "raw_name": " OR ".join(raw) or "false",
        "tail": " OR ".join(tails) or "false",
        "estimated": " OR ".join(guessing) or "false",
        "provider_as_written": provider_name("provider_written"),
        "provider_of_two_parts": provider_name(r"replaceRegexpOne(provider_written, '^([^.]*[.][^.]*)[.].*$', '\\1')"),
        "provider_of_one_part": provider_name("replaceRegexpOne(provider_written, '[.].*$', '')"),
        "provider_of_prefix": provider_name(r"replaceRegexpOne(any_model, '^([^/]*)/.*$|^.*$', '\\1')"),
        "provider_of_model": provider_of_model("any_model"),
        "provider_of_host": provider_of_host("host"),
        "never_openai": ", ".join(text(name) for name in providers.NEVER_OPENAI),
        "input_excludes_cached": excludes("input_excludes_cached"),
        "output_excludes_reasoning": excludes("output_excludes_reasoning"),
        "billed_failure": billed_failure(),
    }


def key_number() -> str:
    """Number of an attribute's name `x`, plus 65,536 where one of the free beginnings is in it; else 0.

    Of functions that ClickHouse works out once per name rather than per row.
    """
    names = keys()
    number = f"transform(x, {texts(names)}, {numbers(names.values(), 'UInt32')}, toUInt32(0))"
    return f"{number} + multiSearchAny(x, {texts(free_beginnings())}) * 65536"


def free_beginnings() -> tuple[str, ...]:
    """Beginnings of names that people choose: tags, then parts of a prompt, then billed units."""
    return (*common.TAG_PREFIXES, "outlay.prompt.part.", "outlay.usage.")


def pattern(beginnings: Iterable[str], ahead: str = "^") -> str:
    """A regular expression that finds the first of these texts that fits, the longest first."""
    return f"{ahead}({'|'.join(re.escape(x) for x in sorted(beginnings, key=len, reverse=True))})"


def dialect_of_scope() -> str:
    """Number of the dialect by the scope, 0 when no table knows it. A version wins, then the longest beginning."""
    every = {scope: NUMBER[dialect.name] for dialect in reversed(DIALECTS) for scope in dialect.scopes}
    found = {scope: number for scope, number in every.items() if "@<" not in scope}
    older = sorted(
        (([int(part) for part in scope.split("@<")[1].split(".")], scope.split("@<")[0], number))
        for scope, number in every.items()
        if "@<" in scope
    )
    versions = "".join(
        f"startsWith(scope_name, {text(name)}) AND {version_before(parts)}, {number}, " for parts, name, number in older
    )
    whole = {scope[:-1]: number for scope, number in found.items() if scope.endswith("$")}
    begun = {scope: number for scope, number in found.items() if not scope.endswith("$")}
    beginning = f"extract(scope_name, {text(pattern(begun))})"
    return (
        f"toUInt8(multiIf({versions}transform(scope_name, {texts(whole)}, {numbers(whole.values(), 'UInt8')}, "
        f"transform({beginning}, {texts(begun)}, {numbers(begun.values(), 'UInt8')}, toUInt8(0)))))"
    )


def version_before(version: Sequence[int]) -> str:
    """Whether the scope's version is known and older than this one, part by part."""
    parts = "arrayMap(part -> toUInt32OrZero(extract(part, '^[0-9]+')), splitByChar('.', scope_version))"
    return f"scope_version != '' AND {parts} < {list(version)}"


def mark_dialects() -> str:
    """By key number + 1: the dialect that the key gives away, else the default. Of several the first table counts."""
    names = keys()
    assert NUMBER[DEFAULT.name] == len(DIALECTS)
    found = [NUMBER[DEFAULT.name]] * (len(names) + 1)
    for dialect in reversed(DIALECTS):
        for mark in dialect.marks:
            found[names[mark]] = NUMBER[dialect.name]
    return numbers(found, "UInt8")


def _meanings() -> list[tuple[str, int, str]]:
    """Every value of every kind: what to compare, role, operation. Suffixes keep their asterisk."""
    names = keys()
    found: dict[str, tuple[str, int, str]] = {}
    for kind in (*(kind for dialect in DIALECTS for kind in dialect.kinds), *common.KINDS):
        for value, (meaning, operation) in kind.values.items():
            test = f"{names[kind.key]}={value}"
            found.setdefault(test, (test, ROLES[meaning], operation))
        test = f"{names[kind.key]}="
        found.setdefault(test, (test, ROLES[kind.otherwise], ""))
    return list(found.values())


def kind_exact() -> str:
    """Number of the meaning of a row's kind by its whole value, else 0."""
    return f"transform(kind_value, {_numbered(lambda test: '=*' not in test)}, toUInt16(0))"


def kind_otherwise() -> str:
    """Number of the meaning of a row's kind by the value's ending, else of any other value of that attribute."""
    endings = {test.split("=*")[1] for test, _, _ in _meanings() if "=*" in test}
    key = "splitByChar('=', kind_value)[1]"
    ending = f"extract(kind_value, {text(pattern(endings, '=.*') + '$')})"
    return (
        f"transform(concat({key}, '=*', {ending}), {_numbered(lambda test: '=*' in test)}, "
        f"transform(concat({key}, '='), {_numbered(lambda test: test.endswith('='))}, toUInt16(0)))"
    )


def _numbered(which: Callable[[str], bool]) -> str:
    """Tests of kinds and their numbers, as two arrays."""
    found = {test: number for number, (test, _, _) in enumerate(_meanings(), start=1) if which(test)}
    return f"{texts(found)}, {numbers(found.values())}"


def role() -> str:
    """Role by the first kind attribute that is there; 0 = none said."""
    return f"{numbers([role for _, role, _ in _meanings()], 'UInt8')}[kind_code]"


def operation() -> str:
    return f"{texts(operation for _, _, operation in _meanings())}[kind_code]"


def kind_keys() -> str:
    """Per dialect: the attributes that say what a span is, in order."""
    rows = [[keys()[key] for key in kinds(dialect)] for dialect in DIALECTS]
    return array([str(row) for row in rows], "Array(UInt16)")


def per_dialect(values: Sequence[str | int]) -> str:
    """An expression that picks a dialect's constant."""
    if all(isinstance(value, int) for value in values):
        return f"{numbers([int(value) for value in values], 'UInt8')}[dialect_id]"
    return f"{texts([str(value) for value in values])}[dialect_id]"


def provider_name(value: str) -> str:
    """Canonical name of a spelling: '?' where it is unknown, empty for frameworks."""
    spelled = {spelling: name for name, found in providers.SPELLINGS.items() for spelling in found}
    spelled |= dict.fromkeys(providers.FRAMEWORKS, "")
    return f"transform({value}, {texts(spelled)}, {texts(spelled.values())}, '?')"


def provider_of_model(value: str) -> str:
    """Provider that the beginning of a model's name gives away, or empty."""
    found = {beginning: name for name, beginnings in providers.MODEL_BEGINNINGS.items() for beginning in beginnings}
    return f"transform(extract({value}, {text(pattern(found))}), {texts(found)}, {texts(found.values())}, '')"


def provider_of_host(value: str) -> str:
    """Provider by a part of the host's name, or empty."""
    hosts = providers.HOSTS
    return f"transform(extract({value}, {text(pattern(hosts, ''))}), {texts(hosts)}, {texts(hosts.values())}, '')"


def excludes(attribute: str) -> str:
    """Whether a dialect's count leaves its part out for the row's provider."""
    tests = []
    for dialect in DIALECTS:
        found = getattr(dialect, attribute)
        if found:
            who = "true" if "*" in found else f"provider IN ({', '.join(text(name) for name in found)})"
            tests.append(f"(dialect_id = {NUMBER[dialect.name]} AND {who})")
    return f"({' OR '.join(tests) or 'false'})"


def billed_failure() -> str:
    """Whether an error's type says that the provider worked, and bills, although the call failed."""
    by_provider: dict[str, list[str]] = {}
    for who, what in providers.BILLED_FAILURES:
        by_provider.setdefault(who, []).append(what)
    tests = [
        (f"provider = {text(who)} AND " if who else "") + f"match(lower(error_type), {text(pattern(found, ''))})"
        for who, found in by_provider.items()
    ]
    return f"({' OR '.join(tests)})"


def count(value: str) -> str:
    """A count from a number: rounded; NULL for anything below zero, or above what one request can hold (2^32)."""
    return f"CAST(accurateCastOrNull(round({value}), 'UInt32') AS Nullable(UInt64))"


def _said_field(field: str) -> str:
    """A field as it is written: from an attribute or a document, else from the attributes asked after the document."""
    direct = said(f"d_{field}")
    return f"if({direct} != '', {direct}, {said(f'e_{field}')})" if has_inside(field) else direct


def _inside_texts() -> list[str]:
    """(number, value) of each field from inside documents, where no attribute says it."""
    fields = [field for field in (*TEXT_FIELDS, *NUMBER_FIELDS) if has_inside(field)]
    return [f"({codes()[f'd_{field}']}, if({said(f'd_{field}')} != '', '', {inside(field)}))" for field in fields]


def _word_bounds() -> dict[str, str]:
    """Ranks of the words for input and output, and whether the word that was read leaves parts out."""
    out: dict[str, str] = {}
    for side in ("input", "output"):
        ranks = [words()[word] for word in WORDS[f"{side}_tokens"]]
        out |= {
            f"first_{side}": str(min(ranks)),
            f"last_{side}": str(max(ranks)),
            f"b_{side}_excludes": str(codes()[f"b_{side}_excludes"]),
            f"{side}_word_excludes": word_excludes(f"{side}_tokens", f"{side}_rank"),
        }
    return out


def _context_names() -> str:
    names = {key: name for name, found in common.CONTEXT.items() for key in found}
    ordered = [names[key] for key, number in sorted(keys().items(), key=lambda pair: pair[1])[: context_count()]]
    return texts(ordered)


def _aggregate_input() -> str:
    found = [keys()[key] for dialect in DIALECTS for key in dialect.aggregate_input]
    return f"hasAny(ids, {numbers(found)})" if found else "false"
