"""The one cache: answers that take long, found once for each state of the data, shown a little old meanwhile.

An answer that fails is said to have failed, to whoever asks and in `jobs()`, and is tried again after a pause.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

logger = logging.getLogger(__name__)

Key = tuple[Hashable, ...]  # the kind of answer, then what it is about

Renewal = Literal["under way", "waiting"]
MAX_ENTRIES = 64
QUICK_S = 0.1
REST = 20  # what took longer is not looked for again before twenty times as long has passed: at most 5% of a core
PAUSE_S, LONGEST_PAUSE_S = 30.0, 600.0  # after a failure; doubled with each further one


@dataclass(frozen=True)
class Failure:
    """Why the newest attempt at an answer failed.

    Attributes:
        error: The exception's type and message.
        kind: Its type, which is all that a reader may see.
        retry_s: Seconds until it is tried again by whoever asks then.
    """

    error: str
    kind: str
    retry_s: float


@dataclass
class Entry:
    """One answer: of which state, when it was found, and whether it is being looked for.

    `tried_at` and `took_s` are of the newest attempt; `failed` counts those that failed since the last that did not.
    """

    value: Any = None
    version: Hashable = None
    found_at: float | None = None
    tried_at: float | None = None
    took_s: float = 0.0
    running: bool = False
    failed: int = 0
    error: str = ""
    kind: str = ""

    @property
    def rested_at(self) -> float:
        """When the next attempt may begin."""
        if self.tried_at is None:
            return float("-inf")
        rest_s = REST * self.took_s if self.took_s > QUICK_S else 0.0
        pause_s = min(PAUSE_S * 2 ** (min(self.failed, 10) - 1), LONGEST_PAUSE_S) if self.failed else 0.0
        return self.tried_at + max(rest_s, pause_s)


@dataclass
class Tally:
    """What became of all attempts at one kind of answer."""

    runs: int = 0
    failures: int = 0
    busy_s: float = 0.0


class Cache:
    """The one cache of answers, by key. However many readers ask, each key is computed by one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[Key, Entry] = {}
        self._tallies: dict[str, Tally] = {}
        self._changed = threading.Condition()

    def get(
        self, key: Key, version: Hashable, compute: Callable[[], Any], wait_s: float, *, old: bool = False
    ) -> Any | None:
        """The answer to `key`, computed anew when `version` has changed.

        Args:
            key: The kind of answer and what it is about.
            version: The state of what the answer is made of.
            compute: Finds it; what it raises is logged and told by `failure`, and what was known before stays.
            wait_s: How long to wait for it; then what is known is returned, None if nothing is.
            old: Do not wait where an older answer is known.
        """
        with self._changed:
            if key not in self._entries and len(self._entries) >= MAX_ENTRIES:
                self._entries = {name: entry for name, entry in self._entries.items() if entry.running}
            entry = self._entries.setdefault(key, Entry())
            known = entry.found_at is not None
            wanted = not known or entry.version != version
            rested = self._clock() >= entry.rested_at
            if wanted and rested and not entry.running:
                entry.running = True
                arguments = (str(key[0]), entry, version, compute)
                try:
                    threading.Thread(target=self._run, args=arguments, name="outlay-cache", daemon=True).start()
                except RuntimeError as exc:  # no more threads: as any other failure, tried again after a pause
                    self._end(str(key[0]), entry, self._clock(), exc)
            if not (known and old):
                self._changed.wait_for(lambda: not entry.running, wait_s)
            return entry.value

    def renewal(self, key: Key, version: Hashable) -> Renewal | None:
        """What becomes of an answer that is known of another state than `version`; None if it is of this one."""
        with self._changed:
            entry = self._entries.get(key)
            if entry is None or entry.found_at is None or entry.version == version:
                return None
            return "under way" if entry.running else "waiting"

    def failure(self, key: Key) -> Failure | None:
        """Why the newest attempt at `key` failed; None if it did not."""
        with self._changed:
            entry = self._entries.get(key)
            if entry is None or not entry.failed:
                return None
            return Failure(entry.error, entry.kind, max(entry.rested_at - self._clock(), 0.0))

    def jobs(self) -> list[dict[str, Any]]:
        """Every kind of answer as a background job: name, runs, failures, the error that holds, seconds of work."""
        with self._changed:
            errors = {str(key[0]): entry.error for key, entry in self._entries.items() if entry.failed}
            return [
                {
                    "name": f"find {kind}",
                    "runs": tally.runs,
                    "failures": tally.failures,
                    "last_error": errors.get(kind),
                    "busy_seconds": round(tally.busy_s, 3),
                }
                for kind, tally in sorted(self._tallies.items())
            ]

    def _run(self, kind: str, entry: Entry, version: Hashable, compute: Callable[[], Any]) -> None:
        began = self._clock()
        try:
            value = compute()
        except Exception as exc:
            self._end(kind, entry, began, exc)
            return
        with self._changed:
            entry.value, entry.version, entry.found_at = value, version, self._clock()
            self._end(kind, entry, began, None)

    def _end(self, kind: str, entry: Entry, began: float, failed: Exception | None) -> None:
        """An attempt is over: note what became of it, and let everybody go on."""
        if failed is not None:
            logger.warning("an answer could not be found: %s", kind, exc_info=failed)
        with self._changed:
            ended = self._clock()
            entry.tried_at, entry.took_s = ended, ended - began
            tally = self._tallies.setdefault(kind, Tally())
            tally.runs += 1
            tally.busy_s += entry.took_s
            if failed is None:
                entry.failed, entry.error, entry.kind = 0, "", ""
            else:
                tally.failures += 1
                entry.failed += 1
                entry.error, entry.kind = f"{type(failed).__name__}: {failed!s:.300}", type(failed).__name__
            entry.running = False
            self._changed.notify_all()
