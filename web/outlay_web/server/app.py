"""The web application: the gate, the receiver behind it, the JSON API and the pages."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from outlay.errors import OutlayError
from outlay_web import api, pages
from outlay_web.api import health
from outlay_web.http import login
from outlay_web.http.cancellation import GivenUp
from outlay_web.http.compression import Compressed
from outlay_web.http.context import Context
from outlay_web.http.encoding import to_json
from outlay_web.http.errors import Problem, describe, respond
from outlay_web.http.security import Gate, is_program

DESCRIPTION = (
    "Money is USD as a decimal string, instants are RFC 3339 in UTC, windows are [start, end), unknown is null. "
    "Unknown parameters are errors. With keys on, send Authorization: Bearer KEY; the key decides the project."
)


def create_app(ctx: Context, receiver: ASGIApp | None = None) -> ASGIApp:
    """Everything that is answered over HTTP.

    Args:
        receiver: Answers OTLP; None where this process does not receive.
    """
    web = FastAPI(
        title="Outlay",
        version=ctx.version,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for kind in (OutlayError, HTTPException, Exception):
        web.add_exception_handler(kind, _problem)
    web.add_exception_handler(RequestValidationError, _invalid)
    routes = APIRouter()
    health.add_routes(routes, ctx)
    if "web" in ctx.settings.roles:
        login.add_routes(routes, ctx)
        web.include_router(api.router(ctx))
        _add_document(web, ctx)
        web.include_router(pages.router(ctx))
    web.include_router(routes)
    gate = Gate(ctx, GivenUp(Compressed(web)), receiver)
    # Who asks is the peer of the connection, unless that is a proxy which is trusted to say so.
    proxies = list(ctx.settings.trusted_proxies)
    return cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, gate), trusted_hosts=proxies)) if proxies else gate


def _add_document(web: FastAPI, ctx: Context) -> None:
    @cache
    def described() -> bytes:
        from outlay_web.api.schema.document import document  # only where somebody asks: it takes a moment

        return to_json(document(web, api.PREFIX, keys_on=ctx.authenticator.login_on))

    @web.get("/openapi.json", include_in_schema=False)
    def get_document() -> Response:
        return Response(described(), media_type="application/json")


def _problem(request: Request, exc: Exception) -> Response:
    return respond(
        describe(exc), as_page=not is_program(request.url.path), path=request.url.path, query=request.url.query
    )


def _invalid(request: Request, exc: Exception) -> Response:
    """A body that does not fit: which field and why, never the value."""
    errors = exc.errors() if isinstance(exc, RequestValidationError) else []
    if any(error["type"] == "json_invalid" for error in errors):
        return _problem(request, Problem(400, "the body is not valid JSON"))
    said = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in errors[:5]]
    return _problem(request, Problem(422, "; ".join(said)[:1000] or "the body does not fit"))
