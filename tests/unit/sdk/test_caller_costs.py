"""What a call costs its caller, counted in functions that are called: unlike a time, it is the same on any machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind

import outlay
from outlay.testing import capture

FACTS: dict[str, Any] = {"feature": "support", "user": "u", "customer": "acme", "prompt_version": "v3"}
USAGE = SimpleNamespace(prompt_tokens=412, completion_tokens=220, total_tokens=632)
CHOICE = SimpleNamespace(index=0, finish_reason="stop")
RESPONSE = SimpleNamespace(id="c1", model="gpt-4o-2024-11-20", choices=[CHOICE], usage=USAGE)


def chat(model: str) -> Any:
    return RESPONSE


def calls_of(function: Callable[[], object]) -> int:
    """Functions, of Python's and of C's, that are called in one call."""
    for _ in range(3):
        function()
    count = 0

    def see(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_a_call_that_is_tracked_or_recorded_does_less_than_a_raw_span_with_the_same_attributes() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SpanProcessor())
    tracer = provider.get_tracer("raw")

    def raw() -> Any:
        with tracer.start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT) as span:
            response = chat("gpt-4o")
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.response.model": response.model,
                    "gen_ai.response.id": response.id,
                    "gen_ai.usage.input_tokens": response.usage.prompt_tokens,
                    "gen_ai.usage.output_tokens": response.usage.completion_tokens,
                    "outlay.feature": "support",
                    "user.id": "u",
                    "outlay.customer": "acme",
                    "outlay.prompt.version": "v3",
                }
            )
            return response

    tracked = outlay.track(**FACTS)(chat)
    with capture(flush_interval_ms=60_000):
        most = calls_of(raw)
        assert calls_of(lambda: tracked("gpt-4o")) < 0.75 * most
        usage = {"input_tokens": 412, "output_tokens": 220}
        assert calls_of(lambda: outlay.record(usage=usage, model="gpt-4o", provider="openai", **FACTS)) < 0.9 * most
    provider.shutdown()
