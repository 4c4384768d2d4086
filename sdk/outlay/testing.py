"""For tests, ours and yours: what would have been sent, with ids and times that repeat.

from outlay.testing import capture

def test_triage_is_one_call():
    with capture() as sent:
        triage("my card was declined")
    assert [call.attributes["outlay.feature"] for call in sent.calls] == ["support-triage"]
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace.id_generator import IdGenerator

from outlay import _safely, semconv
from outlay.export.sender import Answer, Sender
from outlay.optimizations.experiment import forced as forced_arms
from outlay.settings import Settings
from outlay.tracing import lifecycle
from outlay.tracing.client import Client
from outlay.tracing.lent import lend, take_back

__all__ = [
    "Capture",
    "CountingIds",
    "FakeClock",
    "MemorySender",
    "SentScore",
    "SentSpan",
    "capture",
    "forced_arms",
]


@dataclass(frozen=True, slots=True)
class SentSpan:
    """One span as it went out."""

    name: str
    scope: str
    trace_id: str
    span_id: str
    parent_span_id: str
    start_ns: int
    end_ns: int
    error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SentScore:
    """One evaluation as it went out."""

    name: str
    value: float | None
    label: str | None
    trace_id: str
    span_id: str


class CountingIds(IdGenerator):
    """Trace and span ids that count from 1."""

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        """The next trace id."""
        return next(self._traces)

    def generate_span_id(self) -> int:
        """The next span id."""
        return next(self._spans)


class FakeClock:
    """Starts at a moment and moves on by a step with every look."""

    def __init__(self, start_ns: int = 1_767_225_600_000_000_000, step_ns: int = 1_000_000_000) -> None:
        self._next_ns = start_ns
        self.step_ns = step_ns

    def __call__(self) -> int:
        """The time, in nanoseconds."""
        now_ns = self._next_ns
        self._next_ns += self.step_ns
        return now_ns


class MemorySender(Sender):
    """Keeps the requests instead of sending them; `answers` are given in order, then 200."""

    def __init__(self, *answers: tuple[int, float] | Answer) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.answers = list(answers)

    def prepare(self) -> None:
        """Nothing is needed."""

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """Keep one request if the answer is 200."""
        answer = Answer(*self.answers.pop(0)) if self.answers else Answer(200)
        if answer.status == 200:
            self.requests.append((signal, body))
        return answer

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Capture:
    """What was sent while it was active; reading flushes first."""

    sender: MemorySender
    flush_timeout_s: float = 10.0
    _client: Any = field(default=None, repr=False)

    def _flush(self) -> None:
        if self._client.pipeline is not None:
            self._client.pipeline.flush(self.flush_timeout_s)

    @property
    def spans(self) -> list[SentSpan]:
        """Every span, in the order of their ends."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self._flush()
        found = []
        for signal, body in self.sender.requests:
            if signal == "traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = _attributes(group.resource.attributes)
                    for scope in group.scope_spans:
                        found += [_span(span, scope.scope.name, resource) for span in scope.spans]
        return sorted(found, key=lambda span: span.end_ns)

    @property
    def calls(self) -> list[SentSpan]:
        """Our spans that are calls to a model."""
        return [span for span in self.spans if span.scope == semconv.SCOPE and semconv.OPERATION in span.attributes]

    @property
    def scores(self) -> list[SentScore]:
        """Every evaluation."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        self._flush()
        found = []
        for signal, body in self.sender.requests:
            if signal == "logs":
                for group in ExportLogsServiceRequest.FromString(body).resource_logs:
                    for scope in group.scope_logs:
                        for record in scope.log_records:
                            facts = _attributes(record.attributes)
                            found.append(
                                SentScore(
                                    facts[semconv.EVALUATION_NAME],
                                    facts.get(semconv.EVALUATION_VALUE),
                                    facts.get(semconv.EVALUATION_LABEL),
                                    record.trace_id.hex(),
                                    record.span_id.hex(),
                                )
                            )
        return found


@contextmanager
def capture(
    *,
    ids: IdGenerator | None = None,
    clock: FakeClock | None = None,
    sender: MemorySender | None = None,
    tracer_provider: Any = None,
    redact: Any = None,
    raise_errors: bool = True,
    **settings: Any,
) -> Iterator[Capture]:
    """Send to memory instead of a server.

    Args:
        ids: Where ids come from; `CountingIds()` makes them repeat.
        clock: Where times come from.
        sender: Keeps, or refuses, the requests.
        tracer_provider: As in `init()`.
        redact: As in `init()`.
        raise_errors: Let mistakes of the SDK surface; in production they are logged and swallowed.
        **settings: As in `init()`, and any other setting by its name.
    """
    from outlay.wire import forget, install

    before = lifecycle._client, lifecycle._started, _safely.raise_errors
    outer, outer_enabled = lifecycle._client, lifecycle._client.enabled
    lent = take_back(outer.own_provider)
    outer.enabled = False  # what runs meanwhile is not the application's traffic
    replacement = Client()
    settings.setdefault("set_global", False)
    settings.setdefault("flush_interval_ms", 20)
    memory = sender or MemorySender()
    lifecycle._client, lifecycle._started = replacement, True
    replacement.explicit = True
    _safely.raise_errors = raise_errors
    forget()
    try:
        replacement.clock = clock
        if clock is not None:
            replacement.now_ns = clock
        replacement.configure(
            Settings.from_env(os.environ, **settings), redact=redact, sender=memory, ids=ids, provider=tracer_provider
        )
        if replacement.settings.wire:
            install()
        yield Capture(memory, _client=replacement)
        lifecycle.end_open_calls(replacement)
        if replacement.pipeline is not None:
            replacement.pipeline.flush(10)
    finally:
        if replacement.pipeline is not None:
            replacement.pipeline.shutdown(1)
        replacement.enabled = False
        take_back(replacement.own_provider)
        lifecycle._client, lifecycle._started, _safely.raise_errors = before
        outer.enabled = outer_enabled
        if lent and outer.own_provider is not None:
            lend(outer.own_provider)


def _span(span: Any, scope: str, resource: dict[str, Any]) -> SentSpan:
    return SentSpan(
        name=span.name,
        scope=scope,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        error=span.status.code == 2,
        attributes=_attributes(span.attributes),
        resource=resource,
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
