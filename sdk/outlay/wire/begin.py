"""begin(): which requests are worth watching, and what is known of them before they go out."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from outlay import _safely, semconv
from outlay.parsing import formats
from outlay.tracing import beside
from outlay.tracing.client import Client
from outlay.tracing.context import EMPTY, SCOPE_KEY, Scope, innermost_span
from outlay.tracing.lifecycle import running
from outlay.wire import attempts, background, batches
from outlay.wire.exchange import Exchange
from outlay.wire.meter import Header, Meter, no_header

_MAX_JSON = 64 << 20  # larger request bodies are not parsed; a provider takes half of that, images included


def wanted(method: str, path: str) -> bool:
    """Whether the request may be worth watching; one regular expression for nearly all that are not."""
    if method == "POST":
        return formats.recognize(path) is not None
    return method == "GET" and (batches.recognize(path) is not None or background.recognize(path) is not None)


def begin(
    method: str,
    host: str,
    port: int | None,
    path: str,
    header: Header = no_header,
    body: bytes | str | None = None,
    form: Mapping[str, Any] | None = None,
) -> Meter | None:
    """Start watching a model call, or the fetch of a batch's results, unless somebody further up does already."""
    try:
        if not wanted(method, path):
            return None
        client = running()
        if not client.enabled or not client.settings.wire:  # hooks stay where an earlier start has put them
            return None
        context = otel_context.get_current()
        scope = context.get(SCOPE_KEY)
        if not isinstance(scope, Scope):
            scope = EMPTY
        if scope.metering:
            return None
        if method == "GET":
            result = background.recognize(path)
            if result is not None:
                return background.ResultMeter(client, result, host, header, context, scope)
            return batches.begin(client, host, port, path, header, context, scope)
        endpoint = formats.recognize(path)
        request = _parse(body, form)
        if endpoint is None or not _is_model_call(endpoint, request):
            return None
        return _begin(client, endpoint, host, port, header, request or {}, body, context, scope)
    except Exception:
        _safely.swallow("wire")
        return None


def _begin(
    client: Client,
    endpoint: formats.Endpoint,
    host: str,
    port: int | None,
    header: Header,
    request: Mapping[str, Any],
    body: bytes | str | None,
    context: Context,
    scope: Scope,
) -> Exchange:
    model = request.get("model")
    model = model if isinstance(model, str) and model else endpoint.model
    stream = endpoint.streams or request.get("stream") is True
    if endpoint.format is formats.OLLAMA and endpoint.operation != "embeddings":
        stream = request.get("stream") is not False
    provider = formats.provider_of(host, endpoint.format.provider, endpoint.deployment, header("user-agent") or "")
    below = beside.below(context)
    parent = innermost_span(below)
    parent_id = parent.get_span_context().span_id if parent is not None else threading.get_ident()
    key = (parent_id, endpoint.format.name, model, len(body or ""), hash(body))
    previous = attempts.previous(key)
    number = 1 if previous is None else previous.number + 1
    retries = header("x-stainless-retry-count")
    if retries and retries.isdigit():
        number = max(number, int(retries) + 1)
    found: dict[str, Any] = {
        **scope.attributes,
        semconv.OPERATION: endpoint.operation,
        semconv.PROVIDER: provider,
        semconv.REQUEST_STREAM: stream,
        semconv.SERVER_ADDRESS: host,
        semconv.ATTEMPT: number,
    }
    if model:
        found[semconv.REQUEST_MODEL] = model
    if port:
        found[semconv.SERVER_PORT] = port
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if type(request.get(name)) is int:
            found[semconv.REQUEST_MAX_TOKENS] = request[name]
    temperature = request.get("temperature")
    if type(temperature) in (int, float):
        found[semconv.REQUEST_TEMPERATURE] = float(temperature)  # type: ignore[arg-type]
    start_ns = client.now_ns()
    span = client.start_span(f"{endpoint.operation} {model or ''}".rstrip(), SpanKind.CLIENT, found, below, start_ns)
    request_id = previous.request_id if previous is not None else f"{span.get_span_context().span_id:016x}"
    span.set_attribute(semconv.REQUEST_ID, request_id)
    exchange = Exchange(client, span, endpoint, found, request, context, scope, start_ns, background.park)
    exchange.retry_key, exchange.attempt = key, attempts.Attempt(request_id, number)
    if stream and client.settings.stream_usage and endpoint.format is formats.CHAT and endpoint.operation == "chat":
        exchange.new_body = _with_usage(request)
    return exchange


def _parse(body: bytes | str | None, form: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The body of the request; None when it cannot be seen: a stream, compressed, or too large."""
    if form:
        return form
    if body is None or len(body) > _MAX_JSON:
        return None
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else {}


def _is_model_call(endpoint: formats.Endpoint, request: Mapping[str, Any] | None) -> bool:
    """Whether the body is what the path promises; other APIs end in /messages or /api/chat, too."""
    wire_format = endpoint.format
    if not wire_format.request_model_needed:
        return True
    if request is None:
        return wire_format is formats.CHAT  # nothing else has these paths
    if str(request.get("model")).startswith(("omni-moderation", "text-moderation")):
        return False  # free of charge
    if wire_format.needs:
        return all(group & request.keys() for group in wire_format.needs)
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
    return json.dumps({**request, "stream_options": {**options, "include_usage": True}}).encode()
