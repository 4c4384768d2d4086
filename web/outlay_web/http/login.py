"""The login page: a password (or an administrator's key) for a session cookie that the server can revoke."""

from __future__ import annotations

import html

import anyio
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from outlay_web.http.auth import COOKIE, guesser
from outlay_web.http.context import Context
from outlay_web.http.errors import Problem
from outlay_web.http.forms import read_form
from outlay_web.http.security import local_path


def add_routes(routes: APIRouter, ctx: Context) -> None:
    """Register `/login` and `/logout`."""
    auth = ctx.authenticator

    @routes.get("/login", include_in_schema=False)
    def show(request: Request) -> Response:
        target = local_path(request.query_params.get("next", "/"))
        if not auth.login_on or auth.by_cookie(request.cookies.get(COOKIE)):
            return RedirectResponse(target, 303)
        return _page(target, "")

    @routes.post("/login", include_in_schema=False)
    async def log_in(request: Request) -> Response:
        who = guesser(request.client.host if request.client else "")
        _refuse_within(auth.throttle.wait_s(who))
        form = await read_form(request)
        target = local_path(form.get("next", "/"))
        _refuse_within(auth.throttle.begin(who))
        given = form.get("password", "")
        if not await anyio.to_thread.run_sync(auth.check_password, given, limiter=auth.hashing):
            return _page(target, "That is not the password.", 403)
        auth.throttle.passed(who)
        cookie = await anyio.to_thread.run_sync(_start_session, ctx)
        answer = RedirectResponse(target, 303)
        secure = request.url.scheme == "https" or ctx.settings.public_url.startswith("https:")
        age_s = ctx.settings.session_hours * 3600
        answer.set_cookie(COOKIE, cookie, max_age=age_s, path="/", secure=secure, httponly=True, samesite="lax")
        return answer

    @routes.post("/logout", include_in_schema=False)
    def log_out(request: Request) -> Response:
        cookie = request.cookies.get(COOKIE)
        if cookie:
            with ctx.writing() as writer:
                auth.end_session(writer, cookie)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return answer


def _refuse_within(wait_s: float) -> None:
    if wait_s > 0:
        seconds = int(wait_s) + 1
        raise Problem(429, f"too many tries; try again in {seconds} seconds", {"Retry-After": str(seconds)})


def _start_session(ctx: Context) -> str:
    with ctx.writing() as writer:
        return ctx.authenticator.start_session(writer)


def _page(target: str, message: str, status: int = 200) -> Response:
    note = f'<p class="notice" role="alert">{html.escape(message)}</p>' if message else ""
    return HTMLResponse(PAGE.format(target=html.escape(target, quote=True), note=note), status)


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Log in · Outlay</title>
<link rel="stylesheet" href="/static/outlay.css">
</head>
<body class="alone">
<main class="card">
<h1>Outlay</h1>
{note}
<form method="post" action="/login">
<input type="hidden" name="next" value="{target}">
<p><label for="password">Password or administrator's key</label></p>
<p><input id="password" name="password" type="password" autocomplete="current-password" required autofocus></p>
<p><button type="submit">Log in</button></p>
</form>
</main>
</body>
</html>
"""
