"""Settings that arrive late: what was recorded before them, and what is just being sent, is sent under them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from outlay.export.queue import Pipeline
from outlay.export.sender import Answer, Sender
from outlay.settings import Settings

SETTINGS = Settings.from_env({"OUTLAY_EXIT_TIMEOUT_S": "60", "OUTLAY_FLUSH_INTERVAL_MS": "600000"})


class Held(Sender):
    """Answers nothing until it may, then that nobody is there."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.asked, self.may = threading.Event(), threading.Event()

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        self.asked.set()
        self.may.wait(60)
        return Answer(0)


class Taking(Sender):
    """Takes everything."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.bodies: dict[str, bytes] = {}

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        self.bodies[signal] = self.bodies.get(signal, b"") + body
        return Answer(200)


def encoded(things: Sequence[Any], late: Any = None) -> bytes:
    return b"x" * len(things)


def put(pipeline: Pipeline, number: int) -> None:
    pipeline.put(ReadableSpan("call", SpanContext(1, number, False), resource=Resource({})), number)


def test_what_is_being_sent_when_settings_arrive_goes_where_they_say() -> None:
    held, taking = Held(), Taking()
    before, after = (Pipeline(SETTINGS, sender, encoded, encoded) for sender in (held, taking))
    put(before, 1)
    before.put_score({"name": "a"})
    before.wake()
    held.asked.wait(60)
    put(before, 2)
    before.hand_over(after)
    held.may.set()
    put(before, 3)  # by a thread that has not heard of it
    after.shutdown(60)
    assert (after.exported, after.dropped) == (4, 0)
    assert taking.bodies == {"traces": b"xxx", "logs": b"x"}


def test_what_is_being_sent_when_settings_arrive_is_counted_where_nobody_takes_it() -> None:
    held, taking = Held(), Taking()
    before, after = (Pipeline(SETTINGS, sender, encoded, encoded) for sender in (held, taking))
    put(before, 1)
    before.wake()
    held.asked.wait(60)
    before.hand_over(after)
    after.shutdown(0)
    assert (after.exported, after.dropped) == (0, 1)
    held.may.set()


def test_counts_go_on_from_those_before() -> None:
    taking = Taking()
    before, after = (Pipeline(SETTINGS, taking, encoded, encoded) for _ in range(2))
    put(before, 1)
    before.flush(60)
    before.hand_over(after)
    put(after, 2)
    after.shutdown(60)
    assert after.exported == 2
