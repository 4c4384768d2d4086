"""Ask Outlay's API: what a command asks, and what it makes of the answer. `transport` finds who answers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import click

from outlay.errors import OutlayError
from outlay_web.cli.show import print_table
from outlay_web.cli.transport import Transport

if TYPE_CHECKING:
    from outlay_web.config import Settings

API = "/api/v1"

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
        flags = flags or {}
        config = load_config(flags=flags, file=Path(config_file) if config_file else None)
        self._transport = Transport(config, flags, key=key, for_others=for_others, only_server=only_server)

    def __enter__(self) -> Ask:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._transport.close()

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
        status, answer, said = self._transport.exchange(method, self._target(path, own or {}), body, given)
        return Reply(self._checked(method, status, answer), _next_cursor(said))

    def download(self, path: str, sink: Callable[[bytes], object], **own: Any) -> Mapping[str, str]:
        """GET a file, handed to `sink` part by part; returns the answer's headers.

        Raises:
            OutlayError: As `send`, or if the file breaks off.
        """
        status, answer, said = self._transport.exchange("GET", self._target(path, own), b"", {}, sink)
        self._checked("GET", status, answer)
        return said

    def _target(self, path: str, own: Mapping[str, Any]) -> str:
        pairs = [*self.common, *((key, str(value)) for key, value in own.items() if value is not None)]
        return API + quote(path) + ("?" + urlencode(pairs) if pairs else "")

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
        return self._transport.settings

    @property
    def url(self) -> str:
        """The server that is asked, empty where the store is opened here."""
        return self._transport.url

    def finish(self) -> None:
        """After changes in this process: let them arrive in the answers before the command ends."""
        self._transport.drain()


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
