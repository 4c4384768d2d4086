"""Locks that are held while the store is asked: whoever waits for one waits for a bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from outlay.errors import StoreError
from outlay_collector.store.heartbeat import NO_ANSWER

LOCK_S = 30.0


class Lock(Protocol):
    """A `threading.Lock` or `threading.RLock`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...


@contextmanager
def holding(lock: Lock, within_s: float | None = None) -> Iterator[None]:
    """As `with lock`, within `LOCK_S` unless another time is given.

    Raises:
        StoreError: If others hold it for longer, as they do when the store does not answer them.
    """
    if not lock.acquire(timeout=LOCK_S if within_s is None else within_s):
        raise StoreError(NO_ANSWER, retryable=True)
    try:
        yield
    finally:
        lock.release()
