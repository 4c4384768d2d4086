"""Answers that take seconds to compute: found once for each state of the data, shown a little old meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

MAX_ENTRIES = 64
QUICK_S = 0.1
REST = 20  # what took longer is not looked for again before twenty times as long has passed: at most 5% of a core


@dataclass
class Entry:
    """One answer: of which state, when it was found and how long that took, and whether it is being looked for."""

    value: Any = None
    version: Hashable = None
    found_at: float | None = None
    took_s: float = 0.0
    running: bool = False


class Recall:
    """A small memory by key. However many readers ask, each key is computed by one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[Hashable, Entry] = {}
        self._changed = threading.Condition()

    def get(
        self, key: Hashable, version: Hashable, compute: Callable[[], Any], wait_s: float, *, old: bool = False
    ) -> Any | None:
        """The answer to `key`, computed anew when `version` has changed.

        Args:
            version: The state of what the answer is made of.
            wait_s: How long to wait for it; then what is known is returned, None if nothing is.
            old: Do not wait where an older answer is known. An error is logged, not kept.
        """
        with self._changed:
            if key not in self._entries and len(self._entries) >= MAX_ENTRIES:
                self._entries = {name: entry for name, entry in self._entries.items() if entry.running}
            entry = self._entries.setdefault(key, Entry())
            known = entry.found_at is not None
            rest_s = REST * entry.took_s if entry.took_s > QUICK_S else 0.0
            rested = entry.found_at is None or self._clock() - entry.found_at >= rest_s
            if (not known or entry.version != version) and rested and not entry.running:
                entry.running = True
                arguments = (entry, version, compute)
                threading.Thread(target=self._run, args=arguments, name="outlay-recall", daemon=True).start()
            if not (known and old):
                self._changed.wait_for(lambda: not entry.running, wait_s)
            return entry.value

    def _run(self, entry: Entry, version: Hashable, compute: Callable[[], Any]) -> None:
        began = self._clock()
        try:
            value = compute()
        except Exception as exc:
            logger.warning("a background answer failed: %s: %.300s", type(exc).__name__, exc)
            with self._changed:
                entry.running = False
                self._changed.notify_all()
            return
        with self._changed:
            entry.value, entry.version, entry.running = value, version, False
            entry.found_at = self._clock()
            entry.took_s = entry.found_at - began
            self._changed.notify_all()
