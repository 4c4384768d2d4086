"""Rewrite the few bodies that ClickHouse could not take as they are: deep nesting, bad UTF-8, fields that are ours.

A value nested deeper than `otlp_in` holds becomes a string with the same JSON that a shallower one becomes in SQL.
Bytes that are not UTF-8 are replaced, and the span says so in its flags.
"""

from __future__ import annotations

import base64
import math
from typing import Any

from outlay_collector.otlp.schema import OWN_FIELDS, message
from outlay_collector.otlp.texts import NESTED, json_text, text


def repaired(request: Any) -> tuple[bytes, str]:
    """A lenient `Request` as protobuf that parses strictly, and why it was rewritten."""
    why = "deep"
    for own in OWN_FIELDS:
        if getattr(request, own):
            why = "own_fields"
            request.ClearField(own)
    for resource in request.resource_spans:
        bad = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            bad_scope = bad | _texts(scope.scope, "name", "version")
            for span in scope.spans:
                if span.outlay_flags:
                    why = "own_fields"
                    del span.outlay_flags[:]
                bad_span = bad_scope | _texts(span, "name") | _texts(span.status, "message")
                bad_span |= _attributes(span.attributes)
                for event in span.events:
                    bad_span |= _texts(event, "name") | _attributes(event.attributes)
                if bad_span:
                    why = "not_utf8"
                    span.outlay_flags.append(b"invalid_utf8")
    return bytes(request.SerializeToString()), why


def repaired_logs(request: Any) -> bytes:
    """A lenient `LogsRequest` as protobuf that parses strictly."""
    for resource in request.resource_logs:
        _attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            _texts(scope.scope, "name", "version")
            for record in scope.log_records:
                _texts(record, "event_name")
                _attributes(record.attributes)
                _value(record.body)
    return bytes(request.SerializeToString())


def plain(value: Any) -> Any:
    """An AnyValue (strict or lenient) as plain Python: str, int, bool, float or its name, list, dict, None."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {text(pair.key): plain(pair.value) for pair in value.kvlist_value.values}
    got = getattr(value, kind)
    if kind == "bytes_value":
        return base64.b64encode(got).decode()
    if kind == "double_value":
        return _number(got)
    return text(got) if kind == "string_value" else got


def _number(number: float) -> float | int | str:
    """A double as ClickHouse writes it: whole numbers without a point, `nan` and `inf` by name."""
    if not math.isfinite(number):
        return "nan" if math.isnan(number) else ("inf" if number > 0 else "-inf")
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _attributes(pairs: Any) -> bool:
    bad = False
    for pair in pairs:
        bad |= _texts(pair, "key") | _value(pair.value)
    return bad


def _value(value: Any) -> bool:
    """Make one AnyValue shallow and UTF-8; says whether something had to be replaced."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _texts(value, "string_value")
    if kind in NESTED:
        before = message("AnyValue", lenient=True).FromString(value.SerializeToString())
        value.string_value = json_text(value).encode()
        return not _is_utf8(before)
    return False


def _texts(owner: Any, *names: str) -> bool:
    bad = False
    for name in names:
        raw = getattr(owner, name)
        good = text(raw).encode()
        if good != raw:
            setattr(owner, name, good)
            bad = True
    return bad


def _is_utf8(value: Any) -> bool:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return all(_is_utf8(item) for item in value.array_value.values)
    if kind == "kvlist_value":
        return all(text(pair.key).encode() == pair.key and _is_utf8(pair.value) for pair in value.kvlist_value.values)
    return kind != "string_value" or bool(text(value.string_value).encode() == value.string_value)
