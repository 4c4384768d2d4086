"""What a pipeline is at, for its threads to agree on: counts, what is in flight, and until when."""

from __future__ import annotations

import threading


class Counts:
    """Spans since the start of the process; a pipeline that takes over from another one goes on counting here."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.exported = 0
        self.dropped = 0
        self.spooled = 0

    def add(self, *, exported: int = 0, dropped: int = 0, spooled: int = 0) -> None:
        """Count some more."""
        with self._lock:
            self.exported += exported
            self.dropped += dropped
            self.spooled += spooled


class Progress:
    """Of one pipeline. `lock` guards all of it, and what waits; its holder may take it again.

    Attributes:
        in_flight: How many spans and scores are being sent.
        in_file: How many of these are in the spool's file that is written to.
        aside: How many of these are in a file that is put aside, where they stay until that is sent.
        failures: Batches that were given up, for `flush` to notice.
        flushes: Callers that wait in `flush`.
        deadline: When the process ends, on the monotonic clock; None while nothing ends.
        has_given_up: The server did not take something after the deadline was set.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.counts = Counts()
        self.in_flight = 0
        self.in_file = 0
        self.aside = 0
        self.failures = 0
        self.flushes = 0
        self.deadline: float | None = None
        self.has_given_up = False
        self._here = threading.local()

    @property
    def sends_here(self) -> bool:
        """Whether this very thread sends: then what it records meanwhile is only queued, it would wait for itself."""
        return getattr(self._here, "sends", False)

    @sends_here.setter
    def sends_here(self, sends: bool) -> None:
        self._here.sends = sends

    def landed(self, count: int) -> int:
        """Take `count` off what is in flight; less where the end of the process has counted it already."""
        with self.lock:
            count = min(count, self.in_flight)
            self.in_flight -= count
            if not self.in_flight:
                self.in_file = self.aside = 0
            return count

    def lose(self) -> int:
        """Take everything off what is in flight; how much of it is in no file that is put aside."""
        with self.lock:
            lost = max(self.in_flight - self.aside, 0)
            self.landed(self.in_flight)
            return lost
