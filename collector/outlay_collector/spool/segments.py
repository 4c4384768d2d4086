"""The files of the spool: records, the segments that hold them, and what a crash leaves of both.

A segment is a file of records; a record is one body with its envelope, guarded by a length and a CRC:
`length u32 | crc32 u32 | header length u32 | keys length u32 | header JSON | keys | body`, little endian; the CRC
covers all after itself.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isal import isal_zlib

from outlay_collector.spool.counts import Counts

logger = logging.getLogger(__name__)

HEAD = struct.Struct("<IIII")
SEGMENT_BYTES = 16 << 20
SEGMENT_SPANS = 50_000
SEGMENT_RAW_BYTES = 64 << 20


@dataclass(frozen=True)
class Record:
    """One acknowledged body and its envelope.

    Attributes:
        kind: `traces` or `logs`.
        encoding: How `body` is packed: `identity`, `gzip` or `deflate`. What is inside is protobuf.
        spans: Spans (or log records) that were taken; `rejected`: those that were not.
        oldest_ns, newest_ns: Start times that were taken, Unix nanoseconds.
        keys: See `otlp_read.ReadBody.keys`.
        raw_bytes: Size of the body when unpacked.
    """

    project: str
    received_ns: int
    body_id: str
    kind: str
    encoding: str
    spans: int
    rejected: int
    oldest_ns: int
    newest_ns: int
    raw_bytes: int
    keys: bytes = b""
    body: bytes = b""

    def pack(self) -> bytes:
        fields = {name: getattr(self, name) for name in HEADER_FIELDS}
        header = json.dumps(fields, separators=(",", ":")).encode()
        rest = b"".join((header, self.keys, self.body))
        lengths = struct.pack("<II", len(header), len(self.keys))
        crc = isal_zlib.crc32(rest, isal_zlib.crc32(lengths))
        return struct.pack("<II", len(rest), crc) + lengths + rest


HEADER_FIELDS = (
    "project",
    "received_ns",
    "body_id",
    "kind",
    "encoding",
    "spans",
    "rejected",
    "oldest_ns",
    "newest_ns",
    "raw_bytes",
)


@dataclass
class Segment:
    """One file of the spool."""

    number: int
    path: Path
    size: int = 0
    counts: Counts = field(default_factory=Counts)
    raw_bytes: int = 0
    first_ns: int = 0

    def add(self, record: Record, size: int) -> None:
        self.size += size
        self.counts.add(record.kind, record.spans, record.rejected)
        self.raw_bytes += record.raw_bytes
        self.first_ns = self.first_ns or record.received_ns

    def full(self) -> bool:
        taken = self.counts.spans + self.counts.logs
        return self.size >= SEGMENT_BYTES or taken >= SEGMENT_SPANS or self.raw_bytes >= SEGMENT_RAW_BYTES


def create(segment: Segment) -> int:
    """Make an empty segment's file, durably; returns the descriptor that writes to it."""
    fd = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    sync_directory(segment.path.parent)
    return fd


def remove(segment: Segment) -> None:
    """Let go of a segment, with what the loader wrote beside it."""
    segment.path.unlink(missing_ok=True)
    segment.path.with_suffix(".known").unlink(missing_ok=True)


def identity(directory: Path) -> str:
    """An id of a spool's directory, made when it is first opened."""
    path = directory / "id"
    try:
        known = path.read_text().strip()
    except FileNotFoundError:
        known = ""
    if not known:
        known = secrets.token_hex(4)
        write_durably(path, known.encode())
    return known


def recover(directory: Path, dead: Path) -> list[Segment]:
    """The segments of a directory in order, each cut to its whole records.

    What stands behind the last whole record is kept in `dead`: a torn write was never acknowledged, but nothing tells
    it from a record that the disk has spoiled.
    """
    segments = []
    for path in sorted(directory.glob("*.seg")):
        segment = Segment(int(path.stem), path)
        for record, size in read_records(path):
            segment.add(record, size)
        data = path.read_bytes()[segment.size :]
        if data:
            write_durably(dead / f"{path.stem}.cut", data)
            os.truncate(path, segment.size)
            logger.warning("cut %d bytes that are no whole record off %s; they are in dead/", len(data), path.name)
        segments.append(segment)
    # Empty segments are of no use, except that the last one's number must not be given out again.
    for segment in segments[:-1]:
        if segment.size == 0:
            segment.path.unlink()
    return [one for one in segments if one.size or one is segments[-1]]


def read_records(path: Path) -> Iterator[tuple[Record, int]]:
    """The whole records of a file with their sizes; stops at the first that is torn."""
    with open(path, "rb") as file:
        while True:
            head = file.read(HEAD.size)
            if len(head) < HEAD.size:
                return
            length, crc, header_length, keys_length = HEAD.unpack(head)
            rest = file.read(length) if length <= 1 << 30 else b""
            if len(rest) < length or isal_zlib.crc32(rest, isal_zlib.crc32(head[8:])) != crc:
                return
            fields = json.loads(rest[:header_length])
            body_at = header_length + keys_length
            yield Record(**fields, keys=rest[header_length:body_at], body=rest[body_at:]), HEAD.size + length


def write_at(fd: int, data: bytes, position: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        position += written
        view = view[written:]
    return len(data)


def write_durably(path: Path, data: bytes) -> None:
    """Put a file in place whole, and on disk before this returns."""
    part = path.with_suffix(".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fdatasync(file.fileno())
    os.replace(part, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
