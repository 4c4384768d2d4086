"""JSON Schema (2020-12) in a few words: the shapes that answers are made of.

Every object lists all its fields and refuses others, except where its keys are data (`by_key`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
RATIO: Schema = {"type": "number", "minimum": 0, "maximum": 1}
YES_NO: Schema = {"type": "boolean"}
USD: Schema = {
    "type": "string",
    "format": "decimal",
    "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$",
    "description": "USD, exact.",
}
INSTANT: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
    "description": "RFC 3339 in UTC.",
}
DAY: Schema = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d\d-\d\d$"}
TRACE_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
SPAN_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
TAG = r"^tag\..+"
SCORE = r"^score\..+"


def record(
    fields: Mapping[str, Schema], at_times: Mapping[str, Schema] | None = None, tags: Schema | None = None
) -> Schema:
    """An object with exactly these fields.

    Args:
        at_times: Fields that may be missing.
        tags: What fields named `tag.<key>` hold; without it there are none.
    """
    found: Schema = {
        "type": "object",
        "properties": {**fields, **(at_times or {})},
        "required": [*fields],
        "additionalProperties": False,
    }
    return found | ({"patternProperties": {TAG: tags}} if tags is not None else {})


def each(names: str, schema: Schema) -> dict[str, Schema]:
    """Fields of the same kind, by names written as words."""
    return dict.fromkeys(names.split(), schema)


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def by_key(value: Schema) -> Schema:
    """An object whose keys are data."""
    return {"type": "object", "additionalProperties": value}


def one_of(values: Iterable[str]) -> Schema:
    return {"type": "string", "enum": [*values]}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": [*schemas]}


def maybe(schema: Schema) -> Schema:
    """The same or null: unknown, or there is none."""
    if "type" not in schema:
        return either(schema, {"type": "null"})
    found = {**schema, "type": [schema["type"], "null"]}
    return found | ({"enum": [*schema["enum"], None]} if "enum" in schema else {})


def part(name: str) -> Schema:
    """A reference to one of `parts.PARTS`."""
    return {"$ref": f"#/components/schemas/{name}"}
