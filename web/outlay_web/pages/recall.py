"""Answers that take seconds to compute: found in the background, kept for a while, shown a little old meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

FRESH_S = 300.0
SHOWN_S = 3600.0
MAX_ENTRIES = 64


@dataclass
class Entry:
    """One answer: when it was found, and whether it is being looked for."""

    value: Any = None
    found_at: float | None = None
    running: bool = False


class Recall:
    """A small memory by key. However many readers ask, each key is computed by one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[Hashable, Entry] = {}
        self._changed = threading.Condition()

    def get(self, key: Hashable, compute: Callable[[], Any], wait_s: float) -> Any | None:
        """What is known under `key`, at most an hour old; None while the first answer takes longer than `wait_s`.

        An answer older than five minutes is given and looked for again in the background. An error is logged, not kept.
        """
        with self._changed:
            if key not in self._entries and len(self._entries) >= MAX_ENTRIES:
                self._entries = {name: entry for name, entry in self._entries.items() if entry.running}
            entry = self._entries.setdefault(key, Entry())
            age_s = None if entry.found_at is None else self._clock() - entry.found_at
            if (age_s is None or age_s > FRESH_S) and not entry.running:
                entry.running = True
                threading.Thread(target=self._run, args=(entry, compute), name="outlay-recall", daemon=True).start()
            if age_s is not None and age_s <= SHOWN_S:
                return entry.value
            self._changed.wait_for(lambda: not entry.running, wait_s)
            return entry.value

    def _run(self, entry: Entry, compute: Callable[[], Any]) -> None:
        found_at, value = entry.found_at, entry.value
        try:
            value = compute()
            found_at = self._clock()
        except Exception as exc:
            logger.warning("a background answer failed: %s: %.300s", type(exc).__name__, exc)
        with self._changed:
            entry.value, entry.found_at, entry.running = value, found_at, False
            self._changed.notify_all()
