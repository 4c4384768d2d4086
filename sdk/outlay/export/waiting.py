"""What waits in memory to be sent: bounded by spans and by bytes. Whoever calls holds the pipeline's lock.

On the right are spans as they ended, and items of batch results; on the left what is encoded, where there is a spool.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from outlay.settings import Settings

MAX_TEXT = 4 << 20  # characters of one span, and about those of one request: far below what a server takes

_MAX_ITEMS = 65_536  # of batch results, which arrive by the ten thousand and are small until they are encoded


class Written(NamedTuple):
    """Spans or scores that are encoded; their request is empty while they still are at it."""

    body: bytes
    total: int
    is_filed: bool = False
    """They are in the spool's file, too."""


def count_of(thing: Any) -> int:
    """How many spans, items or scores it is."""
    return thing.total if type(thing) is Written else 1


class Waiting:
    """Spans, items of batch results and scores."""

    def __init__(self, settings: Settings) -> None:
        self._max_spans = settings.queue_spans
        self._max_bytes = settings.queue_bytes
        self._max_text_bytes = settings.queue_bytes * 3 // 4  # beyond that, spans are queued without long texts
        self.spans: deque[tuple[Any, int]] = deque()  # thing and size; size 0 marks an item of a batch
        self.scores: deque[Any] = deque()
        self._bytes = 0
        self._items = 0
        self._encoded = 0  # spans that are encoded, beyond one per entry

    def __bool__(self) -> bool:
        return bool(self.spans or self.scores)

    @property
    def count(self) -> int:
        """How many spans and items."""
        return len(self.spans) + self._encoded

    @property
    def has_new(self) -> bool:
        """Whether something is not encoded."""
        return bool(self.spans) and type(self.spans[-1][0]) is not Written

    @property
    def is_crowded(self) -> bool:
        """Whether it is three quarters full."""
        spans = self.count - self._items
        return 4 * spans > 3 * self._max_spans or 4 * self._bytes > 3 * self._max_text_bytes

    def is_full(self, size: int) -> bool:
        """Whether a span of this size does not fit."""
        return self.count - self._items >= self._max_spans or self._bytes + size > self._max_bytes

    def takes_text(self, size: int) -> bool:
        """Whether a span of this size, with its long texts, fits."""
        return size <= MAX_TEXT and self._bytes + size <= self._max_text_bytes

    def add(self, span: Any, size: int) -> None:
        """Take a span."""
        self.spans.append((span, size))
        self._bytes += size

    def add_item(self, item: Any) -> bool:
        """Take an item of a batch's results; whether it fits."""
        if self._items >= _MAX_ITEMS:
            return False
        self.spans.append((item, 0))
        self._items += 1
        return True

    def add_score(self, score: Any) -> bool:
        """Take an evaluation; whether it fits."""
        if len(self.scores) >= self._max_spans:
            return False
        self.scores.append(score)
        return True

    def add_written(self, written: Written, size: int) -> None:
        """Take spans that are encoded."""
        self.spans.appendleft((written, size))
        self._encoded += written.total - 1
        self._bytes += size

    def take_new(self, limit: int) -> tuple[list[Any], tuple[Written, int]]:
        """Take out what is not encoded, latest first, and leave a place for it.

        There are as many spans as before, so that whoever waits for an empty queue goes on waiting.
        """
        things: list[Any] = []
        sizes = 0
        while self.has_new and len(things) < limit:
            thing, size = self.spans.pop()
            things.append(thing)
            sizes += size
            self._items -= not size
        place = (Written(b"", len(things)), sizes)
        if things:
            self.spans.appendleft(place)
            self._encoded += len(things) - 1
        things.reverse()
        return things, place

    def fill(self, place: tuple[Written, int], written: Written) -> bool:
        """Put into its place what is encoded now; whether the place is still there."""
        for n, entry in enumerate(self.spans):
            if entry is place:
                self.spans[n] = (written, place[1])
                self._encoded += written.total - place[0].total
                return True
        return False

    def take(self, limit: int, *, only_written: bool) -> list[Any]:
        """Take out what is sent next: about so many, and no more text than a request may have.

        Args:
            only_written: Leave what is being encoded, or came just now.
        """
        things: list[Any] = []
        count = text = 0
        while self.spans and count < limit and text < MAX_TEXT:
            if only_written and not getattr(self.spans[0][0], "body", b""):
                break
            thing, size = self.spans.popleft()
            self._took(thing, size)
            things.append(thing)
            count += count_of(thing)
            text += size
        return things

    def _took(self, thing: Any, size: int) -> None:
        self._bytes -= size
        if type(thing) is Written:
            self._encoded -= thing.total - 1
        else:
            self._items -= not size

    def take_scores(self) -> list[Any]:
        """Take out all evaluations."""
        scores = list(self.scores)
        self.scores.clear()
        return scores

    def forget_filed(self) -> None:
        """Let go of what is in the spool's file."""
        kept: deque[tuple[Any, int]] = deque()
        for thing, size in self.spans:
            if type(thing) is Written and thing.is_filed:
                self._took(thing, size)
            else:
                kept.append((thing, size))
        self.spans = kept

    def take_all(self) -> tuple[list[tuple[Any, int]], list[Any]]:
        """Take out everything: spans and items with their sizes, and scores."""
        spans = list(self.spans)
        self.spans.clear()
        self._bytes = self._items = self._encoded = 0
        return spans, self.take_scores()
