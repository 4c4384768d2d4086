"""Files for other programs: charges as FOCUS, calls, the price list; CSV or Parquet, streamed at any size."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from outlay_analytics.export.calls import exported_calls
from outlay_analytics.export.focus import focus
from outlay_analytics.export.price_sheet import price_sheet
from outlay_analytics.export.rows import Export
from outlay_analytics.query.errors import BadRequest
from outlay_web import csv_text
from outlay_web.api.schema.parameters import documented
from outlay_web.http.context import Context
from outlay_web.http.encoding import flat
from outlay_web.http.parameters import Query, read_query

FORMATS = ("csv", "parquet")
PERIODS = ("hour", "day")
OF_FOCUS = ("interval", "focus", "tags", "format")
EXPORTS: list[str | Enum] = ["exports"]
BEFOREHAND = 2  # parts that are there before the answer begins


def add_routes(routes: APIRouter, ctx: Context) -> None:
    @routes.get("/export/focus", openapi_extra=documented(*OF_FOCUS, interval=PERIODS, format=FORMATS), tags=EXPORTS)
    def get_focus(request: Request) -> Response:
        """The charges of a window as FOCUS: they add up to `/spend`; calls without a known cost have no row.

        `X-Outlay-Calls` and `X-Outlay-Priced-Calls` say how many calls the window has, and how many of known cost.
        """
        query = read_query(ctx, request, OF_FOCUS)
        with ctx.own_writer() as writer:
            found = focus(
                ctx.store,
                ctx.prices,
                writer,
                query.scope,
                period=query.get("interval", "day"),
                version=query.get("focus", "1.2"),
                tags=query.names("tags"),
            )
        return _file(query, found)

    @routes.get("/export/calls", openapi_extra=documented("format", format=FORMATS), tags=EXPORTS)
    def get_calls(request: Request) -> Response:
        """Every call of a window, hour by hour; nested fields as JSON."""
        query = read_query(ctx, request, ("format",))
        return _file(query, exported_calls(ctx.store, query.scope))

    @routes.get(
        "/export/prices", openapi_extra=documented("format", window=False, filters=False, format=FORMATS), tags=EXPORTS
    )
    def get_price_sheet(request: Request) -> Response:
        """The price list as a price sheet: one row per price and meter, by the SkuPriceId that charges carry."""
        query = read_query(ctx, request, ("format",), filters=False, window=False)
        return _file(query, price_sheet(ctx.store))


def _file(query: Query, export: Export) -> Response:
    """An export as a file that is made while it is sent.

    Raises:
        BadRequest: If the format is none of them.
    """
    wanted = query.get("format", "csv")
    if wanted not in FORMATS:
        raise BadRequest(f"format must be {' or '.join(FORMATS)}, not {wanted[:80]!r}")
    rows = ([flat(value) for value in row] for row in export.values())
    if wanted == "csv":
        parts, media_type = csv_text.csv_parts(list(export.columns), rows), csv_text.MEDIA_TYPE
    else:
        from outlay_web import parquet  # Arrow, only where somebody asks for it

        parts, media_type = parquet.parquet_parts(export.columns, rows), parquet.MEDIA_TYPE
    window = query.scope.window
    days = f"-{window.start:%Y%m%d}-{window.end:%Y%m%d}" if export.calls is not None else ""
    headers = {"Content-Disposition": f'attachment; filename="outlay-{export.name}{days}.{wanted}"'}
    if export.calls is not None:
        headers |= {"X-Outlay-Calls": str(export.calls), "X-Outlay-Priced-Calls": str(export.priced_calls)}
    return StreamingResponse(_begun(parts), 200, headers, media_type)


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, the first of them made: what cannot be asked at all is an error, not a broken file."""
    first = list(islice(parts, BEFOREHAND))

    def all_parts() -> Iterator[bytes]:
        yield from first
        yield from parts

    return all_parts()
