"""Dialect tables to SQL: one set of expressions that reads any span, whatever wrote it.

The dialect is found once per row. Every attribute name that some table mentions has a number (`keys.py`), and what
stands in JSON texts is opened only where a table says so (`documents.py`). So the SQL grows with the fields, not with
the dialects, and adding a table adds data rather than branches.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlay_collector.dialects import DEFAULT, DIALECTS, common, providers
from outlay_collector.dialects.documents import (
    blob_count,
    blob_excludes,
    blob_inside,
    blob_style,
    blob_style_inside,
    blob_type,
    document_texts,
    documents,
    inside,
    opening_dialects,
)
from outlay_collector.dialects.keys import (
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
from outlay_collector.dialects.model import AGGREGATE, CALL, COUNT_FIELDS, NUMBER_FIELDS, PLAIN, RAW, TAIL, TEXT_FIELDS
from outlay_collector.dialects.vocabulary import WORDS

ROLES = {"": 0, CALL: 1, AGGREGATE: 2, RAW: 3, TAIL: 4, PLAIN: 5}


def fragments() -> dict[str, str]:
    """Everything that `settle_read.sql`, `settle_inside.sql` and `settle_canonical.sql` ask for."""
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
        "key_ids": key_ids(),
        "dialect_of_scope": dialect_of_scope(),
        "dialect_of_marks": dialect_of_marks(),
        "default_dialect": str(NUMBER[DEFAULT.name]),
        "kind_keys": kind_keys(),
        "hits": hits(),
        "keys": str(len(keys()) + 1),
        "kind_code": kind_code(),
        "role": role(),
        "operation": operation(),
        "context_keys": str(context_count()),
        "context_names": _context_names(),
        "tag_prefix": " OR ".join(f"startsWith(x, {text(prefix)})" for prefix in common.TAG_PREFIXES),
        "tag_name": _tag_name(),
        "documents": document_texts(),
        "opening_dialects": opening_dialects(),
        "document_keys": numbers(keys()[key] for key in documents()),
        "document_names": texts(documents()),
        "blob_alone": str(codes()["blob_alone"]),
        "blob_inside": blob_inside(),
        "blob_style": blob_style(),
        "blob_style_inside": blob_style_inside(),
        "blob_type": text(blob_type()),
        "blob_counts": ",\n".join(f"{count(blob_count(field))} AS b_{field}" for field in WORDS),
        "blob_input_excludes": blob_excludes("input_tokens"),
        "blob_output_excludes": blob_excludes("output_tokens"),
        "inside_texts": _inside_texts(),
        "inside_names": ", ".join(f"i_{field}" for field in (*TEXT_FIELDS, *NUMBER_FIELDS) if has_inside(field)),
        "text_fields": ",\n".join(f"{_text_field(field)} AS {field}" for field in (*TEXT_FIELDS, *NUMBER_FIELDS)),
        "own_fields": ",\n".join(f"{said(f'o_{field}')} AS {field}" for field in common.OWN),
        "counts": ",\n".join(_counts()),
        "implausible": " OR ".join(
            f"ifNull(toFloat64OrNull({said(f'n_{field}')}) >= 4294967296, false)" for field in COUNT_FIELDS
        ),
        "http_status": str(codes()["o_http_status"]),
        "level": str(codes()["o_level"]),
        "aggregate_input": _aggregate_input(),
        "rank": per_dialect([dialect.rank for dialect in DIALECTS]),
        "dialect_name": per_dialect([dialect.name for dialect in DIALECTS]),
        "raw_name": " OR ".join(raw) or "false",
        "tail": " OR ".join(tails) or "false",
        "estimated": " OR ".join(guessing) or "false",
        "provider_name": provider_name("x"),
        "provider_of_model": provider_of_model("any_model"),
        "provider_of_host": provider_of_host("if(o.server_address != '', o.server_address, o.base_url)"),
        "never_openai": ", ".join(text(name) for name in providers.NEVER_OPENAI),
        "input_excludes_cached": excludes("input_excludes_cached"),
        "output_excludes_reasoning": excludes("output_excludes_reasoning"),
        "billed_failure": billed_failure(),
        "billed_unit": "startsWith(x, 'outlay.usage.') AND position(x, '.', 14) = 0 AND x != 'outlay.usage.estimated'",
        "prompt_part": "startsWith(x, 'outlay.prompt.part.') AND endsWith(x, '.tokens')",
    }


def key_ids() -> str:
    """`k_all` (names of a row's attributes) to their numbers, 0 for names that no table mentions."""
    names = keys()
    return f"arrayMap(x -> transform(x, {texts(names)}, {numbers(names.values())}, toUInt16(0)), k_all)"


def dialect_of_scope() -> str:
    """Number of the dialect by the scope's name, 0 when no table knows it. The longest beginning wins."""
    found = sorted(
        ((scope, NUMBER[dialect.name]) for dialect in DIALECTS for scope in dialect.scopes),
        key=lambda pair: -len(pair[0]),
    )
    tests = [
        f"scope_name = {text(scope[:-1])}, {number}"
        if scope.endswith("$")
        else f"startsWith(scope_name, {text(scope)}), {number}"
        for scope, number in found
    ]
    return f"toUInt8(multiIf({', '.join(tests)}, 0))"


def dialect_of_marks() -> str:
    """Number of the dialect by an attribute that gives it away, else of the default."""
    names = keys()
    tests = [
        f"hasAny(ids, {numbers(names[mark] for mark in dialect.marks)}), {NUMBER[dialect.name]}"
        for dialect in DIALECTS
        if dialect.marks
    ]
    return f"toUInt8(multiIf({', '.join(tests)}, {NUMBER[DEFAULT.name]}))"


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


def kind_code() -> str:
    """Number of the meaning of a row's kind: exact value, else ending, else any other value of that attribute."""
    meanings = _meanings()
    exact = [(test, i) for i, (test, _, _) in enumerate(meanings, start=1) if "=*" not in test]
    endings = [(test.split("=*"), i) for i, (test, _, _) in enumerate(meanings, start=1) if "=*" in test]
    known = f"{texts(test for test, _ in exact)}, {numbers(i for _, i in exact)}, toUInt16(0)"
    suffixes = ", ".join(
        f"startsWith(kind_value, '{key}=') AND endsWith(kind_value, {text(end)}), toUInt16({i})"
        for (key, end), i in endings
    )
    return (
        f"multiIf(transform(kind_value, {known}) > 0, transform(kind_value, {known}), {suffixes}, "
        f"transform(concat(splitByChar('=', kind_value)[1], '='), {known}))"
    )


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
    branches = []
    for name, found in providers.MODEL_BEGINNINGS.items():
        tests = " OR ".join(f"startsWith({value}, {text(beginning)})" for beginning in found)
        branches.append(f"{tests}, {text(name)}")
    return f"multiIf({', '.join(branches)}, '')"


def provider_of_host(value: str) -> str:
    tests = [f"position({value}, {text(host)}) > 0, {text(name)}" for host, name in providers.HOSTS.items()]
    return f"multiIf({value} = '', '', {', '.join(tests)}, '')"


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
    tests = [
        f"({'true' if not who else f'provider = {text(who)}'} AND position(lower(error_type), {text(what)}) > 0)"
        for who, what in providers.BILLED_FAILURES
    ]
    return f"({' OR '.join(tests)})"


def count(value: str) -> str:
    """A count from a number: rounded; NULL for anything below zero, or above what one request can hold (2^32)."""
    return f"CAST(accurateCastOrNull(round({value}), 'UInt32') AS Nullable(UInt64))"


def _text_field(field: str) -> str:
    direct = said(f"d_{field}")
    if not has_inside(field):
        return direct
    return f"multiIf({direct} != '', {direct}, i_{field} != '', i_{field}, {said(f'e_{field}')})"


def _inside_texts() -> str:
    fields = [field for field in (*TEXT_FIELDS, *NUMBER_FIELDS) if has_inside(field)]
    return ",\n".join(f"if({said(f'd_{field}')} != '', '', {inside(field)}) AS i_{field}" for field in fields)


def _counts() -> list[str]:
    """Counts by name. Input and output are kept apart by where they stand, since what they include differs."""
    out = []
    for field in COUNT_FIELDS:
        attribute = count(f"toFloat64OrNull({said(f'n_{field}')})")
        if field in ("input_tokens", "output_tokens"):
            out += [f"{attribute} AS n_{field}", f"b_{field}"]
        else:
            out.append(f"coalesce({attribute}, b_{field}) AS {field}" if field in WORDS else f"{attribute} AS {field}")
    return out


def _context_names() -> str:
    names = {key: name for name, found in common.CONTEXT.items() for key in found}
    ordered = [names[key] for key, number in sorted(keys().items(), key=lambda pair: pair[1])[: context_count()]]
    return texts(ordered)


def _tag_name() -> str:
    branches = [f"startsWith(x, {text(prefix)}), substring(x, {len(prefix) + 1})" for prefix in common.TAG_PREFIXES]
    return f"concat('tag.', multiIf({', '.join(branches)}, x))"


def _aggregate_input() -> str:
    found = [keys()[key] for dialect in DIALECTS for key in dialect.aggregate_input]
    return f"hasAny(ids, {numbers(found)})" if found else "false"
