"""A scheduler of (name, interval, callable): one thread, one job at a time, in the order they were added.

What runs is registered by the program's start-up, so that this module knows nothing of its jobs. A job that returns
True has more work waiting and runs again after the others had their turn; one that raises is logged, counted and tried
again at its next time. A woken job first rests as long as its last run took, 0.7 seconds at most: many small wakes
make few runs, and what was just received is not kept waiting for long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

LONGEST_REST_S = 0.7


@dataclass
class Job:
    """One recurring piece of work and what became of it."""

    name: str
    interval_s: float
    run: Callable[[], bool | None]
    due_at: float = 0.0
    rested_at: float = 0.0
    runs: int = 0
    failures: int = 0
    last_error: str = ""
    busy_s: float = field(default=0.0)


class Scheduler:
    """Runs its jobs on one thread until stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, interval_s: float, run: Callable[[], bool | None]) -> None:
        """Register a job; it first runs as soon as the scheduler starts."""
        self.jobs[name] = Job(name, interval_s, run)

    def wake(self, name: str) -> None:
        """Make a job due now. Safe from any thread."""
        with self._changed:
            self.jobs[name].due_at = self.jobs[name].rested_at
            self._changed.notify()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name=f"outlay-{self.name}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Finish the running job, then stop. Returns whether the thread ended in time; safe to call twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and self._next_due_s() > 0:
                    self._changed.wait(self._next_due_s())
                if self._stopping:
                    return
            for job in self.jobs.values():
                if job.due_at <= time.monotonic() and not self._stopping:
                    self._run(job)

    def _next_due_s(self) -> float:
        if not self.jobs:
            return 3600.0
        return min(job.due_at for job in self.jobs.values()) - time.monotonic()

    def _run(self, job: Job) -> None:
        started = time.monotonic()
        job.due_at = started + job.interval_s
        again = False
        try:
            again = bool(job.run())
            job.last_error = ""
        except Exception as exc:
            job.failures += 1
            message = f"{type(exc).__name__}: {exc}"
            if message != job.last_error:
                logger.warning("job %s failed (it will be tried again): %s", job.name, message)
            job.last_error = message
        took_s = time.monotonic() - started
        job.runs += 1
        job.busy_s += took_s
        with self._changed:
            job.rested_at = started + took_s + min(took_s, LONGEST_REST_S)
            woken = job.due_at < started + job.interval_s
            if again:
                job.due_at = 0.0
            elif woken:
                job.due_at = job.rested_at
