"""Our tracer provider, lent to OpenTelemetry while the application has none.

It looks like OpenTelemetry's own proxy, which stands there else: libraries that set a provider up where there is none
do so as without us, and do not put their exporter into ours. Tracers that it gave out meanwhile follow.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider, Span, Tracer, TracerProvider


class Lent(ProxyTracerProvider):
    """In the place of the proxy; the application's `set_tracer_provider()` still succeeds and wins.

    Attributes:
        own: Our provider.
    """

    def __init__(self, own: TracerProvider) -> None:
        self.own = own

    def get_tracer(self, *names: Any, **more: Any) -> Tracer:
        """A tracer of ours for as long as this is lent, then of whoever is there."""
        return _Following(self, names, more)


class _Following(Tracer):
    """A tracer of the provider that is there now."""

    def __init__(self, lent: Lent, names: tuple[Any, ...], more: dict[str, Any]) -> None:
        self._lent = lent
        self._asked = names, more
        self._found: tuple[TracerProvider, Tracer] | None = None

    def _tracer(self) -> Tracer:
        now = trace.get_tracer_provider()
        provider = now.own if isinstance(now, Lent) else now
        found = self._found
        if found is None or found[0] is not provider:
            names, more = self._asked
            found = self._found = provider, provider.get_tracer(*names, **more)
        return found[1]

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        """As any tracer."""
        return self._tracer().start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """As any tracer."""
        return self._tracer().start_as_current_span(*args, **kwargs)


def lend(provider: TracerProvider) -> None:
    """Let OpenTelemetry's proxies use our provider, leaving the set-once place to the application."""
    if hasattr(trace, "_TRACER_PROVIDER"):
        trace._TRACER_PROVIDER = Lent(provider)


def is_lent(provider: TracerProvider | None) -> bool:
    """Whether it is our provider that stands there."""
    now = getattr(trace, "_TRACER_PROVIDER", None)
    return provider is not None and isinstance(now, Lent) and now.own is provider


def take_back(provider: TracerProvider | None) -> bool:
    """Undo `lend`; whether it was lent."""
    if not is_lent(provider):
        return False
    trace._TRACER_PROVIDER = None
    return True
