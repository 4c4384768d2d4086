"""What the routes share: how a parameter is documented, and how an answer leaves as JSON or CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from outlay_analytics.window import DIMENSIONS, ID_FILTERS, BadRequest
from outlay_web.encode import to_csv, to_json
from outlay_web.params import Query

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
WINDOW_DOC = {
    "start": "Start of the window: RFC 3339, a date (midnight in the zone), or relative: -24h, -30d; default 30 days.",
    "end": "End of the window, exclusive: RFC 3339, relative, or now; default now.",
    "project": "Project; default the key's, or default.",
    "timezone": "IANA zone of day, week and month; default UTC.",
}
OWN_DOC = {
    "as_of": "The list as it was known at this moment.",
    "at": "Only prices in force at this moment.",
    "by": "Dimension to break the change down by.",
    "base_end": "End of the window to compare with.",
    "base_start": "Start of the window to compare with; default the window just before.",
    "bill": "Identifier of an imported bill.",
    "budget_usd": "Budget for the month, in USD.",
    "compare": "previous: add the figures of the window just before.",
    "cursor": "next_cursor of the page before.",
    "day": "Day of the report, YYYY-MM-DD; default yesterday.",
    "format": "json or csv.",
    "group_by": "Dimensions with commas.",
    "horizon": "How far ahead, in days: 30d.",
    "interval": "hour, day, week, month or total.",
    "limit": f"Rows of a page, 1 to {MAX_LIMIT}; default {DEFAULT_LIMIT} of recorded things, all of what is added up.",
    "missing": "true: the models of calls that have no price.",
    "model": "Only this model.",
    "name": "Name of the file.",
    "order": "asc or desc; default desc.",
    "origin": "Only prices from catalogue, correction, overlay or discount.",
    "provider": "Only this provider.",
    "sort": "started_at, cost_usd, duration_ms, input_tokens or output_tokens; default started_at.",
    "state": "pending, firing or resolved.",
}


def documented(*own: str, window: bool = True, filters: bool = True) -> dict[str, Any]:
    """The OpenAPI description of a route's query parameters."""
    names = [*(WINDOW_DOC if window else ("project",)), *own]
    parameters = [_parameter(name, {**WINDOW_DOC, **OWN_DOC}[name], {"type": "string"}) for name in names]
    if filters:
        many = {"type": "array", "items": {"type": "string"}}
        plain = (name for name in (*sorted(DIMENSIONS), *ID_FILTERS) if name not in names)
        parameters += [_parameter(name, f"Only this {name}; may repeat.", many) for name in plain]
    return {"parameters": parameters}


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


def _parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
