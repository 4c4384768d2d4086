"""Call: a handle on something recorded, where the latest one is remembered, and how many there were inside of what."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


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


class Tally:
    """What the calls inside of one piece of work come to, also for the work around it."""

    __slots__ = ("call_count", "last_call", "parent", "used")

    def __init__(self, parent: Tally | None) -> None:
        self.parent = parent
        self.call_count = 0
        self.last_call: Call | None = None
        self.used: list[dict[str, Any]] | None = None  # a list collects what the calls inside turned out to use

    @property
    def call(self) -> Call:
        """A handle on the work itself, for `score(call=…)`."""
        raise NotImplementedError

    def count(self, call: Call) -> None:
        """A call to a model started inside, here or further down."""
        tally: Tally | None = self
        while tally is not None:
            tally.call_count += 1
            tally.last_call = call
            tally = tally.parent

    def collect(self, attributes: dict[str, Any]) -> None:
        """A call inside ended with these attributes."""
        tally: Tally | None = self
        while tally is not None:
            if tally.used is not None:
                tally.used.append(attributes)
            tally = tally.parent
