"""OTLP/JSON turned into the same protobuf that everyone else sends, so that one reader and one schema serve both.

As the OTLP specification has it: ids are hex (not base64), 64-bit integers may be strings, enum values are integers,
unknown fields are ignored. Also taken, because senders write it: snake_case names, enum names, `null` for absent. An id
or time that cannot be read leaves a span that the intake rejects by its ordinary rule, so that its neighbours are kept.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from outlay.errors import DecodeError
from outlay_collector.otlp.schema import varint

SURROGATE = re.compile("[\ud800-\udfff]")
KINDS = {f"SPAN_KIND_{name}": n for n, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER"))}
KINDS["SPAN_KIND_CONSUMER"] = 5
CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
UNREADABLE_ID = b"\x00"

Json = dict[str, Any]


def traces_to_protobuf(body: bytes) -> bytes:
    """An OTLP/JSON trace request as protobuf.

    Raises:
        DecodeError: If it is not JSON, or a field has a type that the specification does not allow.
    """
    return _convert(body, lambda top: _all(top, "resourceSpans", 1, _resource_spans))


def logs_to_protobuf(body: bytes) -> bytes:
    """The same for a logs request."""
    return _convert(body, lambda top: _all(top, "resourceLogs", 1, _resource_logs))


def _convert(body: bytes, encode: Callable[[Json], bytes]) -> bytes:
    try:
        return encode(_object(json.loads(body.decode("utf-8")), "the request"))
    except UnicodeDecodeError as exc:
        raise DecodeError("the body is not UTF-8") from exc
    except RecursionError:
        raise DecodeError("the JSON is nested too deeply") from None
    except ValueError as exc:
        raise DecodeError(f"the body is not JSON: {str(exc)[:200]}") from exc


def _resource_spans(item: Json) -> bytes:
    return _resource(item) + _all(item, "scopeSpans", 2, _scope_spans)


def _resource_logs(item: Json) -> bytes:
    return _resource(item) + _all(item, "scopeLogs", 2, lambda scope: _all(scope, "logRecords", 2, _log_record))


def _resource(item: Json) -> bytes:
    resource = _get(item, "resource")
    return b"" if resource is None else _bytes(1, _all(_object(resource, "resource"), "attributes", 1, _pair))


def _scope_spans(item: Json) -> bytes:
    scope = _object(_get(item, "scope") or {}, "scope")
    return _bytes(1, _string(scope, "name", 1) + _string(scope, "version", 2)) + _all(item, "spans", 2, _span)


def _span(item: Json) -> bytes:
    status = _object(_get(item, "status") or {}, "status")
    return b"".join(
        (
            _id(item, "traceId", 1),
            _id(item, "spanId", 2),
            _id(item, "parentSpanId", 4),
            _string(item, "name", 5),
            _enum(item, "kind", 6, KINDS),
            _time(item, "startTimeUnixNano", 7),
            _time(item, "endTimeUnixNano", 8),
            _all(item, "attributes", 9, _pair),
            _count(item, "droppedAttributesCount", 10),
            _all(item, "events", 11, _event),
            _count(item, "droppedEventsCount", 12),
            _all(item, "links", 13, lambda link: _id(link, "traceId", 1) + _id(link, "spanId", 2)),
            _count(item, "droppedLinksCount", 14),
            _bytes(15, _string(status, "message", 2) + _enum(status, "code", 3, CODES)),
        )
    )


def _event(item: Json) -> bytes:
    return _time(item, "timeUnixNano", 1) + _string(item, "name", 2) + _all(item, "attributes", 3, _pair)


def _log_record(item: Json) -> bytes:
    body = _get(item, "body")
    return b"".join(
        (
            _time(item, "timeUnixNano", 1),
            b"" if body is None else _bytes(5, _value(_object(body, "body"))),
            _all(item, "attributes", 6, _pair),
            _id(item, "traceId", 9),
            _id(item, "spanId", 10),
            _time(item, "observedTimeUnixNano", 11),
            _string(item, "eventName", 12),
        )
    )


def _pair(item: Json) -> bytes:
    key, value = item.get("key"), item.get("value")
    if not isinstance(key, str):
        raise DecodeError(f"an attribute's key is {_shown(key)}, not a string")
    return _key(key) + (b"" if value is None else _bytes(2, _value(_object(value, "an attribute's value"))))


@lru_cache(maxsize=4096)
def _key(key: str) -> bytes:
    return _bytes(1, _utf8(key))


def _value(item: Json) -> bytes:
    for name, got in item.items():
        encode = VALUES.get(name)
        if encode is not None and got is not None:
            return encode(got)
    return b""


def _string_value(got: Any) -> bytes:
    if not isinstance(got, str):
        raise DecodeError(f"stringValue is {_shown(got)}, not a string")
    return _bytes(1, _utf8(got))


def _bool_value(got: Any) -> bytes:
    if not isinstance(got, bool) and got not in ("true", "false"):
        raise DecodeError(f"boolValue is {_shown(got)}, not true or false")
    return b"\x10\x01" if got in (True, "true") else b"\x10\x00"


def _int_value(got: Any) -> bytes:
    number = _integer(got)
    if number is None or not -(2**63) <= number < 2**63:
        return _bytes(1, _utf8(str(got)))  # kept as text: nothing is lost, and nobody takes it for a count
    return b"\x18" + varint(number & 0xFFFFFFFFFFFFFFFF)


def _double_value(got: Any) -> bytes:
    try:
        number = float(got) if isinstance(got, (int, float, str)) and not isinstance(got, bool) else None
    except (ValueError, OverflowError):
        number = None
    return _bytes(1, _utf8(str(got))) if number is None else b"\x21" + struct.pack("<d", number)


def _array_value(got: Any) -> bytes:
    return _bytes(5, _all(_object(got, "arrayValue"), "values", 1, _value))


def _kvlist_value(got: Any) -> bytes:
    return _bytes(6, _all(_object(got, "kvlistValue"), "values", 1, _pair))


def _bytes_value(got: Any) -> bytes:
    try:
        return _bytes(7, base64.b64decode(str(got).replace("-", "+").replace("_", "/"), validate=True))
    except (binascii.Error, ValueError):
        return _bytes(1, _utf8(str(got)))


VALUES: dict[str, Callable[[Any], bytes]] = {
    "stringValue": _string_value,
    "string_value": _string_value,
    "boolValue": _bool_value,
    "bool_value": _bool_value,
    "intValue": _int_value,
    "int_value": _int_value,
    "doubleValue": _double_value,
    "double_value": _double_value,
    "arrayValue": _array_value,
    "array_value": _array_value,
    "kvlistValue": _kvlist_value,
    "kvlist_value": _kvlist_value,
    "bytesValue": _bytes_value,
    "bytes_value": _bytes_value,
}


def _all(item: Json, name: str, number: int, encode: Callable[[Json], bytes]) -> bytes:
    """A repeated message."""
    got = _get(item, name)
    if got is None:
        return b""
    if not isinstance(got, list):
        raise DecodeError(f"{name} is {_shown(got)}, not an array")
    tag = varint(number << 3 | 2)
    out: list[bytes] = []
    for element in got:
        raw = encode(_object(element, f"an element of {name}"))
        out += (tag, varint(len(raw)), raw)
    return b"".join(out)


def _id(item: Json, name: str, number: int) -> bytes:
    """A hex id; one that is not hex becomes a single byte, which no rule takes."""
    got = _get(item, name)
    if got is None or got == "":
        return b""
    try:
        raw = bytes.fromhex(got) if isinstance(got, str) and got.isalnum() else UNREADABLE_ID
    except ValueError:
        raw = UNREADABLE_ID
    return _bytes(number, raw)


def _time(item: Json, name: str, number: int) -> bytes:
    """Unix nanoseconds; what is not a number in range becomes 0, which no rule takes for a start."""
    got = _integer(_get(item, name))
    return b"" if got is None or not 0 < got < 2**64 else varint(number << 3 | 1) + struct.pack("<Q", got)


def _count(item: Json, name: str, number: int) -> bytes:
    got = _integer(_get(item, name))
    return b"" if got is None or not 0 < got < 2**32 else varint(number << 3) + varint(got)


def _enum(item: Json, name: str, number: int, names: dict[str, int]) -> bytes:
    got = _get(item, name)
    value = names.get(got) if isinstance(got, str) and not got.isdigit() else _integer(got)
    return b"" if value is None or not 0 < value < 2**31 else varint(number << 3) + varint(value)


def _string(item: Json, name: str, number: int) -> bytes:
    got = _get(item, name)
    if got is None:
        return b""
    if not isinstance(got, str):
        raise DecodeError(f"{name} is {_shown(got)}, not a string")
    return _bytes(number, _utf8(got))


def _bytes(number: int, raw: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def _integer(got: Any) -> int | None:
    if isinstance(got, bool):
        return None
    if isinstance(got, int):
        return got
    if isinstance(got, float):
        return int(got) if math.isfinite(got) and got.is_integer() else None
    try:
        return int(got) if isinstance(got, str) and len(got) <= 20 and got.isascii() else None
    except ValueError:
        return None


def _get(item: Json, name: str) -> Any:
    got = item.get(name)
    return item.get(_snake(name)) if got is None else got


@lru_cache(maxsize=64)
def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda upper: "_" + upper[1].lower(), name)


def _object(got: Any, what: str) -> Json:
    if not isinstance(got, dict):
        raise DecodeError(f"{what} is {_shown(got)}, not an object")
    return got


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: legal in JSON, not in UTF-8
        return SURROGATE.sub("\ufffd", text).encode()


def _shown(got: Any) -> str:
    return repr(got)[:40]
