"""Carry a request to a running server, or to the same application in this process when no server holds the data.

Both ways give the same bytes, so a command and the API cannot differ.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from outlay.errors import ConfigError, OutlayError
from outlay_web.server.lock import DataHeld, holder_of

if TYPE_CHECKING:
    from outlay_web.cli.inprocess import Answered
    from outlay_web.config import Config
    from outlay_web.server.application import Application

TIMEOUT_S = 120.0  # to be reached, and for an answer
WORK_S = 3600.0  # for what is to be done: bills that providers make wait for, prices of millions of calls
WAIT_S = 60.0  # for another command that holds the data
LOOK_AGAIN_S = 0.1
PART_BYTES = 1 << 16


class Transport:
    """The way to whoever answers, for as long as a command runs.

    Args:
        flags: Settings given on the command line: a `data` or `store_dsn` that is named there goes before a server
            named elsewhere.
        key, for_others, only_server: As in `Ask`.
    """

    def __init__(
        self, config: Config, flags: Mapping[str, Any], *, key: str, for_others: bool, only_server: bool
    ) -> None:
        self.settings = config.settings
        self._config = config
        self._flags = flags
        self._key = key
        self._for_others = for_others
        self._only_server = only_server
        self._application: Application | None = None

    def drain(self) -> None:
        """After changes in this process: let them arrive in the answers."""
        if self._application is not None:
            self._application.drain()

    def close(self) -> None:
        """Close what was opened in this process."""
        if self._application is not None:
            self._application.close()

    def exchange(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        sink: Callable[[bytes], object] | None = None,
    ) -> Answered:
        """Send one request; its status, body and headers.

        Args:
            sink: Takes the body of a good answer part by part; it is then empty here.

        Raises:
            ConfigError: If there is nobody to ask.
            OutlayError: If the server does not answer.
        """
        url = self.url
        if url:
            return self._over_http(url, method, target, body, headers, sink)
        return self._in_process(method, target, body, headers, sink)

    @property
    def url(self) -> str:
        """The server that is asked, empty where the store is opened here."""
        settings = self.settings
        named = self._flags.get("data") or self._flags.get("store_dsn")
        if self._flags.get("url") or (settings.url and not named):
            return settings.url
        holder = holder_of(settings.data) if self._application is None else None
        return holder.url if holder is not None else ""

    def _over_http(
        self,
        url: str,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        sink: Callable[[bytes], object] | None = None,
    ) -> Answered:
        import http.client

        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        settings = self.settings
        key = self._key or settings.api_key or ("" if self._for_others else settings.bootstrap_key)
        if key:
            headers = {**headers, "authorization": f"Bearer {key}"}
        try:
            connection.connect()
            if method != "GET":
                connection.sock.settimeout(WORK_S)
            connection.request(method, parts.path.rstrip("/") + target, body or None, headers)
            response = connection.getresponse()
            while sink is not None and response.status < 400 and (part := response.read(PART_BYTES)):
                sink(part)
            return response.status, response.read(), {name.lower(): value for name, value in response.headers.items()}
        except (OSError, http.client.HTTPException) as exc:
            raise OutlayError(f"no answer from {url}: {exc}; is `outlay serve` running there?") from exc
        finally:
            connection.close()

    def _in_process(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        sink: Callable[[bytes], object] | None = None,
    ) -> Answered:
        from outlay_web.cli.inprocess import request

        if self._only_server:
            raise ConfigError("no server runs that asks for keys; start `outlay serve`, or name it with --url")
        if self._application is None:
            settings = self.settings
            if not settings.store_dsn and not (settings.data / "db").is_dir() and method == "GET":
                raise ConfigError(f"there is no data in {settings.data}; start `outlay serve`, or name --url or --data")
            try:
                self._application = self._open()
            except DataHeld as exc:
                if not exc.holder.url:
                    raise
                return self._over_http(exc.holder.url, method, target, body, headers, sink)  # it has started meanwhile
            if method != "GET":
                self._application.open_pipeline()
        return request(self._application.asgi(), method, target, body, headers, sink)

    def _open(self) -> Application:
        """Open the store in this process, once whoever holds it is done: commands take seconds.

        Raises:
            DataHeld: If a server holds it, or another command for longer than `WAIT_S`.
        """
        from outlay_web.server.application import Application

        until = time.monotonic() + WAIT_S
        said = False
        while True:
            try:
                return Application(self._config, command=_command())
            except DataHeld as exc:
                if exc.holder.url or time.monotonic() > until:
                    raise
                if not said:
                    said = True
                    print(f"outlay: waiting for outlay {exc.holder.command} (pid {exc.holder.pid})", file=sys.stderr)
                time.sleep(LOOK_AGAIN_S)


def _command() -> str:
    return sys.argv[1] if len(sys.argv) > 1 else "command"
