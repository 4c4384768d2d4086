"""Outlay beside another library's tracing in one process: it loses nothing by us, and each request is counted once.

Each library has an environment of its own (`make clients`); its exporter and ours send to servers on loopback, and
with OUTLAY_SERVER_PYTHON, a Python with the server's packages, ours is a real one that counts.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fake_provider import Answer, FakeProvider
from tests.receiver import Received, receiver

ROOT = Path(__file__).parents[2]
SERVER_PYTHON = os.environ.get("OUTLAY_SERVER_PYTHON", "")
APART = "has an environment of its own: make clients runs it"

# What each library asks for, as its documentation has it; PEER is where its exporter sends to.
PEERS = {
    "langfuse": """
import langfuse
theirs = langfuse.Langfuse(public_key="pk", secret_key="sk", base_url=PEER)
from langfuse.openai import openai
flush = theirs.flush
""",
    "openlit": """
import openlit
openlit.init(otlp_endpoint=PEER, disable_metrics=True, disable_batch=True, application_name="theirs")
""",
    "traceloop.sdk": """
from traceloop.sdk import Traceloop
Traceloop.init(app_name="theirs", api_endpoint=PEER, api_key="none", disable_batch=True, telemetry_enabled=False)
""",
    "openinference.instrumentation.openai": """
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(PEER + "/v1/traces")))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
""",
    "logfire": """
import logfire
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
logfire.configure(send_to_logfire=False, console=False, service_name="theirs", inspect_arguments=False,
    additional_span_processors=[SimpleSpanProcessor(OTLPSpanExporter(PEER + "/v1/traces"))])
logfire.instrument_openai()
""",
    "mlflow": """
os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = PEER + "/v1/traces"
os.environ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = "http/protobuf"
import mlflow
mlflow.set_tracking_uri("file://" + os.getcwd() + "/mlruns")
mlflow.openai.autolog()
flush = mlflow.flush_trace_async_logging
""",
}

PROGRAM = """
import asyncio, os, warnings
warnings.simplefilter("ignore")
PEER, ORDER = os.environ["PEER"], os.environ["ORDER"]
flush = lambda: None

def ours():
    import outlay
    outlay.init("shop")

if ORDER == "outlay first":
    ours()
{peer}
if ORDER == "outlay last":
    ours()
import openai

def ask():
    given = dict(model="gpt-4o", messages=[{{"role": "user", "content": "hi"}}])
    client = openai.OpenAI(base_url=os.environ["PROVIDER"], api_key="none")
    client.chat.completions.create(**given)
    for _ in client.chat.completions.create(**given, stream=True, stream_options={{"include_usage": True}}):
        pass

    async def later():
        async with openai.AsyncOpenAI(base_url=os.environ["PROVIDER"], api_key="none") as client:
            await client.chat.completions.create(**given)

    asyncio.run(later())

if ORDER != "alone":
    import outlay
    ask = outlay.track(feature="faq")(ask)
ask()
flush()
if ORDER != "alone":
    assert outlay.flush(60)
"""
REQUESTS = 3


def asked_for(peer: str) -> bool:
    try:
        return importlib.util.find_spec(peer) is not None
    except ModuleNotFoundError:
        return False


def run(peer: str, order: str, folder: Path, provider: FakeProvider, theirs: Received, endpoint: str) -> None:
    """The program to its end; it must leave as it would without us."""
    provider.queue(
        *(Answer(text="four words of answer", input_tokens=900, output_tokens=60, response_id=f"r{number}")
          for number in range(REQUESTS))
    )  # fmt: skip
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    environ |= {
        "PYTHONPATH": "",  # Outlay is installed there, as for anybody
        "PEER": theirs.url.removesuffix("/hook"),
        "PROVIDER": f"{provider.url}/v1",
        "ORDER": order,
        "OUTLAY_ENDPOINT": endpoint,
        "XDG_STATE_HOME": str(folder / "state"),
        "HOME": str(folder),
    }
    (folder / "app.py").write_text(PROGRAM.format(peer=PEERS[peer]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "app.py"], env=environ, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def told(theirs: Received) -> list[tuple[str, str, dict[str, str], str]]:
    """What the library's exporter got: name, parent's name, attributes as far as runs are alike, service."""
    spans: list[Any] = []
    for body, given, path in zip(theirs.bodies, theirs.headers, theirs.paths, strict=True):
        headers = {name.lower(): value for name, value in given.items()}
        if not path.endswith("/traces"):
            continue
        packed = headers.get("content-encoding") == "gzip"
        for group in ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body).resource_spans:
            service = {a.key: a.value.string_value for a in group.resource.attributes}.get("service.name", "")
            spans += [(span, service) for scope in group.scope_spans for span in scope.spans]
    names = {span.span_id: span.name for span, _ in spans}
    found = [
        (
            span.name,
            names.get(span.parent_span_id, "missing") if span.parent_span_id else "",
            {attribute.key: masked(attribute.value) for attribute in span.attributes},
            service,
        )
        for span, service in spans
    ]
    return sorted(found, key=lambda span: json.dumps(span, sort_keys=True))


def masked(value: Any) -> str:
    """A value without times, ports, and ids that are drawn at random."""
    if value.WhichOneof("value") == "double_value":
        return "a number"
    text = str(value).strip()
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z-]*", "a time", text)
    text = re.sub(r"\b[0-9a-f]{16,32}\b|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|tr-[0-9a-f]+", "an id", text)
    return re.sub(r"\d{9,}|\d+\.\d+", "a number", text)


@contextmanager
def counting_server(folder: Path) -> Iterator[str]:
    """A real Outlay server."""
    roots = os.pathsep.join(str(ROOT / name) for name in ("sdk", "collector", "analytics", "web"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    process = subprocess.Popen(
        [SERVER_PYTHON, "-m", "outlay_web", "serve", "--data", str(folder), "--port", "0", "--grpc-port", "0"],
        env={**kept, "PYTHONPATH": roots},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready at http://" in line
        yield line.split("ready at ")[1].split(",")[0].split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=120)


def counted(url: str) -> list[dict[str, Any]]:
    """The calls that the server counts, once it has settled all of them."""
    ends = time.monotonic() + 120
    while True:
        with urllib.request.urlopen(f"{url}/api/v1/calls", timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["calls"]
        if len(found) >= REQUESTS or time.monotonic() > ends:
            return found
        time.sleep(0.5)


@pytest.mark.parametrize("peer", PEERS)
def test_another_librarys_exporter_gets_what_it_got_and_outlay_counts_once(peer: str, tmp_path: Path) -> None:
    if not asked_for(peer):
        pytest.skip(f"{peer} {APART}")
    with FakeProvider() as provider, receiver() as without:
        run(peer, "alone", tmp_path, provider, without, "http://127.0.0.1:9")
        expected = told(without)
        assert expected, "the library has sent nothing"
        for order in ("outlay first", "outlay last"):
            with receiver() as theirs, receiver() as ours:
                run(peer, order, tmp_path, provider, theirs, ours.url.removesuffix("/hook"))
                assert told(theirs) == expected, order
                calls = [
                    {a.key: a.value for a in span.attributes}
                    for body in ours.bodies
                    for group in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans
                    for scope in group.scope_spans
                    if scope.scope.name == "outlay"
                    for span in scope.spans
                ]
            ids = [call["gen_ai.response.id"].string_value for call in calls if "gen_ai.response.id" in call]
            assert sorted(ids) == ["r0", "r1", "r2"], order
        if SERVER_PYTHON:
            with counting_server(tmp_path / "data") as url, receiver() as theirs:
                run(peer, "outlay last", tmp_path, provider, theirs, url)
                calls = counted(url)
            assert [call["input_tokens"] for call in calls] == [900] * REQUESTS
            assert [call["output_tokens"] for call in calls] == [60] * REQUESTS
            assert {call["feature"] for call in calls} == {"faq"}
