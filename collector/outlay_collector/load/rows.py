"""Spans of a small batch as rows of `span_rows`, read in Python: what the view `otlp_to_spans` makes of larger ones.

To analyze that view takes ClickHouse as long as to parse some thousand spans: a quiet server would do little else. What
is written here is the view once more, column by column; a test holds both equal, whatever a body says.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from outlay_collector.otlp.schema import message, varint
from outlay_collector.otlp.texts import json_text, scalar_text, value_text
from outlay_collector.otlp.validate import LATEST_NS, Bounds, span_problem
from outlay_collector.spool.segments import Record

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUSES = {1: "ok", 2: "error"}
LONGEST_NS = 34_560_000_000_000_000
MOST_COMPLETE = 2**24 - 1
LONG_BYTES = 4096
"""What is longer is content, unless its name says otherwise."""
CONTENT = re.compile(
    r"gen_ai\.(input\.messages|output\.messages|system_instructions|content\..*|(prompt|completion)(\.[0-9].*)?)"
    r"|gen_ai\.tool\.(definitions|json_schema|call\.arguments|call\.result)|gen_ai\.(task|workflow|agent)\.(input|output)"
    r"|(input|output)\.value|llm\.((input|output)_messages|prompts|completions|tools|prompt_template)(\..*)?"
    r"|llm\.[a-z_]+\.(messages|choices|content|system|tools)"
    r"|(traceloop\.entity|langfuse\.observation|langfuse\.trace|lmnr\.span|haystack\.component)\.(input|output)"
    r"|mlflow\.span(Inputs|Outputs)|mlflow\.chat\.(messages|tools)"
    r"|ai\.(prompt|value|values|embedding|embeddings|schema)(\..*)?"
    r"|ai\.(response\.(text|object|reasoning|toolCalls|files)|toolCall\.(args|result))"
    r"|(embedding\.embeddings|retrieval\.documents|reranker\.(input|output)_documents)(\..*)?"
    r"|pydantic_ai\.all_messages|all_messages_events|final_result|tool_arguments|tool_response"
    r"|request_data|response_data|crew_agents|crew_tasks",
    re.DOTALL,
)
KEPT = re.compile("usage|token|cost|metadata|metrics", re.IGNORECASE)
NAMES_KEPT = 4096
SHORT_NAME = 200
"""Names up to this length are remembered."""
Pair = tuple[bytes, bytes]
"""Name and value, packed."""
_LENGTHS = [varint(length) for length in range(128)]
_I64, _U64, _I32 = struct.Struct("<q"), struct.Struct("<Q"), struct.Struct("<i")


def span_rows(record: Record, body: bytes) -> bytes:
    """The spans of a body that are taken, as RowBinary.

    Raises:
        google.protobuf.message.DecodeError: If the body is not what the intake let in.
    """
    limits = Bounds(record.oldest_ns, record.newest_ns)
    received_ms = _I64.pack(record.received_ns // 10**6)
    envelope = b"".join((_text(record.project), _text(record.body_id), received_ms))
    rows: list[bytes] = []
    for of_resource in message("Request").FromString(body).resource_spans:
        resource = envelope + _resource(of_resource.resource)
        for of_scope in of_resource.scope_spans:
            above = b"".join((resource, _text(of_scope.scope.name), _text(of_scope.scope.version)))
            for span in of_scope.spans:
                ids = span.trace_id, span.span_id, span.parent_span_id
                if not span_problem(*ids, span.start_time_unix_nano, limits):
                    rows += (above, _span(span))
    return b"".join(rows)


def _resource(resource: Any) -> bytes:
    """resource_attributes, service, service_version, environment."""
    pairs = [(pair.key, value_text(pair.value)) for pair in resource.attributes]
    first = dict(reversed(pairs))
    environment = first.get("deployment.environment.name") or first.get("deployment.environment", "")
    return b"".join(
        (
            _map([(_name(key), _text(value)) for key, value in pairs]),
            _text(first.get("service.name", "")),
            _text(first.get("service.version", "")),
            _text(environment),
        )
    )


def _span(span: Any) -> bytes:
    """The columns from trace_id on."""
    start_ns, end_ns, status = span.start_time_unix_nano, span.end_time_unix_nano, span.status
    said = _Attributes(span.attributes)
    completeness = min(2 * (len(said.keys) + len(span.events)) + (end_ns > 0), MOST_COMPLETE)
    name, status_message = _text(span.name), _text(status.message)
    return b"".join(
        (
            _text(span.trace_id.hex()),
            _text(span.span_id.hex()),
            _text(span.parent_span_id.hex() if any(span.parent_span_id) else ""),
            _I64.pack(start_ns),
            _U64.pack(min(max(end_ns - start_ns, 0), LONGEST_NS)),
            name,
            _name(KINDS.get(span.kind, "unspecified")),
            _name(STATUSES.get(status.code, "unset")),
            status_message,
            _map(said.small + said.small_arrays),
            _map(said.large + said.large_arrays),
            _array([_event(event) for event in span.events]),
            _array([_text(link.trace_id.hex()) + _text(link.span_id.hex()) for link in span.links]),
            _array([_name(flag) for flag in _flags(span)]),
            _U64.pack(completeness),
            _I32.pack(span.kind),
            _U64.pack(end_ns),
            _I32.pack(status.code),
            _array(said.keys),
            _array([value for _, value in said.small]),
            _array([value for _, value in said.large]),
            _array(said.array_texts),
        )
    )


class _Attributes:
    """A span's attributes, packed: small ones, content, and of both the arrays, which come last."""

    def __init__(self, pairs: Any) -> None:
        self.keys: list[bytes] = []
        self.small: list[Pair] = []
        self.large: list[Pair] = []
        self.small_arrays: list[Pair] = []
        self.large_arrays: list[Pair] = []
        self.array_texts: list[bytes] = []
        for pair in pairs:
            key, value = pair.key, pair.value
            kind = value.WhichOneof("value")
            name = _name(key)
            self.keys.append(name)
            if kind == "array_value":
                text = json_text(value).encode()
                packed = _packed(text)
                self.array_texts.append(packed)
                (self.large_arrays if _is_content(key, len(text)) else self.small_arrays).append((name, packed))
                continue
            text = value.string_value.encode() if kind == "string_value" else b""
            if _is_content(key, len(text)):
                self.large.append((name, _packed(text)))
            elif kind == "string_value":
                self.small.append((name, _packed(text)))
            else:
                # A list that is not empty came as text: it was nested too deep (`otlp/repair.py`).
                self.small.append((name, _text("{}" if kind == "kvlist_value" else scalar_text(value, kind))))


def _event(event: Any) -> bytes:
    pairs = [(_text(pair.key), _text(_flat_text(pair.value))) for pair in event.attributes]
    return b"".join((_I64.pack(min(event.time_unix_nano, LATEST_NS)), _text(event.name), _map(pairs)))


def _flat_text(value: Any) -> str:
    """A value where no array or list can be but an empty one."""
    kind = value.WhichOneof("value")
    return {"array_value": "[]", "kvlist_value": "{}"}.get(kind) or value_text(value)


def _flags(span: Any) -> list[str]:
    start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
    made_safe = {
        "no_end": end_ns == 0,
        "end_before_start": 0 < end_ns < start_ns,
        "duration_capped": end_ns - start_ns > LONGEST_NS,
        "sender_dropped_attributes": span.dropped_attributes_count > 0,
        "sender_dropped_events": span.dropped_events_count > 0,
        "sender_dropped_links": span.dropped_links_count > 0,
    }
    return [*span.outlay_flags, *(flag for flag, holds in made_safe.items() if holds)]


def _is_content(key: str, size_bytes: int) -> bool:
    content, kept = _Names.kinds(key) if len(key) <= SHORT_NAME else _kinds(key)
    return content or (size_bytes > LONG_BYTES and not kept)


def _kinds(key: str) -> tuple[bool, bool]:
    """Whether a name is of content, and whether what has it is kept however long it is."""
    return CONTENT.fullmatch(key) is not None, KEPT.search(key) is not None


# RowBinary: a text is its length and its bytes; an array or a map is how many it has, and each of them.


def _name(word: str) -> bytes:
    """A text of which there are few."""
    return _Names.packed(word) if len(word) <= SHORT_NAME else _text(word)


def _text(text: str) -> bytes:
    return _packed(text.encode())


def _packed(text: bytes) -> bytes:
    return (_LENGTHS[len(text)] if len(text) < len(_LENGTHS) else varint(len(text))) + text


def _array(items: Sequence[bytes]) -> bytes:
    return varint(len(items)) + b"".join(items)


def _map(pairs: Sequence[Pair]) -> bytes:
    return varint(len(pairs)) + b"".join(part for pair in pairs for part in pair)


class _Names:
    """What is found once for each of the few names there are."""

    kinds = staticmethod(lru_cache(NAMES_KEPT)(_kinds))
    packed = staticmethod(lru_cache(NAMES_KEPT)(_text))
