"""Spans of other libraries around a model call that are open and never made current, as those of `langfuse.openai`.

What such a library measures and what we measure below it is one request. Its span is not in the context, so our span
would stand beside it, below the same parent, and nothing would say that the two belong together.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace.propagation import _SPAN_KEY

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span

_latest: ContextVar[Span | None] = ContextVar("outlay-beside", default=None)
_LLM_KINDS = {
    "langfuse.observation.type": ("generation", "embedding"),
    "openinference.span.kind": ("LLM", "EMBEDDING"),
}
_LLM_KEYS = ("gen_ai.request.model", "gen_ai.operation.name")


def started(span: Span) -> None:
    """Another library started a span in this thread or task."""
    _latest.set(span)


def below(context: Context) -> Context:
    """`context`, or where the latest span in it is a model call that stands open beside us, the context below that."""
    span = _latest.get()
    if span is None or not span.is_recording():
        return context
    current: Any = context.get(_SPAN_KEY)
    if current is span:
        return context
    around = current.get_span_context().span_id if current is not None else 0
    if (span.parent.span_id if span.parent is not None else 0) != around:
        return context
    said = span.attributes or {}
    if any(key in said for key in _LLM_KEYS) or any(said.get(key) in kinds for key, kinds in _LLM_KINDS.items()):
        return Context({**context, _SPAN_KEY: span})
    return context
