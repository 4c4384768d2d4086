"""Recorded OTLP requests: whether one holds traces or logs, and how a long one is cut into requests that are taken.

Protobuf messages joined end to end are one valid message, so a file that was appended to may be of any length.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PIECE_BYTES = 8 << 20
DELIMITED = 2


def kind_of(body: bytes, encoding: str) -> str:
    """`traces` or `logs`: the two look alike on the wire, but only a span begins with a trace id."""
    if encoding == "json":
        return "logs" if b'"resourceLogs"' in body and b'"resourceSpans"' not in body else "traces"
    return "logs" if not _holds_spans(body) and _holds_records(body) else "traces"


def pieces(body: bytes) -> Iterator[bytes]:
    """A protobuf request as requests of at most about 8 MiB, cut between resources; unreadable bytes stay whole."""
    start = end = 0
    while end < len(body):
        after = _field_end(body, end)
        if after is None:
            yield body[start:]
            return
        if after - start > PIECE_BYTES and end > start:
            yield body[start:end]
            start = end
        end = after
    if end > start or not body:
        yield body[start:end]


def _holds_spans(body: bytes) -> bool:
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except ProtobufError:
        return False
    return any(s.trace_id for resource in request.resource_spans for scope in resource.scope_spans for s in scope.spans)


def _holds_records(body: bytes) -> bool:
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except ProtobufError:
        return False
    records = (r for resource in request.resource_logs for scope in resource.scope_logs for r in scope.log_records)
    return any(r.time_unix_nano or r.observed_time_unix_nano or r.trace_id or r.HasField("body") for r in records)


def _field_end(body: bytes, at: int) -> int | None:
    """Where the length-delimited field at `at` ends, None if there is none."""
    tag = _varint(body, at)
    if tag is None or tag[0] & 7 != DELIMITED:
        return None
    length = _varint(body, tag[1])
    if length is None or length[1] + length[0] > len(body):
        return None
    return length[1] + length[0]


def _varint(body: bytes, at: int) -> tuple[int, int] | None:
    """A base-128 number and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(body):
            return None
        value |= (body[at] & 127) << shift
        at += 1
        if body[at - 1] < 128:
            return value, at
    return None
