"""OTLP bytes → spans as exporters take them: `opentelemetry.sdk.trace.ReadableSpan`."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

_REMOTE = 0x200  # of a span's flags: its parent was in another process
_KINDS = (SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)


def spans_of(body: bytes) -> list[ReadableSpan]:
    """The spans of an ExportTraceServiceRequest."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = Resource(_attributes(of_resource.resource.attributes), of_resource.schema_url)
        for of_scope in of_resource.scope_spans:
            scope = InstrumentationScope(
                of_scope.scope.name,
                of_scope.scope.version or None,
                of_scope.schema_url or None,
                _attributes(of_scope.scope.attributes),
            )
            found += [_span(span, resource, scope) for span in of_scope.spans]
    return found


def _span(span: Any, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    parent = None
    if span.parent_span_id:
        parent = _context(span.trace_id, span.parent_span_id, is_remote=bool(span.flags & _REMOTE))
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id, span.trace_state),
        parent=parent,
        resource=resource,
        attributes=_attributes(span.attributes),
        events=[Event(event.name, _attributes(event.attributes), event.time_unix_nano) for event in span.events],
        links=[
            Link(
                _context(link.trace_id, link.span_id, is_remote=bool(link.flags & _REMOTE)),
                _attributes(link.attributes),
            )
            for link in span.links
        ],
        kind=_KINDS[span.kind],
        status=Status(StatusCode(span.status.code), span.status.message or None),
        start_time=span.start_time_unix_nano,
        end_time=span.end_time_unix_nano,
        instrumentation_scope=scope,
    )


def _context(trace_id: bytes, span_id: bytes, state: str = "", *, is_remote: bool = False) -> SpanContext:
    return SpanContext(
        int.from_bytes(trace_id, "big"),
        int.from_bytes(span_id, "big"),
        is_remote,
        TraceFlags(TraceFlags.SAMPLED),
        TraceState.from_header([state]) if state else TraceState(),
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {attribute.key: _value(attribute.value) for attribute in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_value(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return {item.key: _value(item.value) for item in value.kvlist_value.values}
    return getattr(value, kind) if kind else None
