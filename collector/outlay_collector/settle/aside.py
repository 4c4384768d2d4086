"""Traces that cannot be settled: it is known and kept why, and they are tried again, ever less often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock

MAX_REASON = 1000
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(hours=1)
MOST_AGAIN = 5_000
"""So many are tried again in one run."""
Trace = tuple[str, str]  # project, trace id


class Aside:
    """The traces that are set aside, in `unsettled_traces`; for one thread, with its connection."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._recalled = False
        self._waits: dict[Trace, tuple[datetime, timedelta]] = {}  # until when, and how long that is
        self.reasons: dict[Trace, str] = {}

    def due(self) -> list[Trace]:
        """Those to be tried again now: of an earlier process all, as this one may be able to settle them."""
        if not self._recalled:
            rows = self._writer.query("SELECT project, trace_id, reason FROM unsettled_traces FINAL ORDER BY ALL")
            self.reasons = {(str(row["project"]), str(row["trace_id"])): str(row["reason"]) for row in rows}
            self._recalled = True
        return [trace for trace in self.reasons if not self.waits(trace)][:MOST_AGAIN]

    def waits(self, trace: Trace) -> bool:
        """Whether a trace is set aside and not to be tried yet, though it may have changed."""
        return trace in self._waits and self._clock() < self._waits[trace][0]

    def put(self, failed: Mapping[Trace, str]) -> list[Trace]:
        """Set traces aside, each with why; one that failed before waits twice as long. Returns those that are new."""
        now = self._clock()
        for trace in failed:
            _, before = self._waits.get(trace, (now, timedelta()))
            wait = min(max(FIRST_WAIT, 2 * before), LONGEST_WAIT)
            self._waits[trace] = (now + wait, wait)
        reasons = {trace: reason[:MAX_REASON] for trace, reason in failed.items()}
        new = [trace for trace in reasons if trace not in self.reasons]
        self._write({trace: why for trace, why in reasons.items() if self.reasons.get(trace) != why}, is_deleted=0)
        self.reasons |= reasons
        return new

    def take(self, traces: Iterable[Trace]) -> None:
        """These are settled."""
        found = {trace: self.reasons[trace] for trace in traces if trace in self.reasons}
        self._write(found, is_deleted=1)
        for trace in found:
            del self.reasons[trace]
            self._waits.pop(trace, None)

    def _write(self, reasons: Mapping[Trace, str], is_deleted: int) -> None:
        if not reasons:
            return
        now = self._clock()
        self._writer.insert(
            "unsettled_traces",
            [
                {"project": project, "trace_id": trace_id, "reason": reason, "at": now, "is_deleted": is_deleted}
                for (project, trace_id), reason in reasons.items()
            ],
        )
