"""record() and score(): every fact lands where the interface says."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import outlay
from outlay import _safely
from outlay.testing import Capture, MemorySender, capture


def test_every_count_has_its_attribute(sent: Capture) -> None:
    usage = outlay.Usage(
        input_tokens=1000,
        cache_read_tokens=300,
        cache_write_tokens=200,
        cache_write_1h_tokens=50,
        output_tokens=100,
        reasoning_tokens=40,
        input_audio_tokens=7,
        web_searches=2,
        other={"search_units": 1},
    )
    outlay.record(usage=usage, model="claude-sonnet-4-5", provider="anthropic", service_tier="priority")
    attributes = sent.calls[0].attributes
    assert {key: value for key, value in attributes.items() if "usage" in key} == {
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 300,
        "gen_ai.usage.cache_creation.input_tokens": 200,
        "outlay.usage.cache_write_1h.input_tokens": 50,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.usage.reasoning.output_tokens": 40,
        "gen_ai.usage.audio.input_tokens": 7,
        "outlay.usage.web_searches": 2,
        "outlay.usage.search_units": 1,
    }
    assert attributes["anthropic.response.service_tier"] == "priority"


def test_unknown_is_left_out_and_zero_is_kept(sent: Capture) -> None:
    outlay.record(usage={"input_tokens": 0}, model="m", provider="p")
    outlay.record(model="m", provider="p")
    first, second = sent.calls
    assert first.attributes["gen_ai.usage.input_tokens"] == 0
    assert "gen_ai.usage.output_tokens" not in first.attributes
    assert not any("usage" in key for key in second.attributes)


def test_cascade_cache_attempt_and_experiment_are_carried(sent: Capture) -> None:
    outlay.record(
        model="m",
        provider="p",
        attempt=2,
        request_id="r1",
        cascade={"name": "answer", "run_id": "7", "tier": 1, "outcome": "accepted", "confidence": 1, "threshold": 0.8},
        cache={
            "kind": "semantic",
            "hit": True,
            "similarity": 0.93,
            "avoided_input_tokens": 5,
            "avoided_output_tokens": 6,
        },
        experiment={"name": "prompt-14", "arm": "b"},
        route={"tier": "cheap", "reason": "short"},
        prompt_parts={"system": 400, "user": 20},
        attributes={"my.own": "thing"},
    )
    attributes = sent.calls[0].attributes
    assert {key: value for key, value in attributes.items() if key.startswith(("outlay.", "my."))} == {
        "outlay.attempt": 2,
        "outlay.request_id": "r1",
        "outlay.cascade.name": "answer",
        "outlay.cascade.run_id": "7",
        "outlay.cascade.tier": 1,
        "outlay.cascade.outcome": "accepted",
        "outlay.cascade.confidence": 1.0,
        "outlay.cascade.threshold": 0.8,
        "outlay.cache.kind": "semantic",
        "outlay.cache.hit": True,
        "outlay.cache.similarity": 0.93,
        "outlay.cache.avoided.input_tokens": 5,
        "outlay.cache.avoided.output_tokens": 6,
        "outlay.experiment.name": "prompt-14",
        "outlay.experiment.arm": "b",
        "outlay.route.tier": "cheap",
        "outlay.route.reason": "short",
        "outlay.prompt.part.system.tokens": 400,
        "outlay.prompt.part.user.tokens": 20,
        "my.own": "thing",
    }


def test_an_error_is_marked(sent: Capture) -> None:
    outlay.record(model="m", provider="p", error="429")
    assert sent.calls[0].error
    assert sent.calls[0].attributes["error.type"] == "429"


@pytest.mark.parametrize(
    "moment", [datetime(2026, 3, 1, 12), datetime(2026, 3, 1, 12, tzinfo=UTC), 1772366400_000_000_000, 1772366400.0]
)
def test_past_times_are_exact(sent: Capture, moment: Any) -> None:
    ended = datetime(2026, 3, 1, 12, 0, 1, 500_000, tzinfo=UTC)
    outlay.record(model="m", provider="p", started_at=moment, ended_at=ended)
    assert sent.calls[0].start_ns == 1772366400_000_000_000
    assert sent.calls[0].end_ns == 1772366401_500_000_000


def test_the_cost_is_the_list_price(sent: Capture) -> None:
    when = datetime(2026, 6, 1, tzinfo=UTC)
    usage = {"input_tokens": 1_000_000, "cache_read_tokens": 400_000, "output_tokens": 100_000}
    outlay.record(usage=usage, model="gpt-4o", provider="openai", started_at=when, ended_at=when + timedelta(seconds=2))
    assert sent.calls[0].attributes["outlay.cost.usd"] == pytest.approx(0.6 * 2.5 + 0.4 * 1.25 + 1.0)


def test_an_unknown_model_has_no_cost_at_all(sent: Capture) -> None:
    outlay.record(usage={"input_tokens": 5, "output_tokens": 5}, model="no-such-model", provider="openai")
    assert "outlay.cost.usd" not in sent.calls[0].attributes


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1},
        {"input_tokens": 10, "cache_read_tokens": 11},
        {"output_tokens": 1, "reasoning_tokens": 2},
        {"input_tokens": 1.5},
    ],
)
def test_nonsense_is_refused_by_name_and_does_not_reach_the_application(
    usage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match="usage"):
        outlay.Usage.of(usage)
    with capture(raise_errors=False) as sent:
        _safely._last.clear()
        with caplog.at_level(logging.WARNING):
            assert outlay.record(usage=usage, model="m", provider="p") is None
        assert sent.calls == []
    assert "record" in caplog.text


def test_a_score_belongs_to_the_current_call(sent: Capture) -> None:
    with outlay.track(feature="f"):
        outlay.record(model="m", provider="p")
        outlay.score("helpful", 0.9, "good")
    (score,) = sent.scores
    (call,) = sent.calls
    assert (score.name, score.value, score.label) == ("helpful", 0.9, "good")
    assert (score.trace_id, score.span_id) == (call.trace_id, call.span_id)


def test_a_score_can_name_its_call(sent: Capture) -> None:
    first = outlay.record(model="m", provider="p")
    outlay.record(model="m", provider="p")
    assert first is not None
    outlay.score("a", True, call=first)
    outlay.score("b", 0.5, trace_id=first.trace_id)
    outlay.score("c", 0, trace_id=first.trace_id, span_id=first.span_id)
    a, b, c = sent.scores
    assert (a.value, a.trace_id, a.span_id) == (1.0, first.trace_id, first.span_id)
    assert (b.trace_id, b.span_id) == (first.trace_id, "")
    assert (c.value, c.span_id) == (0.0, first.span_id)


def test_a_bulk_producer_that_flushes_loses_nothing() -> None:
    with capture(queue_spans=500) as sent:
        for number in range(3000):
            if number % 400 == 0:
                assert outlay.flush(30)
            outlay.record(
                usage={"input_tokens": number}, model="m", provider="p", started_at=1772366400_000_000_000 + number
            )
        assert outlay.flush(30)
        assert [span.attributes["gen_ai.usage.input_tokens"] for span in sent.calls] == list(range(3000))
        assert outlay.stats() == {"exported": 3000, "dropped": 0, "spooled": 0}


def test_flush_says_when_something_was_lost() -> None:
    with capture(sender=MemorySender((400, 0.0)), raise_errors=False) as sent:
        _safely._last["drop"] = float("inf")
        outlay.record(model="m", provider="p")
        assert not outlay.flush(5)
        assert outlay.stats()["dropped"] == 1
        outlay.record(model="m", provider="p")
        assert outlay.flush(5)
    assert len(sent.calls) == 1
