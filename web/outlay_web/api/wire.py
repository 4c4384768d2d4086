"""What the routes share: how an answer leaves as JSON or CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from outlay_analytics.query.errors import BadRequest
from outlay_web.http.encoding import to_csv, to_json
from outlay_web.http.parameters import Query


def answer(value: Any, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(to_json(value), status, media_type="application/json")


def wants_csv(query: Query) -> bool:
    """Whether `format=csv` was asked for.

    Raises:
        BadRequest: If it was another format.
    """
    wanted = query.get("format", "json")
    if wanted not in ("json", "csv"):
        raise BadRequest(f"format must be json or csv, not {wanted[:80]!r}")
    return wanted == "csv"


def table(query: Query, value: Mapping[str, Any], rows: str, columns: Sequence[str]) -> Response:
    """`value` as JSON, or its list `rows` as a CSV file with `columns` first; the next page as a link (RFC 8288)."""
    headers = {}
    if value.get("next_cursor"):
        headers["Link"] = f'<{query.address(value["next_cursor"])}>; rel="next"'
    if not wants_csv(query):
        return Response(to_json(value), 200, headers, "application/json")
    headers["Content-Disposition"] = f'attachment; filename="outlay-{rows}.csv"'
    return Response(to_csv(value[rows], columns), 200, headers, "text/csv; charset=utf-8")
