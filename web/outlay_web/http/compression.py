"""Answers are sent compressed to clients that take it: a page shrinks to a ninth.

Not where a secret stands beside what the asker chose: the length of a compressed answer tells how much the two have in
common (BREACH, https://www.breachattack.com). Pages hold no token of their forms (these are known by their origin), but
channels of budgets and alerts are addresses that let one post, and administration hands out keys.
"""

from __future__ import annotations

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

SECRET = ("/login", "/logout", "/budgets", "/alerts", "/api/v1/budgets", "/api/v1/alerts", "/api/v1/admin")
LEAST_BYTES = 1000
LEVEL = 5


class Compressed:
    """ASGI application around another: gzip for answers that hold no secret."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._zipped = GZipMiddleware(app, minimum_size=LEAST_BYTES, compresslevel=LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        secret = scope["type"] == "http" and _holds_secret(scope["path"])
        await (self._plain if secret else self._zipped)(scope, receive, send)


def _holds_secret(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in SECRET)
