"""Features and tags over HTTP: `traceparent` and W3C `baggage`, only when asked for.

With `init(propagate=True)` the hooks add both headers to outgoing requests of tracked code that are no model calls;
`extract()` takes them up in the service behind. Tags are sent in clear text to whatever host is called, which is why
this is off by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, unquote

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from outlay import _safely, semconv
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope, innermost_span
from outlay.tracing.lifecycle import running

_MAX_BAGGAGE = 4096
_CARRIED = frozenset(semconv.TAG_ATTRIBUTES.values()) | {semconv.EXPERIMENT_NAME, semconv.EXPERIMENT_ARM}


@_safely.safely({})
def inject() -> dict[str, str]:
    """Headers that carry the current trace and tags; {} outside of tracked code or when not asked for."""
    client = running()
    if not client.enabled or not client.settings.propagate:
        return {}
    scope = current_scope()
    if scope.metering or (scope.frame is None and not scope.attributes):
        return {}
    found: dict[str, str] = {}
    # The application's span where there is one: its services behind see the trace as they would without us.
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        ours = innermost_span(otel_context.get_current())
        current = ours.get_span_context() if ours is not None else current
    if current.is_valid:
        found["traceparent"] = f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"
    baggage = ""
    for key, value in scope.attributes.items():
        if key in _CARRIED or key.startswith(semconv.TAG_PREFIX):
            member = f"{quote(key, safe='')}={quote(str(value), safe='')}"
            if len(baggage) + len(member) < _MAX_BAGGAGE:
                baggage += ("," if baggage else "") + member
    if baggage:
        found["baggage"] = baggage
    return found


class extract:
    """Continue the caller's trace with its features and tags; for a service that is called by tracked code.

    Args:
        headers: Headers of the request.

    Example:
        with outlay.extract(request.headers):
            ...
    """

    __slots__ = ("_headers", "_tokens")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._tokens: list[Any] = []

    def __enter__(self) -> extract:
        context = otel_context.get_current()
        try:
            headers = {str(name).lower(): str(value) for name, value in self._headers.items()}
            parent = _parent(headers.get("traceparent", ""))
            if parent is not None and innermost_span(context) is None:
                context = trace.set_span_in_context(NonRecordingSpan(parent), context)
            found = _tags(headers.get("baggage", ""))
            if found:
                outer = current_scope(context)
                scope = Scope({**found, **outer.attributes}, outer.frame, outer.metering)
                context = otel_context.set_value(SCOPE_KEY, scope, context)
        except Exception:
            _safely.report("extract")
        self._tokens.append(otel_context.attach(context))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        otel_context.detach(self._tokens.pop())


def _parent(text: str) -> SpanContext | None:
    parts = text.strip().split("-")
    if len(parts) < 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return None
    try:
        found = SpanContext(int(parts[1], 16), int(parts[2], 16), is_remote=True, trace_flags=TraceFlags(1))
    except ValueError:
        return None
    return found if found.is_valid else None


def _tags(text: str) -> dict[str, str]:
    """Our members of a baggage header; anybody may send one, so it is bounded and filtered by name."""
    found: dict[str, str] = {}
    for member in text[: 2 * _MAX_BAGGAGE].split(","):
        name, equals, value = member.partition(";")[0].partition("=")
        key = unquote(name.strip())
        if equals and (key in _CARRIED or key.startswith(semconv.TAG_PREFIX)):
            found[key] = unquote(value.strip())
    return found
