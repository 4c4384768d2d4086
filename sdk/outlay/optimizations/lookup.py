"""A look into a cache: its span, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

from outlay import semconv
from outlay.optimizations.epochs import Holdings
from outlay.optimizations.stores import Entry
from outlay.tracing.frame import Frame
from outlay.tracing.track import Tracker


class Found(NamedTuple):
    """An answer that may be given again, and how similar its question was; None where it was the same."""

    entry: Entry
    similarity: float | None


class Place:
    """Where the answer to one call belongs. Calls of the same key are one flight.

    Attributes:
        stale: An answer whose time is over, to be given where no newer one can be had.
        holdings: What the function holds, and may change while it is called.
        touches: Something of the application's has run on the way to the answer, and may have changed that.
    """

    __slots__ = ("holdings", "key", "stale", "touches")

    def __init__(self, key: str, holdings: Holdings, touches: bool = True) -> None:
        self.key = key
        self.holdings = holdings
        self.touches = touches
        self.stale: Entry | None = None


class Lookup:
    """The span of one lookup. It may go on in a coroutine, where the answer turns out to be an awaitable."""

    def __init__(self, title: str) -> None:
        self._tracker = Tracker(title, {}, False, None, None)
        self._goes_on = False
        self.frame: Frame

    def __enter__(self) -> Lookup:
        self.frame = self._tracker.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._goes_on or error is not None:
            self._tracker.__exit__(kind, error, tb)

    def pause(self) -> None:
        """Leave the span open behind this block."""
        self._goes_on = True
        if isinstance(self.frame, Frame):
            self.frame.detach()

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """The block in which it goes on, and ends."""
        self._goes_on = False
        if isinstance(self.frame, Frame):
            self.frame.attach()
        try:
            yield
        except BaseException as error:
            self._tracker.__exit__(type(error), error, error.__traceback__)
            raise
        self._tracker.__exit__(None, None, None)


def miss(frame: Frame, kind: str, similarity: float | None = None) -> None:
    frame.set(cache={"kind": kind, "hit": False, "similarity": similarity})
    frame.used = []


def hit(frame: Frame, kind: str, entry: Entry, similarity: float | None = None) -> None:
    facts = entry.facts
    attributes: dict[str, Any] = {semconv.CACHE_KIND: kind, semconv.CACHE_HIT: True}
    for key, value in (
        (semconv.CACHE_SIMILARITY, similarity),
        (semconv.CACHE_AVOIDED_INPUT_TOKENS, facts.get("input_tokens")),
        (semconv.CACHE_AVOIDED_OUTPUT_TOKENS, facts.get("output_tokens")),
        (semconv.REQUEST_MODEL, facts.get("model")),
        (semconv.PROVIDER, facts.get("provider")),
        (semconv.OPERATION, facts.get("operation") or "chat"),
    ):
        if value is not None:
            attributes[key] = value
    frame.add(attributes)


def used(frame: Frame) -> dict[str, Any]:
    """Model and tokens of the calls inside, to be named when a hit avoids them.

    One lookup names one model: where several worked on the answer it is the one that wrote, or else read, the most.
    """
    by_model: dict[tuple[Any, Any], dict[str, Any]] = {}
    for attributes in getattr(frame, "used", None) or ():
        provider = attributes.get(semconv.PROVIDER)
        model = attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL)
        facts = by_model.setdefault((provider, model), {"provider": provider, "model": model})
        facts["operation"] = attributes.get(semconv.OPERATION)
        for name, key in (("input_tokens", semconv.INPUT_TOKENS), ("output_tokens", semconv.OUTPUT_TOKENS)):
            if key in attributes:
                facts[name] = facts.get(name, 0) + attributes[key]
    return max(
        by_model.values(), key=lambda facts: (facts.get("output_tokens", 0), facts.get("input_tokens", 0)), default={}
    )
