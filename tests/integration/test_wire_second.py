"""Beside another instrumentation of the same client every request is still one call, with our exact counts."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.fake_provider import Answer, FakeProvider
from tests.landing import collector

import outlay
from outlay.testing import capture
from outlay_collector.prices import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

ANSWER = Answer(text="a b c", input_tokens=900, cache_read_tokens=500, output_tokens=60)
MESSAGES: Any = [{"role": "user", "content": "hi"}]


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
    instrumentor.instrument(tracer_provider=theirs, skip_dep_check=True)
    try:
        with FakeProvider() as provider, capture(tracer_provider=theirs) as sent:
            provider.queue(ANSWER, ANSWER, Answer(status=500, headers={"retry-after-ms": "1"}), ANSWER)
            with (
                outlay.track(feature="f"),
                openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
            ):
                client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
                options: Any = {"stream": True, "stream_options": {"include_usage": True}}
                for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **options):
                    pass
                client.chat.completions.create(model="gpt-4o", messages=[*MESSAGES, *MESSAGES])
    finally:
        instrumentor.uninstrument()
    assert len({span.scope for span in sent.spans}) == 2
    with collector(store, tmp_path) as made:
        for signal, body in sent.sender.requests:
            if signal == "traces":
                made.send(body)
        made.load()
        settler = Settler(store, PriceBook(store))
        while settler.run_once():
            pass
        settler.close()
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
