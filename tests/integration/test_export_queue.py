"""The queue of what is to be sent: bounded, and safe from what is put into it."""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Iterator
from typing import Any

import outlay
from outlay import _safely
from outlay.testing import MemorySender, capture
from outlay.tracing.lifecycle import get_client


def test_a_full_queue_drops_the_newest_and_counts_them() -> None:
    sender = MemorySender(*[(503, 0.0)] * 1000)
    with capture(sender=sender, queue_spans=10, batch_spans=10, flush_interval_ms=60_000, raise_errors=False) as sent:
        _safely._last["queue"] = float("inf")
        for number in range(40):
            outlay.record(model=str(number), provider="p")
        dropped = outlay.stats()["dropped"]
        assert 20 <= dropped <= 30  # ten wait, and at most ten are on their way
        sender.answers.clear()
        assert outlay.flush(10)
        assert [span.name for span in sent.spans][:3] == ["chat 0", "chat 1", "chat 2"]
        assert len(sent.spans) == 40 - dropped


def test_the_queue_is_bounded_by_bytes_too_and_texts_go_first() -> None:
    sender = MemorySender(*[(503, 0.0)] * 1000)
    with capture(sender=sender, queue_bytes=10_000, flush_interval_ms=60_000, raise_errors=False) as sent:
        _safely._last["queue"] = float("inf")
        for _ in range(40):
            outlay.record(usage={"input_tokens": 1}, model="m", provider="p", attributes={"text": "x" * 3000})
        assert 25 <= outlay.stats()["dropped"] <= 31
        sender.answers.clear()
        texts = ["text" in span.attributes for span in sent.calls]
        assert texts == [True, True] + [False] * (len(texts) - 2)  # the record of the cost is kept


def test_a_span_that_cannot_be_encoded_does_not_take_others_with_it() -> None:
    with capture(raise_errors=False) as sent:
        _safely._last["encoding a span"] = float("inf")
        logging.disable(logging.CRITICAL)  # the encoder of OpenTelemetry reports the model's name
        for model in ("m1", "half a pair \ud83d", "m2"):
            outlay.record(usage={"input_tokens": 1}, model=model, provider="p", user="u\ud83d")
        assert [span.name for span in sent.calls] == ["chat m1", "chat half a pair ?", "chat m2"]
        logging.disable(logging.NOTSET)
        assert [span.attributes["user.id"] for span in sent.calls] == ["u?"] * 3
        assert outlay.stats()["dropped"] == 0


def test_a_stream_that_the_garbage_collector_ends_inside_the_queue_does_not_lock_it() -> None:
    class Collecting(deque[Any]):
        def append(self, entry: Any) -> None:
            gc.collect()
            super().append(entry)

    @outlay.track
    def generator() -> Iterator[int]:
        yield 1

    with capture() as sent:
        pipeline = get_client().pipeline
        assert pipeline is not None
        pipeline._waiting.spans = Collecting()
        gc.disable()
        try:
            abandoned: list[Any] = [generator()]
            next(abandoned[0])
            abandoned.append(abandoned)  # only the collector finds it
            del abandoned
            outlay.record(model="m", provider="p")
        finally:
            gc.enable()
        assert len(sent.spans) == 2
