"""Traces that cannot be settled: what they were made of is known and kept, and they are tried again."""

from __future__ import annotations

from collections.abc import Iterable

from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock

MAX_REASON = 1000
Trace = tuple[str, str]  # project, trace id


class Aside:
    """The traces that are set aside, in `unsettled_traces`; for one thread, with its connection."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._recalled = False
        self.reasons: dict[Trace, str] = {}

    def recalled(self) -> list[Trace]:
        """Those that an earlier process set aside, once: perhaps this one can settle them."""
        if self._recalled:
            return []
        rows = self._writer.query("SELECT project, trace_id, reason FROM unsettled_traces FINAL ORDER BY ALL")
        self._recalled = True
        self.reasons = {(str(row["project"]), str(row["trace_id"])): str(row["reason"]) for row in rows}
        return list(self.reasons)

    def put(self, trace: Trace, exc: Exception) -> bool:
        """Set a trace aside. Returns whether it was not before."""
        reason = f"{type(exc).__name__}: {exc}"[:MAX_REASON]
        known = self.reasons.get(trace)
        if known != reason:
            self._write({trace: reason}, is_deleted=0)
            self.reasons[trace] = reason
        return known is None

    def take(self, traces: Iterable[Trace]) -> None:
        """These are settled."""
        found = {trace: self.reasons[trace] for trace in traces if trace in self.reasons}
        if found:
            self._write(found, is_deleted=1)
            for trace in found:
                del self.reasons[trace]

    def _write(self, reasons: dict[Trace, str], is_deleted: int) -> None:
        now = self._clock()
        self._writer.insert(
            "unsettled_traces",
            [
                {"project": project, "trace_id": trace_id, "reason": reason, "at": now, "is_deleted": is_deleted}
                for (project, trace_id), reason in reasons.items()
            ],
        )
