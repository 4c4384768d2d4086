"""GET pages of a provider's API: bounded, patient where it asks for patience, clear about what a key lacks.

A page is its text as it came and what it says; money is read from the digits that are written. Whether to try again is
decided by the status, never by a message. The key goes to the account's own address only: redirects are not followed,
and nothing that a provider says is repeated with a key in it.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

from outlay.errors import OutlayError

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
TRIES = 5
LONGEST_PAUSE_S = 60.0
LONGEST_RETRY_S = 86400.0 * 7
CONNECT_S, READ_S = 10.0, 120.0
MAX_PAGE_BYTES = 64 << 20
MAX_PAGES = 2000
SAID = 300
KEYS = re.compile(r"\b(?:sk|pk|rk)-[\w*….-]{4,}")
Query = Sequence[tuple[str, str]]
STOPS = "the server stops; it is pulled again after the next start"
Pause = Callable[[float], bool]
"""Waits so many seconds; True when it should stop altogether."""


class PullFailed(OutlayError):
    """A pull that came to nothing: what was kept before stays.

    Attributes:
        retry_s: After how many seconds the provider wants to be asked again, None where it does not say.
        status: HTTP status, 0 where there was none.
    """

    def __init__(self, message: str, *, retry_s: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.retry_s = retry_s
        self.status = status


@dataclass(frozen=True)
class Page:
    """One page as it came.

    Attributes:
        path: What was asked, with its query.
        body: Its text; empty for a file, which stays where it is.
        hash: SHA-256 of its bytes.
    """

    path: str
    body: str
    hash: str


class Fetch:
    """One account's conversation with its provider.

    Args:
        base: Scheme, host and port.
        headers: Sent each time, the key among them.
        key: Is taken out of whatever is said.
        pause: Waits between tries.
    """

    def __init__(self, base: str, headers: Mapping[str, str], key: str, pause: Pause) -> None:
        self.pages: list[Page] = []
        self._base = base
        self._key = key
        self._pause = pause
        self._session = requests.Session()
        self._session.headers.update({"accept": "application/json", "user-agent": "outlay", **headers})
        self._session.auth = _as_it_is  # or ~/.netrc replaces the key

    def close(self) -> None:
        self._session.close()

    def json(self, path: str, query: Query, right: str) -> Any:
        """One page, kept in `pages`.

        Args:
            right: What the key needs for it, as the message says it.

        Raises:
            PullFailed: If it does not come.
        """
        for number in range(1, TRIES + 1):
            try:
                status, headers, body = self._get(path, query)
            except requests.RequestException as exc:
                why, pause_s, retry = f"{self._base}{path} does not answer: {type(exc).__name__}", None, True
                status = 0
            else:
                if status == 200:
                    return self._page(path, query, body)
                why = self._refused(path, status, body, right)
                pause_s, retry = _retry_after(headers.get("retry-after")), status in AGAIN
            if not retry:
                raise PullFailed(why, status=status)
            pause_s = 2.0 ** (number - 1) if pause_s is None else pause_s
            if number == TRIES or pause_s > LONGEST_PAUSE_S:
                raise PullFailed(why, retry_s=pause_s, status=status)
            if self._pause(pause_s):
                break
        raise PullFailed(STOPS)

    def pages_of(self, path: str, query: Query, right: str) -> Iterator[Mapping[str, Any]]:
        """The pages of a list, followed by `next_page` until there is none.

        Raises:
            PullFailed: If one does not come, is no page, or was there before.
        """
        cursor, seen = "", set()
        for _ in range(MAX_PAGES):
            page = self.json(path, [*query, *([("page", cursor)] if cursor else [])], right)
            if not isinstance(page, Mapping) or not isinstance(page.get("data"), list):
                raise PullFailed(f"{self._base}{path} answered without a list `data`: is this the provider's address?")
            yield page
            cursor = str(page.get("next_page") or "")
            if not page.get("has_more", bool(cursor)):
                return
            if not cursor or cursor in seen:
                raise PullFailed(f"{self._base}{path} has more pages and does not say which is the next")
            seen.add(cursor)
        raise PullFailed(f"{self._base}{path} has more than {MAX_PAGES} pages")

    def _get(self, path: str, query: Query) -> tuple[int, Mapping[str, str], bytes]:
        url = self._base + path
        with self._session.get(
            url, params=list(query), timeout=(CONNECT_S, READ_S), allow_redirects=False, stream=True
        ) as answer:
            parts, size = [], 0
            for part in answer.iter_content(1 << 16):
                size += len(part)
                if size > MAX_PAGE_BYTES:
                    raise PullFailed(f"{url} answers more than {MAX_PAGE_BYTES >> 20} MiB")
                parts.append(part)
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status_code, headers, b"".join(parts)

    def _page(self, path: str, query: Query, body: bytes) -> Any:
        try:
            text = body.decode()
            found = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise PullFailed(f"{self._base}{path} answered no JSON: {str(exc)[:SAID]}") from None
        asked = path + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
        self.pages.append(Page(asked, text, hashlib.sha256(body).hexdigest()))
        return found

    def _refused(self, path: str, status: int, body: bytes, right: str) -> str:
        said = self._said(body)
        if status == 401:
            return f"the key is refused by {self._base} (HTTP 401{said}); it has to be {right}"
        if status == 403:
            return f"the key may not read {path} (HTTP 403{said}); it has to be {right}"
        if 300 <= status < 400:
            return f"{self._base}{path} sends elsewhere (HTTP {status}), which is not followed: is url right?"
        return f"{self._base}{path} answers HTTP {status}{said}"

    def _said(self, body: bytes) -> str:
        """What the provider says is wrong, without any key."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        error = found.get("error", found) if isinstance(found, Mapping) else None
        text = error.get("message", "") if isinstance(error, Mapping) else error if isinstance(error, str) else ""
        plain = "".join(char for char in str(text) if char.isprintable())
        plain = KEYS.sub("(key)", plain.replace(self._key, "(key)") if self._key else plain)[:SAID]
        return f": {plain}" if plain else ""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def group_by(*names: str) -> list[tuple[str, str]]:
    """What rows are told apart by, as OpenAI's and Anthropic's queries say it."""
    return [("group_by[]", name) for name in names]


def _retry_after(value: str | None) -> float | None:
    """Seconds that `Retry-After` asks for, a number or a date; None where it says nothing that can be read."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        seconds = (at - datetime.fromtimestamp(time.time(), UTC)).total_seconds()
    return None if math.isnan(seconds) else max(0.0, min(seconds, LONGEST_RETRY_S))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
