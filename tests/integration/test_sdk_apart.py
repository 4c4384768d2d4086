"""Beside the application's own tracing: its exporters get what they got without us, and the traces are one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import httpx
import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler
from tests.fake_provider import FakeProvider
from tests.instrumentation import instrumented

import outlay
from outlay import semconv
from outlay.testing import Capture, capture

pytestmark = pytest.mark.filterwarnings("ignore")  # OpenInference's

MESSAGES: Any = [{"role": "user", "content": "hi"}]


class Application:
    """An application with a tracer provider, an exporter and another library's instrumentation of its own."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(ParentBased(sampler), Resource({"service.name": "theirs"}))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("app")

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """(name, attributes) of what was exported."""
        spans = self.exporter.get_finished_spans()
        return sorted(((s.name, dict(s.attributes or {})) for s in spans), key=lambda told: (told[0], sorted(told[1])))

    def tree(self) -> list[tuple[str, str]]:
        """(name, name of the parent) of what was exported; a parent that was not exported is "missing"."""
        spans = self.exporter.get_finished_spans()
        names = {span.context.span_id: span.name for span in spans if span.context}
        return sorted((s.name, names.get(s.parent.span_id, "missing") if s.parent else "") for s in spans)


def serve(application: Application, provider: FakeProvider, root: bool = True) -> None:
    """What the application does: a handler with steps, model calls in each, one of them past its instrumentation."""

    @outlay.track("search", feature="search")
    def search() -> None:
        ask()
        with application.tracer.start_as_current_span("rank"):
            ask()
            with outlay.track("inner"), application.tracer.start_as_current_span("step"):
                outlay.record(model="gpt-4o", provider="openai", usage={"input_tokens": 3, "output_tokens": 1})
        httpx.post(f"{provider.url}/v1/chat/completions", json={"model": "gpt-4o", "messages": MESSAGES})

    def ask() -> None:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    handler = application.tracer.start_as_current_span("handler") if root else nullcontext()
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client, handler:
        search()


def run(application: Application, root: bool = True, **settings: Any) -> Capture:
    with FakeProvider() as provider, instrumented(OpenAIInstrumentor(), application.provider):
        with capture(tracer_provider=application.provider, **settings) as sent:
            serve(application, provider, root)
        return sent


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
def test_the_applications_exporter_gets_the_same_spans_with_and_without_outlay(root: bool, sampler: Sampler) -> None:
    without, beside = Application(sampler), Application(sampler)
    run(without, root, disabled=True)
    sent = run(beside, root)
    assert beside.tree() == without.tree()
    assert [name for name, _ in beside.told()] == [name for name, _ in without.told()]
    for (name, attributes), (_, expected) in zip(beside.told(), without.told(), strict=True):
        assert attributes.keys() == expected.keys(), name  # no tag of ours
    assert len(beside.tree()) == ((5 if root else 4) if sampler is ALWAYS_ON else 0)
    assert len(sent.calls) == 4


def test_for_outlay_both_make_one_tree_in_the_applications_trace() -> None:
    application = Application()
    sent = run(application)
    (handler,) = (span for span in application.exporter.get_finished_spans() if span.name == "handler")
    assert handler.context is not None
    assert {span.trace_id for span in sent.spans} == {f"{handler.context.trace_id:032x}"}
    names = {span.span_id: span.name for span in sent.spans}
    assert sorted((span.name, names.get(span.parent_span_id, "")) for span in sent.spans) == [
        ("ChatCompletion", "rank"),
        ("ChatCompletion", "search"),
        ("chat gpt-4o", "ChatCompletion"),
        ("chat gpt-4o", "ChatCompletion"),
        ("chat gpt-4o", "search"),
        ("chat gpt-4o", "step"),
        ("handler", ""),
        ("inner", "rank"),
        ("rank", "search"),
        ("search", "handler"),
        ("step", "inner"),
    ]
    assert {span.attributes.get(semconv.FEATURE) for span in sent.spans if span.name != "handler"} == {"search"}
    assert {span.resource["service.name"] for span in sent.spans} == {"theirs"}


def test_a_span_of_the_application_is_the_same_object_for_its_exporter() -> None:
    application = Application()
    run(application)
    parents = {s.name: s.parent for s in application.exporter.get_finished_spans()}
    handler = next(s for s in application.exporter.get_finished_spans() if s.name == "handler")
    assert handler.context is not None
    assert parents["rank"] is not None
    assert parents["rank"].span_id == handler.context.span_id


def test_sharing_gives_the_applications_exporter_every_span() -> None:
    application = Application()
    sent = run(application, share_spans=True)
    assert len(application.tree()) == len(sent.spans) == 11
    assert "missing" not in dict(application.tree()).values()


def test_shared_spans_that_the_applications_sampler_refuses_do_not_make_it_keep_others() -> None:
    application = Application(ALWAYS_OFF)
    sent = run(application, share_spans=True)
    assert application.tree() == []
    assert len(sent.calls) == 4


def test_libraries_that_set_a_provider_up_where_there_is_none_find_none(monkeypatch: pytest.MonkeyPatch) -> None:
    application = Application()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    early = trace.get_tracer("early")
    with capture(set_global=True) as sent:
        found = trace.get_tracer_provider()
        assert isinstance(found, trace.ProxyTracerProvider)
        assert not isinstance(found, TracerProvider)
        later = trace.get_tracer("later")
        for tracer in (early, later):
            with tracer.start_as_current_span("before"):
                pass
        assert [span.name for span in sent.spans] == ["before"] * 2  # Outlay's while nobody else is there
        trace._TRACER_PROVIDER = application.provider  # as `set_tracer_provider` does
        outlay.record(model="gpt-4o", provider="openai", usage={"input_tokens": 3, "output_tokens": 1})
        for tracer in (early, later):
            with tracer.start_as_current_span("after"):
                tracer.start_span("inside").end()
        assert application.tree() == [("after", "")] * 2 + [("inside", "after")] * 2
        assert [span.name for span in sent.spans][2:] == ["chat gpt-4o", *["inside", "after"] * 2]
