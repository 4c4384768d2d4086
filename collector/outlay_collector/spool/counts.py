"""The figures of the ledger: what is loaded (cumulative) and what is still in the spool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """What records of the spool hold: spans and log records taken, and those rejected at the door."""

    spans: int = 0
    rejected: int = 0
    logs: int = 0
    logs_rejected: int = 0

    def add(self, kind: str, taken: int, rejected: int) -> None:
        if kind == "logs":
            self.logs += taken
            self.logs_rejected += rejected
        else:
            self.spans += taken
            self.rejected += rejected

    def include(self, other: Counts) -> None:
        self.spans += other.spans
        self.rejected += other.rejected
        self.logs += other.logs
        self.logs_rejected += other.logs_rejected


@dataclass(frozen=True)
class Snapshot:
    """One collector's row of the ledger, cumulative; `segment` is the last segment that is in it."""

    segment: int = 0
    received: int = 0
    stored: int = 0
    rejected: int = 0
    quarantined: int = 0
    duplicate: int = 0
    logs_received: int = 0
    logs_stored: int = 0
    logs_rejected: int = 0
    logs_quarantined: int = 0
