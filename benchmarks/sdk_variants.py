"""One way to instrument a function, measured in a process of its own: what it adds to the caller's CPU per call."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import sdk_levers

Function = Callable[..., Any]
Instrumented = tuple[Function, Callable[[], object]]


PASSES = 20


def nothing() -> None:
    """Nothing to wait for."""


def measure(variant: str, calls: int, base: str = "") -> list[float]:
    """CPU of the calling thread that a call costs more than the function alone, in µs; then the same of `base`, if any.

    The two take turns in one process, pass after pass: what else the machine does hits both, and the best pass of each
    has the least of it.
    """
    import logging
    import time

    logging.disable(logging.CRITICAL)
    response, messages = make_response(), make_messages()

    def chat(messages: list[dict[str, str]], model: str = "gpt-4o", temperature: float = 0.2) -> object:
        return response

    ways = [instrument(name, chat) for name in (variant, base) if name]

    def run(function: Function, count: int, flush: Callable[[], object] = nothing) -> float:
        started = time.thread_time()
        for _ in range(count):
            function(messages, model="gpt-4o", temperature=0.2)
        spent = time.thread_time() - started
        flush()
        return spent / count * 1e6

    for function, flush in ways:
        run(function, calls, flush)
    bare = min(run(chat, 5000) for _ in range(3))
    passes = [[run(function, calls, flush) for function, flush in ways] for _ in range(PASSES)]
    return [min(found) - bare for found in zip(*passes, strict=True)]


def make_messages() -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "You are a helpful support agent. " * 10},
        {"role": "user", "content": "prompt text word " * 70},
    ]


def make_response() -> object:
    from types import SimpleNamespace as Plain

    class Response(Plain):
        """Shaped like a chat completion."""

    details = Plain(cached_tokens=128)
    usage = Plain(prompt_tokens=412, completion_tokens=220, total_tokens=632, prompt_tokens_details=details)
    message = Plain(role="assistant", content="completion text word " * 50)
    choice = Plain(index=0, finish_reason="stop", message=message)
    return Response(id="chatcmpl-123", model="gpt-4o-2024-11-20", choices=[choice], usage=usage)


def instrument(variant: str, chat: Function) -> Instrumented:
    """The instrumented function, and what waits until its spans are gone."""
    if variant.startswith("lever"):
        if sdk_levers.python_of(variant):
            return sdk_levers.lever(variant, chat), nothing
        instrument_outlay("outlay", chat)  # sends to nowhere
        return sdk_levers.lever(variant, chat), nothing
    if variant.startswith("outlay"):
        return instrument_outlay(variant, chat)
    if variant.startswith("otel"):
        return instrument_otel(variant, chat)
    exporter = no_exporter()
    if variant == "langfuse":
        from langfuse import Langfuse, observe  # type: ignore[import-not-found]

        client = Langfuse(public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=exporter)
        return observe(as_type="generation")(chat), client.flush
    if variant == "openlit":
        import openlit  # type: ignore[import-not-found]
        from opentelemetry.exporter.otlp.proto.http import trace_exporter

        trace_exporter.OTLPSpanExporter.export = exporter.export  # type: ignore[method-assign]
        openlit.init(otlp_endpoint="http://127.0.0.1:9", disable_metrics=True, disable_events=True)
        return openlit.trace(chat), nothing
    if variant == "traceloop":
        from traceloop.sdk import Traceloop  # type: ignore[import-not-found]
        from traceloop.sdk.decorators import task  # type: ignore[import-not-found]

        Traceloop.init(app_name="x", exporter=exporter, telemetry_enabled=False, instruments=set())
        return task(name="chat")(chat), nothing
    if variant == "logfire":
        import logfire  # type: ignore[import-not-found]
        from opentelemetry.sdk.trace import SpanProcessor

        logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[SpanProcessor()])
        return logfire.instrument("chat", record_return=True)(chat), nothing
    if variant == "mlflow":
        # Without an OpenTelemetry endpoint it writes each trace to its store in the caller's thread: 40 ms a call.
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://127.0.0.1:9/v1/traces"
        import tempfile

        import mlflow  # type: ignore[import-not-found]

        mlflow.set_tracking_uri("file://" + tempfile.mkdtemp())
        return mlflow.trace(name="chat", span_type="LLM")(chat), nothing
    raise SystemExit(f"unknown variant {variant}")


def instrument_outlay(variant: str, chat: Function) -> Instrumented:
    import outlay
    from outlay.export.encode import Encoder
    from outlay.export.sender import Answer, Sender

    def encode(self: Encoder, spans: object, late: dict[int, object]) -> bytes:
        late.clear()
        return b"-"  # nothing at all would mean that it is still being encoded

    Encoder.spans = encode  # type: ignore[method-assign]
    Sender.send = lambda self, signal, body, timeout_s: Answer(200)  # type: ignore[method-assign]
    outlay.init("bench", capture_content=variant.endswith("content"), endpoint="http://127.0.0.1:9")
    facts: dict[str, Any] = {"feature": "support-chat", "user": "user_1", "customer": "acme", "prompt_version": "v3"}
    if variant == "outlay record":
        usage = {"input_tokens": 412, "cache_read_tokens": 128, "output_tokens": 220}

        def record(messages: object, model: str, temperature: float) -> None:
            outlay.record(
                usage=usage,
                model=model,
                provider="openai",
                response_model="gpt-4o-2024-11-20",
                started_at=1772366400.0,
                ended_at=1772366401.5,
                **facts,
            )

        return record, outlay.flush
    return outlay.track(**facts)(chat), outlay.flush


def instrument_otel(variant: str, chat: Function) -> Instrumented:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind

    provider = TracerProvider()
    flush: Callable[[], object] = nothing
    if variant.endswith("batch"):
        provider.add_span_processor(BatchSpanProcessor(no_exporter(), max_queue_size=1 << 16))
        flush = provider.force_flush
    else:
        provider.add_span_processor(SpanProcessor())
    tracer = provider.get_tracer("floor")
    content = variant != "otel"

    def call(messages: list[dict[str, str]], model: str, temperature: float) -> object:
        with tracer.start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT) as span:
            response = chat(messages, model=model, temperature=temperature)
            usage = response.usage
            found = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model,
                "gen_ai.response.model": response.model,
                "gen_ai.response.id": response.id,
                "gen_ai.request.temperature": temperature,
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
                "gen_ai.response.finish_reasons": ("stop",),
                "outlay.feature": "support-chat",
                "user.id": "user_1",
                "outlay.customer": "acme",
                "outlay.prompt.version": "v3",
            }
            if content:
                said = [{"role": "assistant", "content": response.choices[0].message.content}]
                found["gen_ai.input.messages"] = json.dumps(messages)
                found["gen_ai.output.messages"] = json.dumps(said)
            span.set_attributes(found)
            return response

    return call, flush


def no_exporter() -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Nowhere()
