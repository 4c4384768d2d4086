"""What a server takes a request without: lost, counted and told, over HTTP; a success says nothing."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext
from tests.receiver import receiver

from outlay.export.encode import Encoder, Score
from outlay.export.queue import Pipeline
from outlay.export.sender import Sender, rejected_in
from outlay.settings import Settings
from outlay_collector.receive.responses import PROTOBUF, success

WHY = "1 spans without a trace id"


@pytest.mark.parametrize(("rejected", "counts"), [(0, (3, 0)), (1, (2, 1)), (99, (0, 3))])
def test_what_an_answer_says_was_rejected_is_dropped_and_told(
    rejected: int, counts: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    with receiver() as server:
        server.answer = success(PROTOBUF, "traces", rejected, WHY if rejected else "")
        settings = Settings.from_env({"OUTLAY_ENDPOINT": server.url.removesuffix("/hook")})
        encoder = Encoder(settings)
        pipeline = Pipeline(settings, Sender(settings), encoder.spans, encoder.scores)
        for number in range(1, 4):
            pipeline.put(ReadableSpan("call", SpanContext(1, number, False), resource=Resource({})), number)
        pipeline.flush(60)
        assert (pipeline.exported, pipeline.dropped) == counts
        assert (WHY in caplog.text) == bool(rejected)
        pipeline.shutdown(10)


@pytest.mark.parametrize(("status", "said"), [(200, "1 of 2 scores were rejected"), (413, "2 scores dropped")])
def test_scores_that_were_refused_are_called_scores(status: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    with receiver() as server:
        server.status, server.answer = status, success(PROTOBUF, "logs", 1, "no such trace")
        settings = Settings.from_env({"OUTLAY_ENDPOINT": server.url.removesuffix("/hook")})
        encoder = Encoder(settings)
        pipeline = Pipeline(settings, Sender(settings), encoder.spans, encoder.scores)
        for _ in range(2):
            pipeline.put_score(Score(1, 2, "correct", 1.0, None, None, 0))
        pipeline.flush(60)
        pipeline.shutdown(10)
    assert said in caplog.text
    assert "spans" not in caplog.text


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_answers_are_read_of_both_signals_and_nonsense_is_no_rejection(signal: str) -> None:
    assert rejected_in(signal, success(PROTOBUF, signal, 2, WHY)) == (2, WHY)
    assert rejected_in(signal, b"<html>") == (0, "")
