"""Meter: what watches one HTTP request for the hooks of the HTTP libraries.

    with meter:                       # the request is under way; hooks further down keep quiet
        response = send(request)
    meter.answered(status, header)    # the head is here
    with meter.watch():               # or finish, fail and close by hand
        for chunk in body:
            meter.feed(chunk)

Nothing here raises: a mistake of ours costs a measurement, never a request.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

Header = Callable[[str], str | None]


def no_header(name: str) -> str | None:
    """For callers that know no headers."""
    return None


class Meter:
    """Base of what `begin` returns."""

    __slots__ = ("__weakref__", "_context", "_token", "new_body")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token: Any = None
        self.new_body: bytes | None = None  # what to send instead, when init(stream_usage=True) asks for it

    def __enter__(self) -> Meter:
        self._token = otel_context.attach(self._context)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        otel_context.detach(self._token)
        if error is not None:
            self.fail(error)

    def watch(self) -> Watch:
        """Around a loop over the body: its end finishes, an error fails, a generator's exit leaves it to `close`."""
        return Watch(self)

    def answered(self, status: int, header: Header) -> None:
        """The response's head is here."""
        raise NotImplementedError

    def feed(self, chunk: bytes) -> None:
        """The application read this much of the (decoded) body."""
        raise NotImplementedError

    def finish(self) -> None:
        """The body was read to its end."""
        raise NotImplementedError

    def fail(self, error: BaseException) -> None:
        """The request, or reading its answer, raised."""
        raise NotImplementedError

    def close(self) -> None:
        """The application is done with the answer, read or not."""
        raise NotImplementedError


class Watch:
    """See `Meter.watch`."""

    __slots__ = ("_meter",)

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self._meter.finish()
        elif not isinstance(error, GeneratorExit):
            self._meter.fail(error)
