"""Beside another instrumentation of the same client every request is still one call, with our exact counts."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from tests.fake_provider import Answer, FakeProvider
from tests.instrumentation import instrumented
from tests.landing import collector

import outlay
from outlay import semconv
from outlay.testing import Capture, capture
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

ANSWER = Answer(text="a b c", input_tokens=900, cache_read_tokens=500, output_tokens=60)
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def settle(store: Store, folder: Path, sent: Capture) -> None:
    """Bring what was sent to `calls`."""
    with collector(store, folder) as made:
        for signal, body in sent.sender.requests:
            if signal == "traces":
                made.send(body)
        made.load()
        settler = Settler(store, PriceBook(store))
        while settler.run_once():
            pass
        settler.close()


@pytest.mark.parametrize(
    "module",
    [
        "openinference.instrumentation.openai",
        "opentelemetry.instrumentation.openai",
    ],
)
def test_a_request_that_two_meters_describe_is_one_call(store: Store, tmp_path: Path, module: str) -> None:
    theirs = TracerProvider()
    instrumentor = importlib.import_module(module).OpenAIInstrumentor()
    with (
        instrumented(instrumentor, theirs),
        FakeProvider() as provider,
        capture(tracer_provider=theirs) as sent,
    ):
        provider.queue(ANSWER, ANSWER, Answer(status=500, headers={"retry-after-ms": "1"}), ANSWER)
        with outlay.track(feature="f"), openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            options: Any = {"stream": True, "stream_options": {"include_usage": True}}
            for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **options):
                pass
            client.chat.completions.create(model="gpt-4o", messages=[*MESSAGES, *MESSAGES])
    assert len({span.scope for span in sent.spans}) == 2
    settle(store, tmp_path, sent)
    rows = store.query(
        "SELECT dialect, feature, input_tokens, cache_read_tokens, output_tokens, cost_state "
        "FROM calls FINAL ORDER BY started_at"
    )
    exact = ("outlay", "f", 900, 500, 60, "computed")
    assert [tuple(row.values()) for row in rows] == [
        exact,
        exact,
        ("outlay", "f", None, None, None, "not_billed"),
        exact,
    ]


@pytest.fixture
def their_provider() -> Iterator[TracerProvider]:
    """The application's global tracer provider, which the client's own tracing uses."""
    before, trace._TRACER_PROVIDER = trace._TRACER_PROVIDER, None
    theirs = trace._TRACER_PROVIDER = TracerProvider()
    yield theirs
    trace._TRACER_PROVIDER = before


@pytest.mark.parametrize("helper", [False, True])
def test_an_abandoned_stream_costs_its_estimate_beside_the_clients_own_span(
    store: Store, tmp_path: Path, their_provider: TracerProvider, helper: bool
) -> None:
    """The client's span has the counts that came in and no output; ours has an estimate of that."""
    answer = Answer(text=" ".join("word" for _ in range(60)), input_tokens=900, cache_read_tokens=500, output_tokens=70)
    with FakeProvider() as provider, capture(tracer_provider=their_provider) as sent:
        provider.queue(answer, answer)
        with outlay.track(feature="f"), anthropic.Anthropic(base_url=provider.url, api_key="none") as client:
            asked: Any = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": MESSAGES}
            for whole in (True, False):
                opened = client.messages.stream(**asked) if helper else client.messages.create(stream=True, **asked)
                with opened as stream:
                    texts = (event for event in stream if event.type == "content_block_delta")
                    if whole:
                        list(texts)
                    else:
                        next(texts)
    assert sum(span.scope == "com.anthropic.sdk.python" for span in sent.spans) == 2
    assert sum(span.attributes.get(semconv.STREAM_END) == "abandoned" for span in sent.calls) == 1
    settle(store, tmp_path, sent)
    read, left = store.query(
        "SELECT dialect, feature, input_tokens, cache_read_tokens, output_tokens, cost_state, list_cost_usd, flags "
        "FROM calls FINAL ORDER BY started_at"
    )
    assert (read["output_tokens"], read["cost_state"], read["flags"]) == (70, "computed", [])
    assert [left[name] for name in ("feature", "input_tokens", "cache_read_tokens")] == ["f", 900, 500]
    assert 1 <= left["output_tokens"] < 70
    assert (left["cost_state"], left["flags"]) == ("estimated", ["estimated_usage"])
    assert 0 < left["list_cost_usd"] < read["list_cost_usd"]


class Beside:
    """Meters as langfuse.openai does: a span that is open around the request and never made current.

    Langfuse itself patches the client for the whole process; what its 5.0.4 sends is what this sends.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self.tracer = provider.get_tracer("langfuse-sdk")

    def callback(self) -> Any:
        """The framework's generation, current as LangChain's callback makes it."""
        return self.tracer.start_as_current_span("ChatOpenAI", attributes={"langfuse.observation.type": "generation"})

    def ask(self, client: openai.OpenAI, usage: bool = True, **asked: Any) -> None:
        span = self.tracer.start_span("OpenAI-generation")
        span.set_attribute("langfuse.observation.type", "generation")
        span.set_attribute("langfuse.observation.model.name", "gpt-4o")
        answer: Any = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **asked)
        if asked.get("stream"):
            list(answer)
        if usage:
            details = '{"prompt_tokens": 900, "completion_tokens": 60, "prompt_tokens_details": {"cached_tokens": 500}}'
            span.set_attribute("langfuse.observation.usage_details", details)
        span.end()


@pytest.mark.parametrize("around", [True, False])
def test_a_span_that_stands_open_beside_the_request_is_the_same_call(
    store: Store, tmp_path: Path, their_provider: TracerProvider, around: bool
) -> None:
    with FakeProvider() as provider, capture(tracer_provider=their_provider) as sent:
        provider.queue(ANSWER, ANSWER, ANSWER)
        beside = Beside(their_provider)
        with outlay.track(feature="f"), openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
            with beside.callback() if around else nullcontext():
                beside.ask(client)
            with beside.callback() if around else nullcontext():
                beside.ask(client, usage=False, stream=True)
            client.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # past Langfuse, when its spans ended
    settle(store, tmp_path, sent)
    rows = store.query("SELECT dialect, feature, cost_state, output_tokens FROM calls FINAL ORDER BY started_at")
    assert [(row["dialect"], row["feature"], row["cost_state"]) for row in rows] == [
        ("outlay", "f", "computed"),
        ("outlay", "f", "estimated"),
        ("outlay", "f", "computed"),
    ]
    names = {span.span_id: span.name for span in sent.spans}
    parents = [names.get(span.parent_span_id, "") for span in sorted(sent.calls, key=lambda span: span.start_ns)]
    assert parents == ["OpenAI-generation", "OpenAI-generation", "f"]
