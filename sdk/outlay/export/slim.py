"""What a span weighs in the queue, and copies of spans: without long texts, below another parent, with tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from outlay._text import readable

_SPAN_CHARS = 400  # what a span takes beside its texts
_SHORT = 1024  # longer texts are content, whoever wrote them
TEXTLESS = _SPAN_CHARS + _SHORT  # what is smaller holds no long text


def size_of(span: ReadableSpan) -> int:
    """Roughly how many characters a span takes."""
    size = _SPAN_CHARS
    attributes = span._attributes
    if attributes:
        size += _chars(getattr(attributes, "_dict", attributes))  # ended: nobody writes any more
    if span._events:
        for event in span._events:
            size += _chars(event.attributes or {})
    return size


def _chars(attributes: Mapping[str, Any]) -> int:
    found = 0
    for value in attributes.values():
        kind = type(value)
        if kind is str or kind is bytes:
            found += len(value)
        elif kind is tuple:
            for item in value:
                found += len(item) if type(item) is str else 8
    return found


def without_texts(span: ReadableSpan) -> ReadableSpan:
    """A copy that has no long texts and no events; the span itself belongs to other processors, too."""
    kept = {key: value for key, value in (span.attributes or {}).items() if _chars({key: value}) <= _SHORT}
    return _copy(span, name=readable(span.name[:_SHORT]), attributes=kept, events=())


def with_more(span: ReadableSpan, parent: SpanContext | None, attributes: Mapping[str, Any]) -> ReadableSpan:
    """A copy below another parent of the same trace, unless that is None, and with attributes beside its own."""
    more: dict[str, Any] = {} if parent is None else {"parent": parent}
    if attributes:
        more["attributes"] = {**attributes, **(span.attributes or {})}
    return _copy(span, **more)


def _copy(span: ReadableSpan, **changes: Any) -> ReadableSpan:
    kept = {
        "name": span.name,
        "context": span.context,
        "parent": span.parent,
        "resource": span.resource,
        "attributes": span._attributes,
        "events": span._events,
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    return ReadableSpan(**{**kept, **changes})
