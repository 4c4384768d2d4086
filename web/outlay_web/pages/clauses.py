"""`Only where` in the forms of budgets and rules: dimensions and their values, as many as there are, and read back.

Values stand in one field with commas between them, as a line of CSV: one that has a comma itself, or is empty (where it
is unknown), is in quotes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from outlay_analytics.query.errors import BadRequest
from outlay_web.pages.view import GROUPS

LEAST, MOST = 3, 20
Clause = tuple[str, str]  # dimension, its values as text


def clauses(scope: Mapping[str, Sequence[str] | str]) -> list[Clause]:
    """The fields of a scope, with some to spare."""
    rows = [(str(name), _text([values] if isinstance(values, str) else values)) for name, values in scope.items()]
    return rows + [("", "")] * max(LEAST - len(rows), 1)


def typed_clauses(form: Mapping[str, str]) -> list[Clause]:
    """The fields as they were typed."""
    rows = [(form.get(f"dim{i}", ""), form.get(f"value{i}", "")) for i in range(MOST)]
    used = max((i + 1 for i, row in enumerate(rows) if any(row)), default=0)
    return rows[: max(used, LEAST)]


def scope_of(form: Mapping[str, str]) -> dict[str, list[str]]:
    """The scope that the fields say; one without a value says nothing.

    Raises:
        BadRequest: For values without a dimension.
    """
    scope: dict[str, list[str]] = {}
    for dimension, text in typed_clauses(form):
        values = next(csv.reader([text.strip()], skipinitialspace=True), [])
        if values and not dimension:
            raise BadRequest(f"{text[:80]!r} is the value of no dimension: choose one, or empty the field")
        if values:
            scope.setdefault(dimension, []).extend(value.strip() for value in values)
    return scope


def dimensions(rows: Sequence[Clause]) -> list[str]:
    """What may be chosen: the usual dimensions, and whatever is there already."""
    return [*GROUPS, *dict.fromkeys(name for name, _ in rows if name and name not in GROUPS)]


def _text(values: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue().replace(",", ", ") if not any("," in value for value in values) else out.getvalue()
