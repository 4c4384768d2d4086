"""Log records that are GenAI events: rows for `events`, and for `scores` where the event is an evaluation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from outlay_collector.otlp.repair import plain
from outlay_collector.otlp.schema import message
from outlay_collector.otlp.texts import value_text
from outlay_collector.otlp.validate import GENAI_EVENT, LATEST_NS, event_name
from outlay_collector.spool.segments import Record

EVALUATION = "gen_ai.evaluation.result"

Row = dict[str, Any]


def log_rows(record: Record, body: bytes) -> tuple[list[Row], list[Row]]:
    """The rows of one logs body: events, scores. Instants are `DateTime64(9)` as text, in UTC."""
    events: list[Row] = []
    scores: list[Row] = []
    for resource in message("LogsRequest").FromString(body).resource_logs:
        for scope in resource.scope_logs:
            for log in scope.log_records:
                name = event_name(log)
                if name.startswith(GENAI_EVENT):
                    event = _event(record, name, log)
                    events.append(event)
                    if name == EVALUATION:
                        scores += _score(event)
    return events, scores


def _event(record: Record, name: str, log: Any) -> Row:
    attributes = {pair.key: value_text(pair.value) for pair in log.attributes}
    content = plain(log.body)
    if isinstance(content, dict):
        for key, value in content.items():
            attributes.setdefault(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    elif content is not None:
        attributes.setdefault("body", value_text(log.body))
    moment = log.time_unix_nano or log.observed_time_unix_nano or record.received_ns
    text = json.dumps(attributes, sort_keys=True, ensure_ascii=False)
    return {
        "project": record.project,
        "trace_id": log.trace_id.hex() if len(log.trace_id) == 16 and any(log.trace_id) else "",
        "span_id": log.span_id.hex() if len(log.span_id) == 8 and any(log.span_id) else "",
        "at": instant(min(moment, LATEST_NS)),
        "name": name,
        "attributes": attributes,
        "hash": int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"),
        "received_at": instant(record.received_ns),
    }


def _score(event: Row) -> list[Row]:
    given = event["attributes"]
    name = given.get("gen_ai.evaluation.name", "")
    if not name or not event["trace_id"]:
        return []
    try:
        value: float | None = float(given["gen_ai.evaluation.score.value"])
    except (KeyError, ValueError):
        value = None
    keys = ("project", "trace_id", "span_id", "at")
    label = given.get("gen_ai.evaluation.score.label", "")
    return [{**{key: event[key] for key in keys}, "name": name, "value": value, "label": label}]


def instant(ns: int) -> str:
    """Unix nanoseconds as ClickHouse reads them into a DateTime64(9): decimal seconds."""
    return f"{ns // 10**9}.{ns % 10**9:09d}"
