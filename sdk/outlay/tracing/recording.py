"""record(): a call that nothing recognises, or that lies in the past; score(): an evaluation of a call.

A bulk producer keeps two rules: group past calls under `track(started_at=, ended_at=)` so that they have a parent in
the past, and call `flush()` before the queue is full, which is what makes the producer wait for the server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind, Status, StatusCode

from outlay import _safely, semconv
from outlay._text import readable
from outlay._time import Instant, to_ns
from outlay.tracing.call import Call, last_call
from outlay.tracing.context import current_scope, innermost_span
from outlay.tracing.facts import lever_attributes
from outlay.tracing.lifecycle import get_client
from outlay.usage import Usage, attributes_of_usage


def record(
    *,
    usage: Usage | Mapping[str, Any] | None = None,
    model: str | None = None,
    provider: str | None = None,
    operation: str = "chat",
    response_model: str | None = None,
    response_id: str | None = None,
    service_tier: str | None = None,
    started_at: Instant | None = None,
    ended_at: Instant | None = None,
    time_to_first_token_ms: float | None = None,
    streamed: bool | None = None,
    finish_reason: str | None = None,
    error: str | None = None,
    cost_usd: float | None = None,
    attempt: int | None = None,
    request_id: str | None = None,
    cascade: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    experiment: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    prompt_parts: Mapping[str, int] | None = None,
    attributes: Mapping[str, Any] | None = None,
    name: str | None = None,
    **tags: Any,
) -> Call | None:
    """Record one call to a model.

    Tags, feature and parent come from the enclosing `tags()` and `track()`; what is given here wins.

    Args:
        usage: Token counts: a `Usage`, or a dict with its names. Leave it out if nobody knows.
        model: The model that was asked for.
        provider: Who answered: openai, anthropic, gcp.gemini, aws.bedrock …
        operation: chat, embeddings, text_completion, generate_content, rerank …
        response_model: The model that answered, if that is known; it is the one that is billed.
        response_id: The provider's id of the answer; joins this call with what others recorded about it.
        service_tier: The tier of the answer: default, flex, priority, batch …
        started_at: Start, if it lies in the past: datetime (naive means UTC), nanoseconds, or seconds as float.
        ended_at: End; default is `started_at`, or now.
        time_to_first_token_ms: Milliseconds to the first chunk of a stream.
        streamed: Whether the answer was streamed.
        finish_reason: Why it stopped.
        error: What went wrong, e.g. "429"; marks the call as failed.
        cost_usd: What the provider said it costs; kept as reported cost.
        attempt: Which try of the logical request this is, from 1.
        request_id: Tries of one logical request share it.
        cascade: name, run_id, tier, outcome, confidence, threshold, forced.
        cache: kind, hit, similarity, avoided_input_tokens, avoided_output_tokens; with a hit no call was made.
        experiment: name, arm.
        route: tier, reason.
        prompt_parts: Tokens by part of the prompt: system, context, history, user …
        attributes: Further span attributes, as they are.
        name: Name of the span; default is operation and model.
        **tags: As in `tags()`.

    Returns:
        A handle for `score(call=…)`; None when Outlay is switched off or the values make no sense (logged).
    """
    try:
        client = get_client()
        if not client.enabled:
            return None
        context = otel_context.get_current()
        scope = current_scope(context)
        found: dict[str, Any] = dict(scope.attributes)
        for key, value in tags.items():
            if value is not None:
                found[semconv.TAG_ATTRIBUTES.get(key) or semconv.TAG_PREFIX + key] = readable(
                    value if type(value) is str else str(value)
                )
        found[semconv.OPERATION] = operation
        if model is not None:
            found[semconv.REQUEST_MODEL] = model
        if provider is not None:
            found[semconv.PROVIDER] = provider
        if response_model is not None:
            found[semconv.RESPONSE_MODEL] = response_model
        if response_id is not None:
            found[semconv.RESPONSE_ID] = response_id
        if service_tier is not None:
            found[semconv.service_tier_key(provider or "")] = service_tier
        if time_to_first_token_ms is not None:
            found[semconv.TIME_TO_FIRST_CHUNK] = time_to_first_token_ms / 1000
        if streamed is not None:
            found[semconv.REQUEST_STREAM] = streamed
        if finish_reason is not None:
            found[semconv.FINISH_REASONS] = (finish_reason,)
        if cost_usd is not None:
            found[semconv.COST_USD] = float(cost_usd)
        if attempt is not None:
            found[semconv.ATTEMPT] = attempt
        if request_id is not None:
            found[semconv.REQUEST_ID] = request_id
        if usage is not None:
            found.update(attributes_of_usage(usage))
        if cascade or cache or experiment or route or prompt_parts:
            lever_attributes(found, cascade, cache, experiment, route, prompt_parts)
        if attributes:
            found.update(attributes)
        start_ns = to_ns(started_at) if started_at is not None else None
        if ended_at is not None:
            end_ns = to_ns(ended_at)
            if start_ns is None:
                start_ns = end_ns
        else:
            end_ns = start_ns if start_ns is not None else client.now_ns()
        span_name = name or (f"{operation} {model}" if model else operation)
        if error is not None:
            found[semconv.ERROR_TYPE] = error
        span = client.start_span(
            span_name, SpanKind.CLIENT, found, context, start_ns if start_ns is not None else end_ns
        )
        if error is not None:
            span.set_status(Status(StatusCode.ERROR))
        span_context = span.get_span_context()
        call = Call(span_context.trace_id, span_context.span_id)
        if scope.frame is not None:
            scope.frame.count(call)
            scope.frame.collect(found)
        last_call.set(call)
        span.end(end_ns)
        return call
    except Exception:
        _safely.swallow("record")
        return None


@_safely.safely()
def score(
    name: str,
    value: float | bool | None = None,
    label: str | None = None,
    *,
    call: Call | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    explanation: str | None = None,
    at: Instant | None = None,
) -> None:
    """Say how good an answer was.

    About `call`, or the span with these ids (also from another process, also days later), or else the current call:
    the latest one inside the current tracked function, or in this thread or task.

    Args:
        name: What was judged: correct, helpful, format …
        value: The score; True and False count as 1 and 0.
        label: A word instead of, or beside, the number: pass, fail …
        call: What `record()` returned, or `Frame.call`.
        trace_id: 32 hex digits.
        span_id: 16 hex digits; without it the whole trace is meant.
        explanation: Why.
        at: When it was judged, if that lies in the past.
    """
    client = get_client()
    if not client.enabled or client.pipeline is None:
        return
    if trace_id is not None:
        trace_number, span_number = int(trace_id, 16), int(span_id, 16) if span_id else 0
    else:
        target = call or _current_call()
        if target is None:
            _safely.warn("score", "score(%r) has no call to belong to: give call= or trace_id=", name)
            return
        trace_number, span_number = target.trace, target.span
    number = None if value is None else float(value)
    if number is None and label is None:
        raise ValueError(f"score {name!r} has neither a value nor a label")
    if number is not None and not math.isfinite(number):
        raise ValueError(f"score {name!r} is a finite number, not {value!r}")
    from outlay.export.encode import Score

    client.pipeline.put_score(
        Score(
            trace_number,
            span_number,
            str(name),
            number,
            None if label is None else str(label),
            None if explanation is None else str(explanation),
            to_ns(at) if at is not None else client.now_ns(),
        )
    )


def _current_call() -> Call | None:
    frame = current_scope().frame
    if frame is not None:
        return frame.last_call or frame.call
    latest = last_call.get()
    if latest is not None:
        return latest
    span = innermost_span(otel_context.get_current())
    current = span.get_span_context() if span is not None else None
    return Call(current.trace_id, current.span_id) if current is not None and current.is_valid else None
