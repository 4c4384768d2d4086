"""Sends one request until it is taken, refused for good, or time is up.

Retryable answers (429, 502, 503, 504 and connection errors, as in the OTLP specification) are retried with backoff and
jitter, anything else is dropped and counted; so is what an answer says was rejected of a request that it takes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from outlay import _safely
from outlay.export.filing import Filing
from outlay.export.progress import Progress
from outlay.export.sender import Answer, Sender, unseen
from outlay.export.unsent_file import appended
from outlay.settings import Settings

_WORDS = {"traces": "spans", "logs": "scores"}  # what is in the requests of a signal

RETRYABLE = frozenset({429, 502, 503, 504})

_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

_MAX_RETRY_AFTER_S = 60.0


class Delivery:
    """Of one pipeline.

    Attributes:
        hand_on: Set once another pipeline has taken over: takes signal, request and how many are in it.
    """

    def __init__(self, settings: Settings, sender: Sender, progress: Progress, filing: Filing) -> None:
        self._settings = settings
        self._sender = sender
        self._progress = progress
        self._filing = filing
        self.hand_on: Callable[[str, bytes, int], None] | None = None

    def deliver(
        self, signal: str, body: bytes, count: int, filed: int = 0, file: int = 0, *, kept: bool = False
    ) -> bool:
        """Send a request; whether it, or what stands for it, is where it belongs.

        Args:
            signal: `traces` or `logs`.
            body: The request.
            count: How many spans or scores are in it.
            filed: How many of them are in the spool's file.
            file: Which of its files that is.
            kept: It is of a file that is put aside, and stays there until it is taken.
        """
        if not count:
            return True
        attempt = 0
        while True:
            deadline = self._progress.deadline
            timeout_s = self._settings.export_timeout_s
            if deadline is not None:
                timeout_s = min(timeout_s, deadline - time.monotonic())
                if timeout_s <= 0:
                    return self._keep_or_drop(signal, body, count, "time is up", kept, filed, file)
            with unseen():
                answer = self._sender.send(signal, body, timeout_s)
            status = answer.status
            if 200 <= status < 300:
                self._count(signal, count, answer)
                self._filing.sent(filed, file)
                return True
            if status and status not in RETRYABLE:
                self._filing.sent(filed, file)
                self._drop(signal, body, count, f"the server answered {status}")
                return kept
            attempt += 1
            if self.hand_on is not None:
                with self._progress.lock:
                    is_aside = self._progress.aside > 0
                    landed = self._progress.landed(count)
                if landed and not is_aside:
                    self.hand_on(signal, body, count)
                return False
            if self._progress.deadline is not None and attempt > 1:
                return self._keep_or_drop(signal, body, count, "the process is ending", kept, filed, file)
            if self._settings.spool_file and attempt > 2:
                return self._drop(signal, body, count, "the server is away")
            if attempt == 3:
                _safely.warn(
                    "endpoint",
                    "%s does not take %s (status %d); retrying",
                    self._settings.endpoint,
                    _WORDS[signal],
                    status,
                )
            pause = max(_BACKOFF_S[min(attempt, len(_BACKOFF_S)) - 1], min(answer.wait_s, _MAX_RETRY_AFTER_S))
            self._pause(pause * random.uniform(0.8, 1.2))

    def _count(self, signal: str, count: int, answer: Answer) -> None:
        """A request was taken, but for what the answer says was rejected: that is lost, and told."""
        with self._progress.lock:
            landed = self._progress.landed(count)
            rejected = min(answer.rejected, landed)
            self._progress.counts.add(exported=landed - rejected, dropped=rejected)
        if answer.rejected:
            what, why = _WORDS[signal], answer.reason
            _safely.warn(f"rejected {what}", "%d of %d %s were rejected: %s", answer.rejected, count, what, why)

    def _pause(self, seconds: float) -> None:
        """Back off; the end of the process, a pipeline that takes over and a waiting flush cut it short."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._progress.deadline is None and self.hand_on is None:
            if self._progress.flushes and seconds > 1 and left < seconds - 1:
                return
            time.sleep(min(left, 0.05))

    def _keep_or_drop(self, signal: str, body: bytes, count: int, why: str, kept: bool, filed: int, file: int) -> bool:
        """The process ends: what is in a file stays there, the rest is dropped."""
        if not kept and not filed:
            return self._drop(signal, body, count, why)
        landed = self._progress.landed(count)
        if not kept:
            is_own = self._filing.leave_filed(filed, file)  # otherwise it is counted with the file
            self._progress.counts.add(spooled=min(landed, filed) if is_own else 0, dropped=max(landed - filed, 0))
        return False

    def _drop(self, signal: str, body: bytes, count: int, why: str) -> bool:
        """Put it into the user's file, if there is one; else count it as lost, and say so."""
        if signal == "traces" and self._settings.spool_file and appended(self._settings, body):
            self._progress.counts.add(spooled=self._progress.landed(count))
            return True
        with self._progress.lock:
            lost = self._progress.landed(count)
            self._progress.counts.add(dropped=lost)
            self._progress.failures += 1
            is_told = self._progress.deadline is not None or not lost  # shutdown tells its own, once
        if not is_told:
            _safely.warn(f"drop {_WORDS[signal]}", "%d %s dropped: %s", count, _WORDS[signal], why)
        return False
