"""How answers look on the wire: money as plain decimal text, instants as RFC 3339 in UTC, tables as safe CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.query.text import exact, rfc3339
from outlay_web.csv_text import csv_parts


def columns(names: str) -> list[str]:
    """Names of columns, written as words."""
    return names.split()


def to_json(value: Any) -> bytes:
    """JSON in UTF-8. NaN and infinities are unknown, so null."""
    try:
        text = json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def to_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """A table as CSV: `columns` first, then any further key of the rows; `cache.kind` reads into a nested object.

    Nested values are JSON; see `csv_text.py` for all else.
    """
    table = list(rows)
    nested = {column.split(".")[0] for column in columns if "." in column}
    known = {*columns, *nested}
    header = [*columns, *dict.fromkeys(key for row in table for key in row if key not in known)]
    return b"".join(csv_parts(header, ([flat(_look_up(row, name)) for name in header] for row in table)))


def flat(value: Any) -> Any:
    """A value that is one cell of a table: what is nested as JSON text."""
    return to_json(value).decode() if isinstance(value, (Mapping, list, tuple)) else value


def _look_up(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    outer, _, inner = name.partition(".")
    value = row.get(outer)
    return value.get(inner) if isinstance(value, Mapping) else None


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
