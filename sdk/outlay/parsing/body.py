"""Bodies as they are read: whole JSON, server-sent events, JSON lines, AWS event streams.

Streams are read a line at a time; only events that a format's hints pick out are parsed, so that metering a stream
costs the application next to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from outlay.parsing.event_stream import EventStreamReader
from outlay.parsing.formats import Format
from outlay.parsing.reading import Reading

_MAX_BODY = 8 << 20

_PARSE_WHOLE = 1 << 20

_END = 8 << 10  # of a large body: what it counts stands at its start or its end

_KEEP = 128 << 10


class BodyReader(Protocol):
    """Takes the body in pieces."""

    def feed(self, chunk: bytes) -> None:
        """One piece."""

    def finish(self) -> None:
        """No more will come."""

    def kept_text(self) -> tuple[list[str], float] | None:
        """Words of the answer and what share of them was kept; None if nothing arrived."""


def make_body_reader(
    wire_format: Format, reading: Reading, content_type: str, stream: bool, keep: bool
) -> BodyReader | None:
    """The reader for this content type; None for what is not read, such as audio."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return LineReader(wire_format, reading, keep, sse=True)
    if kind in ("application/x-ndjson", "application/jsonl", "application/stream+json"):
        return LineReader(wire_format, reading, keep, sse=False)
    if kind == "application/vnd.amazon.eventstream":
        return EventStreamReader(wire_format, reading, keep)
    if kind.endswith("json"):
        return JsonReader(wire_format, reading)
    if kind in ("", "text/plain", "application/octet-stream"):
        return GuessingReader(wire_format, reading, keep)
    return None


class GuessingReader:
    """For servers that do not say, or not truly, what they send: the first bytes tell."""

    def __init__(self, wire_format: Format, reading: Reading, keep: bool) -> None:
        self._parts = wire_format, reading
        self._keep = keep
        self._reader: BodyReader | None = None

    def feed(self, chunk: bytes) -> None:
        if self._reader is None:
            start = chunk.lstrip()[:6]
            if not start:
                return
            events = start.startswith((b"data:", b"event:", b":", b"id:"))
            self._reader = LineReader(*self._parts, self._keep, sse=True) if events else JsonReader(*self._parts)
        self._reader.feed(chunk)

    def finish(self) -> None:
        if self._reader is not None:
            self._reader.finish()

    def kept_text(self) -> tuple[list[str], float] | None:
        return self._reader.kept_text() if self._reader is not None else None


class JsonReader:
    """A whole JSON body, or an array of them."""

    def __init__(self, wire_format: Format, reading: Reading) -> None:
        self._format = wire_format
        self._reading = reading
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > _MAX_BODY:
            body = b"".join(self._chunks)
            self._chunks = [body[:_END], body[-_END:]]
            self._size = _MAX_BODY - (1 << 20)  # look again after another megabyte

    def finish(self) -> None:
        body = b"".join(self._chunks)
        self._chunks = []
        if not body:
            return
        if self._size > _PARSE_WHOLE:
            self._format.reader(self._reading, scan(body))
            return
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = _partial_array(body)
        for item in parsed if isinstance(parsed, list) else [parsed]:
            if isinstance(item, dict):
                self._format.reader(self._reading, item)

    def kept_text(self) -> tuple[list[str], float] | None:
        return None


def _partial_array(body: bytes) -> list[Any]:
    """Elements of a JSON array that was cut off (Gemini's stream without server-sent events)."""
    text = body.decode("utf-8", "replace").lstrip()
    found: list[Any] = []
    decoder = json.JSONDecoder()
    position = 1 if text.startswith("[") else len(text)
    while position < len(text):
        while position < len(text) and text[position] in ", \r\n\t":
            position += 1
        try:
            item, position = decoder.raw_decode(text, position)
        except ValueError:
            break
        found.append(item)
    return found


def scan(body: bytes) -> Mapping[str, Any]:
    """The small facts of a large body (embeddings, images) without parsing all of it."""
    text_ends = body[:2048].decode("utf-8", "replace"), body[-4096:].decode("utf-8", "replace")
    found: dict[str, Any] = {}
    decoder = json.JSONDecoder()
    for text in text_ends:
        for key in (
            "id",
            "model",
            "usage",
            "service_tier",
            "modelVersion",
            "responseId",
            "usageMetadata",
            "tool_usage",
            "svg_usage",
            "meta",
            "prompt_eval_count",
        ):
            place = text.rfind(f'"{key}"')
            colon = text.find(":", place) if place >= 0 else -1
            if colon < 0:
                continue
            start = colon + 1
            while start < len(text) and text[start] in " \r\n\t":
                start += 1
            try:
                found[key], _ = decoder.raw_decode(text, start)
            except ValueError:
                continue
    return found


class LineReader:
    """Server-sent events, or one JSON object per line."""

    def __init__(self, wire_format: Format, reading: Reading, keep: bool, sse: bool) -> None:
        self._format = wire_format
        self._reading = reading
        self._keep = keep
        self._sse = sse
        self._rest: list[bytes] = []  # of a line that is not complete: one with a picture comes in many pieces
        self._count = 0
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._total_bytes = 0

    def feed(self, chunk: bytes) -> None:
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return
        lines = chunk.split(b"\n")
        if self._rest:
            lines[0] = b"".join((*self._rest, lines[0]))
            self._rest = []
        last = lines.pop()
        if last:
            self._rest.append(last)
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        rest, self._rest = self._rest, []
        if rest:
            self._line(b"".join(rest))

    def _line(self, line: bytes) -> None:
        if self._sse:
            if not line.startswith(b"data:"):
                return
            line = line[5:]
        line = line.strip()
        if not line:
            return
        if line == b"[DONE]":
            self._reading.done = True
            return
        self._count += 1
        if self._count == 1 or self._reading.text is not None or self._format.hints.search(line):
            try:
                event = json.loads(line)
            except ValueError:
                return
            if isinstance(event, dict):
                self._format.reader(self._reading, event)
        if self._keep:
            self._total_bytes += len(line)
            if self._kept_bytes < _KEEP:
                self._kept.append(line)
                self._kept_bytes += len(line)

    def kept_text(self) -> tuple[list[str], float] | None:
        if not self._count:
            return None
        words = Reading()
        words.text = []
        for line in self._kept:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                self._format.reader(words, event)
        return words.text, self._kept_bytes / max(self._total_bytes, 1)
