"""Spans and evaluations → OTLP bytes, on the export thread.

Two things are added on the way, so that the caller's thread need not pay for them: the cost of each call, and what
`init()` said about the service where the spans come from the application's own tracer provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlay import _safely, semconv
from outlay._cost import cost_of
from outlay._text import readable
from outlay.parsing.response_parser import read_returned
from outlay.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluation on its way to the server."""

    trace_id: int
    span_id: int
    name: str
    value: float | None
    label: str | None
    explanation: str | None
    time_ns: int


class Encoder:
    """Encodes for one set of settings."""

    def __init__(self, settings: Settings) -> None:
        self._resource = {
            semconv.SERVICE_NAME: settings.service,
            semconv.SERVICE_VERSION: settings.service_version,
            semconv.ENVIRONMENT: settings.environment,
        }

    def spans(self, spans: Sequence[ReadableSpan], late: dict[int, Any]) -> bytes:
        """An ExportTraceServiceRequest.

        Args:
            spans: What ended, and items of batch results.
            late: Span id → what a tracked function returned; what belongs to `spans` is taken out.
        """
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        spans = [span.readable() if hasattr(span, "readable") else span for span in spans]
        request = encode_spans(spans)
        added = _added(spans, late)
        for resource_spans in request.resource_spans:
            self._name(resource_spans.resource.attributes)
            if added:
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        for key, value in added.get(span.span_id, {}).items():
                            with suppress(ValueError):  # a number of more than 64 bits
                                _put(span.attributes.add(key=key).value, value)
        body: bytes = request.SerializeToString()
        return body

    def scores(self, scores: Sequence[Score]) -> bytes:
        """An ExportLogsServiceRequest with one `gen_ai.evaluation.result` per score."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        request = ExportLogsServiceRequest()
        resource_logs = request.resource_logs.add()
        self._name(resource_logs.resource.attributes)
        scope_logs = resource_logs.scope_logs.add()
        scope_logs.scope.name = semconv.SCOPE
        for score in scores:
            record = scope_logs.log_records.add()
            record.time_unix_nano = record.observed_time_unix_nano = score.time_ns
            record.event_name = semconv.EVALUATION_EVENT
            record.trace_id = score.trace_id.to_bytes(16, "big")
            if score.span_id:
                record.span_id = score.span_id.to_bytes(8, "big")
            _set(record.attributes, semconv.EVALUATION_NAME, score.name)
            if score.value is not None:
                record.attributes.add(key=semconv.EVALUATION_VALUE).value.double_value = score.value
            if score.label is not None:
                _set(record.attributes, semconv.EVALUATION_LABEL, score.label)
            if score.explanation is not None:
                _set(record.attributes, semconv.EVALUATION_EXPLANATION, score.explanation)
        body: bytes = request.SerializeToString()
        return body

    def _name(self, attributes: Any) -> None:
        for key, value in self._resource.items():
            if value:
                for attribute in attributes:
                    if attribute.key == key:
                        attribute.value.string_value = value
                        break
                else:
                    _set(attributes, key, value)


def _set(attributes: Any, key: str, value: str) -> None:
    attributes.add(key=key).value.string_value = readable(value)


def _added(spans: Sequence[ReadableSpan], late: dict[int, Any]) -> dict[bytes, dict[str, Any]]:
    """Span id → attributes to add: what was returned, and the cost of our own spans that have usage and none yet."""
    found: dict[bytes, dict[str, Any]] = {}
    for span in spans:
        scope = span.instrumentation_scope
        if scope is None or scope.name != semconv.SCOPE or span.context is None:
            continue
        bounded = span._attributes
        attributes: Mapping[str, Any] = getattr(bounded, "_dict", bounded) or {}  # ended: nobody writes any more
        extra: dict[str, Any] = {}
        try:
            returned = late.pop(span.context.span_id, None)
            if returned is not None:
                extra = {k: v for k, v in read_returned(returned).items() if k not in attributes}
                attributes = {**extra, **attributes}
            if _is_counted(attributes) and not (semconv.COST_USD in attributes or attributes.get(semconv.CACHE_HIT)):
                cost = cost_of(attributes, span.start_time or 0)
                if cost is not None:
                    extra[semconv.COST_USD] = float(cost)
        except Exception:
            _safely.report("pricing")
        if extra:
            found[span.context.span_id.to_bytes(8, "big")] = extra
    return found


def _is_counted(attributes: Mapping[str, Any]) -> bool:
    """Whether there is something to price: tokens, or pages, seconds, searches …"""
    if semconv.OUTPUT_TOKENS in attributes or semconv.INPUT_TOKENS in attributes:
        return True
    return any(key.startswith(semconv.OTHER_USAGE_PREFIX) for key in attributes)


def _put(value: Any, given: Any) -> None:
    """Set an AnyValue."""
    if isinstance(given, bool):
        value.bool_value = given
    elif isinstance(given, int):
        value.int_value = given
    elif isinstance(given, float):
        value.double_value = given
    elif isinstance(given, tuple):
        for item in given:
            _put(value.array_value.values.add(), item)
    else:
        value.string_value = readable(str(given))
