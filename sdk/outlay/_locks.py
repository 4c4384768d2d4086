"""One lock per key, so that callers who want the same answer wait for one call instead of making many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from outlay import _fork


class Locks:
    """One lock per key, while somebody needs it."""

    def __init__(self) -> None:
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """Nobody in the child will open what a thread of the parent holds."""
        self._guard = threading.Lock()
        self._threads: dict[str, list[Any]] = {}
        self._tasks: dict[tuple[int, str], list[Any]] = {}

    def of_thread(self, key: str) -> Any:
        """A `with` block that one thread at a time is in."""
        return _Held(self, self._threads, key, threading.RLock)

    def of_task(self, key: str) -> Any:
        """An `async with` block that one task of the running loop at a time is in."""
        import asyncio

        return _Held(self, self._tasks, (id(asyncio.get_running_loop()), key), asyncio.Lock)


class _Held:
    def __init__(self, locks: Locks, table: dict[Any, list[Any]], key: Any, make: Callable[[], Any]) -> None:
        self._locks = locks
        self._table = table
        self._key = key
        with locks._guard:
            entry = table.setdefault(key, [make(), 0])
            entry[1] += 1
        self._lock = entry[0]

    def _leave(self) -> None:
        with self._locks._guard:
            entry = self._table[self._key]
            entry[1] -= 1
            if not entry[1]:
                del self._table[self._key]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        self._leave()

    async def __aenter__(self) -> None:
        try:
            await self._lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._lock.release()
        self._leave()
