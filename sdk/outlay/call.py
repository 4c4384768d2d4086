"""Call: a handle on something recorded, and where the latest one is remembered."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """Names one recorded span, so that a score can be given to it later, also from another process."""

    trace: int
    span: int

    @property
    def trace_id(self) -> str:
        """32 lower-case hex digits."""
        return f"{self.trace:032x}"

    @property
    def span_id(self) -> str:
        """16 lower-case hex digits."""
        return f"{self.span:016x}"


last_call: ContextVar[Call | None] = ContextVar("outlay-last-call", default=None)
