"""Exchange: one HTTP attempt of a model call, from request to the last byte that the application read, as one span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from outlay import _safely, semconv
from outlay.parsing import formats
from outlay.parsing import usage as counts
from outlay.parsing.body import BodyReader, make_body_reader
from outlay.parsing.kinds import whole
from outlay.parsing.reading import Reading
from outlay.tracing.call import Call, last_call
from outlay.tracing.client import Client
from outlay.tracing.context import Scope, entered
from outlay.usage import Usage
from outlay.wire import attempts
from outlay.wire.meter import Header, Meter


class Exchange(Meter):
    """One attempt. Made by `begin`.

    Args:
        park: Takes an exchange whose answer only says that it waits, and the answer's id; it settles it later.
    """

    __slots__ = (
        "_asked",
        "_body",
        "_client",
        "_ended",
        "_endpoint",
        "_first_ns",
        "_frame",
        "_outer",
        "_park",
        "_request",
        "_start_ns",
        "_status",
        "attempt",
        "reading",
        "retry_key",
        "span",
        "stream",
    )

    def __init__(
        self,
        client: Client,
        span: Span,
        endpoint: formats.Endpoint,
        asked: Mapping[str, Any],
        request: Mapping[str, Any],
        context: Context,
        scope: Scope,
        start_ns: int,
        park: Callable[[Exchange, str], None],
    ) -> None:
        # The span is current while the request is under way, and hooks further down keep quiet.
        inside = Scope(scope.attributes, scope.frame, True)
        super().__init__(entered(context, inside, span, client.is_apart(span)))
        self._client = client
        self._endpoint = endpoint
        self._asked = asked  # what the span said at its start
        self._request = request
        self._outer = context
        self._park = park
        self._frame = scope.frame
        self._start_ns = start_ns
        self._first_ns: int | None = None
        self._status = 0
        self._ended = False
        self._body: BodyReader | None = None
        self.attempt = attempts.Attempt("", 1)
        self.retry_key: attempts.Key = ()
        self.reading = Reading()
        self.span = span
        self.stream = asked[semconv.REQUEST_STREAM] is True
        identity = span.get_span_context()
        if client.keeps_content(identity.trace_id):
            self.reading.text = []
        call = Call(identity.trace_id, identity.span_id)
        if scope.frame is not None:
            scope.frame.count(call)
        last_call.set(call)

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
        if header("x-amzn-bedrock-input-token-count"):
            self.reading.usage = counts.bedrock_headers(header)

    @_safely.safely()
    def feed(self, chunk: bytes) -> None:
        """The application read this much of the (decoded) body."""
        if self._ended or not chunk or self._body is None:
            return
        if self._first_ns is None:
            self._first_ns = self._now_ns()
        self._body.feed(chunk)
        if self.reading.done and self.stream:
            self._end()

    @_safely.safely()
    def finish(self) -> None:
        """The body was read to its end."""
        if not self._ended:
            self._read_rest()
            self._end()

    @_safely.safely()
    def fail(self, error: BaseException) -> None:
        """The request, or reading its answer, raised."""
        if self._ended:
            return
        self._read_rest()
        if isinstance(error, GeneratorExit) or type(error).__name__ == "CancelledError":
            self._end("cancelled", cut=True)
        else:
            self._end(type(error).__qualname__, cut=True, failed=True)

    @_safely.safely()
    def close(self) -> None:
        """The application is done with the answer, read or not."""
        if self._ended:
            return
        self._read_rest()
        usage = self.reading.usage
        self._end(None, cut=usage is None or usage.output_tokens is None or self._is_running())

    def __del__(self) -> None:
        if not getattr(self, "_ended", True):
            self.close()

    @_safely.safely()
    def _read_rest(self) -> None:
        if self._body is not None:
            self._body.finish()

    def _end(self, error_type: str | None = None, *, cut: bool = False, failed: bool = False) -> None:
        self._ended = True
        reading = self.reading
        in_background = reading.in_background or self._request.get("background") is True
        if in_background and reading.waits and reading.response_id and not failed:
            self._park(self, reading.response_id)
            return
        self._report(error_type, cut, failed)

    def belongs_to(self, client: Client) -> bool:
        """Whether it is this client's."""
        return self._client is client

    def forget(self) -> None:
        """Somebody else will end it."""
        self._ended = True

    @_safely.safely()
    def settle(self, result: Reading | None) -> None:
        """The result of a request in the background is here; None when nobody came for it."""
        if result is not None:
            result.response_id = self.reading.response_id
            self.reading = result
        self._report(None, False, False)

    def _report(self, error_type: str | None, cut: bool, failed: bool) -> None:
        """Write what is known on the span, and end it."""
        reading = self.reading
        end_ns = self._now_ns()
        status = self._status
        if status >= 400:
            failed, error_type = True, str(status)
        elif status and reading.error and not cut:
            failed, error_type = True, reading.error
        provider = self._asked[semconv.PROVIDER]
        if reading.provider and provider == self._endpoint.format.provider:  # the host's name said nothing
            provider = reading.provider
        found = {semconv.PROVIDER: provider, **reading.attributes(provider)}
        if status >= 400:
            found[semconv.HTTP_STATUS] = status
        if error_type:
            found[semconv.ERROR_TYPE] = error_type
        if self.stream and self._first_ns is not None:
            found[semconv.TIME_TO_FIRST_CHUNK] = (self._first_ns - self._start_ns) / 1e9
        if self.stream and 0 < status < 400:
            found[semconv.STREAM_END] = ("cut" if failed else "abandoned") if cut else "complete"
        usage = whole(self._endpoint.operation, self._usage(partial=cut and self._is_running()))
        if usage:
            found.update(usage.attributes())
        if self._client.keeps_content(self.span.get_span_context().trace_id):
            from outlay.parsing.content import content_attributes

            found.update(content_attributes(self._client.redact, self._request, reading) or {})
        self.span.set_attributes(found)
        if usage and self._frame is not None:
            self._frame.collect({**self._asked, **found})
        if failed:
            self.span.set_status(Status(StatusCode.ERROR, reading.error))
            if cut or attempts.is_retried(status):
                attempts.remember(self.retry_key, self.attempt)
        self.span.end(end_ns)
        for model, used in reading.elsewhere:
            self._record_elsewhere(model, used, end_ns)
        self._request = {}
        self._body = None

    def _now_ns(self) -> int:
        """Never before the start: somebody may set the clock."""
        return max(self._client.now_ns(), self._start_ns)

    def _is_running(self) -> bool:
        """Whether the stream has not come to its end: Gemini, and vLLM if asked, count in every event."""
        return self.stream and not (self.reading.finish_reasons or self.reading.done)

    def _usage(self, partial: bool) -> Usage | None:
        """What was used, as far as it is known, or can be estimated for a stream that ended without saying so.

        Args:
            partial: What is known is the count so far, not the provider's last word.
        """
        usage = self.reading.usage
        if not 0 < self._status < 400:
            return usage
        if self.stream:
            if (partial or usage is None or usage.output_tokens is None) and self._body is not None:
                if not self._client.settings.estimate_usage or self._endpoint.operation == "embeddings":
                    return usage
                from outlay.parsing.estimate import estimate_usage

                return estimate_usage(usage, self._request, self._body.kept_text())
        elif self._endpoint.operation == "speech" and usage is None:
            text = self._request.get("input")
            return Usage(other={"input_characters": len(text)}) if isinstance(text, str) else None
        return usage

    def _record_elsewhere(self, model: str, used: Usage, end_ns: int) -> None:
        """A call of its own beside this one: the provider let another model work on the same request."""
        skipped = (semconv.REQUEST_MAX_TOKENS, semconv.REQUEST_TEMPERATURE, semconv.REQUEST_MODEL)
        found = {key: value for key, value in self._asked.items() if key not in skipped}
        found[semconv.RESPONSE_MODEL] = model
        found[semconv.REQUEST_ID] = self.attempt.request_id
        found.update(used.attributes())
        if self.reading.service_tier:
            found[semconv.service_tier_key(found[semconv.PROVIDER])] = self.reading.service_tier
        name = f"{self._endpoint.operation} {model}"
        self._client.start_span(name, SpanKind.CLIENT, found, self._outer, self._start_ns).end(end_ns)
        if self._frame is not None:
            self._frame.collect(found)
