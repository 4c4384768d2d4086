"""Items: one request of a batch, from a line of its results to the span that describes it.

A line takes few bytes until the export thread turns it into a span, because a batch may have a hundred thousand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from outlay import semconv
from outlay.parsing import anthropic as messages
from outlay.parsing import gemini as generated
from outlay.parsing import openai as completions
from outlay.parsing.kinds import whole
from outlay.parsing.reading import Reading
from outlay.usage import Usage

Json = Mapping[str, Any]

_NEVER_RUN = frozenset({"batch_expired", "batch_cancelled"})


class Source:
    """What all items of one fetch share."""

    __slots__ = ("attributes", "batch", "host", "lines_read", "link", "port", "provider", "resource")

    def __init__(
        self,
        batch: str,
        provider: str,
        host: str,
        port: int | None,
        attributes: Mapping[str, Any],
        link: SpanContext | None,
        resource: Resource,
    ) -> None:
        self.batch = batch
        self.provider = provider
        self.host = host
        self.port = port
        self.attributes = attributes
        self.link = link
        self.resource = resource
        self.lines_read = 0


class Item(NamedTuple):
    """One billed request of a batch."""

    source: Source
    key: str  # tells it from the others of its batch, in every fetch
    operation: str
    start_ns: int  # 0 when the line does not say
    custom_id: str | None
    said: Reading
    usage: Usage | None
    model: str | None

    @property
    def identity(self) -> tuple[int, int]:
        """Trace and span id."""
        return _number(16, self.source.batch), _number(8, self.source.batch, self.key)

    def readable(self) -> ReadableSpan:
        """The span: the same one in every fetch."""
        source, said = self.source, self.said
        trace_id, span_id = self.identity
        found: dict[str, Any] = {
            **source.attributes,
            semconv.OPERATION: self.operation,
            semconv.PROVIDER: source.provider,
            semconv.SERVER_ADDRESS: source.host,
            semconv.ATTEMPT: 1,
            semconv.REQUEST_ID: f"{span_id:016x}",
            semconv.BATCH_ID: source.batch,
            **said.attributes(source.provider),
            semconv.service_tier_key(source.provider): "batch",
        }
        if source.port:
            found[semconv.SERVER_PORT] = source.port
        if self.custom_id is not None:
            found[semconv.BATCH_CUSTOM_ID] = self.custom_id
        if self.model:
            found[semconv.RESPONSE_MODEL] = self.model
            if self.model != said.response_model:
                found.pop(semconv.RESPONSE_ID, None)  # that is the other model's answer
        if self.usage is not None:
            found.update(self.usage.attributes())
        if said.error:
            found[semconv.ERROR_TYPE] = said.error
        context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        return ReadableSpan(
            f"{self.operation} {self.model or ''}".rstrip(),
            context,
            resource=source.resource,
            attributes=found,
            links=(Link(source.link),) if source.link is not None and source.link.is_valid else (),
            kind=SpanKind.CLIENT,
            instrumentation_scope=InstrumentationScope(semconv.SCOPE),
            status=Status(StatusCode.ERROR if said.error else StatusCode.UNSET),
            start_time=self.start_ns,
            end_time=self.start_ns,
        )


def _number(size: int, *parts: str) -> int:
    """An id that follows from these parts."""
    return int.from_bytes(hashlib.sha256("\0".join(("outlay-batch", *parts)).encode()).digest()[:size], "big")


def _items(
    source: Source, said: Reading, operation: str, custom_id: str | None, created: object, number: int
) -> Iterator[Item]:
    source.lines_read += 1
    said.raw_usage.clear()
    start_ns = created * 1_000_000_000 if isinstance(created, int) else 0
    key = "\0".join((said.response_id or "", custom_id or "")) if said.response_id or custom_id else str(number)
    yield Item(source, key, operation, start_ns, custom_id, said, whole(operation, said.usage), said.response_model)
    for model, usage in said.elsewhere:
        yield Item(source, f"{key}\0{model}", operation, start_ns, custom_id, said, usage, model)


def openai(source: Source, line: Json, number: int) -> Iterator[Item]:
    """A line of OpenAI, Azure, Mistral and all that offer the same files: a response beside the id of its request."""
    custom_id = line.get("custom_id")
    response = line.get("response")
    if not isinstance(custom_id, str) or not ("response" in line or "error" in line):
        return
    said = Reading()
    body = response.get("body") if isinstance(response, dict) else None
    body = body if isinstance(body, dict) else {}
    error = line.get("error")
    if isinstance(error, dict):
        said.error = str(error.get("code") or error.get("type") or "error")
        if said.error in _NEVER_RUN:
            source.lines_read += 1
            return
    status = response.get("status_code") if isinstance(response, dict) else None
    if isinstance(status, int) and status >= 400:
        said.error = str(status)
    kind = body.get("object")
    operation = {"list": "embeddings", "text_completion": "text_completion"}.get(str(kind), "chat")
    if not said.error:
        if kind == "response":
            completions.openai_responses(said, body)
        elif kind is None and "data" in body:
            operation = "image_generation"
            completions.openai_media(said, body)
        else:
            completions.openai_chat(said, body)
    yield from _items(source, said, operation, custom_id, body.get("created") or body.get("created_at"), number)


def anthropic(source: Source, line: Json, number: int) -> Iterator[Item]:
    """A line of Anthropic's Message Batches; only what succeeded is billed."""
    custom_id, result = line.get("custom_id"), line.get("result")
    if not isinstance(custom_id, str) or not isinstance(result, dict):
        return
    said = Reading()
    message = result.get("message")
    if result.get("type") == "succeeded" and isinstance(message, dict):
        messages.anthropic(said, message)
    elif result.get("type") == "errored":
        error = result.get("error")
        inner = error.get("error") if isinstance(error, dict) else None
        said.error = str(inner.get("type") or "error") if isinstance(inner, dict) else "error"
    else:  # canceled or expired before it ran
        source.lines_read += 1
        return
    yield from _items(source, said, "chat", custom_id, None, number)


def gemini(source: Source, line: Json, number: int) -> Iterator[Item]:
    """A line of Gemini's results file."""
    body, error = line.get("response"), line.get("error")
    if not isinstance(body, dict) and not isinstance(error, dict):
        return
    said = Reading()
    key = line.get("key")
    if isinstance(body, dict):
        generated.gemini(said, body)
    elif isinstance(error, dict):
        said.error = str(error.get("status") or error.get("code") or "error")
    operation = "generate_content" if "candidates" in (body or {}) else "embeddings"
    yield from _items(source, said, operation, key if isinstance(key, str) else None, None, number)


def inline(source: Source, batch: Json) -> Iterator[Item]:
    """The answers inside what is said about a batch: Gemini's, and Mistral's, when the requests came inline."""
    outputs = batch.get("outputs")
    if isinstance(outputs, list) and isinstance(batch.get("id"), str):
        source.batch = str(batch.get("output_file") or batch["id"])
        for number, entry in enumerate(outputs):
            if isinstance(entry, dict):
                yield from openai(source, entry, number)
        return
    name, response, metadata = batch.get("name"), batch.get("response"), batch.get("metadata")
    for place in (response, metadata.get("output") if isinstance(metadata, dict) else None):
        for key in ("inlinedResponses", "inlinedEmbedContentResponses"):
            entries = place.get(key) if isinstance(place, dict) else None
            entries = entries.get("inlinedResponses") if isinstance(entries, dict) else entries
            if not isinstance(entries, list) or not isinstance(name, str):
                continue
            source.batch = name
            source.provider = "gcp.gemini" if source.provider == "openai" else source.provider  # they share a path
            for number, entry in enumerate(entries):
                if isinstance(entry, dict):
                    about = entry.get("metadata")
                    custom_id = about.get("key") if isinstance(about, dict) else None
                    yield from gemini(source, {**entry, "key": custom_id}, number)
            return
