"""Ways out other than OTLP over HTTP: gRPC as OpenTelemetry's variables ask for it, exporters of the application."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, TraceFlags
from tests.receiver import receiver

import outlay
from outlay import _safely, semconv
from outlay.errors import ConfigError
from outlay.export.choose import sender_for
from outlay.export.exporter_sender import TRIES, ExporterSender
from outlay.export.grpc_sender import GrpcSender
from outlay.export.sender import Sender
from outlay.settings import Settings
from outlay.testing import capture
from outlay.tracing.lifecycle import get_client

ROOT = Path(__file__).parents[2]


def through(exporter: Any = None, **settings: Any) -> Any:
    """Send what is captured as `init(exporter=…, …)` would."""
    return capture(sender=sender_for(Settings.from_env({}, **settings), exporter), raise_errors=False)  # type: ignore[arg-type]


def ask() -> None:
    outlay.record(usage={"input_tokens": 1000, "output_tokens": 100}, model="gpt-4o", provider="openai")


class Collector:
    """A gRPC server on loopback that keeps what comes, and answers with the queued codes, then OK."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes, dict[str, str]]] = []
        self.codes: list[grpc.StatusCode] = []
        self.server = grpc.server(ThreadPoolExecutor(2))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self.answer(details, body, context))

    def answer(self, details: Any, body: bytes, context: Any) -> bytes:
        if self.codes:
            context.abort(self.codes.pop(0), "not now")
        self.calls.append((details.method, body, dict(details.invocation_metadata)))
        return b""


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.server.stop(0).wait()


def test_spans_and_scores_go_over_grpc_where_opentelemetrys_variables_say_so(collector: Collector) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=search%20team",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    sender = sender_for(Settings.from_env(environ, api_key="k"))
    assert type(sender) is GrpcSender
    collector.codes = [grpc.StatusCode.UNAVAILABLE]
    with capture(sender=sender, raise_errors=False):  # type: ignore[arg-type]
        ask()
        outlay.score("helpful", True)
        assert outlay.flush(20)
        assert outlay.stats() == {"exported": 2, "dropped": 0, "spooled": 0}
        collector.codes = [grpc.StatusCode.INVALID_ARGUMENT]
        ask()
        assert not outlay.flush(20)
        assert outlay.stats()["dropped"] == 1
    sender.end()
    assert sorted(method.split(".")[3] for method, _, _ in collector.calls) == ["logs", "trace"]
    for _, _, metadata in collector.calls:
        assert (metadata["x-team"], metadata["authorization"]) == ("search team", "Bearer k")
    (body,) = [body for method, body, _ in collector.calls if "TraceService" in method]
    (span,) = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert span.name == "chat gpt-4o"


@pytest.mark.parametrize(
    ("environ", "given", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {}, ("grpc", "http://localhost:4317")),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
         | {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4317/"}, {}, ("grpc", "https://c:4317")),
        # The variables are about OpenTelemetry's endpoint, not about ours.
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {"endpoint": "http://outlay:4318"},
         ("http/protobuf", "http://outlay:4318/v1/traces")),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OUTLAY_ENDPOINT": "http://outlay:4318"}, {},
         ("http/protobuf", "http://outlay:4318/v1/traces")),
        ({"OUTLAY_ENDPOINT": "outlay:4317", "OUTLAY_PROTOCOL": "grpc"}, {}, ("grpc", "outlay:4317")),
        ({}, {"endpoint": "http://outlay:4317", "protocol": "grpc"}, ("grpc", "http://outlay:4317")),
    ],
)  # fmt: skip
def test_the_protocol_and_the_endpoint_belong_together(
    environ: dict[str, str], given: dict[str, Any], expected: tuple[str, str]
) -> None:
    settings = Settings.from_env(environ, **given)
    assert (settings.protocol, settings.traces_url) == expected


def test_a_protocol_that_is_not_spoken_is_named_and_http_is_used() -> None:
    problems: list[ConfigError] = []
    settings = Settings.from_env({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, on_error=problems.append)
    assert settings.protocol == "http/protobuf"
    assert "expected one of http/protobuf, grpc" in str(problems[0])


def test_without_grpcs_package_what_to_install_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(_safely._last, "protocol", raising=False)
    assert type(sender_for(Settings.from_env({}, protocol="grpc"))) is Sender
    assert "pip install 'outlay[otlp]'" in caplog.text


def test_http_sends_plain_where_asked_and_reads_certificates_of_the_specification(tmp_path: Path) -> None:
    with receiver() as server:
        url = server.url.removesuffix("/hook")
        with through(endpoint=url, compression="none"):
            ask()
            assert outlay.flush(20)
        assert ExportTraceServiceRequest.FromString(server.bodies[0]).resource_spans
        assert "Content-Encoding" not in {name.title() for name in server.headers[0]}
    settings = Settings.from_env(
        {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "traces.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "own.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": "own.key",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        }
    )
    found = (settings.certificate, settings.client_certificate, settings.client_key)
    assert found == ("traces.pem", "own.pem", "own.key")
    assert (settings.compression, settings.insecure) == ("none", True)


class Failing(SpanExporter):
    """Fails as often as asked, then keeps spans."""

    def __init__(self, failures: int, error: bool = False) -> None:
        self.failures, self.error = failures, error
        self.spans: list[ReadableSpan] = []
        self.ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.failures -= 1
        if self.failures >= 0:
            if self.error:
                raise RuntimeError("the exporter is broken")
            return SpanExportResult.FAILURE
        self.spans += spans
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.ended = True


def test_an_exporter_of_the_application_gets_whole_spans_with_their_cost() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    other = SpanContext(1, 2, True, TraceFlags(1))
    with through(exporter) as sent:
        with outlay.track(feature="search"):
            ask()
        sent._client._adopt(provider)
        tracer, links = provider.get_tracer("theirs", "2"), [Link(other, {"why": "x"})]
        with tracer.start_as_current_span("work", links=links) as work:
            work.set_attributes({"words": ["a", "b"], "share": 0.5, "yes": True})
            work.add_event("seen", {"n": 1})
            work.record_exception(ValueError("no"))
        assert outlay.flush(20)
        assert outlay.stats()["exported"] == 3
    call, search, theirs = sorted(exporter.get_finished_spans(), key=lambda span: span.name)
    assert [call.name, search.name, theirs.name] == ["chat gpt-4o", "search", "work"]
    assert call.attributes is not None
    assert call.attributes[semconv.COST_USD] == 0.0035
    assert call.parent is not None
    assert call.parent.span_id == search.context.span_id
    assert theirs.attributes == {"words": ("a", "b"), "share": 0.5, "yes": True}
    assert [event.name for event in theirs.events] == ["seen", "exception"]
    assert (theirs.links[0].context, theirs.links[0].attributes) == (other, {"why": "x"})
    assert theirs.instrumentation_scope is not None
    assert (theirs.instrumentation_scope.name, theirs.instrumentation_scope.version) == ("theirs", "2")
    assert theirs.end_time > theirs.start_time  # type: ignore[operator]


@pytest.mark.parametrize("error", [False, True])
def test_an_exporter_that_fails_is_tried_again_and_loses_nothing(error: bool) -> None:
    exporter = Failing(1, error)
    with through(exporter):
        ask()
        assert outlay.flush(20)
        assert outlay.stats() == {"exported": 1, "dropped": 0, "spooled": 0}
    assert [span.name for span in exporter.spans] == ["chat gpt-4o"]


def test_a_batch_that_an_exporter_never_takes_does_not_stop_the_others() -> None:
    with capture() as sent:
        ask()
        assert sent.spans
    ((_, body),) = sent.sender.requests
    sender = ExporterSender(Settings.from_env({}), Failing(10**9))
    assert [sender.send("traces", body, 1)[0] for _ in range(TRIES)] == [503] * (TRIES - 1) + [400]
    assert sender.send("logs", body, 1)[0] == 400
    assert sender_for(Settings.from_env({}), "no exporter").target == ""


def test_exporters_do_not_share_a_spool_with_the_server_or_with_each_other() -> None:
    settings = Settings.from_env({})
    senders = [
        Sender(settings),
        ExporterSender(settings, InMemorySpanExporter()),
        ExporterSender(settings, OTLPSpanExporter("http://a:1/v1/traces")),
        ExporterSender(settings, OTLPSpanExporter("http://b:1/v1/traces")),
    ]
    assert len({sender.target for sender in senders}) == 4


def test_a_second_init_says_what_it_cannot_change_and_the_exporter_of_the_first_gets_all_at_exit() -> None:
    code = """
import logging, sys, outlay
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
logging.basicConfig(stream=sys.stdout, format="%(message)s")
exporter = ConsoleSpanExporter(formatter=lambda span: span.name + "\\n")
outlay.init("shop", spool_dir="off", exporter=exporter)
outlay.init("shop")
outlay.init()
print("quiet")
outlay.init("books", "prod", exporter=object())
outlay.init("books")
outlay.record(usage={"input_tokens": 1}, model="gpt-4o")
print(outlay.tracing.lifecycle.get_client().settings.service)
"""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path, "OUTLAY_WIRE": "false"},
    )
    first = "outlay: init() was already called; the settings of the first call stay, other "
    said = [first + "exporter, service, environment is not taken", "shop", "chat gpt-4o"]
    assert done.stdout.splitlines() == ["quiet", *said], done


def test_the_names_of_the_entry_points_lead_to_the_exporter_and_the_processor() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    exporter = EntryPoint("outlay", groups["opentelemetry_traces_exporter"]["outlay"], "g").load()
    processor = EntryPoint("outlay", groups["opentelemetry_span_processor"]["outlay"], "g").load()
    with capture() as sent:
        providers = [TracerProvider() for _ in range(3)]
        providers[0].add_span_processor(SimpleSpanProcessor(exporter()))
        providers[1].add_span_processor(processor())
        providers[2].add_span_processor(BatchSpanProcessor(exporter()))
        providers[2].add_span_processor(processor())
        client = get_client()
        for n, provider in enumerate(providers[:2]):
            with outlay.tags(team="blue"):
                provider.get_tracer("theirs").start_span(f"by name {n}").end()
        client._adopt(providers[1])
        client._adopt(providers[2])
        for n, provider in enumerate(providers[1:], 1):
            provider.get_tracer("theirs").start_span(f"beside {n}").end()
            provider.force_flush()
        assert sorted(span.name for span in sent.spans) == ["beside 1", "beside 2", "by name 0", "by name 1"]
        tagged = {span.name: span.attributes.get("outlay.team") for span in sent.spans}
        assert tagged == {"by name 0": None, "by name 1": "blue", "beside 1": None, "beside 2": None}
        for provider in providers:
            provider.shutdown()
    assert not [thread for thread in threading.enumerate() if thread.name == "OtelBatchSpanRecordProcessor"]
