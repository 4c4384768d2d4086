"""Exchange: one HTTP attempt of a model call, from request to the last byte that the application read.

The hooks of the HTTP libraries feed it; it keeps one span. Everything it does is guarded: a mistake here costs a
measurement, never a request.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from outlay import _safely, semconv
from outlay.call import Call, last_call
from outlay.client import Client, get_client
from outlay.context import EMPTY, SCOPE_KEY, Scope
from outlay.usage import Usage
from outlay.wire import formats
from outlay.wire.body import BodyReader, make_body_reader
from outlay.wire.reading import Reading

if TYPE_CHECKING:
    from outlay.track import Frame

_MAX_JSON = 4 << 20  # larger request bodies are not parsed
_RETRIED = frozenset({408, 409, 425, 429})
_RETRY_WINDOW_S = 120.0
_RETRIES_KEPT = 512

# Failed attempts by (parent, format, body): the next equal request from there is the next attempt of the same one.
_failed: OrderedDict[tuple[Any, ...], tuple[str, int, float]] = OrderedDict()
_failed_lock = threading.Lock()

Header = Callable[[str], str | None]


def _no_header(name: str) -> str | None:
    return None


class Exchange:
    """One attempt. Made by `begin`; then `answered`, `feed` per chunk, and `finish`, `fail` or `close`."""

    __slots__ = (
        "_body",
        "_client",
        "_context",
        "_ended",
        "_endpoint",
        "_first_ns",
        "_frame",
        "_key",
        "_model",
        "_provider",
        "_request",
        "_request_id",
        "_start_ns",
        "_status",
        "_token",
        "attempt",
        "new_body",
        "reading",
        "span",
        "stream",
    )

    def __init__(
        self,
        client: Client,
        endpoint: formats.Endpoint,
        provider: str,
        request: Mapping[str, Any],
        stream: bool,
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._provider = provider
        self._request = request
        self._body: BodyReader | None = None
        self._context: Context | None = None
        self._token: Any = None
        self._ended = False
        self._first_ns: int | None = None
        self._frame: Frame | None = None
        self._model: str | None = None
        self._status = 0
        self._key: tuple[Any, ...] = ()
        self._request_id = ""
        self._start_ns = 0
        self.attempt = 1
        self.new_body: bytes | None = None  # what to send instead, when init(stream_usage=True) asks for it
        self.reading = Reading()
        self.span: Any = None
        self.stream = stream

    # --- around the request

    def enter(self) -> None:
        """Make the span current while the request is under way, and keep hooks further down quiet."""
        self._token = otel_context.attach(self._context or otel_context.get_current())

    def leave(self) -> None:
        """The other half of `enter`."""
        if self._token is not None:
            otel_context.detach(self._token)
            self._token = None

    # --- what the hooks report

    @_safely.safely()
    def answered(self, status: int, header: Header) -> None:
        """The response's head is here."""
        self._status = status
        self._body = make_body_reader(
            self._endpoint.format,
            self.reading,
            header("content-type") or "",
            self.stream,
            keep=self._client.settings.estimate_usage and self.stream and status < 400,
        )
        tokens = header("x-amzn-bedrock-input-token-count")
        if tokens:
            self._bedrock_headers(header)

    def _bedrock_headers(self, header: Header) -> None:
        def number(name: str) -> int | None:
            text = header(f"x-amzn-bedrock-{name}-token-count")
            return int(text) if text and text.isdigit() else None

        from outlay.wire import usage as counts

        self.reading.usage = counts.converse(
            {
                "inputTokens": number("input"),
                "outputTokens": number("output"),
                "cacheReadInputTokens": number("cache-read-input"),
                "cacheWriteInputTokens": number("cache-write-input"),
            }
        )

    @_safely.safely()
    def feed(self, chunk: bytes) -> None:
        """The application read this much of the (decoded) body."""
        if self._ended or not chunk or self._body is None:
            return
        if self._first_ns is None:
            self._first_ns = self._client.now_ns()
        self._body.feed(chunk)
        if self.reading.done and self.stream:
            self._end()

    @_safely.safely()
    def finish(self) -> None:
        """The body was read to its end."""
        if not self._ended:
            if self._body is not None:
                self._body.finish()
            self._end()

    @_safely.safely()
    def fail(self, error: BaseException) -> None:
        """The request, or reading its answer, raised."""
        if self._ended:
            return
        if self._body is not None:
            self._body.finish()
        if isinstance(error, GeneratorExit) or type(error).__name__ == "CancelledError":
            self._end("cancelled", cut=True)
        else:
            self._end(type(error).__qualname__, cut=True, failed=True)

    @_safely.safely()
    def close(self) -> None:
        """The application is done with the answer, read or not."""
        if self._ended:
            return
        if self._body is not None:
            self._body.finish()
        usage = self.reading.usage
        complete = usage is not None and usage.output_tokens is not None
        self._end(None, cut=not complete)

    def __del__(self) -> None:
        if not getattr(self, "_ended", True) and self.span is not None:
            self.close()

    # --- the end

    def _end(self, error_type: str | None = None, *, cut: bool = False, failed: bool = False) -> None:
        self._ended = True
        reading, found = self.reading, dict[str, Any]()
        end_ns = self._client.now_ns()
        if self._status:
            if self._status >= 400:
                failed = True
                error_type = str(self._status)
                found[semconv.HTTP_STATUS] = self._status
            elif reading.error and not cut:
                failed = True
                error_type = reading.error
        if reading.response_id:
            found[semconv.RESPONSE_ID] = reading.response_id
        if reading.response_model:
            found[semconv.RESPONSE_MODEL] = reading.response_model
        if reading.finish_reasons:
            found[semconv.FINISH_REASONS] = tuple(reading.finish_reasons[i] for i in sorted(reading.finish_reasons))
        if reading.service_tier:
            key = semconv.SERVICE_TIER_ANTHROPIC if self._provider == "anthropic" else semconv.SERVICE_TIER
            found[key] = reading.service_tier
        if reading.cost_usd is not None:
            found[semconv.COST_USD] = reading.cost_usd
        if self.stream and self._first_ns is not None:
            found[semconv.TIME_TO_FIRST_CHUNK] = (self._first_ns - self._start_ns) / 1e9
        usage = reading.usage
        if self._status and self._status < 400:
            if self.stream:
                found[semconv.STREAM_END] = ("cut" if failed else "abandoned") if cut else "complete"
                if usage is None or usage.output_tokens is None:
                    usage = self._estimate(usage)
            elif self._endpoint.operation == "speech" and usage is None:
                text = self._request.get("input")
                usage = Usage(other={"input_characters": len(text)}) if isinstance(text, str) else None
        if usage:
            found.update(usage.attributes())
        if self._client.keeps_content(self.span.get_span_context().trace_id):
            from outlay.wire.content import content_attributes

            found.update(content_attributes(self._client.redact, self._request, reading))
        if error_type:
            found[semconv.ERROR_TYPE] = error_type
        self.span.set_attributes(found)
        if self._frame is not None and usage:
            known = {semconv.PROVIDER: self._provider, semconv.REQUEST_MODEL: self._model}
            self._frame.collect({**known, **found})
        if failed:
            self.span.set_status(Status(StatusCode.ERROR, reading.error))
            if not self._status or self._status in _RETRIED or self._status >= 500 or cut:
                self._remember_failure()
        self.span.end(end_ns)
        self._request = {}
        self._body = None

    def _estimate(self, known: Usage | None) -> Usage | None:
        """Tokens of a stream that ended without usage, marked as an estimate; None where there is nothing to go by."""
        if self._body is None or not self._client.settings.estimate_usage or self._endpoint.operation == "embeddings":
            return known
        from outlay.wire.estimate import estimate_usage

        return estimate_usage(known, self._request, self._body.kept_text())

    def _remember_failure(self) -> None:
        with _failed_lock:
            _failed[self._key] = (self._request_id, self.attempt, time.monotonic())
            while len(_failed) > _RETRIES_KEPT:
                _failed.popitem(last=False)


def _previous_attempt(key: tuple[Any, ...]) -> tuple[str, int] | None:
    if not _failed:
        return None
    with _failed_lock:
        entry = _failed.pop(key, None)
    if entry is None or time.monotonic() - entry[2] > _RETRY_WINDOW_S:
        return None
    return entry[0], entry[1]


def begin(
    method: str,
    host: str,
    port: int | None,
    path: str,
    header: Header = _no_header,
    body: bytes | str | None = None,
    form: Mapping[str, Any] | None = None,
) -> Exchange | None:
    """Start an exchange if the request is a model call that nobody further up is metering already."""
    try:
        if method != "POST":
            return None
        endpoint = formats.recognize(path)
        if endpoint is None:
            return None
        return _begin(endpoint, host, port, header, body, form)
    except Exception:
        if _safely.raise_errors:
            raise
        _safely.report("wire")
        return None


def _begin(
    endpoint: formats.Endpoint,
    host: str,
    port: int | None,
    header: Header,
    body: bytes | str | None,
    form: Mapping[str, Any] | None,
) -> Exchange | None:
    client = get_client()
    if not client.enabled:
        return None
    context = otel_context.get_current()
    scope = context.get(SCOPE_KEY)
    if not isinstance(scope, Scope):
        scope = EMPTY
    if scope.metering:
        return None
    request = _parse(body, form)
    if not _is_model_call(endpoint, request):
        return None
    model = request.get("model")
    model = model if isinstance(model, str) and model else endpoint.model
    stream = endpoint.streams or request.get("stream") is True
    if endpoint.format is formats.OLLAMA and endpoint.operation != "embeddings":
        stream = request.get("stream") is not False
    provider = formats.provider_of(host, endpoint, header("user-agent") or "")
    exchange = Exchange(client, endpoint, provider, request, stream)
    parent = context.get(_SPAN_KEY)
    parent_id: Any = parent.get_span_context().span_id if parent is not None else threading.get_ident()  # type: ignore[attr-defined]
    exchange._key = (parent_id, endpoint.format.name, model, len(body or ""), hash(body))
    previous = _previous_attempt(exchange._key)
    retries = header("x-stainless-retry-count")
    if retries and retries.isdigit():
        exchange.attempt = int(retries) + 1
    if previous is not None:
        exchange.attempt = max(exchange.attempt, previous[1] + 1)
    found: dict[str, Any] = {
        **scope.attributes,
        semconv.OPERATION: endpoint.operation,
        semconv.PROVIDER: provider,
        semconv.REQUEST_STREAM: stream,
        semconv.SERVER_ADDRESS: host,
        semconv.ATTEMPT: exchange.attempt,
    }
    if model:
        found[semconv.REQUEST_MODEL] = model
    if port:
        found[semconv.SERVER_PORT] = port
    for key in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if type(request.get(key)) is int:
            found[semconv.REQUEST_MAX_TOKENS] = request[key]
    temperature = request.get("temperature")
    if type(temperature) in (int, float):
        found[semconv.REQUEST_TEMPERATURE] = float(temperature)  # type: ignore[arg-type]
    exchange._start_ns = start_ns = client.now_ns()
    span = client.start_span(f"{endpoint.operation} {model or ''}".rstrip(), SpanKind.CLIENT, found, context, start_ns)
    exchange.span = span
    identity = span.get_span_context()
    exchange._request_id = previous[0] if previous is not None else f"{identity.span_id:016x}"
    span.set_attribute(semconv.REQUEST_ID, exchange._request_id)
    exchange._context = Context({**context, _SPAN_KEY: span, SCOPE_KEY: Scope(scope.attributes, scope.frame, True)})
    if client.keeps_content(identity.trace_id):
        exchange.reading.text = []
    exchange._frame, exchange._model = scope.frame, model
    call = Call(identity.trace_id, identity.span_id)
    if scope.frame is not None:
        scope.frame.count(call)
    last_call.set(call)
    if stream and client.settings.stream_usage and endpoint.format is formats.CHAT and endpoint.operation == "chat":
        exchange.new_body = _with_usage(request)
    return exchange


def _parse(body: bytes | str | None, form: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if form:
        return form
    if not body or len(body) > _MAX_JSON:
        return {}
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _is_model_call(endpoint: formats.Endpoint, request: Mapping[str, Any]) -> bool:
    """Whether the body is what the path promises; other APIs end in /messages or /api/chat, too."""
    wire_format = endpoint.format
    if not wire_format.request_model_needed:
        return True
    if wire_format is formats.RESPONSES:
        return "model" in request or "prompt" in request or endpoint.deployment
    if (
        not isinstance(request.get("model"), str)
        and not endpoint.model
        and not (wire_format is formats.COHERE and request)
    ):
        return False
    if wire_format is formats.MESSAGES:
        return isinstance(request.get("messages"), list)
    if wire_format is formats.OLLAMA or wire_format is formats.COHERE:
        return any(
            key in request for key in ("messages", "message", "prompt", "input", "texts", "inputs", "images", "query")
        )
    return True


def _with_usage(request: Mapping[str, Any]) -> bytes | None:
    options = request.get("stream_options")
    options = dict(options) if isinstance(options, Mapping) else {}
    if "include_usage" in options:
        return None
    return json.dumps({**request, "stream_options": {**options, "include_usage": True}}, ensure_ascii=False).encode()
