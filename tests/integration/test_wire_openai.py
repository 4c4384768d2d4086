"""The real OpenAI client against the fake provider: every billable attempt is one span with the provider's numbers."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay import semconv
from outlay.testing import Capture, capture

USAGE = Answer(
    text="four words of answer",
    input_tokens=2006,
    cache_read_tokens=1920,
    output_tokens=300,
    reasoning_tokens=192,
    model="gpt-4o-2024-11-20",
    response_id="chatcmpl-1",
    service_tier="priority",
)
TOKENS = {
    semconv.INPUT_TOKENS: 2006,
    semconv.CACHE_READ_TOKENS: 1920,
    semconv.OUTPUT_TOKENS: 300,
    semconv.REASONING_TOKENS: 192,
}
MESSAGES: Any = [{"role": "user", "content": "Say something."}]


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as made:
        yield made


def tokens(span: Any) -> dict[str, Any]:
    return {key: value for key, value in span.attributes.items() if ".usage." in key}


def test_a_plain_call(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(USAGE)
    with outlay.track(feature="triage"), outlay.tags(user="u1"):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES, temperature=0.5, max_tokens=500)
    (span,) = sent.calls
    assert tokens(span) == TOKENS
    assert span.name == "chat gpt-4o"
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-11-20",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 500,
        "openai.response.service_tier": "priority",
        "outlay.feature": "triage",
        "user.id": "u1",
        "outlay.attempt": 1,
        "server.address": "127.0.0.1",
    }
    assert {key: span.attributes.get(key) for key in expected} == expected
    assert span.attributes["outlay.request_id"] == span.span_id
    assert not any("messages" in key for key in span.attributes)


def test_a_stream_is_metered_as_it_is_read(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(USAGE)
    stream = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    words = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert words == USAGE.text
    (span,) = sent.calls
    assert tokens(span) == TOKENS
    assert span.attributes["gen_ai.request.stream"] is True
    assert span.attributes["outlay.stream.end"] == "complete"
    assert 0 < span.attributes["gen_ai.response.time_to_first_chunk"] < 10


def test_a_stream_without_usage_is_an_estimate_and_says_so(
    sent: Capture, provider: FakeProvider, client: openai.OpenAI
) -> None:
    provider.queue(Answer(text="a" * 400))
    for _ in client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "b" * 800}], stream=True
    ):
        pass
    (span,) = sent.calls
    assert tokens(span) == {semconv.INPUT_TOKENS: 200, semconv.OUTPUT_TOKENS: 100, semconv.USAGE_ESTIMATED: True}
    assert span.attributes["outlay.stream.end"] == "complete"


def test_without_estimates_a_stream_without_usage_says_nothing(provider: FakeProvider, client: openai.OpenAI) -> None:
    with capture(estimate_usage=False) as sent:
        list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
        assert tokens(sent.calls[0]) == {}


def test_stream_usage_is_added_when_asked_for(provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(USAGE)
    with capture(stream_usage=True) as sent:
        chunks = list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
        assert tokens(sent.calls[0]) == TOKENS
    assert provider.requests[0].body["stream_options"] == {"include_usage": True}
    assert chunks[-1].choices == []


def test_the_request_is_not_touched_otherwise(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    list(client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))
    assert "stream_options" not in provider.requests[0].body


@pytest.mark.parametrize("how", ["break", "exception", "garbage", "close"])
def test_an_abandoned_stream_ends_the_span(
    sent: Capture, provider: FakeProvider, client: openai.OpenAI, how: str
) -> None:
    provider.queue(Answer(text="word " * 200, chunk_delay_s=0.002))
    stream: Any = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    if how == "exception":

        def read(stream: Any) -> None:
            for number, _ in enumerate(stream):
                if number == 3:
                    raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            read(stream)
        stream.close()
    else:
        for number, _ in enumerate(stream):
            if number == 3:
                break
        if how == "close":
            stream.close()
    del stream
    gc.collect()
    (span,) = sent.calls
    assert span.attributes["outlay.stream.end"] == "abandoned"
    assert span.attributes[semconv.USAGE_ESTIMATED] is True
    assert span.attributes[semconv.OUTPUT_TOKENS] > 0
    assert not span.error


def test_a_cut_stream_is_an_error_with_what_is_known(
    sent: Capture, provider: FakeProvider, client: openai.OpenAI
) -> None:
    provider.queue(Answer(text="word " * 50, cut_after=10))
    with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of it
        for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
            pass
    (span,) = sent.calls
    assert span.error
    assert span.attributes["outlay.stream.end"] == "cut"
    assert span.attributes[semconv.USAGE_ESTIMATED] is True


def test_retries_are_attempts_of_one_request(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(
        Answer(status=429, error="rate_limit", headers={"retry-after-ms": "1"}),
        Answer(status=500, headers={"retry-after-ms": "1"}),
        USAGE,
    )
    client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    spans = sent.calls
    assert [span.attributes["outlay.attempt"] for span in spans] == [1, 2, 3]
    assert len({span.attributes["outlay.request_id"] for span in spans}) == 1
    assert [span.error for span in spans] == [True, True, False]
    assert [span.attributes.get("error.type") for span in spans] == ["429", "500", None]
    assert tokens(spans[0]) == tokens(spans[1]) == {}
    assert tokens(spans[2]) == TOKENS


def test_two_equal_requests_are_two_requests(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    for _ in range(2):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert [span.attributes["outlay.attempt"] for span in sent.calls] == [1, 1]
    assert len({span.attributes["outlay.request_id"] for span in sent.calls}) == 2


def test_a_refused_connection_is_a_failed_attempt(sent: Capture) -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    (span,) = sent.calls
    assert span.error
    assert span.attributes["error.type"] == "ConnectError"


def test_responses_plain_and_streamed(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(USAGE, USAGE)
    client.responses.create(model="gpt-4o", input="hi")
    for _ in client.responses.create(model="gpt-4o", input="hi", stream=True):
        pass
    plain, streamed = sent.calls
    assert tokens(plain) == tokens(streamed) == TOKENS
    assert plain.attributes["openai.response.service_tier"] == "priority"
    assert streamed.attributes["outlay.stream.end"] == "complete"


def test_searches_of_the_provider_are_counted(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(Answer(web_searches=2))
    client.responses.create(model="gpt-4o", input="hi", tools=[{"type": "web_search"}])
    assert sent.calls[0].attributes["outlay.usage.web_searches"] == 2


def test_embeddings_small_and_large(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(Answer(input_tokens=7), Answer(input_tokens=9000, vectors=3072))
    client.embeddings.create(model="text-embedding-3-small", input="hi")
    client.embeddings.create(model="text-embedding-3-large", input=["hi"] * 120)  # 2 MB: read without parsing it all
    small, large = sent.calls
    assert small.attributes["gen_ai.operation.name"] == "embeddings"
    assert (small.attributes[semconv.INPUT_TOKENS], large.attributes[semconv.INPUT_TOKENS]) == (7, 9000)
    assert large.attributes["gen_ai.response.model"] == "text-embedding-3-large"


def test_pictures_recordings_and_speech(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(*[USAGE] * 5)
    client.images.generate(model="gpt-image-1", prompt="a cat")
    for _ in client.images.generate(model="gpt-image-1", prompt="a cat", stream=True):
        pass
    recording = ("a.wav", b"RIFF" + bytes(100))
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
    for _ in client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, stream=True):
        pass
    client.audio.speech.create(model="tts-1", voice="alloy", input="x" * 50)
    found = [span.attributes for span in sent.calls]
    assert [(one["gen_ai.request.model"], one["gen_ai.operation.name"]) for one in found] == [
        *[("gpt-image-1", "image_generation")] * 2,
        *[("gpt-4o-transcribe", "transcription")] * 2,
        ("tts-1", "speech"),
    ]
    given, produced = USAGE.input_tokens, USAGE.output_tokens
    assert [(one.get(semconv.INPUT_TOKENS), one.get(semconv.OUTPUT_TOKENS)) for one in found] == [
        *[(given, produced)] * 4,
        (None, None),
    ]
    assert [one[semconv.OUTPUT_IMAGE_TOKENS] for one in found[:2]] == [produced] * 2
    assert [one[semconv.INPUT_AUDIO_TOKENS] for one in found[2:4]] == [given] * 2
    assert found[4]["outlay.usage.input_characters"] == 50
    assert [one["gen_ai.request.stream"] for one in found] == [False, True, False, True, False]


def test_tool_rounds_are_calls_of_their_own(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(Answer(tool="weather", tool_arguments={"city": "Bern"}), Answer())
    with outlay.track(feature="agent"):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        client.chat.completions.create(model="gpt-4o", messages=[*MESSAGES, {"role": "user", "content": "12 C"}])
    assert [span.attributes["gen_ai.response.finish_reasons"] for span in sent.calls] == [["tool_calls"], ["stop"]]


def test_async_calls_in_parallel_stay_apart(sent: Capture, provider: FakeProvider) -> None:
    async def ask(client: openai.AsyncOpenAI, user: str, stream: bool) -> None:
        with outlay.tags(user=user):
            if stream:
                options: Any = {"stream_options": {"include_usage": True}}
                async for _ in await client.chat.completions.create(
                    model="gpt-4o", messages=MESSAGES, stream=True, **options
                ):
                    pass
            else:
                await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    @outlay.track(feature="parallel")
    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
            await asyncio.gather(*(ask(client, f"u{number}", number % 2 == 0) for number in range(6)))

    asyncio.run(main())
    assert sorted(span.attributes["user.id"] for span in sent.calls) == [f"u{number}" for number in range(6)]
    assert {span.attributes["outlay.feature"] for span in sent.calls} == {"parallel"}
    assert all(span.attributes[semconv.OUTPUT_TOKENS] == 10 for span in sent.calls)


def test_a_cancelled_task_ends_the_span(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(Answer(text="word " * 500, chunk_delay_s=0.01))

    async def read() -> None:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
            async for _ in await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
                pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0.4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (span,) = sent.calls
    assert span.attributes["outlay.stream.end"] == "abandoned"
    assert not span.error


def test_azure_is_recognized_by_its_path(sent: Capture, provider: FakeProvider) -> None:
    client = openai.AzureOpenAI(azure_endpoint=provider.url, api_key="none", api_version="2024-10-21")
    client.chat.completions.create(model="my-deployment", messages=MESSAGES)
    assert sent.calls[0].attributes["gen_ai.provider.name"] == "azure.ai.openai"
    assert sent.calls[0].attributes["gen_ai.request.model"] == "my-deployment"


def test_raw_and_streaming_response_wrappers(sent: Capture, provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(USAGE, USAGE)
    client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES).parse()
    with client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=MESSAGES) as response:
        response.read()
    assert [tokens(span) for span in sent.calls] == [TOKENS, TOKENS]


def test_content_is_kept_only_when_asked_for_and_redacted(provider: FakeProvider, client: openai.OpenAI) -> None:
    provider.queue(Answer(text="The card is 4111."), Answer(text="The card is 4111."))
    with capture(capture_content=True, redact=lambda text: text.replace("4111", "****")) as sent:
        messages: Any = [{"role": "user", "content": "My card 4111?"}]
        client.chat.completions.create(model="gpt-4o", messages=messages)
        list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))
        for span in sent.calls:
            (asked,) = json.loads(span.attributes["gen_ai.input.messages"])
            (said,) = json.loads(span.attributes["gen_ai.output.messages"])
            assert asked == {"role": "user", "parts": [{"type": "text", "content": "My card ****?"}]}
            assert said["parts"] == [{"type": "text", "content": "The card is ****."}]
