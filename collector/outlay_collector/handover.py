"""What a loader hands to the settler of its process: which traces changed, without a word of it in the store.

Written down, marks of changed traces, how far they are settled and the ledger are three parts on disk for every few
spans. So a small batch leaves none of them. Its segment of the spool stands for all three: it stays until its traces
are settled, or their marks are written after all, and the ledger has it. After a crash it is loaded again, which
changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Marks:
    """The traces that one batch changed."""

    seq: int
    """The batch's number; grows."""
    received_from: datetime
    """The batch holds nothing that was received earlier."""
    spans: Mapping[tuple[str, str], int]
    """How many spans it has of each (project, trace id); 0 where only a score came."""
    batch: str
    """Hash of the batch: what is written twice is known by it."""


class Handover:
    """Marks on their way from the loader's thread to the settler's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[int, Marks] = {}
        self._written = True
        self.recovering = False
        """Whether the loader still loads what an earlier process may have loaded and settled."""

    def give(self, marks: Marks) -> None:
        """Have these traces settled."""
        with self._lock:
            self._waiting[marks.seq] = marks

    def waiting(self) -> list[Marks]:
        """What is not settled, in order."""
        with self._lock:
            return [self._waiting[seq] for seq in sorted(self._waiting)]

    def traces(self) -> set[tuple[str, str]]:
        """The traces, (project, trace id), that wait here."""
        return {trace for marks in self.waiting() for trace in marks.spans}

    def done(self, marks: Collection[Marks]) -> None:
        """These are settled, or written to the store."""
        with self._lock:
            for one in marks:
                self._waiting.pop(one.seq, None)

    def look(self) -> None:
        """Marks were written to the store: whoever settles should look for them there, too."""
        self._written = True

    def looks(self) -> bool:
        """Whether marks were written to the store since this was asked last."""
        written, self._written = self._written, False
        return written
