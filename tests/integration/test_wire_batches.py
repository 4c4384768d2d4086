"""Results of batches, read by the real clients: one call per request, at the batch tier, the same in every fetch."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import httpx
import openai
import pytest
import requests
from tests.fake_provider import Answer, Batch, FakeProvider
from tests.landing import collector

import outlay
from outlay import semconv
from outlay.testing import Capture, SentSpan, capture
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store

CREATED_S = int(time.time()) - 86_400
ANSWERS = {
    "row-1": Answer(input_tokens=1000, cache_read_tokens=400, output_tokens=50, model="gpt-4o-2024-08-06"),
    "row-2": Answer(input_tokens=2000, output_tokens=70, model="gpt-4o-2024-08-06"),
}
CLAUDE = {
    "row-1": Answer(input_tokens=1000, cache_write_tokens=300, output_tokens=50, model="claude-sonnet-4-5-20250929"),
    "row-2": Answer(input_tokens=2000, output_tokens=70, model="claude-sonnet-4-5-20250929"),
}


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        running.batches["b1"] = Batch(ANSWERS, created_s=CREATED_S)
        running.batches["c1"] = Batch(CLAUDE, created_s=CREATED_S)
        yield running


def same_each_time(sent: Capture, fetches: int) -> list[SentSpan]:
    """The spans of one fetch, after checking that the others repeat them."""
    spans = sent.calls
    first = {span.span_id: span for span in spans}
    assert len(spans) == fetches * len(first)
    for span in spans:
        known = first[span.span_id]
        assert (span.trace_id, span.start_ns, span.end_ns) == (known.trace_id, known.start_ns, known.end_ns)
    return sorted(first.values(), key=lambda span: str(span.attributes[semconv.BATCH_CUSTOM_ID]))


def tokens(span: SentSpan) -> dict[str, Any]:
    return {key: value for key, value in span.attributes.items() if ".usage." in key and value}


def test_openai_results_are_calls_of_the_batch_tier(sent: Capture, provider: FakeProvider) -> None:
    client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none")
    with outlay.track(feature="nightly"), outlay.tags(team="data"):
        for _ in range(2):
            batch = client.batches.retrieve("b1")
            lines = client.files.content(str(batch.output_file_id)).text.splitlines()
            assert [json.loads(line)["custom_id"] for line in lines] == ["row-1", "row-2"]
    first, second = same_each_time(sent, 2)
    assert tokens(first) == {
        semconv.INPUT_TOKENS: 1000,
        semconv.CACHE_READ_TOKENS: 400,
        semconv.OUTPUT_TOKENS: 50,
    }
    assert tokens(second) == {semconv.INPUT_TOKENS: 2000, semconv.OUTPUT_TOKENS: 70}
    expected = {
        semconv.OPERATION: "chat",
        semconv.PROVIDER: "openai",
        semconv.RESPONSE_MODEL: "gpt-4o-2024-08-06",
        semconv.RESPONSE_ID: "resp-b1-row-1",
        semconv.SERVICE_TIER: "batch",
        semconv.BATCH_ID: "b1-output",
        semconv.BATCH_CUSTOM_ID: "row-1",
        semconv.FEATURE: "nightly",
        semconv.TEAM: "data",
    }
    assert {key: first.attributes.get(key) for key in expected} == expected
    assert first.start_ns == (CREATED_S + 60) * 10**9
    assert first.attributes[semconv.COST_USD] == pytest.approx((1000 * 1.25 + 50 * 5) / 1e6)


def test_anthropic_results_start_when_their_batch_was_created(sent: Capture, provider: FakeProvider) -> None:
    client = anthropic.Anthropic(base_url=provider.url, api_key="none")
    with outlay.track(feature="nightly"):
        for _ in range(2):
            results = list(client.messages.batches.results("c1"))
            assert [entry.custom_id for entry in results] == ["row-1", "row-2", "too-late"]
    first, second = same_each_time(sent, 2)
    assert tokens(first) == {semconv.INPUT_TOKENS: 1000, semconv.CACHE_WRITE_TOKENS: 300, semconv.OUTPUT_TOKENS: 50}
    assert first.attributes[semconv.SERVICE_TIER_ANTHROPIC] == "batch"
    assert first.attributes[semconv.PROVIDER] == "anthropic"
    assert first.start_ns == CREATED_S * 10**9
    assert first.trace_id == second.trace_id != "0" * 32


def test_async_clients_read_the_same_calls(sent: Capture, provider: FakeProvider) -> None:
    async def main() -> None:
        async with (
            openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
            client.files.with_streaming_response.content("b1-output") as response,
        ):
            async for _ in response.iter_lines():
                pass
        async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="none") as claude:
            async for _ in await claude.messages.batches.results("c1"):
                pass
        async with aiohttp.ClientSession() as session, session.get(f"{provider.url}/v1/files/b1-output/content") as raw:
            await raw.read()

    asyncio.run(main())
    requests.get(f"{provider.url}/v1/files/b1-output/content", timeout=60)
    httpx.get(f"{provider.url}/v1/files/b1-output/content")
    by_batch: dict[str, list[SentSpan]] = {}
    for span in sent.calls:
        by_batch.setdefault(span.attributes[semconv.BATCH_ID], []).append(span)
    assert {name: len(spans) for name, spans in by_batch.items()} == {"b1-output": 8, "c1": 2}
    assert len({span.span_id for span in sent.calls}) == 4


@pytest.mark.parametrize(
    ("endpoint", "operation", "counts"),
    [("/v1/responses", "chat", (1000, 50)), ("/v1/embeddings", "embeddings", (1000, None))],
)
def test_every_endpoint_of_a_batch(
    sent: Capture, provider: FakeProvider, endpoint: str, operation: str, counts: tuple[int, int | None]
) -> None:
    provider.batches["b2"] = Batch({"row-1": Answer(input_tokens=1000, output_tokens=50)}, CREATED_S, endpoint)
    client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none")
    client.files.content(str(client.batches.retrieve("b2").output_file_id)).read()
    (span,) = sent.calls
    assert (span.attributes[semconv.INPUT_TOKENS], span.attributes.get(semconv.OUTPUT_TOKENS)) == counts
    assert span.attributes[semconv.OPERATION] == operation
    # An embedding does not say when it was made: then the batch does.
    assert span.start_ns == (CREATED_S + 60 * (operation == "chat")) * 10**9


def test_requests_that_failed_cost_nothing_and_those_never_run_are_no_calls(
    sent: Capture, provider: FakeProvider
) -> None:
    provider.batches["b3"] = Batch({"bad": Answer(status=400, error="invalid_request")}, CREATED_S)
    openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none").files.content("b3-output").read()
    with anthropic.Anthropic(base_url=provider.url, api_key="none") as client:  # forgotten, it closes its connections
        list(client.messages.batches.results("b3"))
    of_openai, of_anthropic = sorted(sent.calls, key=lambda span: str(span.attributes[semconv.PROVIDER]), reverse=True)
    assert (of_openai.error, of_openai.attributes["error.type"], tokens(of_openai)) == (True, "400", {})
    assert (of_anthropic.error, of_anthropic.attributes["error.type"]) == (True, "invalid_request")


def test_gemini_inline_answers_and_files(sent: Capture, provider: FakeProvider) -> None:
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key="none", http_options={"base_url": provider.url})
    provider.batches["g1"] = Batch(
        {"row-1": Answer(input_tokens=900, output_tokens=60, reasoning_tokens=20)}, CREATED_S, model="gemini-3-flash"
    )
    for _ in range(2):
        job = client.batches.get(name="batches/g1")
        assert len(job.dest.inlined_responses) == 1
    (span,) = same_each_time(sent, 2)
    assert tokens(span) == {semconv.INPUT_TOKENS: 900, semconv.OUTPUT_TOKENS: 60, semconv.REASONING_TOKENS: 20}
    assert span.attributes[semconv.PROVIDER] == "gcp.gemini"
    assert span.attributes[semconv.SERVICE_TIER] == "batch"
    assert span.start_ns == CREATED_S * 10**9 + 123_456_000
    client.files.download(file="files/g1-output")
    assert len({call.span_id for call in sent.calls}) == 2


def test_mistral_results(sent: Capture, provider: FakeProvider) -> None:
    module = pytest.importorskip("mistralai.client")
    client = module.Mistral(api_key="none", server_url=provider.url)
    job = client.batch.jobs.get(job_id="b1")
    client.files.download(file_id=job.output_file).read()
    assert [span.attributes[semconv.PROVIDER] for span in sent.calls] == ["mistral_ai"] * 2
    assert {span.attributes[semconv.SERVICE_TIER] for span in sent.calls} == {"batch"}


def test_other_files_are_left_alone(sent: Capture) -> None:
    bodies = [b'{"a": 1}\n{"b": 2}\n' * 1000, b"\x89PNG" + b"\0" * 100_000, b'{"custom_id": 3}\n', b"", b"{" * 1000]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=bodies[int(request.url.path.split("/")[2])])

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        for number, body in enumerate(bodies):
            assert client.get(f"http://x/files/{number}/content").content == body
    assert sent.calls == []


def test_a_stream_that_is_left_early_has_counted_what_was_read(sent: Capture, provider: FakeProvider) -> None:
    provider.batches["c2"] = Batch({f"row-{n}": Answer() for n in range(100)}, CREATED_S)
    with anthropic.Anthropic(base_url=provider.url, api_key="none") as client:
        for entry in client.messages.batches.results("c2"):
            if entry.custom_id == "row-20":
                break
    assert 21 <= len(sent.calls) < 100


def test_a_huge_file_takes_no_memory_of_its_own(sent: Capture) -> None:
    line = json.dumps(
        {
            "custom_id": "row-%d",
            "response": {
                "status_code": 200,
                "body": {
                    "object": "chat.completion",
                    "created": CREATED_S,
                    "model": "gpt-4o",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "x" * 50_000}}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 6},
                },
            },
        }
    )
    count = 2000  # 100 MB

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for number in range(count):
                yield (line.replace("%d", str(number)) + "\n").encode()

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body()))
    tracemalloc.start()
    try:
        with httpx.Client(transport=transport) as client, client.stream("GET", "http://x/v1/files/f/content") as answer:
            for _ in answer.iter_bytes():
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < count * 50_000 / 2  # the queue's spans and a price list read meanwhile are in it, the file is not
    assert len({span.span_id for span in sent.calls}) == count


def test_a_batch_larger_than_the_queue_is_counted_in_full(provider: FakeProvider) -> None:
    provider.batches["big"] = Batch({f"row-{n}": Answer() for n in range(3000)}, CREATED_S)
    with capture(queue_spans=500, batch_spans=100) as sent:
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none").files.content("big-output").read()
        assert len(sent.calls) == 3000


def test_two_fetches_by_two_processes_are_counted_once_at_the_batch_price(
    store: Store, provider: FakeProvider, tmp_path: Path
) -> None:
    with collector(store, tmp_path) as made:
        settler = Settler(store, PriceBook(store))
        for feature in ("nightly", "reader"):
            with capture() as sent, outlay.track(feature=feature):
                openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none").files.content("b1-output").read()
                with anthropic.Anthropic(base_url=provider.url, api_key="none") as client:
                    list(client.messages.batches.results("c1"))
            for signal, body in sent.sender.requests:
                assert signal == "traces"
                made.send(body)
            made.load()
            while settler.run_once():
                pass
        settler.close()
        assert made.ledger()["duplicate"] == 4
    rows = store.query("SELECT * FROM calls FINAL ORDER BY provider, input_tokens")
    assert [(row["provider"], row["input_tokens"]) for row in rows] == [
        ("anthropic", 1000),
        ("anthropic", 2000),
        ("openai", 1000),
        ("openai", 2000),
    ]
    assert {row["service_tier"] for row in rows} == {"batch"}
    assert {row["cost_state"] for row in rows} == {"computed"}
    # Per million tokens in batches: gpt-4o 1.25 USD in, cached or not, 5 out; claude-sonnet-4-5 1.5, write 1.875, 7.5.
    assert [row["cost_usd"] for row in rows] == [
        Decimal("0.0019875"),
        Decimal("0.003525"),
        Decimal("0.0015"),
        Decimal("0.00285"),
    ]
