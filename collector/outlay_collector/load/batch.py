"""One segment of the spool on its way into the store: what is inserted, in which order, under which tokens.

A body that ClickHouse cannot take is found by halving the batch and set aside; its neighbours are stored.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError

from outlay.errors import StoreError
from outlay_collector.handover import Handover, Marks
from outlay_collector.load.existing_keys import KEY_BYTES, known_keys
from outlay_collector.load.key_filter import Seen
from outlay_collector.load.logs import log_rows
from outlay_collector.load.rows import span_rows
from outlay_collector.otlp.decompress import unpack
from outlay_collector.otlp.schema import INSERT_SETTINGS, LOAD_FORMAT, LOAD_SETTINGS, envelope, varint
from outlay_collector.otlp.validate import KEY
from outlay_collector.spool.counts import Snapshot
from outlay_collector.spool.segments import Record, Segment
from outlay_collector.spool.spool import Spool
from outlay_collector.store.client import Writer

logger = logging.getLogger(__name__)

MAX_MONTHS = 90
FEW_SPANS = 300
FEW_BYTES = 4 << 20
"""Up to here it takes less to read a batch in Python than it takes ClickHouse to analyze the view that reads it."""


class Batch:
    """One segment on its way into the store."""

    def __init__(
        self, spool: Spool, writer: Writer, seen: Seen | None, segment: Segment, records: Sequence[Record]
    ) -> None:
        self.segment = segment
        self.records = records
        self.spool = spool
        self.writer = writer
        self.seen = seen
        self.hash = hashlib.sha256(b"".join(_fingerprint(record) for record in records)).hexdigest()
        self.dead: list[Record] = []
        self._scored: Counter[tuple[str, str]] = Counter()
        self._raw: dict[str, bytes] = {}

    @property
    def is_small(self) -> bool:
        """Whether it costs more that it is a batch than what is in it."""
        return _are_few(self.records)

    def load(self, before: Snapshot, handover: Handover | None = None) -> Snapshot:
        """Store what is in it, and its marks and the ledger.

        Args:
            before: The ledger's figures without it.
            handover: Takes its marks; then nothing of them nor the ledger is written, and the segment has to stay.

        Returns:
            The ledger's figures with it.
        """
        traces = [record for record in self.records if record.kind == "traces" and record.spans]
        logs = [record for record in self.records if record.kind == "logs" and record.spans]
        known = known_keys(self.writer, self.segment.path.with_suffix(".known"), traces, self.seen)
        for part in _by_partitions(traces):
            self._insert_spans(part)
        taken = [record for record in traces if record not in self.dead]
        logs_stored = self._insert_logs(logs)
        marks = self._marks(taken)
        if handover is None:
            write_marks(self.writer, self.spool.name, marks)
        stored = _count_new(taken, known)
        spans, dead = sum(record.spans for record in taken), sum(r.spans for r in self.dead if r.kind == "traces")
        after = replace(
            before,
            segment=self.segment.number,
            received=before.received + self.segment.counts.spans + self.segment.counts.rejected,
            rejected=before.rejected + self.segment.counts.rejected,
            stored=before.stored + stored,
            duplicate=before.duplicate + spans - stored,
            quarantined=before.quarantined + dead,
            logs_received=before.logs_received + self.segment.counts.logs + self.segment.counts.logs_rejected,
            logs_stored=before.logs_stored + logs_stored,
            logs_rejected=before.logs_rejected + self.segment.counts.logs_rejected,
            logs_quarantined=before.logs_quarantined + sum(r.spans for r in self.dead if r.kind == "logs"),
        )
        if handover is None:
            write_ledger(self.writer, self.spool.name, self.hash, after)
        self._forget_revived()
        if self.seen is not None:
            for project, keys in _keys_by_project(taken).items():
                self.seen.add(project, b"".join(keys))
        if handover is not None and marks.spans:
            handover.give(marks)
        return after

    def _insert_spans(self, records: Sequence[Record]) -> None:
        """Insert bodies; halve what fails for good until the bad ones are found."""
        if not records:
            return
        try:
            token = hashlib.sha256("".join(r.body_id for r in records).encode()).hexdigest()
            deduplication = {"insert_deduplication_token": f"{self.hash}:{token}"}
            rows = self._rows(records)
            if rows is None:
                body = [piece for record in records for piece in self._framed(record)]
                settings = {**LOAD_SETTINGS, **deduplication}
                self.writer.load("otlp_in", body, fmt=LOAD_FORMAT, settings=settings)
            else:
                self.writer.load("span_rows", rows, fmt="RowBinary", settings={**INSERT_SETTINGS, **deduplication})
        except StoreError as exc:
            if exc.retryable:
                raise
            if len(records) == 1:
                self._quarantine(records[0], exc)
                return
            middle = len(records) // 2
            self._insert_spans(records[:middle])
            self._insert_spans(records[middle:])

    def _rows(self, records: Sequence[Record]) -> bytes | None:
        """Of few spans the rows, read here; None where ClickHouse is to read them, as it is for what cannot be read.

        The records alone decide, so that a retry goes the same way and is known by its token.
        """
        if not _are_few(records):
            return None
        try:
            return b"".join(span_rows(record, self._unpacked(record)) for record in records)
        except DecodeError:
            return None

    def _framed(self, record: Record) -> tuple[bytes, bytes, bytes]:
        """One message of a length-delimited stream: its length, the body, the envelope."""
        raw = self._unpacked(record)
        trailer = envelope(
            project=record.project,
            body_id=record.body_id,
            received_ns=record.received_ns,
            oldest_ns=record.oldest_ns,
            newest_ns=record.newest_ns,
        )
        return varint(len(raw) + len(trailer)), raw, trailer

    def _unpacked(self, record: Record) -> bytes:
        if record.body_id not in self._raw:
            warm = self.spool.warm(record.body_id)
            self._raw[record.body_id] = warm if warm is not None else unpack(record.body, record.encoding)
        return self._raw[record.body_id]

    def _quarantine(self, record: Record, exc: StoreError) -> None:
        """Set a body aside, unless the store takes nothing at all: then it is not the body's fault."""
        try:
            self.writer.load("otlp_in", b"\x00", fmt=LOAD_FORMAT, settings=LOAD_SETTINGS)
        except StoreError as broken:
            raise StoreError(str(broken), code=broken.code, retryable=True) from exc
        self.spool.quarantine.set_aside(record, f"{exc.code}: {exc}\n"[:4000])
        self.dead.append(record)
        logger.warning("a body of %d spans was set aside (ClickHouse code %d)", record.spans, exc.code)

    def _forget_revived(self) -> None:
        """Bodies of this batch that an earlier, interrupted attempt had set aside and that are stored now."""
        dead = {record.body_id for record in self.dead}
        for record in self.records:
            if record.body_id not in dead:
                self.spool.quarantine.take_back(record)

    def _insert_logs(self, records: Sequence[Record]) -> int:
        events: list[dict[str, Any]] = []
        scores: list[dict[str, Any]] = []
        for record in records:
            more_events, more_scores = log_rows(record, self._unpacked(record))
            events += more_events
            scores += more_scores
        self._load_rows("events", events, "events")
        self._load_rows("scores", scores, "scores")
        self._scored = Counter((row["project"], row["trace_id"]) for row in scores if row["trace_id"])
        return sum(record.spans for record in records)

    def _marks(self, records: Sequence[Record]) -> Marks:
        """Which traces changed."""
        touched: Counter[tuple[str, bytes]] = Counter()
        for record in records:
            keys, project = record.keys, record.project
            touched.update((project, keys[at + 4 : at + 20]) for at in range(0, len(keys), KEY_BYTES))
        spans = {(project, trace.hex()): n for (project, trace), n in touched.items()}
        for pair in self._scored:
            spans.setdefault(pair, 0)
        received_ns = min((record.received_ns for record in records), default=0)
        received_from = datetime.fromtimestamp(received_ns // 10**6 / 1000, UTC)
        return Marks(self.segment.number, received_from, spans, self.hash)

    def _load_rows(self, table: str, rows: Sequence[dict[str, Any]], step: str) -> None:
        _load_lines(self.writer, table, [json.dumps(row, ensure_ascii=False) for row in rows], f"{self.hash}:{step}")


def write_marks(writer: Writer, loader: str, marks: Marks) -> None:
    """Tell settle which traces changed; after what changed is there."""
    received_from = marks.received_from.isoformat(timespec="milliseconds")
    start = json.dumps({"loader": loader, "seq": marks.seq, "received_from": received_from})[:-1]
    projects = {project: json.dumps(project, ensure_ascii=False) for project, _ in marks.spans}
    lines = [
        f'{start},"project":{projects[project]},"trace_id":"{trace}","spans":{n}}}'
        for (project, trace), n in sorted(marks.spans.items())
    ]
    _load_lines(writer, "dirty_traces", lines, f"{marks.batch}:dirty")


def write_ledger(writer: Writer, loader: str, batch: str, figures: Snapshot) -> None:
    """The collector's figures with this batch."""
    row = {"collector": loader, "segment_hash": batch, **asdict(figures)}
    _load_lines(writer, "ledger", [json.dumps(row, ensure_ascii=False)], f"{batch}:ledger")


def _load_lines(writer: Writer, table: str, lines: Sequence[str], token: str) -> None:
    if lines:
        settings = {"insert_deduplication_token": token, "date_time_input_format": "best_effort"}
        writer.load(table, "\n".join(lines).encode(), fmt="JSONEachRow", settings=settings)


def _are_few(records: Sequence[Record]) -> bool:
    spans, size = sum(r.spans + r.rejected for r in records), sum(r.raw_bytes for r in records)
    return spans <= FEW_SPANS and size <= FEW_BYTES


def _by_partitions(records: Sequence[Record]) -> list[list[Record]]:
    """The records in order, cut so that no insert touches more monthly partitions than ClickHouse takes."""
    parts: list[list[Record]] = []
    months: set[str] = set()
    for record in records:
        own = _months(record)
        if not parts or len(months | own) > MAX_MONTHS:
            parts.append([])
            months = set()
        parts[-1].append(record)
        months |= own
    return parts


def _months(record: Record) -> set[str]:
    """Every month between the first and the last span of a record, cheaply: at most a few too many."""
    hours = [key[0] for key in KEY.iter_unpack(record.keys)]
    days = range(min(hours) // 24, max(hours) // 24 + 1)
    if len(days) > 31 * MAX_MONTHS:
        return {f"{datetime.fromtimestamp(hour * 3600, UTC):%Y%m}" for hour in set(hours)}
    ends = {*days[::28], days[-1]}
    return {f"{datetime.fromtimestamp(day * 86_400, UTC):%Y%m}" for day in ends}


def _keys_by_project(records: Sequence[Record]) -> dict[str, list[bytes]]:
    out: dict[str, list[bytes]] = {}
    for record in records:
        out.setdefault(record.project, []).append(record.keys)
    return out


def _count_new(records: Sequence[Record], known: dict[str, set[bytes]]) -> int:
    """How many keys are new: not in the store before the batch, and each once."""
    seen: dict[str, set[bytes]] = {}
    for record in records:
        keys = record.keys
        seen.setdefault(record.project, set()).update(
            keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)
        )
    return sum(len(keys - known.get(project, set())) for project, keys in seen.items())


def _fingerprint(record: Record) -> bytes:
    return f"{record.body_id}:{record.project}:{record.received_ns}:{len(record.body)};".encode()
