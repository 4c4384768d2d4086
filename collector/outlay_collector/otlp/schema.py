"""OTLP as Outlay reads it: one protobuf schema for ClickHouse and for Python, and the envelope around each body.

The schema is the part of opentelemetry-proto v1 that Outlay keeps (field numbers are OTLP's; what is left out is
skipped by every reader). ClickHouse gets it inline with each insert and parses the bytes into `otlp_in`; Python
compiles the same text for the check at the intake. Fields from 15008 on are Outlay's own: the envelope that says whose
body it is, appended to the body when it is loaded, and never taken from a client.

Source: https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto
"""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SCHEMA = """
syntax = "proto3";
message AnyValue {
  oneof value {
    string string_value = 1;
    bool bool_value = 2;
    int64 int_value = 3;
    double double_value = 4;
    ArrayValue array_value = 5;
    KeyValueList kvlist_value = 6;
    bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; string version = 2; }
message Status { string message = 2; int32 code = 3; }
message Event {
  fixed64 time_unix_nano = 1;
  string name = 2;
  repeated KeyValue attributes = 3;
}
message Link { bytes trace_id = 1; bytes span_id = 2; }
message Span {
  bytes trace_id = 1;
  bytes span_id = 2;
  bytes parent_span_id = 4;
  string name = 5;
  int32 kind = 6;
  fixed64 start_time_unix_nano = 7;
  fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10;
  repeated Event events = 11;
  uint32 dropped_events_count = 12;
  repeated Link links = 13;
  uint32 dropped_links_count = 14;
  Status status = 15;
  repeated string outlay_flags = 15016;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message LogRecord {
  fixed64 time_unix_nano = 1;
  AnyValue body = 5;
  repeated KeyValue attributes = 6;
  bytes trace_id = 9;
  bytes span_id = 10;
  fixed64 observed_time_unix_nano = 11;
  string event_name = 12;
}
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message LogsRequest { repeated ResourceLogs resource_logs = 1; }
message Request {
  repeated ResourceSpans resource_spans = 1;
  string outlay_project = 15008;
  string outlay_body_id = 15009;
  fixed64 outlay_received_ns = 15010;
  fixed64 outlay_oldest_ns = 15011;
  fixed64 outlay_newest_ns = 15012;
}
"""
# The last two bytes of the tag of every field from 15008 to 15023: a body without them has none of our own fields.
OWN_TAG = b"\xaa\x07"
OWN_FIELDS = (
    "outlay_project",
    "outlay_body_id",
    "outlay_received_ns",
    "outlay_oldest_ns",
    "outlay_newest_ns",
)

INSERT_SETTINGS: dict[str, Any] = {
    # A part may hold a key twice until it is merged; readers use FINAL. Saves a sixth of the insert.
    "optimize_on_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # The view's plan is a chain of projections: there is nothing to find, and looking costs a sixth of a small insert.
    "query_plan_enable_optimizations": 0,
}
"""Of every insert of spans."""
LOAD_FORMAT = "Protobuf"
LOAD_SETTINGS: dict[str, Any] = {
    **INSERT_SETTINGS,
    "format_schema_source": "string",
    "format_schema": SCHEMA,
    "format_schema_message_name": "Request",
    # Fill the enum named after a oneof, so that 0, '' and false are told from absent.
    "input_format_protobuf_oneof_presence": 1,
    "output_format_json_escape_forward_slashes": 0,
}

# Levels of messages below the request that the structure of `otlp_in` can hold in every place: an attribute of a span
# may be an array or list of scalars, or of arrays or lists of scalars. protobuf stops at 100 levels.
SHALLOW_LEVELS = 7
PROTOBUF_LEVELS = 100
_WRAPPED_LEVELS = PROTOBUF_LEVELS - SHALLOW_LEVELS - 1
_OPEN, _CLOSE = b"\x0b" * _WRAPPED_LEVELS, b"\x0c" * _WRAPPED_LEVELS


def envelope(*, project: str, body_id: str, received_ns: int, oldest_ns: int, newest_ns: int) -> bytes:
    """The trailer that tells ClickHouse whose body it follows: five fields of `Request`."""
    return b"".join(
        (
            text_field(15008, project),
            text_field(15009, body_id),
            varint(15010 << 3 | 1) + struct.pack("<Q", received_ns),
            varint(15011 << 3 | 1) + struct.pack("<Q", oldest_ns),
            varint(15012 << 3 | 1) + struct.pack("<Q", newest_ns),
        )
    )


def varint(number: int) -> bytes:
    """A non-negative integer in protobuf's variable-length encoding."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def text_field(number: int, text: str) -> bytes:
    raw = text.encode()
    return varint(number << 3 | 2) + varint(len(raw)) + raw


@cache
def message(name: str, *, lenient: bool = False) -> Any:
    """The Python class of a message of `SCHEMA`; a lenient one takes text that is not UTF-8 and gives bytes for it."""
    return message_factory.GetMessageClass(_pool(lenient).FindMessageTypeByName(f"outlay.{name}"))


def parse_shallow(body: bytes) -> Any:
    """Parse a `Request` that is valid, all UTF-8, and nested no deeper than `otlp_in` holds.

    protobuf has a fixed limit of 100 levels. The body is put inside as many levels as leave it what is allowed, so one
    parse in C answers all three questions.

    Raises:
        google.protobuf.message.DecodeError: If it is not; a lenient parse tells which.
    """
    wrapped = message("Wrap").FromString(b"".join((_OPEN, b"\x12", varint(len(body)), body, _CLOSE)))
    for _ in range(_WRAPPED_LEVELS):
        wrapped = wrapped.inner
    return wrapped.body


@cache
def _pool(lenient: bool) -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_compile(lenient))
    pool.Add(_wrapper())
    return pool


def _compile(lenient: bool) -> descriptor_pb2.FileDescriptorProto:
    """`SCHEMA` as a descriptor: the few things of the proto language that it uses, no more."""
    field = descriptor_pb2.FieldDescriptorProto
    scalars = {
        "string": field.TYPE_BYTES if lenient else field.TYPE_STRING,
        "bytes": field.TYPE_BYTES,
        "bool": field.TYPE_BOOL,
        "int32": field.TYPE_INT32,
        "int64": field.TYPE_INT64,
        "uint32": field.TYPE_UINT32,
        "double": field.TYPE_DOUBLE,
        "fixed64": field.TYPE_FIXED64,
    }
    file = descriptor_pb2.FileDescriptorProto(name="outlay.proto", package="outlay", syntax="proto3")
    for name, text in re.findall(r"message (\w+) \{(.*?)\}(?=\s*(?:message|$))", SCHEMA, re.S):
        made = file.message_type.add(name=name)
        if "oneof" in text:
            made.oneof_decl.add(name=re.findall(r"oneof (\w+)", text)[0])
        for repeated, kind, label, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", text):
            one = made.field.add(name=label, number=int(number))
            one.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            one.type = scalars.get(kind, field.TYPE_MESSAGE)
            if kind not in scalars:
                one.type_name = f".outlay.{kind}"
            if "oneof" in text:
                one.oneof_index = 0
    return file


def _wrapper() -> descriptor_pb2.FileDescriptorProto:
    """`message Wrap { optional group Wrap inner = 1; optional Request body = 2; }`: groups need no lengths."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="outlay_wrap.proto", package="outlay", syntax="proto2", dependency=["outlay.proto"]
    )
    wrap = file.message_type.add(name="Wrap")
    for number, name, kind, of in ((1, "inner", field.TYPE_GROUP, "Wrap"), (2, "body", field.TYPE_MESSAGE, "Request")):
        wrap.field.add(name=name, number=number, label=field.LABEL_OPTIONAL, type=kind, type_name=f".outlay.{of}")
    return file
