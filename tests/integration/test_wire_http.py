"""requests, urllib3 and aiohttp, with the wire formats that speak through them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import requests
import urllib3
from opentelemetry import trace
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay import semconv
from outlay.testing import Capture, capture
from outlay.tracing import lifecycle
from outlay.tracing.client import Client

USAGE = Answer(text="four words of answer", input_tokens=900, output_tokens=60, response_id="r1")
CACHED = Answer(
    text="four words of answer",
    input_tokens=900,
    cache_read_tokens=500,
    cache_write_tokens=100,
    output_tokens=60,
    reasoning_tokens=20,
)
# path, body, provider's name, operation, model
FORMATS: list[tuple[str, dict[str, Any], str, str]] = [
    ("/v1/chat/completions", {"model": "m"}, "openai", "chat"),
    ("/openai/deployments/d1/chat/completions?api-version=1", {}, "azure.ai.openai", "chat"),
    ("/v1/completions", {"model": "m"}, "openai", "text_completion"),
    ("/v1/responses", {"model": "m", "input": "x"}, "openai", "chat"),
    ("/v1/embeddings", {"model": "m", "input": "x"}, "openai", "embeddings"),
    ("/v1/messages", {"model": "m", "messages": [], "max_tokens": 5}, "anthropic", "chat"),
    ("/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict", {"messages": []}, "gcp.vertex_ai", "chat"),
    ("/v1beta/models/m:generateContent", {"contents": []}, "gcp.gemini", "generate_content"),
    ("/model/m/converse", {"messages": []}, "aws.bedrock", "chat"),
    ("/model/m/invoke", {"messages": [], "max_tokens": 5}, "aws.bedrock", "chat"),
    ("/v2/chat", {"model": "m", "messages": []}, "cohere", "chat"),
    ("/v2/embed", {"model": "m", "texts": ["x"]}, "cohere", "embeddings"),
    ("/api/chat", {"model": "m", "messages": [], "stream": False}, "ollama", "chat"),
    ("/api/generate", {"model": "m", "prompt": "x", "stream": False}, "ollama", "text_completion"),
    ("/api/embed", {"model": "m", "input": "x"}, "ollama", "embeddings"),
    ("/v1beta/interactions", {"model": "m", "input": "x"}, "gcp.gemini", "generate_content"),
    ("/v1/conversations", {"model": "m", "inputs": "x"}, "mistral_ai", "chat"),
    ("/v1/decisions", {"model": "m", "input": "x", "questions": []}, "openai", "chat"),
]
STREAMS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"model": "m", "stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/responses", {"model": "m", "input": "x", "stream": True}),
    ("/v1/messages", {"model": "m", "messages": [], "max_tokens": 5, "stream": True}),
    ("/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": []}),
    ("/model/m/converse-stream", {"messages": []}),
    ("/model/m/invoke-with-response-stream", {"messages": [], "max_tokens": 5}),
    ("/v2/chat", {"model": "m", "messages": [], "stream": True}),
    ("/api/chat", {"model": "m", "messages": []}),
    ("/v1beta/interactions", {"model": "m", "input": "x", "stream": True}),
    ("/v1/conversations/c1", {"inputs": "x", "stream": True}),
]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


def counts(span: Any) -> tuple[Any, Any]:
    return span.attributes.get(semconv.INPUT_TOKENS), span.attributes.get(semconv.OUTPUT_TOKENS)


@pytest.mark.parametrize(("path", "body", "name", "operation"), FORMATS)
def test_every_format_through_requests(
    sent: Capture, provider: FakeProvider, path: str, body: dict[str, Any], name: str, operation: str
) -> None:
    provider.queue(USAGE)
    assert requests.post(provider.url + path, json=body, timeout=60).ok
    (span,) = sent.calls
    assert (span.attributes["gen_ai.provider.name"], span.attributes["gen_ai.operation.name"]) == (name, operation)
    assert counts(span) == (900, None if operation == "embeddings" else 60)
    assert span.attributes["gen_ai.request.model"] in ("m", "d1")


@pytest.mark.parametrize(("path", "body"), STREAMS)
@pytest.mark.parametrize("library", ["requests", "urllib3", "aiohttp"])
def test_every_stream_through_every_library(
    sent: Capture, provider: FakeProvider, path: str, body: dict[str, Any], library: str
) -> None:
    cached = not any(part in path for part in ("/v2/", "/api/", "/conversations"))
    provider.queue(CACHED if cached else USAGE)
    url = provider.url + path
    if library == "requests":
        with requests.post(url, json=body, stream=True, timeout=60) as response:
            assert b"".join(response.iter_content(17))
    elif library == "urllib3":
        pool = urllib3.PoolManager()
        answer = pool.request("POST", url, json=body, preload_content=False)
        assert b"".join(answer.stream(17))
        answer.release_conn()
    else:
        assert asyncio.run(_aiohttp(url, body))
    (span,) = sent.calls
    assert counts(span) == (900, 60)
    assert span.attributes["outlay.stream.end"] == "complete"
    assert span.attributes["gen_ai.request.stream"] is True
    if cached:
        assert span.attributes[semconv.CACHE_READ_TOKENS] == 500


@pytest.mark.parametrize("library", ["requests", "urllib3", "aiohttp"])
def test_stream_usage_is_asked_for_through_every_library(provider: FakeProvider, library: str) -> None:
    provider.queue(USAGE)
    url, body = f"{provider.url}/v1/chat/completions", {"model": "m", "messages": [], "stream": True, "n": 1}
    with capture(stream_usage=True) as sent:
        if library == "requests":
            assert requests.post(url, json=body, timeout=60).text.endswith("data: [DONE]\n\n")
        elif library == "urllib3":
            assert urllib3.PoolManager().request("POST", url, json=body).data
        else:
            assert asyncio.run(_aiohttp(url, body))
        (span,) = sent.calls
        assert counts(span) == (900, 60)
        assert semconv.USAGE_ESTIMATED not in span.attributes
    assert provider.requests[-1].body == {**body, "stream_options": {"include_usage": True}}
    assert provider.requests[-1].headers["content-type"] == "application/json"


async def _aiohttp(url: str, body: dict[str, Any]) -> bytes:
    found = b""
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        async for chunk in response.content.iter_any():
            found += chunk
    return found


def test_every_way_to_read_a_urllib3_answer(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(*[USAGE] * 5)
    url, body = provider.url + "/v1/chat/completions", {"model": "m"}
    pool = urllib3.PoolManager()
    assert pool.request("POST", url, json=body).json()["model"] == "m"
    for read in (
        lambda answer: answer.read(),
        lambda answer: answer.data,
        lambda answer: b"".join(iter(lambda: answer.read(10), b"")),
        lambda answer: answer.read1() + answer.read1(),
    ):
        answer = pool.request("POST", url, json=body, preload_content=False)
        assert b'"usage"' in read(answer)
        answer.close()
    assert [counts(span) for span in sent.calls] == [(900, 60)] * 5


def test_every_way_to_read_an_aiohttp_answer(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(*[USAGE] * 7)
    url = provider.url + "/v1/chat/completions"

    async def main() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.post(url, json={"model": "m"}) as response:
                assert (await response.json())["model"] == "m"
            async with session.post(url, data=json.dumps({"model": "m"})) as response:
                assert "usage" in await response.text()
            async with session.post(url, json={"model": "m"}) as response:
                assert b"".join([chunk async for chunk in response.content.iter_chunked(9)])
            async with session.post(url, json={"model": "m"}) as response:
                assert b"".join([chunk async for chunk, _ in response.content.iter_chunks()])
            async with session.post(url, json={"model": "m"}) as response:
                assert b"".join([line async for line in response.content])
            async with session.post(url, json={"model": "m"}) as response:
                assert await response.content.readexactly(5) + await response.content.read()
            response = await session.request("post", url, json={"model": "m"})
            assert await response.read()
            response.release()

    asyncio.run(main())
    assert [counts(span) for span in sent.calls] == [(900, 60)] * 7


@pytest.mark.parametrize("library", ["requests", "aiohttp"])
def test_abandoned_and_cut_streams(sent: Capture, provider: FakeProvider, library: str) -> None:
    url = provider.url + "/v1/chat/completions"
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello there"}]}
    long = "word " * 300
    provider.queue(Answer(text=long, chunk_delay_s=0.002), Answer(text=long, cut_after=20, chunk_delay_s=0.002))

    def with_requests() -> None:
        with requests.post(url, json=body, stream=True, timeout=60) as response:
            next(response.iter_content(64))
        with (
            pytest.raises(requests.RequestException),
            requests.post(url, json=body, stream=True, timeout=60) as response,
        ):
            for _ in response.iter_content(64):
                pass

    async def with_aiohttp() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.post(url, json=body) as response:
                await response.content.readany()
            async with session.post(url, json=body) as response:
                assert await response.content.readany()
                with pytest.raises(aiohttp.ClientError):
                    await response.content.read()

    with_requests() if library == "requests" else asyncio.run(with_aiohttp())
    abandoned, cut = sent.calls
    assert abandoned.attributes["outlay.stream.end"] == "abandoned"
    assert cut.attributes["outlay.stream.end"] == "cut"
    assert (abandoned.error, cut.error) == (False, True)
    assert abandoned.attributes[semconv.USAGE_ESTIMATED] is cut.attributes[semconv.USAGE_ESTIMATED] is True


def test_retries_of_urllib3_itself_are_attempts(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(Answer(status=503), Answer(status=503), USAGE)
    retry = urllib3.Retry(3, status_forcelist=[503], allowed_methods=None, backoff_factor=0)
    urllib3.PoolManager(retries=retry).request("POST", provider.url + "/v1/chat/completions", json={"model": "m"})
    spans = sent.calls
    assert [span.attributes["outlay.attempt"] for span in spans] == [1, 2, 3]
    assert len({span.attributes["outlay.request_id"] for span in spans}) == 1


def test_uploads_name_their_model(sent: Capture, provider: FakeProvider) -> None:
    import httpx

    with httpx.Client() as client:
        client.post(
            provider.url + "/v1/audio/transcriptions",
            data={"model": "whisper-1"},
            files={"file": ("a.wav", base64.b64decode("AAAA"))},
        )
    assert sent.calls[0].attributes["gen_ai.request.model"] == "whisper-1"
    assert sent.calls[0].attributes["gen_ai.operation.name"] == "transcription"


def test_the_exporter_is_not_metered_and_does_not_meter_itself(provider: FakeProvider) -> None:
    from outlay.export.sender import Sender
    from outlay.settings import Settings

    with capture() as sent:
        sender = Sender(Settings.from_env({}, endpoint=provider.url))
        with outlay.track(feature="f"):
            assert sender.send("traces", b"", 5)[0] == 404
        assert len(sent.spans) == 1


def test_an_ordinary_request_outside_of_tracked_code_starts_nothing(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks stay once installed; a lent tracer provider would reach every test that runs later."""
    monkeypatch.setattr(lifecycle, "_client", Client())  # as in a process that has not begun to track
    monkeypatch.setattr(lifecycle, "_started", False)
    with capture():
        pass
    before = trace.get_tracer_provider()
    requests.get(f"{provider.url}/health", timeout=60)
    requests.post(f"{provider.url}/v1/chat/completions", json={"model": "m"}, timeout=60)
    assert trace.get_tracer_provider() is before
    assert not lifecycle.running().enabled


def test_a_request_with_a_large_picture_is_metered_like_any_other(sent: Capture, provider: FakeProvider) -> None:
    provider.queue(USAGE, USAGE)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (5 << 20)}}
    body = {"model": "m", "messages": [{"role": "user", "content": [picture]}]}
    requests.post(f"{provider.url}/v1/chat/completions", json=body, timeout=30)
    streamed = (piece for piece in (b'{"model": "m", ', b'"messages": []}'))  # nobody can look into it
    requests.post(f"{provider.url}/v1/chat/completions", data=streamed, timeout=30)
    assert [span.attributes[semconv.INPUT_TOKENS] for span in sent.calls] == [900, 900]
