"""OTLP over gRPC: the stock exporter and raw calls."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from tests.landing import Collector, authenticate, collector
from tests.otlp_bodies import body, logs_body, span

from outlay_collector.receive.grpc import start_grpc
from outlay_collector.store import Store

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@contextmanager
def serving(made: Collector) -> Iterator[int]:
    """The port of a gRPC server on an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(start_grpc(made.spool, authenticate, "127.0.0.1", 0), loop).result(10)
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(0.2), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Iterator[Collector]:
    with collector(store, tmp_path / "spool") as one:
        yield one


def call(port: int, method: str, sent: bytes, metadata: Any = None) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = channel.unary_unary(method)(sent, metadata=metadata, timeout=10)
        assert isinstance(answer, bytes)
        return answer


def test_the_stock_exporter_delivers_with_and_without_gzip(made: Collector) -> None:
    with serving(made) as port:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            provider = TracerProvider()
            exporter = OTLPSpanExporter(f"127.0.0.1:{port}", insecure=True, compression=compression)
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            with provider.get_tracer("t").start_as_current_span("hello") as one:
                one.set_attribute("gen_ai.usage.input_tokens", 12)
            provider.shutdown()
    made.load()
    rows = made.spans()
    assert [row["name"] for row in rows] == ["hello", "hello"]
    assert rows[0]["attributes"]["gen_ai.usage.input_tokens"] == "12"


def test_bad_data_is_invalid_argument_and_bad_spans_are_told(made: Collector) -> None:
    rng = random.Random(1)
    with serving(made) as port:
        with pytest.raises(grpc.RpcError) as caught:
            call(port, TRACES, b"\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        answer = call(port, TRACES, body([span(rng), span(rng, span_id=b"x")]))
        assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 1
        assert call(port, LOGS, logs_body([{"event_name": "gen_ai.choice"}])) == b""
        with pytest.raises(grpc.RpcError) as caught:
            call(port, "/opentelemetry.proto.collector.trace.v1.TraceService/Import", b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_metadata_carries_the_key(made: Collector) -> None:
    rng = random.Random(1)
    with serving(made) as port:
        call(port, TRACES, body([span(rng)]), (("authorization", "Bearer b-key"),))
        with pytest.raises(grpc.RpcError) as caught:
            call(port, TRACES, body([span(rng)]), (("authorization", "Bearer nope"),))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    made.load()
    assert [row["project"] for row in made.spans()] == ["b"]


def test_a_wrong_key_is_refused_before_the_body_is_read(made: Collector) -> None:
    sent = threading.Event()

    def bodies() -> Iterator[bytes]:
        sent.wait()  # the server has the metadata and nothing else
        yield b""

    with serving(made) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(TRACES)(bodies(), metadata=(("authorization", "Bearer nope"),), timeout=30)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        finally:
            sent.set()


def test_a_full_spool_is_unavailable_and_says_when_to_retry(store: Store, tmp_path: Path) -> None:
    rng = random.Random(1)
    with collector(store, tmp_path / "spool", quota_bytes=1) as made, serving(made) as port:
        with pytest.raises(grpc.RpcError) as caught:
            call(port, TRACES, body([span(rng)]))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
        retry = RetryInfo()
        assert Status.FromString(details).details[0].Unpack(retry)
        assert retry.retry_delay.seconds > 0
