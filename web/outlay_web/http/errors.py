"""One shape for every error: JSON for programs, a page for people, and nothing of what is inside."""

from __future__ import annotations

import html
import logging
import secrets
from collections.abc import Mapping
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from outlay.errors import ConfigError, DecodeError, OutlayError, PriceNotFound, StoreError
from outlay_analytics.notify.guarded_http import RefusedAddress
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.reconcile.bills import NoSuchBill
from outlay_web.http.encoding import to_json

logger = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many_requests",
    500: "internal",
    503: "unavailable",
}
TITLES = {
    400: "That does not make sense",
    401: "Please log in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not like this",
    413: "Too large",
    422: "That cannot be used",
    500: "Something went wrong",
    503: "Not available just now",
}


PLACES = (
    ("/", "Overview"),
    ("/spend", "Spend"),
    ("/calls", "Calls"),
    ("/alerts", "Alerts"),
    ("/settings", "Settings"),
)


class Problem(OutlayError):
    """An answer that is an error: its status and what to tell the client."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def describe(exc: Exception) -> Problem:
    """What a client may know about `exc`; the rest goes to the log under an id."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, (BadRequest, DecodeError, ConfigError, PriceNotFound)):
        return Problem(400, str(exc))
    if isinstance(exc, RefusedAddress):
        return Problem(422, str(exc))
    if isinstance(exc, NoSuchBill):
        return Problem(404, str(exc))
    if isinstance(exc, HTTPException):
        known = {404: "there is nothing at this address", 405: "this address does not take that method"}
        return Problem(exc.status_code, known.get(exc.status_code, str(exc.detail)), exc.headers)
    number = secrets.token_hex(6)
    if isinstance(exc, StoreError):
        logger.warning("request failed (error %s): ClickHouse code %d: %.500s", number, exc.code, exc)
        if exc.code in (159, 241, 158, 160, 396):
            return Problem(503, f"the question costs too much; ask about less (error {number})", {"Retry-After": "5"})
        if exc.retryable:
            return Problem(503, f"the store does not answer just now (error {number})", {"Retry-After": "2"})
        return Problem(500, f"the store could not answer (error {number}); the server's log says more")
    logger.error("request failed (error %s)", number, exc_info=exc)
    return Problem(500, f"something went wrong (error {number}); the server's log says more")


def respond(problem: Problem, *, as_page: bool, path: str = "/", query: str = "") -> Response:
    """The problem as JSON, or as a page where a person is looking, with the ways on from there.

    Args:
        path: What was asked for, and its raw query.
    """
    code = CODES.get(problem.status, "bad_request" if problem.status < 500 else "internal")
    if not as_page:
        body = to_json({"error": {"code": code, "message": str(problem)}})
        return Response(body, problem.status, problem.headers, "application/json")
    title = TITLES.get(problem.status, "Something went wrong")
    ways = "".join(f'<li><a href="{html.escape(href)}">{text}</a></li>' for href, text in _ways(problem, path, query))
    page = PAGE.format(title=title, message=html.escape(_sentence(str(problem))), ways=ways)
    return HTMLResponse(page, problem.status, problem.headers)


def _sentence(message: str) -> str:
    """A message of the API as it stands on a page."""
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) else ".")


def _ways(problem: Problem, path: str, query: str) -> list[tuple[str, str]]:
    """Where to go from an error: the same again or without what was wrong, and the main pages."""
    ways = []
    here = quote(path, safe="/")
    local = here.startswith("/") and not here.startswith("//")
    if local and problem.status in (429, 500, 503):
        ways.append((f"{here}?{query}" if query else here, "Try again"))
    elif local and query and problem.status == 400:
        ways.append((here, "The same page without filters"))
    known = {href for href, _ in ways}
    return ways + [(href, text) for href, text in PLACES if href not in known]


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Outlay</title>
<link rel="stylesheet" href="/static/outlay.css">
</head>
<body>
<main class="error-page">
<h1>{title}</h1>
<p>{message}</p>
<nav aria-label="Ways on"><ul>{ways}</ul></nav>
</main>
</body>
</html>
"""
