"""Pages of lists that are put together whole: a place in one is the key of the last row shown, not a count of rows.

Rows that arrive meanwhile therefore neither repeat nor hide others. What moves by itself goes along in the cursor: the
instants that the first page was about, so that `now` means the same moment on every page. Where rows are sums in order
of size (spend, caching), calls of before those instants that arrive between two pages can still move a row.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, MAX_LIMIT
from outlay_web.http.parameters import Query

Key = tuple[Decimal | float | str, ...]
KeyOf = Callable[[Any], Key]
LONGEST = 4096


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for.

    Attributes:
        shape: What the list is of, in words; a cursor of another list is refused.
        kinds: `n` for each number and `t` for each text of a row's key.
        held: Instants that all pages share.
        limit: Rows of the page, None for all.
        after: Key of the last row of the page before.
    """

    shape: str
    kinds: str
    held: tuple[datetime, ...] = ()
    limit: int | None = None
    after: Key | None = None

    def window(self, scope: Scope) -> Scope:
        """The scope with the window of the first page, which `held` begins with."""
        return replace(scope, window=Window(*self.held[:2]))

    def cut(self, found: Mapping[str, Any], name: str, key: KeyOf) -> dict[str, Any]:
        """An answer with this page of its list `name`, and `next_cursor` where pages were asked for.

        Args:
            key: The row's place in the list: ascending, and no two rows have the same.
        """
        if self.limit is None:
            return dict(found)
        rows = sorted(found[name], key=key)
        if self.after is not None:
            rows = [row for row in rows if key(row) > self.after]
        more = len(rows) > self.limit
        rows = rows[: self.limit]
        return {**found, name: rows, "next_cursor": self.cursor(key(rows[-1])) if more else None}

    def cursor(self, key: Key) -> str:
        """The place after the row with this key."""
        instants = [at.astimezone(UTC).isoformat() for at in self.held]
        place = [part if isinstance(part, str) else str(Decimal(part)) for part in key]  # every digit of a float
        text = json.dumps([self.shape, instants, place], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def read_page(
    query: Query, shape: str, kinds: str, held: Sequence[datetime] = (), *, default: int | None = None
) -> Page:
    """The page that `limit` and `cursor` of a query ask for.

    Args:
        held: The instants of a first page; a later one has those of its cursor.
        default: Rows of a page without `limit` and `cursor`, None for all of them.

    Raises:
        BadRequest: For a limit out of range or a cursor that this list did not give.
    """
    text = query.get("cursor")
    fallback = DEFAULT_LIMIT if text else default or 0
    page = Page(shape, kinds, tuple(held), query.integer("limit", fallback, 1, MAX_LIMIT) or None)
    return _at(page, text) if text else page


def window_of(scope: Scope) -> tuple[datetime, datetime]:
    """What the pages of a windowed list hold."""
    return scope.window.start, scope.window.end


def tie(*values: object) -> str:
    """The end of a key: what tells rows of the same size apart, by name and of bounded length."""
    text = "\x1f".join("" if value is None else str(value) for value in values)
    return f"{text[:40]}\x1f{hashlib.blake2b(text.encode('utf-8', 'replace'), digest_size=9).hexdigest()}"


def _at(page: Page, cursor: str) -> Page:
    wrong = BadRequest(f"cursor {cursor[:SHOWN]!r} is not one that this list gave")
    try:
        if len(cursor) > LONGEST:
            raise wrong
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        shape, instants, place = json.loads(raw.decode("utf-8", "surrogatepass"))
        held = tuple(datetime.fromisoformat(at) for at in instants)
        key = tuple(_part(kind, part) for kind, part in zip(page.kinds, place, strict=True))
    except (ValueError, TypeError, InvalidOperation, RecursionError) as exc:
        raise wrong from exc
    if shape != page.shape or len(held) != len(page.held) or any(at.tzinfo is None for at in held):
        raise wrong
    return replace(page, held=held, after=key)


def _part(kind: str, part: object) -> Decimal | str:
    if not isinstance(part, str):
        raise TypeError("a place is made of texts")
    if kind == "t":
        return part
    number = Decimal(part)
    if not number.is_finite():
        raise ValueError("a place is finite")
    return number
