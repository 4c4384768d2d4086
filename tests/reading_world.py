"""Spans for tests of how settle reads: a handful of attributes in, the columns of facts out. No store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from outlay_collector.settle.facts import Ints
from outlay_collector.settle.reading import judge
from outlay_collector.settle.reading.documents import NAMES

NOON_NS = 1_772_452_800_000_000_000
OTEL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


@dataclass(frozen=True)
class Sent:
    """A span as it was sent; `texts` are its contents."""

    attributes: Mapping[str, str]
    scope: str = "opentelemetry.instrumentation.genai.openai"
    version: str = "1"
    name: str = "chat"
    status: str = "unset"
    texts: Mapping[str, str] = field(default_factory=dict)
    exception: str = ""
    kind: str = "client"
    parent: str = ""
    prompt_hash: int = 0


def read(*spans: Sent) -> list[dict[str, Any]]:
    """What settle reads of spans, texts decoded, maps as dicts, instants in nanoseconds."""
    rows: pa.Table = judge(_table(spans), lambda _, rows: _contents(spans, rows))
    instants = [field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field for field in rows.schema]
    rows = rows.cast(pa.schema(instants))
    return [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist()]


def read_one(attributes: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """The same of one span with these attributes."""
    return read(Sent(attributes, **more))[0]


def _contents(spans: tuple[Sent, ...], rows: Ints) -> dict[int, dict[str, bytes]]:
    return {row: {k: v.encode() for k, v in spans[row].texts.items() if k in NAMES} for row in rows.tolist()}


def _table(spans: tuple[Sent, ...]) -> pa.Table:
    numbers = range(1, len(spans) + 1)
    attributes = pa.map_(pa.dictionary(pa.int32(), pa.binary()), pa.binary())
    hashes = pa.array([span.prompt_hash for span in spans], pa.uint64())
    return pa.table(
        {
            "trace": pa.array([7] * len(spans), pa.uint64()),
            "id": pa.array(numbers, pa.uint64()),
            "parent_id": pa.array([0] * len(spans), pa.uint64()),
            "project": _few("default" for _ in spans),
            "trace_id": _texts("0" * 32 for _ in spans),
            "span_id": _texts(f"{n:016x}" for n in numbers),
            "parent_span_id": _texts(span.parent for span in spans),
            "started_at": pa.array([NOON_NS] * len(spans), pa.timestamp("ns", "UTC")),
            "duration_ns": pa.array([1_000_000] * len(spans), pa.uint64()),
            "name": _texts(span.name for span in spans),
            "kind": _few(span.kind for span in spans),
            "service": _few("shop" for _ in spans),
            "environment": _few("prod" for _ in spans),
            "scope_name": _few(span.scope for span in spans),
            "scope_version": _few(span.version for span in spans),
            "status": _few(span.status for span in spans),
            "attributes": pa.array([_entries(span.attributes) for span in spans], attributes),
            "exception_type": _texts(span.exception for span in spans),
            "has_document": pa.array([int(any(key in NAMES for key in span.texts)) for span in spans], pa.uint8()),
            "prompt_hash": hashes,
            "prefix_hash": hashes,
            "version": pa.array([1] * len(spans), pa.uint64()),
        }
    ).combine_chunks()


def _entries(attributes: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(key.encode(), value.encode("utf-8", "surrogateescape")) for key, value in attributes.items()]


def _texts(texts: Any) -> Any:
    return pa.array([text.encode() for text in texts], pa.binary())


def _few(texts: Any) -> Any:
    return _texts(texts).dictionary_encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        pairs = bool(value) and isinstance(value[0], tuple)
        return {_plain(k): _plain(v) for k, v in value} if pairs else [_plain(each) for each in value]
    return value
