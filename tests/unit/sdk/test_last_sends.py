"""The end of a process whose garbage collector ends spans while the queue is sent: all are sent, and it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from outlay.export.queue import Pipeline
from outlay.export.sender import Answer, Sender
from outlay.settings import Settings

SETTINGS = Settings.from_env({"OUTLAY_EXIT_TIMEOUT_S": "10"})


class Reentrant(Sender):
    """Records something while it sends, as a destructor would; then says what it has."""

    def __init__(self, statuses: Sequence[int]) -> None:
        super().__init__(SETTINGS)
        self.record: Callable[[], None] = lambda: None
        self.threads: list[str] = []
        self._statuses = list(statuses)

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """The next status; nothing is recorded once they are used up."""
        self.threads.append(threading.current_thread().name)
        assert len(self.threads) < 8, "the process never ends"
        if len(self.threads) == 1:
            self.record()
        return Answer(self._statuses.pop(0) if self._statuses else 200)


def span(number: int) -> ReadableSpan:
    return ReadableSpan("call", SpanContext(1, number, False), resource=Resource({}))


def record(pipeline: Pipeline, what: str, number: int) -> None:
    if what == "span":
        pipeline.put(span(number), number)
    elif what == "item":
        pipeline.put_item(object())  # type: ignore[arg-type]
    else:
        pipeline.put_score({"score": number})


def encoded(things: Sequence[Any], late: Any = None) -> bytes:
    return b"x" * len(things)


@pytest.mark.parametrize("what", ["span", "item", "score"])
def test_what_ends_on_the_export_thread_at_exit_is_sent_with_the_rest(what: str) -> None:
    sender = Reentrant([])
    pipeline = Pipeline(SETTINGS, sender, encoded, encoded)
    exiting = threading.Event()

    def when_exiting() -> None:
        exiting.wait()
        record(pipeline, what, 2)

    sender.record = when_exiting
    pipeline.put(span(1), 1)
    exits = threading.Thread(target=pipeline.exit)
    exits.start()
    while not pipeline._exiting:
        exits.join(0.01)
    exiting.set()
    exits.join()
    assert (pipeline.exported, pipeline.dropped) == (2, 0)
    assert set(sender.threads) == {"outlay-export"}


@pytest.mark.parametrize("what", ["span", "item", "score"])
@pytest.mark.parametrize(("statuses", "exported"), [([], 2), ([503], 2), ([503, 503], 0)])
def test_what_ends_on_the_thread_that_exits_is_sent_with_the_rest_and_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, what: str, statuses: list[int], exported: int
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    sender = Reentrant(statuses)
    pipeline = Pipeline(SETTINGS, sender, encoded, encoded)
    sender.record = lambda: record(pipeline, what, 2)
    pipeline.put(span(1), 1)
    pipeline.exit()
    assert (pipeline.exported, pipeline.dropped) == (exported, 2 - exported)
    assert set(sender.threads) == {"MainThread"}


@pytest.mark.parametrize("timeout_s", [float("inf"), -3.0])
def test_any_timeout_will_do(timeout_s: float) -> None:
    pipeline = Pipeline(SETTINGS, Reentrant([]), encoded, encoded)
    pipeline.put(span(1), 1)
    pipeline.shutdown(timeout_s)
    assert pipeline.exported + pipeline.dropped == 1


def test_a_score_that_cannot_be_encoded_takes_no_other_with_it() -> None:
    def encode(scores: Sequence[Any]) -> bytes:
        return "".join(score["name"] for score in scores).encode()

    pipeline = Pipeline(SETTINGS, Reentrant([]), encoded, encode)
    for score in ({"name": "a"}, {"name": 7}, {"name": "b"}):
        pipeline.put_score(score)
    assert not pipeline.flush(60)
    assert (pipeline.exported, pipeline.dropped) == (2, 1)
    pipeline.shutdown(10)


def test_a_thread_that_was_given_up_takes_nothing_from_the_next() -> None:
    """It comes back from a server that hung, and whoever ends then waits for its own thread alone."""
    asked, may = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    class Hanging(Sender):
        def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
            threads.append(threading.current_thread())
            if len(threads) == 1:
                asked.set()
                may.wait(60)
            return Answer(200)

    pipeline = Pipeline(SETTINGS, Hanging(SETTINGS), encoded, encoded)
    pipeline.put(span(1), 1)
    pipeline.wake()
    asked.wait(60)
    pipeline.shutdown(0)
    assert (pipeline.exported, pipeline.dropped) == (0, 1)
    with pipeline._filing.writing:  # the next thread cannot take anything yet, nor could the first one
        pipeline.put(span(2), 2)
        may.set()
        threads[0].join(0.05)
    threads[0].join(60)
    pipeline.shutdown(60)
    assert (pipeline.exported, pipeline.dropped) == (1, 1)
    assert [thread is threads[0] for thread in threads] == [True, False]
