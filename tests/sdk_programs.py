"""What programs with the SDK have sent to a receiver."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.receiver import Received

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sent:
    """A span, with what its resource says."""

    name: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    start_ns: int
    end_ns: int


def spans(server: Received) -> list[Sent]:
    """The spans that arrived, as often as they did."""
    found = []
    for body in server.bodies:
        for group in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans:
            resource = _plain(group.resource.attributes)
            for scope in group.scope_spans:
                for span in scope.spans:
                    times = span.start_time_unix_nano, span.end_time_unix_nano
                    found.append(Sent(span.name, span.span_id.hex(), _plain(span.attributes), resource, *times))
    return found


def calls(server: Received) -> list[Sent]:
    """Those of them that are model calls."""
    return [span for span in spans(server) if "gen_ai.request.model" in span.attributes]


def features_of(server: Received) -> list[str]:
    """The feature of each model call, empty where it has none."""
    return [call.attributes.get("outlay.feature", "") for call in calls(server)]


def _plain(attributes: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in attributes}
