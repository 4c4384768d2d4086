"""Prices: what is in force, what is missing, contracts, pricing again, and estimates without traffic."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import parse_instant, parse_window
from outlay_collector.prices import lists, reprice, witness
from outlay_collector.prices.periods import BooksClosed
from outlay_web.api.paging import Key, read_page, tie, window_of
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, MAX_LIMIT, ORIGINS, documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import Query, read_query
from outlay_web.http.schemas import EstimateBody, PricesBody, RepriceBody, UndoBody
from outlay_web.services.estimate import estimate

PRICE_COLUMNS = columns(
    "provider model service_tier region min_input_tokens hours valid_from valid_until input_usd_per_mtok "
    "cache_read_usd_per_mtok cache_write_usd_per_mtok cache_write_1h_usd_per_mtok output_usd_per_mtok origin source"
)
MISSING_COLUMNS = columns(
    "provider request_model response_model reason calls input_tokens output_tokens first_at last_at"
)
REPORTED_COLUMNS = columns("provider model reason calls reported_usd computed_usd difference_usd")
PLAIN = documented(window=False, filters=False)
ASKED = ("provider", "model", "origin", "at", "as_of", "missing", "reported", "limit", "cursor", "format")
TAGS: list[str | Enum] = ["prices"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    book = ctx.prices
    agreeing = ctx.cell_tasks.agree if ctx.cell_tasks is not None else None

    @routes.get("/prices", openapi_extra=documented(*ASKED, filters=False), tags=TAGS)
    def get_prices(request: Request) -> Response:
        """The price list; with `missing=true` the models of a window's calls that it lacks, with `reported=true` those
        whose calls report another cost than was computed, by reason."""
        query = read_query(ctx, request, ASKED, filters=False)
        if _wants(query, "reported"):
            scope, most = query.scope, query.integer("limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
            window = window_of(scope)
            differing = witness.disagreements(ctx.store, *window, project=scope.project, limit=most)
            counted = witness.differing(ctx.store, *window, project=scope.project)
            found = {"prices": differing, "calls": counted, "next_cursor": None}
            return table(query, found, "prices", REPORTED_COLUMNS)
        if _wants(query, "missing"):
            scope = query.scope
            page = read_page(query, "prices missing", "nnt", window_of(scope), default=DEFAULT_LIMIT)
            missing = lists.missing_prices(ctx.store, *page.held, project=scope.project, limit=lists.MAX_MISSING)
            with ctx.pricing() as writer:
                heals = lists.healable(book, writer, scope.project)
            found = page.cut({"prices": missing, "heals": heals}, "prices", _weightiest)
            return table(query, found, "prices", MISSING_COLUMNS)
        if query.windowed:
            raise BadRequest(
                "start and end go with missing=true or reported=true; for prices in force at a moment give at"
            )
        # Every page shows the list as the first one knew it, so that a price put in meanwhile shifts no row.
        at, as_of = (parse_instant(name, query.get(name) or "now", ctx.now()) for name in ("at", "as_of"))
        page = read_page(query, "prices", "n", (at, as_of), default=DEFAULT_LIMIT)
        offset = int(page.after[0]) if page.after else 0
        listed = lists.list_prices(
            ctx.store,
            provider=query.get("provider"),
            model=query.get("model"),
            origin=_origin(query),
            at=page.held[0] if query.get("at") else None,
            as_of=page.held[1] if query.get("as_of") or page.after else None,
            limit=page.limit or DEFAULT_LIMIT,
            offset=offset,
            now=ctx.now(),
        )
        after = listed.pop("next_offset")
        listed["next_cursor"] = None if after is None else page.cursor((after,))
        listed["catalogue_warning"] = lists.catalogue_warning(ctx.store, ctx.now())
        return table(query, listed, "prices", PRICE_COLUMNS)

    @routes.put("/prices", openapi_extra=PLAIN, tags=TAGS)
    def put_prices(request: Request, body: PricesBody) -> Response:
        """Add your own prices; they are in force for calls from now on, and for others after a repricing.

        `heals` says how many calls without a price have one now, and the command that prices them.
        """
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            version = book.put(writer, body.prices, ctx.now())
            heals = lists.healable(book, writer, project)
        return answer({"price_version": version, "prices": body.prices, "heals": heals})

    @routes.post("/reprice", openapi_extra=PLAIN, tags=TAGS)
    def post_reprice(request: Request, body: RepriceBody) -> Response:
        """Price a window's calls with the newest list: the difference, and unless `dry_run` the change."""
        scope = read_query(ctx, request, filters=False, window=False).scope
        project, window = scope.project, parse_window(body.start, body.end, ctx.now(), zone=scope.timezone)
        with ctx.own_writer() as writer:
            book.ensure(writer)
            book.open_projects(writer, {project})
            try:
                found = reprice.reprice(
                    book,
                    writer,
                    window.start,
                    window.end,
                    project=project,
                    dry_run=body.dry_run,
                    reopen=body.reopen,
                    agreeing=agreeing,
                    clock=ctx.now,
                )
            except BooksClosed as exc:
                raise Problem(409, str(exc)) from exc
        return answer({"dry_run": body.dry_run, **found})

    @routes.get("/reprice", openapi_extra=PLAIN, tags=TAGS)
    def get_repricings(request: Request) -> Response:
        """Every repricing with both figures, newest first."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        return answer({"repricings": reprice.repricings(ctx.store, project)})

    @routes.post("/reprice/undo", openapi_extra=PLAIN, tags=TAGS)
    def undo_reprice(request: Request, body: UndoBody) -> Response:
        """Put back the prices that a repricing moved, and the calls' figures with them."""
        read_query(ctx, request, filters=False, window=False)
        with ctx.own_writer() as writer:
            book.ensure(writer)
            try:
                reprice.undo(book, writer, body.id, reopen=body.reopen, agreeing=agreeing, clock=ctx.now)
            except BooksClosed as exc:
                raise Problem(409, str(exc)) from exc
        return answer({"undone": body.id})

    @routes.post("/estimate", openapi_extra=PLAIN, tags=TAGS)
    def post_estimate(request: Request, body: EstimateBody) -> Response:
        """What calls would cost, priced as of any date; per month and as a cascade where asked."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            return answer(estimate(book, writer, project, body, ctx.now()))


def _weightiest(row: Mapping[str, Any]) -> Key:
    names = (row[name] for name in ("provider", "request_model", "response_model", "reason"))
    return (-(row["input_tokens"] + row["output_tokens"]), -row["calls"], tie(*names))


def _origin(query: Query) -> str:
    wanted = query.get("origin")
    if wanted and wanted not in ORIGINS:
        raise BadRequest(f"origin must be one of {', '.join(ORIGINS)}, not {wanted[:80]!r}")
    return wanted


def _wants(query: Query, name: str) -> bool:
    wanted = query.get(name, "false")
    if wanted not in ("true", "false"):
        raise BadRequest(f"{name} must be true or false, not {wanted[:80]!r}")
    return wanted == "true"
