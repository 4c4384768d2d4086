"""The SDK as a guest: it never holds its host up, never fails it, and leaves its OpenTelemetry as it found it."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests import warm_python
from tests.fake_provider import FakeProvider
from tests.receiver import Received, receiver

import outlay
from outlay import semconv
from outlay.export.sender import Answer
from outlay.testing import MemorySender, capture
from outlay.tracing.lifecycle import get_client

RECORD = "outlay.record(usage={'input_tokens': 1, 'output_tokens': 2}, model='gpt-4o', provider='openai')"
PATHS = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/messages",
    "/v1beta/models/m:generateContent",
    "/v1/models/m:predict",
    "/model/m/converse",
    "/model/m/invoke",
    "/v2/chat",
    "/api/chat",
]
WORDS = [
    *("id", "model", "type", "object", "usage", "choices", "error", "delta", "message", "content", "response"),
    *("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "prompt_tokens_details", "cached_tokens"),
    *("cache_creation", "iterations", "candidates", "usageMetadata", "promptTokensDetails", "modality", "tokenCount"),
    *("predictions", "embeddings", "statistics", "metadata", "trace", "promptRouter", "serviceTier", "bytes", "chunk"),
    *("index", "finish_reason", "status", "output", "tool_usage", "web_search", "meta", "billed_units", "done"),
    *("prompt_eval_count", "results", "inputTextTokenCount", "service_tier", "cost", "x_groq", "item", "action"),
]


def run(code: str, *, cold: bool = False, **environ: str) -> tuple[str, float]:
    """What a program of its own printed, and how long it lived after its last line."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    more = {**os.environ, "PYTHONPATH": path, "OUTLAY_EXIT_TIMEOUT_S": "60", **environ}
    whole = code + "\nimport time; print(time.time(), flush=True)"
    done = (warm_python.run_cold if cold else warm_python.run)(whole, more)
    ended = time.time()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    *printed, last = done.stdout.splitlines()
    return "\n".join(printed), ended - float(last)


def spans_of(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


@pytest.fixture
def nobody() -> Iterator[str]:
    """An endpoint that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_dead_endpoint_holds_the_exit_up_for_its_time_at_most(nobody: str) -> None:
    """Told by the times that exits take beside each other: a busy machine slows them all."""

    def lived_s(endpoint: str, timeout_s: str) -> float:
        code = f"import outlay\noutlay.init('app')\nfor _ in range(500): {RECORD}"
        printed, found = run(code, cold=True, OUTLAY_ENDPOINT=endpoint, OUTLAY_EXIT_TIMEOUT_S=timeout_s)
        assert printed == ""
        return found

    silent_s = lived_s(nobody, "5")
    assert silent_s >= 4  # five, of which a little passed before the exit began
    assert min(lived_s(nobody, "0.5") for _ in range(2)) < silent_s
    assert min(lived_s("http://127.0.0.1:9", "60") for _ in range(2)) < silent_s  # nobody is waited for who refuses


def test_what_cannot_be_sent_lands_in_the_spool_file(tmp_path: Path) -> None:
    target = str(tmp_path / "spool-{pid}.otlp")
    code = f"import outlay\noutlay.init('app')\nfor _ in range(700): {RECORD}\noutlay.flush(20)\nprint(outlay.stats())"
    printed, _ = run(code, OUTLAY_ENDPOINT="http://127.0.0.1:9", OUTLAY_SPOOL_FILE=target)
    (written,) = tmp_path.iterdir()
    assert len(spans_of(written.read_bytes())) == 700
    assert printed == "{'exported': 0, 'dropped': 0, 'spooled': 700}"


def test_parent_and_forked_child_each_send_what_is_theirs() -> None:
    code = f"""
import os, outlay
outlay.init('app')
with outlay.track('parent'): {RECORD}
child = os.fork()
if child == 0:
    with outlay.track('child'): {RECORD}
    outlay.flush(10)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    with receiver() as server:
        run(code, OUTLAY_ENDPOINT=server.url.removesuffix("/hook"))
        names = [span.name for body in server.bodies for span in spans_of(gzip.decompress(body))]
    assert sorted(names) == ["chat gpt-4o", "chat gpt-4o", "child", "parent"]


@pytest.mark.parametrize("bound", [{"queue_spans": 100, "batch_spans": 100}, {"queue_bytes": 100 * 400}])
def test_a_full_queue_drops_and_counts(bound: dict[str, Any]) -> None:
    class Away(MemorySender):
        status = 0

        def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
            return Answer(self.status)

    sender = Away()
    with capture(sender=sender, raise_errors=False, **bound):
        for _ in range(1000):
            outlay.record(usage={"input_tokens": 1}, model="gpt-4o")
        pipeline = get_client().pipeline
        assert pipeline is not None
        assert pipeline.dropped >= 700
        pipeline.shutdown(0)
        assert outlay.stats()["dropped"] == 1000
        sender.status = 200


def test_drops_show_in_the_applications_own_metrics() -> None:
    code = f"""
import outlay
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
outlay.init('app')
{RECORD}
outlay.shutdown(0)
for found in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    print(found.name, found.data.data_points[0].value)
"""
    printed, _ = run(code, OUTLAY_ENDPOINT="http://127.0.0.1:9")
    assert printed == "outlay.sdk.spans.dropped 1"


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_applications_tracer_provider_stays_and_its_spans_reach_both(when: str) -> None:
    make = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
theirs, seen = TracerProvider(), InMemorySpanExporter()
theirs.add_span_processor(SimpleSpanProcessor(seen))
trace.set_tracer_provider(theirs)
"""
    init = "import outlay\noutlay.init('app')\n"
    code = (
        (make + init if when == "before" else init + make)
        + f"""
assert trace.get_tracer_provider() is theirs
with trace.get_tracer("mine").start_as_current_span("handler"): {RECORD}
print(sorted(span.name for span in seen.get_finished_spans()))
"""
    )
    with receiver() as server:
        printed, _ = run(code, OUTLAY_ENDPOINT=server.url.removesuffix("/hook"))
        names = sorted(span.name for body in server.bodies for span in spans_of(gzip.decompress(body)))
    assert printed == "['handler']"
    assert names == ["chat gpt-4o", "handler"]


def test_sampling_drops_content_and_never_the_cost() -> None:
    with FakeProvider() as provider, capture(capture_content=True, content_ratio=0.5) as sent:
        client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none")
        for _ in range(40):
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
        client.close()
        kept = sum(semconv.INPUT_MESSAGES in span.attributes for span in sent.calls)
        assert 5 < kept < 35
        assert all(span.attributes[semconv.COST_USD] > 0 for span in sent.calls)
        assert len(sent.calls) == 40


def test_what_is_redacted_never_reaches_any_processor() -> None:
    seen, theirs = InMemorySpanExporter(), TracerProvider()
    theirs.add_span_processor(SimpleSpanProcessor(seen))

    def redact(text: str) -> str:
        return text.replace("4111", "****")

    with (
        FakeProvider() as provider,
        capture(capture_content=True, redact=redact, tracer_provider=theirs, share_spans=True),
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
    ):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "my card 4111"}])
    (span,) = seen.get_finished_spans()
    assert "****" in str(span.attributes)
    assert "4111" not in str(span.attributes)


@pytest.mark.parametrize("fails", [True, False])
def test_a_redactor_that_fails_or_forgets_to_return_keeps_the_call_and_not_the_text(fails: bool) -> None:
    def redact(text: str) -> Any:
        if fails:
            raise RuntimeError("no")

    @outlay.track
    def answer(messages: list[dict[str, str]]) -> dict[str, Any]:
        return {"usage": {"prompt_tokens": 3, "completion_tokens": 2}, "output_text": "4111"}

    with (
        FakeProvider() as provider,
        capture(capture_content=True, redact=redact, raise_errors=False) as sent,
        openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client,
    ):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "my card 4111"}])
        answer([{"role": "user", "content": "my card 4111"}])
        calls = sent.calls
    assert [span.attributes[semconv.OUTPUT_TOKENS] for span in calls] == [10, 2]
    assert "4111" not in str(calls)


def test_switched_off_nothing_of_opentelemetrys_sdk_is_imported_and_nothing_is_hooked() -> None:
    printed, _ = run(
        f"""
import httpx, sys
send = httpx.Client.send
import outlay
outlay.init('app')
@outlay.track(feature='f')
def work(x: int) -> int: return x + 1
assert work(1) == 2
{RECORD}
with outlay.tags(user='u'): pass
assert httpx.Client.send is send
print([name for name in ("opentelemetry.sdk.trace", "urllib3", "outlay.wire.exchange") if name in sys.modules])
import threading; print(threading.active_count())
""",
        cold=True,
        OUTLAY_DISABLED="true",
    )
    assert printed == "[]\n1"


def test_init_from_many_threads_and_twice_is_one_set_up() -> None:
    code = f"""
import threading, outlay
threads = [threading.Thread(target=outlay.init, args=('app',)) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
outlay.init('app')
{RECORD}
"""
    with receiver() as server:
        run(code, OUTLAY_ENDPOINT=server.url.removesuffix("/hook"))
        assert count(server) == 1


def count(server: Received) -> int:
    return sum(len(spans_of(gzip.decompress(body))) for body in server.bodies)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(PATHS), body=st.dictionaries(st.sampled_from(WORDS), ANYTHING), stream=st.booleans())
def test_whatever_an_answer_looks_like_it_is_one_call_and_reaches_the_application(
    path: str, body: dict[str, Any], stream: bool
) -> None:
    raw = f"data: {json.dumps(body)}\n\n".encode() if stream else json.dumps(body).encode()
    kind = "text/event-stream" if stream else "application/json"
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=raw, headers={"content-type": kind}))
    asked = {"model": "m", "messages": [], "input": "x", "stream": stream}
    with capture(raise_errors=False) as sent, httpx.Client(transport=transport) as client:
        assert client.post(f"http://x{path}", json=asked).content == raw
        assert len(sent.calls) == 1
