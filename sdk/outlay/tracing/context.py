"""What the current work is for: tags and features, carried by OpenTelemetry's own context.

A `Scope` travels with the OpenTelemetry context, so it reaches tasks, `asyncio.to_thread`, and any code that passes
the context on by hand. A span processor stamps its attributes on every span that starts inside, ours or anyone's.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span
from opentelemetry.trace.propagation import _SPAN_KEY

from outlay import _names, semconv
from outlay._text import readable
from outlay.tracing.call import Tally

SCOPE_KEY = otel_context.create_key("outlay-scope")
_APART_KEY = otel_context.create_key("outlay-span")  # (our innermost span, the application's span around it)


class Scope:
    """What spans inside should carry, and what the calls inside are counted in: the tracked function around them."""

    __slots__ = ("attributes", "frame", "metering")

    def __init__(self, attributes: dict[str, Any], frame: Tally | None = None, metering: bool = False) -> None:
        self.attributes = attributes
        self.frame = frame
        self.metering = metering  # an HTTP hook is at work: hooks below it keep quiet


EMPTY = Scope({})


def current_scope(context: Context | None = None) -> Scope:
    """The scope of `context`, or of the current context."""
    scope = (context if context is not None else otel_context.get_current()).get(SCOPE_KEY)
    return scope if isinstance(scope, Scope) else EMPTY


def entered(context: Context, scope: Scope, span: Span, apart: bool) -> Context:
    """`context` inside of a span of ours.

    Args:
        context: What is current around it.
        scope: What spans inside carry.
        span: The span.
        apart: The application's exporters do not get it, so the application's spans inside must not name it as their
            parent, nor be sampled as it is: what is current for them stays.
    """
    if apart:
        return Context({**context, SCOPE_KEY: scope, _APART_KEY: (span, context.get(_SPAN_KEY))})
    return Context({**context, _SPAN_KEY: span, SCOPE_KEY: scope})


def leave(token: Any, inside: Context, outer: Context) -> None:
    """Go back from `inside` to `outer`, also where a generator is resumed in another thread or task than it began in.

    The token is of no use there; and a place that is not `inside` keeps what it has.
    """
    try:
        token.var.reset(token)
    except ValueError:
        if otel_context.get_current() is inside:
            otel_context.attach(outer)
    except (AttributeError, RuntimeError):  # a runtime context of the application's own making
        otel_context.detach(token)


class Entered:
    """The times that a block was entered and is not left yet. Threads and tasks may share the block."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[tuple[Any, Context, Context]] = []

    def enter(self, outer: Context, added: dict[str, Any]) -> None:
        """What starts inside carries these attributes, too."""
        scope = current_scope(outer)
        scope = Scope({**scope.attributes, **added}, scope.frame, scope.metering)
        inside = otel_context.set_value(SCOPE_KEY, scope, outer)
        self._open.append((otel_context.attach(inside), inside, outer))

    def leave(self) -> None:
        """Leave it where it was entered here, else, as in a generator that goes on elsewhere, where it was last."""
        here = otel_context.get_current().get(SCOPE_KEY)
        entered = tuple(self._open)  # others may enter and leave meanwhile
        one = next(
            (one for one in reversed(entered) if one[1].get(SCOPE_KEY) is here), entered[-1] if entered else None
        )
        if one is not None and one in self._open:
            self._open.remove(one)
            leave(*one)


def span_around(context: Context) -> Span | None:
    """Our span where it is the innermost one of all, but stands apart from the application's."""
    found = context.get(_APART_KEY)
    if type(found) is tuple and found[1] is context.get(_SPAN_KEY):
        span: Span = found[0]
        return span
    return None


def innermost_span(context: Context) -> Span | None:
    """The span that we are in, ours or the application's."""
    found: Any = span_around(context) or context.get(_SPAN_KEY)
    return found if isinstance(found, Span) else None


def tag_attributes(tags: dict[str, Any]) -> dict[str, Any]:
    """Span attributes of keyword tags; `None` leaves a tag out."""
    names = semconv.TAG_ATTRIBUTES
    found: dict[str, Any] = {}
    for key, value in tags.items():
        if value is not None:
            found[names.get(key) or semconv.TAG_PREFIX + key] = readable(value if type(value) is str else str(value))
    return found


class tags:
    """Say who and what the calls inside are for.

    Known names get an attribute of their own: `user`, `customer`, `team`, `feature`, `session`, `task`, `prompt`,
    `prompt_version`, `conversation`. Anything else becomes a free tag. Inner tags win over outer ones.

    Example:
        with outlay.tags(user="u1", customer="acme", plan="pro"):
            client.chat.completions.create(...)
    """

    __slots__ = ("_attributes", "_entered")

    def __init__(self, **values: Any) -> None:
        _names.check(values, "tags")
        try:
            self._attributes = tag_attributes(values)
        except Exception:  # a value whose str() fails
            self._attributes = {}
        self._entered = Entered()

    def __enter__(self) -> tags:
        self._entered.enter(otel_context.get_current(), self._attributes)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._entered.leave()
