"""Connections on threads of their own, so that whoever asks can stop waiting.

A call into ClickHouse cannot be interrupted: the embedded engine is a library, and a server that hangs says nothing.
So it is made on a thread that nothing else depends on, and those who asked wait for it as long as it makes sense. A
thread whose call nobody waits for any more goes on with the next one when the store answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from outlay.errors import StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger(__name__)

Call = Callable[["Client"], Any]


class Pool:
    """Up to `size` connections, opened when they are needed."""

    def __init__(self, name: str, size: int, connect: Callable[[], Client]) -> None:
        self._name = name
        self._size = size
        self._connect = connect
        self._calls: deque[tuple[Call, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, call: Call) -> Future[Any]:
        """Have `call` made with a connection; a future that is cancelled before its turn is never begun.

        Raises:
            StoreError: If the pool is closed.
        """
        done: Future[Any] = Future()
        with self._changed:
            if self._closed:
                raise StoreError("the store is closed", retryable=True)
            self._calls.append((call, done))
            if self._idle < len(self._calls) and len(self._threads) < self._size:
                thread = threading.Thread(target=self._work, name=f"outlay-{self._name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()
        return done

    def close(self, timeout_s: float) -> None:
        """Close the connections that are not in use within that time. Safe to call twice."""
        until = time.monotonic() + timeout_s
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        client: Client | None = None
        while (found := self._next()) is not None:
            call, done = found
            if not done.set_running_or_notify_cancel():
                continue
            try:
                client = client or self._connect()
                done.set_result(call(client))
            except BaseException as exc:
                done.set_exception(exc)
            del call, done, found
        if client is not None:
            try:
                client.close()
            except Exception:
                logger.exception("a connection could not be closed")

    def _next(self) -> tuple[Call, Future[Any]] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls or self._closed)
            self._idle -= 1
            return None if self._closed else self._calls.popleft()
