"""Requests that the provider answers later: OpenAI's responses in the background and videos, Gemini's interactions.

The first answer says only that the request waits; how much it took is known when the application fetches the result.
So the call stays open until then. A result that another process had asked for is a call of its own here, with usage;
the one that asked ends its call without.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from outlay import _fork, _safely, semconv
from outlay.parsing import formats
from outlay.parsing.body import BodyReader, make_body_reader
from outlay.parsing.reading import Reading
from outlay.tracing.call import Call
from outlay.tracing.client import Client
from outlay.tracing.context import SCOPE_KEY, Scope
from outlay.tracing.lifecycle import before_end
from outlay.wire.exchange import Exchange
from outlay.wire.meter import Header, Meter

_KEPT = 1024
_PATH = re.compile(r"/(responses|interactions|v1/videos)/([^/?:]+)$")
_FORMATS = {
    "responses": (formats.RESPONSES, "chat"),
    "interactions": (formats.INTERACTION, "chat"),
    "v1/videos": (formats.VIDEO, "video_generation"),
}


class _Waiting:
    """Open calls by response id, and the ids whose counts are known. Without a lock: each operation is atomic."""

    def __init__(self) -> None:
        self.calls: OrderedDict[str, Exchange] = OrderedDict()
        self.known: OrderedDict[str, None] = OrderedDict()
        _fork.renew(self)

    def after_fork(self) -> None:
        """The parent's calls are the parent's to end."""
        for exchange in self.calls.values():
            exchange.forget()
        self.calls.clear()


_waiting = _Waiting()


def forget() -> None:
    """No request is in the background."""
    _waiting.after_fork()
    _waiting.known.clear()


class Result(NamedTuple):
    """What a GET asks for: the result of an earlier request."""

    format: formats.Format
    operation: str
    response_id: str


def recognize(path: str) -> Result | None:
    """The result that a GET asks for; None for anything else."""
    match = _PATH.search(path)
    return None if match is None else Result(*_FORMATS[match[1]], unquote(match[2]))


def park(exchange: Exchange, response_id: str) -> None:
    """Keep the call open until its result is fetched."""
    _waiting.calls[response_id] = exchange
    if len(_waiting.calls) > _KEPT:
        _, oldest = _waiting.calls.popitem(last=False)
        oldest.settle(None)


def give_up(client: Client) -> None:
    """End what is still open, with what is known: the process ends."""
    for response_id in _open(client):
        exchange = _waiting.calls.pop(response_id, None)
        if exchange is not None:
            exchange.settle(None)


before_end(give_up)


def _open(client: Client) -> Iterator[str]:
    return iter([key for key, exchange in list(_waiting.calls.items()) if exchange.belongs_to(client)])


class ResultMeter(Meter):
    """Watches the fetch of a result."""

    __slots__ = ("_body", "_client", "_header", "_host", "_outer", "_reading", "_result", "_scope")

    def __init__(
        self,
        client: Client,
        result: Result,
        host: str,
        header: Header,
        context: Context,
        scope: Scope,
    ) -> None:
        super().__init__(Context({**context, SCOPE_KEY: Scope(scope.attributes, scope.frame, True)}))
        self._client = client
        self._result = result
        self._host = host
        self._header = header
        self._outer = context
        self._scope = scope
        self._reading = Reading()
        self._body: BodyReader | None = None

    @_safely.safely()
    def answered(self, status: int, header: Header) -> None:
        """The response's head is here."""
        if 200 <= status < 300 and self._result.response_id not in _waiting.known:
            self._body = make_body_reader(
                self._result.format, self._reading, header("content-type") or "", False, keep=False
            )

    @_safely.safely()
    def feed(self, chunk: bytes) -> None:
        """The application read this much of the body."""
        if self._body is not None:
            self._body.feed(chunk)
            if self._reading.done:
                self._settle()

    @_safely.safely()
    def finish(self) -> None:
        """The body was read to its end."""
        if self._body is not None:
            self._body.finish()
            self._settle()

    def fail(self, error: BaseException) -> None:
        """Reading stopped: it may be fetched again."""
        self._body = None

    def close(self) -> None:
        """The application is done with the answer."""
        self.finish()

    def _settle(self) -> None:
        """The counts are known, if the request has been answered by now."""
        reading, self._body = self._reading, None
        if reading.waits or reading.response_id is None or not (reading.finish_reasons or reading.error):
            return
        identity = self._result.response_id
        exchange = _waiting.calls.pop(identity, None)
        if exchange is None and not (reading.in_background and reading.usage):
            return
        _waiting.known[identity] = None
        if len(_waiting.known) > _KEPT * 4:
            _waiting.known.popitem(last=False)
        if exchange is not None:
            exchange.settle(reading)
        else:
            self._record(reading)

    def _record(self, reading: Reading) -> None:
        """Another process asked."""
        likely, operation = self._result.format.provider, self._result.operation
        provider = formats.provider_of(self._host, likely, user_agent=self._header("user-agent") or "")
        found = {
            **self._scope.attributes,
            semconv.OPERATION: operation,
            semconv.PROVIDER: provider,
            semconv.SERVER_ADDRESS: self._host,
            semconv.ATTEMPT: 1,
            **reading.attributes(provider),
            **(reading.usage.attributes() if reading.usage else {}),
        }
        span = self._client.start_span(
            f"{operation} {reading.response_model or ''}".rstrip(), SpanKind.CLIENT, found, self._outer
        )
        identity = span.get_span_context()
        if self._scope.frame is not None:
            self._scope.frame.count(Call(identity.trace_id, identity.span_id))
            self._scope.frame.collect(found)
        span.end()
