"""Bodies of `application/vnd.amazon.eventstream`: length, headers, payload, checksums."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from outlay.parsing.formats import Format
from outlay.parsing.reading import Reading


class EventStreamReader:
    """application/vnd.amazon.eventstream: length, headers, payload, checksums."""

    def __init__(self, wire_format: Format, reading: Reading, keep: bool) -> None:
        self._format = wire_format
        self._reading = reading
        self._keep = keep
        self._buffer = b""
        self._kept: list[dict[str, Any]] = []
        self._count = 0

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while len(self._buffer) >= 12:
            total, header_size = struct.unpack_from(">II", self._buffer)
            if total < 16 or header_size > total - 16:
                self._buffer = b""  # not an event stream after all
                return
            if len(self._buffer) < total:
                return
            headers = _event_headers(self._buffer[12 : 12 + header_size])
            payload = self._buffer[12 + header_size : total - 4]
            self._buffer = self._buffer[total:]
            self._event(headers, payload)

    def _event(self, headers: Mapping[str, str], payload: bytes) -> None:
        kind = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code") or "error"
        if headers.get(":message-type") in ("exception", "error"):
            self._reading.error = kind
            return
        self._count += 1
        try:
            event = {kind: json.loads(payload or b"{}")}
        except ValueError:
            return
        self._format.reader(self._reading, event)
        if self._keep and self._count <= 2000:
            self._kept.append(event)

    def finish(self) -> None:
        self._buffer = b""

    def kept_text(self) -> tuple[list[str], float] | None:
        if not self._count:
            return None
        words = Reading()
        words.text = []
        for event in self._kept:
            self._format.reader(words, event)
        return words.text, len(self._kept) / self._count


def _event_headers(data: bytes) -> dict[str, str]:
    """String headers of one event; the other types are skipped."""
    found: dict[str, str] = {}
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    position = 0
    while position < len(data):
        name_size = data[position]
        name = data[position + 1 : position + 1 + name_size].decode("utf-8", "replace")
        position += 1 + name_size
        kind = data[position]
        position += 1
        if kind in (6, 7):
            (size,) = struct.unpack_from(">H", data, position)
            position += 2
            if kind == 7:
                found[name] = data[position : position + size].decode("utf-8", "replace")
            position += size
        else:
            position += sizes.get(kind, len(data))
    return found
