"""The real Anthropic client against the fake provider: cache writes, abandoned streams, a second meter."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.fake_provider import Answer, FakeProvider
from tests.landing import collector

import outlay
from outlay import semconv
from outlay.testing import Capture, capture
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store

USAGE = Answer(
    text="four words of answer",
    input_tokens=16_000,
    cache_read_tokens=10_000,
    cache_write_tokens=5_000,
    cache_write_1h_tokens=2_000,
    output_tokens=400,
    web_searches=3,
    model="claude-opus-4-8-20260301",
    response_id="msg_1",
)
TOKENS = {
    semconv.INPUT_TOKENS: 16_000,
    semconv.CACHE_READ_TOKENS: 10_000,
    semconv.CACHE_WRITE_TOKENS: 5_000,
    semconv.CACHE_WRITE_1H_TOKENS: 2_000,
    semconv.OUTPUT_TOKENS: 400,
    "outlay.usage.web_searches": 3,
}
ASK: Any = {"model": "claude-opus-4-8", "max_tokens": 500, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.url, api_key="none") as made:
        yield made


def tokens(span: Any) -> dict[str, Any]:
    return {key: value for key, value in span.attributes.items() if ".usage." in key}


def test_a_plain_message(sent: Capture, provider: FakeProvider, client: anthropic.Anthropic) -> None:
    provider.queue(USAGE)
    client.messages.create(**ASK)
    (span,) = sent.calls
    assert tokens(span) == TOKENS
    assert span.attributes["gen_ai.provider.name"] == "anthropic"
    assert span.attributes["gen_ai.response.id"] == "msg_1"
    assert span.attributes["gen_ai.response.model"] == "claude-opus-4-8-20260301"
    assert span.attributes["gen_ai.response.finish_reasons"] == ["end_turn"]
    assert span.attributes["anthropic.response.service_tier"] == "standard"


def test_a_stream_by_both_of_the_clients_ways(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    provider.queue(USAGE, USAGE)
    for _ in client.messages.create(**ASK, stream=True):
        pass
    with client.messages.stream(**ASK) as stream:
        assert stream.get_final_text() == USAGE.text
    assert [tokens(span) for span in sent.calls] == [TOKENS, TOKENS]
    assert all(span.attributes["outlay.stream.end"] == "complete" for span in sent.calls)


def test_a_reader_that_stops_after_the_usage_loses_nothing(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    provider.queue(USAGE)
    stream = client.messages.create(**ASK, stream=True)
    for event in stream:
        if event.type == "message_delta":
            break
    stream.close()
    assert tokens(sent.calls[0]) == TOKENS


def test_an_abandoned_stream_keeps_the_exact_input(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    provider.queue(Answer(text="word " * 200, input_tokens=1234, cache_read_tokens=1000, chunk_delay_s=0.002))
    with client.messages.stream(**ASK) as stream:
        for number, _ in enumerate(stream.text_stream):
            if number == 5:
                break
    (span,) = sent.calls
    assert span.attributes[semconv.INPUT_TOKENS] == 1234
    assert span.attributes[semconv.CACHE_READ_TOKENS] == 1000
    assert 0 < span.attributes[semconv.OUTPUT_TOKENS] < 100
    assert span.attributes[semconv.USAGE_ESTIMATED] is True


def test_an_overloaded_stream_and_a_refused_call_are_errors(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    provider.queue(Answer(status=529, error="overloaded_error", headers={"retry-after-ms": "1"}), USAGE)
    client.messages.create(**ASK)
    first, second = sent.calls
    assert (first.error, first.attributes["error.type"], first.attributes["outlay.attempt"]) == (True, "529", 1)
    assert (second.error, second.attributes["outlay.attempt"]) == (False, 2)
    assert first.attributes["outlay.request_id"] == second.attributes["outlay.request_id"]


def test_async_calls(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(USAGE, USAGE)

    async def main() -> None:
        async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="none") as client:
            await client.messages.create(**ASK)
            async with client.messages.stream(**ASK) as stream:
                await stream.get_final_message()

    asyncio.run(main())
    assert [tokens(span) for span in sent.calls] == [TOKENS, TOKENS]


def test_tools_end_with_their_reason(sent: Capture, provider: FakeProvider, client: anthropic.Anthropic) -> None:
    provider.queue(Answer(tool="weather", tool_arguments={"city": "Bern"}))
    client.messages.create(**ASK)
    assert sent.calls[0].attributes["gen_ai.response.finish_reasons"] == ["tool_use"]


def test_counting_tokens_is_not_a_call(sent: Capture, provider: FakeProvider, client: anthropic.Anthropic) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(anthropic.NotFoundError):
            client.messages.count_tokens(model="claude-opus-4-8", messages=ASK["messages"])
    assert sent.calls == []


def test_the_clients_own_span_can_be_joined_by_response_id(provider: FakeProvider) -> None:
    """Beside an application's tracer provider the client describes the call, too; the collector joins the two."""
    provider.queue(USAGE)
    with capture(tracer_provider=TracerProvider()) as sent:
        client = anthropic.Anthropic(base_url=provider.url, api_key="none")
        with outlay.track(feature="f"):
            client.messages.create(**ASK)
        ours = sent.calls[0]
        assert ours.attributes["gen_ai.response.id"] == "msg_1"
        client.close()


def iteration(kind: str, given: int, produced: int, **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": given, "output_tokens": produced}
    return {"type": kind, **counts, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **more}


def ask_twice(client: anthropic.Anthropic, provider: FakeProvider, answer: Answer) -> None:
    """Plain and streamed."""
    provider.queue(answer, answer)
    with outlay.track(feature="f"):
        client.beta.messages.create(**ASK)
        for _ in client.beta.messages.create(**ASK, stream=True):
            pass


def test_what_compaction_took_is_billed_with_the_call(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    steps = [
        iteration("compaction", 180_000, 3_500, cache_read_input_tokens=2_000),
        iteration("message", 23_000, 1_000),
    ]
    ask_twice(client, provider, Answer(input_tokens=23_000, output_tokens=1_000, iterations=steps))
    for span in sent.calls:
        assert span.attributes[semconv.INPUT_TOKENS] == 205_000
        assert span.attributes[semconv.CACHE_READ_TOKENS] == 2_000
        assert span.attributes[semconv.OUTPUT_TOKENS] == 4_500
    assert len(sent.calls) == 2


def test_an_advisor_is_a_call_of_its_own_model(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    steps = [
        iteration("message", 1_000, 50),
        iteration("advisor_message", 1_100, 600, model="claude-opus-4-8"),
        iteration("message", 1_700, 80),
        iteration("advisor_message", 1_900, 400, model="claude-opus-4-8"),
    ]
    answer = Answer(input_tokens=2_700, output_tokens=130, iterations=steps, model="claude-sonnet-4-6")
    ask_twice(client, provider, answer)
    spans = sent.calls
    assert [span.attributes[semconv.RESPONSE_MODEL] for span in spans].count("claude-opus-4-8") == 2
    for span in spans:
        advisor = span.attributes[semconv.RESPONSE_MODEL] == "claude-opus-4-8"
        assert (span.attributes[semconv.INPUT_TOKENS], span.attributes[semconv.OUTPUT_TOKENS]) == (
            (3_000, 1_000) if advisor else (2_700, 130)
        )
        assert span.attributes[semconv.FEATURE] == "f"
    asked: dict[str, list[Any]] = {}
    for span in spans:
        asked.setdefault(span.attributes["outlay.request_id"], []).append(span)
    assert [len(pair) for pair in asked.values()] == [2, 2]
    for call, advice in asked.values():  # beside each other: neither repeats the other
        assert call.parent_span_id == advice.parent_span_id


def test_a_refusal_is_billed_only_for_what_was_said_before_it(
    sent: Capture, provider: FakeProvider, client: anthropic.Anthropic
) -> None:
    steps = [
        iteration("message", 400, 0, model="claude-fable-5"),
        iteration("message", 400, 30, model="claude-opus-4-9"),
        iteration("fallback_message", 400, 90, model="claude-opus-4-8"),
    ]
    ask_twice(client, provider, Answer(input_tokens=400, output_tokens=90, iterations=steps, model="claude-opus-4-8"))
    found = sorted(
        (span.attributes[semconv.RESPONSE_MODEL], span.attributes[semconv.OUTPUT_TOKENS]) for span in sent.calls
    )
    assert found == [("claude-opus-4-8", 90)] * 2 + [("claude-opus-4-9", 30)] * 2


def test_an_advisor_counts_beside_the_call_it_advised(
    store: Store, provider: FakeProvider, client: anthropic.Anthropic, tmp_path: Path
) -> None:
    steps = [iteration("message", 1_000, 50), iteration("advisor_message", 1_100, 600, model="claude-opus-4-8")]
    with capture() as sent:
        ask_twice(
            client, provider, Answer(input_tokens=1_000, output_tokens=50, iterations=steps, model="claude-sonnet-4-6")
        )
    with collector(store, tmp_path) as made:
        for _, body in sent.sender.requests:
            made.send(body)
        made.load()
        settler = Settler(store, PriceBook(store))
        while settler.run_once():
            pass
        settler.close()
    rows = store.query("SELECT model, input_tokens, cost_state FROM calls FINAL ORDER BY model, input_tokens")
    assert [tuple(row.values()) for row in rows] == [
        ("claude-opus-4-8", 1_100, "computed"),
        ("claude-opus-4-8", 1_100, "computed"),
        ("claude-sonnet-4-6", 1_000, "computed"),
        ("claude-sonnet-4-6", 1_000, "computed"),
    ]
