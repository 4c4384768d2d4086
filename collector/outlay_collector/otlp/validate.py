"""What the intake makes of one body: does it parse, which spans are taken, and under which keys.

The rule for a span is a pure function of the span and the moment it was received. It exists twice: `span_problem` here
and the WHERE of the view `otlp_to_spans`; `tests/integration/test_landing_rule.py` holds them together.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError as ProtobufError

from outlay.errors import DecodeError
from outlay_collector.otlp.repair import repaired, repaired_logs
from outlay_collector.otlp.schema import OWN_FIELDS, OWN_TAG, message, parse_shallow

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
MAX_AGE_DAYS = 400
MAX_AHEAD_DAYS = 1
LATEST_NS = 2**63 - 1
KEY = struct.Struct("<I16s8s")
NO_TRACE, NO_SPAN = bytes(16), bytes(8)
GENAI_EVENT = "gen_ai."


@dataclass(frozen=True)
class Bounds:
    """Which start times are taken, in Unix nanoseconds, both ends included."""

    oldest_ns: int
    newest_ns: int


@dataclass
class ReadBody:
    """One body, read and judged.

    Attributes:
        body: Protobuf as it will be loaded: the bytes as sent unless `rewritten`.
        spans: How many spans (or log records) are taken.
        rejected: How many are not.
        reasons: Why, each with its count.
        keys: For each span taken: hour since 1970 (4 bytes, little endian), trace id, span id.
        rewritten: Why the body is not the bytes that were sent: `deep`, `not_utf8`, `own_fields`, `json`, or empty.
    """

    body: bytes
    spans: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    keys: bytes = b""
    rewritten: str = ""


def bounds(received_ns: int, max_age_days: int | None = MAX_AGE_DAYS) -> Bounds:
    """The start times taken at `received_ns`; `max_age_days=None` takes any past one after 1970 began."""
    newest = min(received_ns + MAX_AHEAD_DAYS * DAY_NS, LATEST_NS)
    return Bounds(1 if max_age_days is None else max(1, received_ns - max_age_days * DAY_NS), newest)


def span_problem(trace_id: bytes, span_id: bytes, parent_span_id: bytes, start_ns: int, limits: Bounds) -> str:
    """Why a span is rejected, or empty when it is taken."""
    if len(trace_id) != 16 or trace_id == NO_TRACE:
        return "trace_id is not 16 bytes, or all zero"
    if len(span_id) != 8 or span_id == NO_SPAN:
        return "span_id is not 8 bytes, or all zero"
    if len(parent_span_id) not in (0, 8):
        return "parent_span_id is neither empty nor 8 bytes"
    if not limits.oldest_ns <= start_ns <= limits.newest_ns:
        return "start time is too old or too far ahead"
    return ""


def read_traces(body: bytes, limits: Bounds) -> ReadBody:
    """Read an ExportTraceServiceRequest.

    Raises:
        DecodeError: If it is not protobuf, or not of that shape.
    """
    request, read = _parse_traces(body)
    keys: list[bytes] = []
    pack, oldest, newest = KEY.pack, limits.oldest_ns, limits.newest_ns
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                trace_id, span_id, start_ns = span.trace_id, span.span_id, span.start_time_unix_nano
                # What is plainly right needs no call; `span_problem` judges all the rest.
                plain = len(trace_id) == 16 and len(span_id) == 8 and oldest <= start_ns <= newest
                if not (plain and trace_id != NO_TRACE and span_id != NO_SPAN and len(span.parent_span_id) in (0, 8)):
                    problem = span_problem(trace_id, span_id, span.parent_span_id, start_ns, limits)
                else:
                    problem = ""
                if problem:
                    read.reasons[problem] += 1
                else:
                    keys.append(pack(start_ns // HOUR_NS, trace_id, span_id))
    read.spans, read.rejected, read.keys = len(keys), read.reasons.total(), b"".join(keys)
    return read


def read_logs(body: bytes) -> ReadBody:
    """Read an ExportLogsServiceRequest: records that are GenAI events are taken, others are not kept.

    Raises:
        DecodeError: If it is not protobuf, or not of that shape.
    """
    request, read = _parse_logs(body)
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                if event_name(record).startswith(GENAI_EVENT):
                    read.spans += 1
                else:
                    read.reasons["not a GenAI event"] += 1
    read.rejected = read.reasons.total()
    return read


def event_name(record: Any) -> str:
    """The event a log record is: its own field, or the attribute that came before it."""
    if record.event_name:
        return str(record.event_name)
    return next((str(pair.value.string_value) for pair in record.attributes if pair.key == "event.name"), "")


def _parse_traces(body: bytes) -> tuple[Any, ReadBody]:
    try:
        request = parse_shallow(body)
        if OWN_TAG not in body or not _has_own_fields(request):
            return request, ReadBody(body)
    except ProtobufError:
        pass
    # The slow way, for the few bodies that ClickHouse could not take as they are.
    new, why = repaired(_lenient("Request", body))
    return parse_shallow(new), ReadBody(new, rewritten=why)


def _parse_logs(body: bytes) -> tuple[Any, ReadBody]:
    """Logs are read by Python when they are loaded, so only text that is not UTF-8 needs a repair."""
    strict = message("LogsRequest")
    try:
        return strict.FromString(body), ReadBody(body)
    except ProtobufError:
        new = repaired_logs(_lenient("LogsRequest", body))
        return strict.FromString(new), ReadBody(new, rewritten="not_utf8")


def _lenient(name: str, body: bytes) -> Any:
    try:
        return message(name, lenient=True).FromString(body)
    except ProtobufError as exc:
        raise DecodeError("the body is not an OTLP request in protobuf, or it is nested over 100 levels") from exc


def _has_own_fields(request: Any) -> bool:
    return any(getattr(request, own) for own in OWN_FIELDS) or any(
        span.outlay_flags
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
