"""OTLP bodies for tests, made with the official protobuf classes: our own schema is not checked against itself."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS

USAGE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
}


def any_value(value: Any) -> AnyValue:
    """A Python value as OTLP's AnyValue; None is the empty one."""
    out = AnyValue()
    if isinstance(value, bool):
        out.bool_value = value
    elif isinstance(value, int):
        out.int_value = value
    elif isinstance(value, float):
        out.double_value = value
    elif isinstance(value, str):
        out.string_value = value
    elif isinstance(value, bytes):
        out.bytes_value = value
    elif isinstance(value, list):
        out.array_value.values.extend(any_value(item) for item in value)
        out.array_value.SetInParent()
    elif isinstance(value, dict):
        out.kvlist_value.SetInParent()
        for key, item in value.items():
            out.kvlist_value.values.add(key=key, value=any_value(item))
    return out


def span(rng: random.Random, attributes: dict[str, Any] | None = None, **fields: Any) -> Span:
    """One span with fresh ids that started some seconds ago; `fields` override what protobuf calls them."""
    start = time.time_ns() - rng.randrange(SECOND_NS, 60 * SECOND_NS)
    given = {
        "trace_id": rng.randbytes(16),
        "span_id": rng.randbytes(8),
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + SECOND_NS // 2,
        **fields,
    }
    made = Span(**given)
    for key, value in (USAGE if attributes is None else attributes).items():
        made.attributes.add(key=key, value=any_value(value))
    return made


def request(spans: Sequence[Span], service: str = "shop", scope: str = "test") -> ExportTraceServiceRequest:
    out = ExportTraceServiceRequest()
    resource = out.resource_spans.add()
    resource.resource.attributes.add(key="service.name", value=any_value(service))
    scoped = resource.scope_spans.add()
    scoped.scope.name = scope
    scoped.spans.extend(spans)
    return out


def body(spans: Sequence[Span], **kwargs: Any) -> bytes:
    """A trace request as protobuf."""
    return bytes(request(spans, **kwargs).SerializeToString())


def json_body(spans: Sequence[Span], service: str = "shop") -> bytes:
    """The same request as OTLP/JSON: hex ids, 64-bit numbers as strings."""
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                    "scopeSpans": [{"scope": {"name": "test"}, "spans": [_json_span(one) for one in spans]}],
                }
            ]
        }
    ).encode()


def _json_span(one: Span) -> dict[str, Any]:
    return {
        "traceId": one.trace_id.hex(),
        "spanId": one.span_id.hex(),
        "parentSpanId": one.parent_span_id.hex(),
        "name": one.name,
        "kind": one.kind,
        "startTimeUnixNano": str(one.start_time_unix_nano),
        "endTimeUnixNano": str(one.end_time_unix_nano),
        "attributes": [{"key": pair.key, "value": json_value(pair.value)} for pair in one.attributes],
        "events": [
            {
                "timeUnixNano": str(event.time_unix_nano),
                "name": event.name,
                "attributes": [{"key": pair.key, "value": json_value(pair.value)} for pair in event.attributes],
            }
            for event in one.events
        ],
        "status": {"code": one.status.code, "message": one.status.message},
    }


def json_value(value: AnyValue) -> dict[str, Any]:
    import base64

    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    if kind == "array_value":
        return {"arrayValue": {"values": [json_value(item) for item in value.array_value.values]}}
    if kind == "kvlist_value":
        pairs = [{"key": pair.key, "value": json_value(pair.value)} for pair in value.kvlist_value.values]
        return {"kvlistValue": {"values": pairs}}
    got = getattr(value, kind)
    if kind == "int_value":
        return {"intValue": str(got)}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(got).decode()}
    if kind == "double_value" and (got != got or got in (float("inf"), float("-inf"))):
        return {"doubleValue": "NaN" if got != got else ("Infinity" if got > 0 else "-Infinity")}
    return {{"string_value": "stringValue", "bool_value": "boolValue", "double_value": "doubleValue"}[kind]: got}


def logs_body(records: Sequence[dict[str, Any]]) -> bytes:
    """A logs request; each record: trace_id, span_id, event_name, attributes, body, time_unix_nano."""
    out = ExportLogsServiceRequest()
    scoped = out.resource_logs.add().scope_logs.add()
    for record in records:
        made = scoped.log_records.add(
            trace_id=record.get("trace_id", b""),
            span_id=record.get("span_id", b""),
            event_name=record.get("event_name", ""),
            time_unix_nano=record.get("time_unix_nano", time.time_ns()),
        )
        if "body" in record:
            made.body.CopyFrom(any_value(record["body"]))
        for key, value in record.get("attributes", {}).items():
            made.attributes.add(key=key, value=any_value(value))
    return bytes(out.SerializeToString())
