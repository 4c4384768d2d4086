"""Ask Outlay's API: a running server, or the same application in this process when no server holds the data.

Both ways give the same bytes, so a command and the API cannot differ.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import click

from outlay.errors import ConfigError, OutlayError
from outlay_web.cli.show import print_table
from outlay_web.server.lock import DataHeld, holder_of

if TYPE_CHECKING:
    from outlay_web.cli.inprocess import Answered
    from outlay_web.config import Config, Settings
    from outlay_web.server.application import Application

API = "/api/v1"

TIMEOUT_S = 120.0  # to be reached, and for an answer
WORK_S = 3600.0  # for what is to be done: bills that providers make wait for, prices of millions of calls
WAIT_S = 60.0  # for another command that holds the data
LOOK_AGAIN_S = 0.1
PART_BYTES = 1 << 16
NOT_UNDERSTOOD = (400, 422)
NEXT = re.compile(r'<([^>]*)>;\s*rel="next"')


class Refused(OutlayError):
    """The API answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """An answer: its body, and the cursor of the next page where there is one."""

    body: bytes
    next_cursor: str = ""


class Ask:
    """One command's conversation with Outlay.

    Args:
        common: Query parameters of every question: window, filters, project.
        flags: Settings given on the command line: `url`, `data`, `store_dsn`.
        form: `text`, `json` or `csv`.
        key: Of whom the question is; the settings' unless given.
        for_others: Whether others ask through this process: then OUTLAY_BOOTSTRAP_KEY, an administrator's, is not
            theirs.
        only_server: Whether a server must answer, which asks for keys: the store is never opened here.
    """

    def __init__(
        self,
        common: Sequence[tuple[str, str]] = (),
        *,
        flags: dict[str, Any] | None = None,
        config_file: str | None = None,
        form: str = "text",
        key: str = "",
        for_others: bool = False,
        only_server: bool = False,
    ) -> None:
        from outlay_web.config import load_config  # only where a command runs: --help waits for no models

        self.common = list(common)
        self.form = form
        self._key = key
        self._for_others = for_others
        self._only_server = only_server
        self._flags = flags or {}
        self._config: Config = load_config(flags=flags, file=Path(config_file) if config_file else None)
        self._application: Application | None = None

    def __enter__(self) -> Ask:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._application is not None:
            self._application.close()

    def get(self, path: str, **own: Any) -> Any:
        """The JSON answer of a GET."""
        return _parsed(self.send("GET", path, own).body)

    def post(self, path: str, body: Any, **own: Any) -> Any:
        """The JSON answer of a POST of JSON."""
        sent = json.dumps(body, default=str).encode()
        return _parsed(self.send("POST", path, own, sent, "application/json").body)

    def apart(self, common: Sequence[tuple[str, str]]) -> Ask:
        """The same conversation with other common parameters, for a question on the side."""
        other = copy(self)
        other.common = list(common)
        return other

    def send(
        self,
        method: str,
        path: str,
        own: dict[str, Any] | None = None,
        body: bytes = b"",
        content_type: str = "",
        encoding: str = "",
    ) -> Reply:
        """Send one request.

        Raises:
            click.UsageError: If an option of the command is not understood.
            Refused: If the answer is another error.
            ConfigError: If there is nobody to ask.
        """
        headers = {"content-type": content_type, "content-encoding": encoding}
        given = {name: value for name, value in headers.items() if value}
        status, answer, said = self._exchange(method, self._target(path, own or {}), body, given)
        return Reply(self._checked(method, status, answer), _next_cursor(said))

    def download(self, path: str, sink: Callable[[bytes], object], **own: Any) -> Mapping[str, str]:
        """GET a file, handed to `sink` part by part; returns the answer's headers.

        Raises:
            OutlayError: As `send`, or if the file breaks off.
        """
        status, answer, said = self._exchange("GET", self._target(path, own), b"", {}, sink)
        self._checked("GET", status, answer)
        return said

    def _target(self, path: str, own: Mapping[str, Any]) -> str:
        pairs = [*self.common, *((key, str(value)) for key, value in own.items() if value is not None)]
        return API + quote(path) + ("?" + urlencode(pairs) if pairs else "")

    def _exchange(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        sink: Callable[[bytes], object] | None = None,
    ) -> Answered:
        url = self._url()
        if url:
            return self._over_http(url, method, target, body, headers, sink)
        return self._in_process(method, target, body, headers, sink)

    def _checked(self, method: str, status: int, answer: bytes) -> bytes:
        """The body of an answer that is none of an error."""
        if method == "GET" and status in NOT_UNDERSTOOD:
            raise click.UsageError(_message(status, answer))
        if status >= 400:
            raise Refused(status, _message(status, answer))
        return answer

    def show(self, path: str, rows: str, columns: Sequence[str], *, every: bool = False, **own: Any) -> Any:
        """Ask and print: JSON or CSV as the API gives it, otherwise the list `rows` as a table; returns the answer.

        Args:
            every: Follow the pages to the end. Without it, that there is more is said on stderr.
        """
        if self.form == "csv":
            self._show_csv(path, own, every)
            return None
        found = self.get(path, **own)
        page = found
        while every and page.get("next_cursor"):
            page = self.get(path, **{**own, "cursor": page["next_cursor"]})
            found[rows] += page[rows]
        if every and "next_cursor" in found:
            found["next_cursor"] = None
        if self.form == "json":
            self.print_json(found)
        else:
            print_table(found[rows] if rows else [found], columns)
        return found

    def _show_csv(self, path: str, own: dict[str, Any], every: bool) -> None:
        """One table: the head of later pages is left out."""
        reply = self.send("GET", path, {**own, "format": "csv"})
        sys.stdout.write(reply.body.decode())
        lines = reply.body.count(b"\n")
        while every and reply.next_cursor:
            reply = self.send("GET", path, {**own, "format": "csv", "cursor": reply.next_cursor})
            sys.stdout.write(reply.body.decode().partition("\n")[2])
        if reply.next_cursor:
            more = f"--all gives them, or --cursor {reply.next_cursor}"
            print(f"outlay: only the first {lines - 1} rows; {more}", file=sys.stderr)

    def print_json(self, value: Any) -> None:
        print(json.dumps(value, indent=2, ensure_ascii=False, default=_number))

    @property
    def settings(self) -> Settings:
        return self._config.settings

    @property
    def url(self) -> str:
        """The server that is asked, empty where the store is opened here."""
        return self._url()

    def finish(self) -> None:
        """After changes in this process: let them arrive in the answers before the command ends."""
        if self._application is not None:
            self._application.drain()

    def _url(self) -> str:
        settings = self._config.settings
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
        settings = self._config.settings
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
            settings = self._config.settings
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


def _parsed(body: bytes) -> Any:
    return json.loads(body, parse_float=Decimal)


def _next_cursor(headers: Mapping[str, str]) -> str:
    """The cursor in the link to the next page (RFC 8288), empty without one."""
    found = NEXT.search(headers.get("link", ""))
    return parse_qs(urlsplit(found.group(1)).query).get("cursor", [""])[0] if found else ""


def _message(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {status}"


def _number(value: Any) -> Any:
    """`Decimal` stands for a JSON number here: money is text in the API's answers."""
    if isinstance(value, Decimal):
        return float(value)
    return _unknown(value)


def _unknown(value: Any) -> NoReturn:
    raise TypeError(type(value).__name__)
