"""The one way that Outlay writes CSV, for API, pages and commands: exact, in UTC, and nothing a spreadsheet would run.

Commas, CRLF, UTF-8, quotes where they are needed; unknown is an empty cell. A text that a spreadsheet would take for a
formula stands behind an apostrophe (OWASP, "CSV Injection"); a number written as text stays one.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from outlay_analytics.query.text import exact, rfc3339

MEDIA_TYPE = "text/csv; charset=utf-8"
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")
ROWS_AT_ONCE = 1000


def csv_parts(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A table as CSV, piece by piece: as many rows in memory as `ROWS_AT_ONCE`."""
    yield _written([header])
    following = iter(rows)
    while some := list(islice(following, ROWS_AT_ONCE)):
        yield _written(some)


def cell(value: Any) -> str:
    """One value as text: every digit of an amount, an instant as RFC 3339 in UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return exact(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return "'" + text if text.startswith(RISKY) and not NUMBER.fullmatch(text) else text


def _written(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n").writerows([map(cell, row) for row in rows])
    return out.getvalue().encode("utf-8", "replace")
