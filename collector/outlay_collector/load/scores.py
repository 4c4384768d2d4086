"""Evaluations of calls: kept in `scores`, and a reason to settle their trace again."""

from __future__ import annotations

import secrets
import threading
import time
from datetime import datetime
from typing import Any

from outlay_collector.store.client import Writer
from outlay_collector.store.clock import utc_now

LOADER = f"scores {secrets.token_hex(4)}"
"""This process's: seq must grow for each loader, and several processes take scores."""
_lock = threading.Lock()
_last_seq = 0


def add_score(
    writer: Writer,
    project: str,
    trace_id: str,
    span_id: str,
    name: str,
    value: float | None,
    label: str = "",
    now: datetime | None = None,
) -> None:
    """Keep one evaluation of a span, or of the whole trace when `span_id` is empty; a later one replaces it."""
    row: dict[str, Any] = {"project": project, "trace_id": trace_id, "span_id": span_id}
    writer.insert("scores", [{**row, "name": name, "value": value, "label": label, "at": now or utc_now()}])
    mark_dirty(writer, project, trace_id)


def mark_dirty(writer: Writer, project: str, trace_id: str, spans: int = 0) -> None:
    """Have a trace settled again at the next run."""
    global _last_seq
    with _lock:
        _last_seq = max(_last_seq + 1, time.time_ns())
        row = {"loader": LOADER, "seq": _last_seq, "project": project, "trace_id": trace_id, "spans": spans}
        # Inside the lock: settle must never see a later mark before an earlier one.
        writer.insert("dirty_traces", [row])
