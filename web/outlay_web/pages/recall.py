"""Answers that take long to compute, kept for a minute: a page that is opened again or refreshed need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

KEPT_S = 60.0
MAX_ENTRIES = 64


class Recall:
    """A small memory by key. Two readers that ask for the same at once compute it once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What is known under `key`, computed anew after a minute. An error is not kept."""
        with self._lock:
            own = self._locks.setdefault(key, threading.Lock())
        with own:
            with self._lock:
                at, value = self._found.get(key, (-KEPT_S, None))
            if self._clock() - at < KEPT_S:
                return value
            value = compute()
            with self._lock:
                if len(self._found) >= MAX_ENTRIES:
                    self._found.clear()
                    self._locks.clear()
                self._found[key] = (self._clock(), value)
            return value
