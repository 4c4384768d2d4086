"""`outlay mcp`: answers for assistants over the Model Context Protocol, by stdio or HTTP."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import click

from outlay.errors import ConfigError, OutlayError
from outlay_web.cli.ask import Ask, Refused
from outlay_web.cli.options import take_where, where_options

UNAUTHORIZED = 401
MISSING = "outlay mcp needs the package mcp: pip install 'outlay[mcp]'"


def add_commands(group: click.Group) -> None:
    """Register the command."""
    http = click.Option(["--http"], is_flag=True, help="Serve HTTP (path /mcp) instead of stdio.")
    host = click.Option(["--host"], default="127.0.0.1", metavar="ADDRESS", help="With --http: address; 127.0.0.1.")
    port = click.Option(["--port"], type=click.IntRange(0, 65535), default=4319, help="With --http: port; 4319.")
    group.add_command(
        click.Command("mcp", params=[http, host, port, *where_options()], callback=_run, help=_run.__doc__)
    )


def _run(http: bool, host: str, port: int, **given: Any) -> None:
    """Answer assistants: spend, explain, budgets, top spenders, a trace, forecast, what changed. Only reads.

    OUTLAY_API_KEY is the key, whose project is answered about. Over HTTP callers bring their own key as
    `Authorization: Bearer KEY`; on loopback they may leave it out, and are then asked for by OUTLAY_API_KEY.
    """
    try:
        from outlay_web.cli.mcp_tools import serve_tools
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise OutlayError(MISSING) from missing
    from outlay_web.server.application import outlay_version

    flags, file = take_where(given)
    local = not http or _is_loopback(host)
    if not local:
        _refuse_open(flags, file, host)
    server = serve_tools(_answerer(flags, file, http=http, needs_key=not local), outlay_version())
    if not http:
        server.run("stdio")
        return
    import uvicorn

    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        raise ConfigError(f"cannot listen on {host}:{port}: {exc.strerror}; choose another --port") from exc
    shown = f"[{host}]" if ":" in host else host
    print(f"outlay mcp: http://{shown}:{listening.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    application = server.streamable_http_app(host=host, stateless_http=True, json_response=True)
    config = uvicorn.Config(application, log_level="warning", access_log=False)
    with contextlib.closing(listening):
        uvicorn.Server(config).run(sockets=[listening])


def _answerer(flags: dict[str, Any], file: str | None, *, http: bool, needs_key: bool) -> Callable[..., bytes]:
    """Asks the API anew each time, so that nothing is held between questions.

    Where a key is needed only a server can check it: none is answered from the store that this process would open.
    """
    alone = threading.Lock()  # where no server runs, one question at a time opens the store

    def answer(path: str, query: list[tuple[str, str]], key: str) -> bytes:
        if needs_key and not key:
            raise OutlayError("bring your project's key: Authorization: Bearer KEY")
        asking = Ask(query, flags=dict(flags), config_file=file, key=key, for_others=http, only_server=needs_key)
        with asking as ask, contextlib.nullcontext() if ask.url else alone:
            return ask.send("GET", path).body

    return answer


def _refuse_open(flags: dict[str, Any], file: str | None, host: str) -> None:
    """Beyond this machine only in front of a server that asks for keys, which callers then bring.

    Raises:
        ConfigError: If whoever reaches the address could read everything.
    """
    with Ask(flags=dict(flags), config_file=file, key="none", only_server=True) as ask:
        try:
            if ask.url:
                ask.get("/budgets")
        except Refused as refused:
            if refused.status == UNAUTHORIZED:
                return
            raise
    raise ConfigError(f"--host {host} is open to others: name a server that asks for keys (--url, with OUTLAY_KEYS=on)")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
