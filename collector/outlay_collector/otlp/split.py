"""Split a body that spans many months: ClickHouse refuses an insert into more than 100 partitions."""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from outlay_collector.otlp.schema import message, parse_shallow
from outlay_collector.otlp.validate import KEY, Bounds, span_problem
from outlay_collector.spool.segments import Record

MAX_MONTHS = 12


def by_month(record: Record, body: bytes) -> list[tuple[Record, bytes]]:
    """`record`, or several whose spans started in at most 12 months each; the first keeps the rejected count."""
    months = sorted({_month(hour) for hour, _, _ in KEY.iter_unpack(record.keys)})
    if len(months) <= MAX_MONTHS:
        return [(record, body)]
    group_of = {month: at // MAX_MONTHS for at, month in enumerate(months)}
    request = parse_shallow(body)
    limits = Bounds(record.oldest_ns, record.newest_ns)
    requests: dict[int, Any] = defaultdict(message("Request"))
    keys: dict[int, list[bytes]] = defaultdict(list)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            targets: dict[int, Any] = {}
            for span in scope.spans:
                start_ns = span.start_time_unix_nano
                if span_problem(span.trace_id, span.span_id, span.parent_span_id, start_ns, limits):
                    continue
                hour = start_ns // (3_600 * 10**9)
                group = group_of[_month(hour)]
                if group not in targets:
                    to = requests[group].resource_spans.add()
                    to.resource.CopyFrom(resource.resource)
                    targets[group] = to.scope_spans.add()
                    targets[group].scope.CopyFrom(scope.scope)
                targets[group].spans.append(span)
                keys[group].append(KEY.pack(hour, span.trace_id, span.span_id))
    parts: list[tuple[Record, bytes]] = []
    for group, part in sorted(requests.items()):
        raw = part.SerializeToString()
        parts.append(
            (
                replace(
                    record,
                    body_id=secrets.token_hex(8),
                    encoding="identity",
                    spans=len(keys[group]),
                    rejected=record.rejected if not parts else 0,
                    raw_bytes=len(raw),
                    keys=b"".join(keys[group]),
                    body=raw,
                ),
                raw,
            )
        )
    return parts


def _month(hour: int) -> tuple[int, int]:
    at = datetime.fromtimestamp(hour * 3600, UTC)
    return at.year, at.month
