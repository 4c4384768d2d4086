"""Requests out of what waits: one span or score that cannot be encoded does not take the others with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outlay import _safely
from outlay.export.progress import Progress
from outlay.export.slim import without_texts
from outlay.export.waiting import Written

EncodeSpans = Callable[[Sequence[Any], dict[int, Any]], bytes]
EncodeScores = Callable[[Sequence[Any]], bytes]


class Requests:
    """Encodes for one pipeline.

    Attributes:
        late: Span id → what is read when the span is encoded.
    """

    def __init__(
        self, encode_spans: EncodeSpans, encode_scores: EncodeScores, late: dict[int, Any], progress: Progress
    ) -> None:
        self._encode_spans = encode_spans
        self._encode_scores = encode_scores
        self.late = late
        self._progress = progress

    def of_spans(self, spans: list[Any], *, flying: bool) -> tuple[bytes, int]:
        """The request, and how many spans are in it.

        Args:
            flying: They are counted as being in flight.
        """
        ways = (lambda some: self._encode_spans(some, self.late), self._encode_without_texts)
        return self._encode("span", spans, *ways, flying=flying)

    def of_scores(self, scores: list[Any]) -> tuple[bytes, int]:
        """The request, and how many scores are in it."""
        body, count, _ = _joined([score for score in scores if type(score) is Written])
        raw = [score for score in scores if type(score) is not Written]
        more, added = self._encode("score", raw, self._encode_scores, flying=True) if raw else (b"", 0)
        return body + more, count + added

    def of_things(self, things: list[Any]) -> tuple[bytes, int, int]:
        """A request of encoded and other spans, how many are in it, and how many of these are in the spool's file."""
        body, count, filed = _joined([thing for thing in things if type(thing) is Written])
        raw = [thing for thing in things if type(thing) is not Written]
        more, added = self.of_spans(raw, flying=True) if raw else (b"", 0)
        return body + more, count + added, filed

    def _encode_without_texts(self, spans: Sequence[Any]) -> bytes:
        return self._encode_spans([without_texts(span) for span in spans], self.late)

    def _encode(
        self, what: str, things: list[Any], *ways: Callable[[list[Any]], bytes], flying: bool
    ) -> tuple[bytes, int]:
        """Try each way in turn: the first for all at once, then all of them for each thing."""
        try:
            return ways[0](things), len(things)
        except Exception:
            _safely.report(f"encoding a {what}")
        bodies: list[bytes] = []
        for thing in things:
            for way in ways:
                try:
                    bodies.append(way([thing]))
                    break
                except Exception:
                    continue
            else:
                with self._progress.lock:
                    self._progress.counts.add(dropped=self._progress.landed(1) if flying else 1)
                    self._progress.failures += 1
        return b"".join(bodies), len(bodies)


def _joined(written: list[Written]) -> tuple[bytes, int, int]:
    """Requests joined end to end are one request; how much is in it, and how much of that is in the spool's file."""
    filed = sum(one.total for one in written if one.is_filed)
    return b"".join(one.body for one in written), sum(one.total for one in written), filed
