"""Who asks the store, so that a question that nobody waits for any more is given up.

Whoever answers a request sets an `Asker` around it. A question of an asker that has left is not begun; one that waits
for a connection is taken out of the line; one that runs is ended with `KILL QUERY`, known by a name it carries (the
embedded engine drops comments and takes neither a query id nor a setting from a reader).
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from outlay.errors import StoreError

_current: ContextVar[Asker | None] = ContextVar("outlay_asker", default=None)
BEGIN = re.compile(r"(?:\s*--[^\n]*\n)*\s*(SELECT|WITH)\b", re.IGNORECASE)
LEFT = "nobody waits for this answer any more"


class Asker:
    """One request; `leave` may be called from any thread, and does not block."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = False
        self._asked: dict[Future[Any], Callable[[], None]] = {}

    def leave(self) -> None:
        """The client is gone: give up what is being asked for it."""
        with self._lock:
            self._left = True
            asked, self._asked = self._asked, {}
        for done, end in asked.items():
            if not done.cancel() and not done.done():
                end()

    def waits(self, done: Future[Any], end: Callable[[], None]) -> None:
        """Note a question: `end` ends it where it has begun."""
        with self._lock:
            if not self._left:
                self._asked[done] = end
                done.add_done_callback(self._answered)
                return
        done.cancel()

    def check(self) -> None:
        """Before something is begun.

        Raises:
            StoreError: If the client is gone.
        """
        if self._left:
            raise StoreError(LEFT, retryable=True)

    def _answered(self, done: Future[Any]) -> None:
        with self._lock:
            self._asked.pop(done, None)


def current_asker() -> Asker | None:
    """Whoever this thread or task works for, None where it is nobody in particular."""
    return _current.get()


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Within the block, and in threads that take its context along, questions are this asker's."""
    token = _current.set(asker)
    try:
        yield
    finally:
        _current.reset(token)


def named(sql: str) -> tuple[str, str]:
    """A SELECT with a constant that nothing reads, and that constant, by which it is found again while it runs."""
    name = uuid.uuid4().hex
    begin = BEGIN.match(sql)
    if begin is None:
        return sql, name
    comma = "," if begin[1].upper() == "WITH" else " SELECT"
    return f"{sql[: begin.start(1)]}WITH '{name}' AS outlay_asked{comma}{sql[begin.end(1) :]}", name
