"""Calls whose tokens or money other tools got wrong, as their users reported it publicly, with the right answer.

`data/reported-calls.jsonl` has one a line: `source` is where the like was reported (`owner/name#number` on GitHub),
`spans` are what the reporter's library writes, with numbers of our own or those of the report. The right answer
is worked out by hand from what the provider counts and charges on `DAY`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.otlp_bodies import SECOND_NS, any_value

DAY = datetime(2026, 11, 28, 9, tzinfo=UTC)
FILE = Path(__file__).parent / "data" / "reported-calls.jsonl"


@dataclass(frozen=True)
class Case:
    """Spans, and the calls they are.

    Attributes:
        spans: All of one trace, in the order they are sent: `name`, `parent`, `scope`, `version`, `attributes`.
        usd: What all calls cost together; None where nobody can know.
        tokens: Input, its cached part, and output of all calls; None is unknown.
        calls: How many they are.
        state: Their cost's state, empty for any.
        notes: Of their flags and of the notes on their price those that must be there.
    """

    spans: tuple[dict[str, Any], ...]
    usd: Decimal | None
    tokens: tuple[int | None, ...] | None
    calls: int
    state: str
    notes: frozenset[str]


def read_cases() -> dict[str, Case]:
    """The cases of the file by name."""
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    return {row["name"]: _case(row) for row in rows}


def _case(row: dict[str, Any]) -> Case:
    parts = row["usd_per_million"]  # of [how many, USD per million]
    return Case(
        spans=tuple(row["spans"]),
        usd=None if parts is None else sum((n * Decimal(usd) for n, usd in parts), Decimal(0)) / 1_000_000,
        tokens=tuple(row["tokens"]) if "tokens" in row else None,
        calls=row.get("calls", 1),
        state=row.get("state", ""),
        notes=frozenset(row.get("flags", ())),
    )


def body_of(cases: dict[str, Case]) -> bytes:
    """All of them as one export: a service each."""
    out = ExportTraceServiceRequest()
    for number, (name, case) in enumerate(cases.items()):
        resource = out.resource_spans.add()
        resource.resource.attributes.add(key="service.name", value=any_value(name))
        for nth, said in enumerate(case.spans):
            scoped = resource.scope_spans.add()
            scoped.scope.name, scoped.scope.version = said.get("scope", ""), said.get("version", "")
            start = (int(DAY.timestamp()) + number * 60 + nth) * SECOND_NS
            span = scoped.spans.add(
                trace_id=_id(name, 16),
                span_id=_id(f"{name} {said['name']}", 8),
                parent_span_id=_id(f"{name} {said['parent']}", 8) if "parent" in said else b"",
                name=said["name"],
                kind=3,
                start_time_unix_nano=start,
                end_time_unix_nano=start + SECOND_NS // 2,
            )
            for key, value in said["attributes"].items():
                span.attributes.add(key=key, value=any_value(value))
    return bytes(out.SerializeToString())


def _id(text: str, size: int) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:size]
