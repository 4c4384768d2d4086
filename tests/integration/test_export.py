"""The queue between the application and the server, over real HTTP and in real processes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp_server import CALL, Server, run, serve
from tests.waiting import until

import outlay
from outlay import _safely
from outlay.export.sender import Answer, Sender
from outlay.settings import Settings
from outlay.testing import MemorySender, capture
from outlay.tracing.lifecycle import get_client


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def test_what_is_queued_at_exit_arrives(server: Server) -> None:
    done = run(f"import outlay\noutlay.init('shop', 'prod', endpoint='{server.url}', api_key='k1')\n" + f"{CALL}\n" * 3)
    assert done.returncode == 0, done.stderr
    assert len(server.spans()) == 3
    _, headers, body = server.bodies[0]
    assert headers["authorization"] == "Bearer k1"
    resource = ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans[0].resource
    facts = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert (facts["service.name"], facts["deployment.environment.name"]) == ("shop", "prod")


def test_without_init_the_environment_decides(server: Server) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
        "OTEL_SERVICE_NAME": "envy",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-a=1",
    }
    done = run(
        """
        import outlay
        @outlay.track(feature="f")
        def work(): pass
        work()
        """,
        **environ,
    )
    assert done.returncode == 0, done.stderr
    assert [span.name for span in server.spans()] == ["work"]
    assert server.bodies[0][1]["x-a"] == "1"


def test_a_forked_child_sends_its_own_and_nothing_twice(server: Server) -> None:
    done = run(
        f"""
        import os, outlay
        outlay.init(endpoint="{server.url}")
        outlay.record(model="before", provider="p")
        child = os.fork()
        outlay.record(model="child" if child == 0 else "parent", provider="p")
        if child:
            _, status = os.waitpid(child, 0)
            assert status == 0
        """
    )
    assert done.returncode == 0, done.stderr
    assert sorted(span.name for span in server.spans()) == ["chat before", "chat child", "chat parent"]


@pytest.mark.parametrize("how", ["shutdown", "exit"])
def test_what_is_recorded_as_the_worker_leaves_is_sent_too(how: str) -> None:
    """A thread that outlives its work ends a span after the last look at the queue and before the count of the lost."""
    with capture(raise_errors=False) as sent:
        outlay.record(model="early", provider="p")
        pipeline = get_client().pipeline
        assert pipeline is not None
        worker, late = pipeline._worker.thread, threading.Thread(target=outlay.record, kwargs={"model": "late"})
        assert worker is not None
        leave = worker.join

        def join(timeout: float | None = None) -> None:
            leave()
            late.start()
            until(lambda: bool(pipeline._waiting), "recorded")

        worker.join = join  # type: ignore[method-assign]
        if how == "exit":
            pipeline.exit()
        else:
            pipeline.shutdown(60)
        late.join()
        assert outlay.stats() == {"exported": 2, "dropped": 0, "spooled": 0}
        assert [span.name for span in sent.spans] == ["chat early", "chat late"]


def test_exit_is_prompt_when_nobody_listens() -> None:
    done = run(f"import outlay\noutlay.init(endpoint='http://127.0.0.1:9')\n{CALL}\nprint(outlay.stats())")
    assert done.returncode == 0, done.stderr


def test_exit_waits_for_its_time_and_no_longer_when_the_server_hangs(server: Server) -> None:
    """One run that may wait for six seconds, among three that may for half a one: a busy machine slows them all."""
    server.delay_s = 20
    code = f"""
        import time, outlay
        outlay.init(endpoint="{server.url}")
        def waits(timeout_s):
            {CALL}
            start = time.monotonic()
            outlay.shutdown(timeout_s)
            return time.monotonic() - start
        brief = [waits(0.5) for _ in range(3)]
        print(min(brief), waits(6))
        """
    done = run(code, OUTLAY_EXIT_TIMEOUT_S="0.5")
    assert done.returncode == 0, done.stderr
    brief_s, long_s = map(float, done.stdout.split())
    assert 0.4 < brief_s < long_s
    assert long_s > 5


def _as_memory(sender: Sender) -> Any:
    return sender


def test_retryable_answers_are_retried_and_others_are_not(server: Server) -> None:
    server.statuses = [(503, {}), (429, {"retry-after": "0"}), (200, {}), (400, {})]
    settings = Settings.from_env({}, endpoint=server.url)
    with capture(sender=_as_memory(Sender(settings)), raise_errors=False):
        _safely._last["drop"] = float("inf")
        outlay.record(model="first", provider="p")
        assert outlay.flush(20)
        outlay.record(model="second", provider="p")
        assert not outlay.flush(20)
        assert outlay.stats() == {"exported": 1, "dropped": 1, "spooled": 0}
    assert [span.name for span in server.spans()] == ["chat first"]


def test_instrumentations_of_http_do_not_see_the_export() -> None:
    """Or each export would make a span, and that another export."""

    class Watching(MemorySender):
        def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
            seen.append(otel_context.get_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY))
            return super().send(signal, body, timeout_s)

    seen: list[object] = []
    with capture(sender=Watching()) as sent:
        outlay.record(model="m", provider="p")
        assert len(sent.calls) == 1
        assert otel_context.get_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY) is None
    assert seen == [True]


def test_what_cannot_be_sent_lands_in_the_spool_file(tmp_path: Path) -> None:
    spool = tmp_path / "spool.pb"
    code = f"import outlay\noutlay.init(endpoint='http://127.0.0.1:9', spool_file='{spool}')\n{CALL}\n"
    assert run(code).returncode == 0
    assert run(code).returncode == 0
    request = ExportTraceServiceRequest.FromString(spool.read_bytes())
    assert sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans) == 2
    assert oct(spool.stat().st_mode & 0o777) == "0o600"


def test_bad_settings_are_named_and_do_not_stop_the_application(server: Server) -> None:
    done = run(
        f"import outlay\noutlay.init(endpoint='{server.url}')\n{CALL}\n",
        OUTLAY_QUEUE_SPANS="many",
        OUTLAY_HEADERS="secret-token",
    )
    assert done.returncode == 0
    assert "OUTLAY_QUEUE_SPANS='many'" in done.stderr
    assert "secret-token" not in done.stderr
    assert len(server.spans()) == 1


def test_the_applications_own_provider_still_wins_after_init(server: Server) -> None:
    done = run(
        f"""
        import outlay
        outlay.init(endpoint="{server.url}")
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        with trace.get_tracer("early").start_as_current_span("early"):
            pass
        mine, memory = TracerProvider(), InMemorySpanExporter()
        mine.add_span_processor(SimpleSpanProcessor(memory))
        trace.set_tracer_provider(mine)
        assert trace.get_tracer_provider() is mine
        with outlay.track(feature="f"), trace.get_tracer("late").start_as_current_span("late"):
            {CALL}
        names = [span.name for span in memory.get_finished_spans()]
        assert names == ["late"], names
        """
    )
    assert done.returncode == 0, done.stderr
    assert "Overriding" not in done.stderr
    assert sorted(span.name for span in server.spans()) == ["chat gpt-4o", "early", "f", "late"]


def test_importing_outlay_loads_neither_server_packages_nor_clients() -> None:
    done = run(
        """
        import sys, outlay
        heavy = {"pandas", "chdb", "clickhouse_connect", "fastapi", "grpc", "requests", "httpx", "openai", "pydantic"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        """
    )
    assert done.returncode == 0, done.stderr


def test_threads_that_make_the_first_calls_together_lose_none(server: Server) -> None:
    code = f"""
        import os, threading
        os.environ["OUTLAY_ENDPOINT"] = "{server.url}"
        import outlay
        together = threading.Barrier(8)
        def call():
            together.wait()
            {CALL}
        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(outlay.flush(30), outlay.stats()["exported"])
        """
    done = run(code)
    assert (done.returncode, done.stdout.split()) == (0, ["True", "8"]), done.stderr
    assert len(server.spans()) == 8
