"""What OTLP answers: responses with `partial_success` and errors as `Status`, in protobuf or JSON."""

from __future__ import annotations

import json

from outlay_collector.otlp.schema import text_field, varint

PROTOBUF, JSON = "application/x-protobuf", "application/json"
REJECTED = {"traces": "rejectedSpans", "logs": "rejectedLogRecords", "metrics": "rejectedDataPoints"}
# google.rpc.Code for each HTTP status we answer.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 429: 8, 500: 13, 503: 14}


def success(content_type: str, kind: str, rejected: int = 0, message: str = "") -> bytes:
    """An Export…ServiceResponse; empty unless something was rejected or there is something to say."""
    partial = bool(rejected or message)
    if content_type == JSON:
        fields = {"partialSuccess": {REJECTED[kind]: str(rejected), "errorMessage": message}} if partial else {}
        return json.dumps(fields, ensure_ascii=False).encode()
    if not partial:
        return b""
    inner = (b"\x08" + varint(rejected) if rejected else b"") + text_field(2, message)
    return b"\x0a" + varint(len(inner)) + inner


def status(content_type: str, http_status: int, message: str) -> bytes:
    """A google.rpc.Status."""
    code = CODES[http_status]
    if content_type == PROTOBUF:
        return b"\x08" + varint(code) + text_field(2, message)
    return json.dumps({"code": code, "message": message}, ensure_ascii=False).encode()
