"""The gate in front of every request: host, origin, size, credential, and the headers of every answer.

OTLP requests pass it with three look-ups and go straight to the receiver; nothing of the web framework runs for them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, quote, urlsplit

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay_web.config import Settings
from outlay_web.http.auth import ANYBODY, COOKIE, refused
from outlay_web.http.context import Context
from outlay_web.http.errors import Problem, describe, respond
from outlay_web.http.keys import PROJECT, Principal

logger = logging.getLogger(__name__)

OTLP_PATHS = frozenset({"/v1/traces", "/v1/logs", "/v1/metrics"})
OTLP_ALIAS = "/api/public/otel/"
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/favicon.ico"})
UNSEEING_PATHS = OPEN_PATHS | {"/metrics", "/openapi.json"}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
MAX_JSON_BYTES = 1 << 20
MAX_LOGIN_BYTES = 16 << 10
MAX_FILE_BYTES = 64 << 20
FILE_PATHS = frozenset({"/api/v1/admin/ingest", "/api/v1/reconcile", "/reconcile"})
SENDING_PATHS = frozenset({"/api/v1/scores"})
PROJECT_WRITES = frozenset({"/api/v1/scores", "/api/v1/estimate", "/api/v1/simulate"})
LOCAL = "outlay.local"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Host names this server answers to, None for any.

    Without a login a page of another site could point its own name at this address (DNS rebinding), so only known
    names are answered; with authentication such a page has no credential to use.
    """
    if "*" in settings.allowed_hosts or (settings.keys_on and not settings.allowed_hosts):
        return None
    named = (host.lower() for host in (*settings.allowed_hosts, settings.host, host_of(settings.public_url)) if host)
    return LOOPBACK_HOSTS | frozenset(named)


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def is_otlp(path: str) -> bool:
    return path in OTLP_PATHS or path.startswith(OTLP_ALIAS)


def local_path(target: str) -> str:
    """`target` if it is a path of this server, else `/`: a login must not lead elsewhere."""
    parts = urlsplit(target.replace("\\", "/"))
    safe = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return target if safe and all(" " < char != "\\" and ord(char) < 127 for char in target) else "/"


class Gate:
    """ASGI application around the receiver and the web application."""

    def __init__(self, ctx: Context, web: ASGIApp, receiver: ASGIApp | None) -> None:
        self._ctx = ctx
        self._web = web
        self._receiver = receiver
        self._hosts = allowed_hosts(ctx.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        path: str = scope["path"]
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if is_otlp(path) and self._receiver is not None and refusal is None:
            await self._receiver(scope, receive, send)
            return
        answer = _Answer(send, keep=path.startswith("/static/"))
        try:
            if refusal is not None:
                raise refusal
            limit = MAX_FILE_BYTES if path in FILE_PATHS else MAX_LOGIN_BYTES if path == "/login" else MAX_JSON_BYTES
            receive = bounded(receive, headers, limit)
            if scope["method"] == "HEAD":  # like GET; the server sends no body, as it knows what was asked
                scope = {**scope, "method": "GET"}
            redirect = await self._admit(scope, headers)
            if looks(path) and not redirect:
                self._ctx.ask()
            if redirect:
                await send_redirect(answer, redirect)
                return
            await self._web(scope, receive, answer)
        except Exception as exc:
            if answer.started:
                logger.error("an answer broke off: %s", type(exc).__name__)
                raise
            problem = describe(exc)
            query = scope["query_string"].decode("latin-1")
            await respond(problem, as_page=not is_program(path), path=path, query=query)(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
        """Why this request is not answered at all, judging by where it comes from; None when it is."""
        if scope.get(LOCAL):
            return None
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._hosts is not None and _hostname(host) not in self._hosts:
            return Problem(403, f"this server does not answer to the host name {host[:80]!r}; see OUTLAY_ALLOWED_HOSTS")
        if scope["method"] in SAFE_METHODS:
            return None
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin and urlsplit(origin).netloc != host:
            public = self._ctx.settings.public_url.lower()
            if not public or origin != "/".join(public.split("/")[:3]):
                return Problem(403, "requests from pages of another origin are refused")
        if not origin and headers.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
            return Problem(403, "requests from pages of another site are refused")
        return None

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> str | None:
        """Settle who is asking and for which project; return where to log in when a person has not yet."""
        path: str = scope["path"]
        auth = self._ctx.authenticator
        principal: Principal | None = ANYBODY
        if auth.login_on and not scope.get(LOCAL) and path not in OPEN_PATHS and not path.startswith("/static/"):
            principal = (
                auth.by_header(headers.get(b"authorization", b"").decode("latin-1")) if is_program(path) else None
            )
            if principal is None:
                cookie = Request(scope).cookies.get(COOKIE)
                principal = await anyio.to_thread.run_sync(auth.by_cookie, cookie) if cookie else None
            if principal is None and not is_program(path):
                query = scope["query_string"].decode("latin-1")
                return "/login?next=" + quote(path + ("?" + query if query else ""), safe="")
            if principal is None:
                given = headers.get(b"authorization", b"").decode("latin-1")
                raise Problem(401, refused(given, "ask"), {"WWW-Authenticate": "Bearer"})
            check_role(principal, scope["method"], path)
        scope.setdefault("state", {})
        scope["state"]["principal"] = principal
        scope["state"]["project"] = chosen_project(principal or ANYBODY, scope["query_string"])
        return None


def is_program(path: str) -> bool:
    """Whether programs ask here, and so get JSON and are authenticated by key."""
    return path.startswith(("/api/", "/v1/")) or path in ("/openapi.json", "/metrics", "/healthz", "/readyz")


def looks(path: str) -> bool:
    """Whether somebody who asks here wants to see what was received: not monitors, nor what pages are made with."""
    return path not in UNSEEING_PATHS and not path.startswith("/static/")


def check_role(principal: Principal, method: str, path: str) -> None:
    """Raise a 403 `Problem` if this credential may not do this."""
    if principal.role == "admin":
        return
    if principal.role == "ingest" and not (path in SENDING_PATHS and method == "POST"):
        raise Problem(403, "this key may only send data")
    if path == "/metrics" or path.startswith("/api/v1/admin/"):
        raise Problem(403, "this needs an administrator's key")
    if method not in SAFE_METHODS and path not in PROJECT_WRITES:
        raise Problem(403, "this needs an administrator's key")


def chosen_project(principal: Principal, query_string: bytes) -> str:
    """The project a request is about.

    Raises:
        Problem: If the name is not one, or the credential belongs to another project.
    """
    given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True).get("project", [])
    name = given[0] if given else principal.project
    if not PROJECT.fullmatch(name):
        raise Problem(400, f"project {name[:80]!r} is not a name: letters, digits, dots, dashes, underscores")
    if principal.role != "admin" and name != principal.project:
        raise Problem(403, "this key belongs to another project")
    return name


def bounded(receive: Receive, headers: dict[bytes, bytes], limit: int) -> Receive:
    """`receive`, refusing a body of more than `limit` bytes.

    Raises:
        HTTPException: 413 at once when the length is declared, otherwise when the bytes arrive.
    """
    too_large = HTTPException(413, f"the body is larger than {limit} bytes")  # the web framework passes this one on
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > limit:
        raise too_large
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise too_large
        return message

    return counted


class _Answer:
    """`send` that adds the security headers and remembers whether an answer has begun."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], keep: bool) -> None:
        self._send = send
        self._keep = keep
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            given = {name.lower() for name, _ in message.get("headers", ())}
            extra = [pair for pair in HEADERS if pair[0] not in given]
            if not self._keep and b"cache-control" not in given:
                extra.append((b"cache-control", b"no-store"))
            message["headers"] = [*message.get("headers", ()), *extra]
        await self._send(message)


async def send_redirect(send: Send, location: str) -> None:
    headers = [(b"location", location.encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _hostname(host: str) -> str:
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
