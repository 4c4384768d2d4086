"""A file of the spool: its format, and what is read of one.

It begins with a head (format, process, how many spans are at risk: begun, or ended and not in the file yet) and goes on
with records (kind, how many spans, length, checksum, an OTLP request).
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"OUTLAY-SPOOL\x001\n"
HEAD = struct.Struct("<16sQq")  # format, process, spans at risk
AT_RISK = struct.Struct("<q")
AT_RISK_AT = 24
RECORD_HEAD = struct.Struct("<cIII")  # kind, spans, length, checksum
_KINDS = {"traces": b"t", "logs": b"l"}
_SIGNALS = {kind: signal for signal, kind in _KINDS.items()}
_PART = 1 << 20


@dataclass(frozen=True)
class Record:
    """One request of a file: how many spans, and where it lies, in bytes."""

    signal: str
    count: int
    at: int
    length: int


@dataclass
class Left:
    """What a process left behind when it ended; ours from now on."""

    path: Path
    process: int
    at_risk: int
    records: list[Record]
    size: int
    """Of the file, in bytes."""
    rest: int = 0
    """Bytes at the end that cannot be read: of another version, or cut off."""
    descriptor: int = -1

    def body(self, record: Record) -> bytes:
        """The request, read when it is sent.

        Raises:
            OSError: If it cannot be read.
        """
        return _read_at(self.descriptor, record.at, record.length)

    @property
    def target(self) -> str:
        """What server and key it is for."""
        return self.path.name.partition("-")[0]

    def close(self) -> None:
        """Let go of the file, and of the lock on it where no other process of this fork holds it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1


def record_of(signal: str, count: int, body: bytes) -> bytes:
    """A record, as it is written."""
    return RECORD_HEAD.pack(_KINDS[signal], count, len(body), zlib.crc32(body)) + body


def move(descriptor: int, start: int, to: int) -> None:
    """Move what begins at `start` to the front, part by part, and cut off what is left behind it."""
    if start == to:
        return
    while part := os.pread(descriptor, _PART, start):
        os.pwrite(descriptor, part, to)
        start, to = start + len(part), to + len(part)
    os.ftruncate(descriptor, to)


def _read_at(descriptor: int, at: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length > 0 and (part := os.pread(descriptor, length, at)):
        parts.append(part)
        at, length = at + len(part), length - len(part)
    if length > 0:
        raise OSError("the spool's file ends too early")
    return b"".join(parts)


def read(path: Path, descriptor: int) -> Left:
    """A file as far as it can be read; one request of it is in memory at a time."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, HEAD.size, 0)
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        return Left(path, 0, 0, [], size, size, descriptor)
    _, process, at_risk = HEAD.unpack(head)
    records: list[Record] = []
    at = HEAD.size
    while at + RECORD_HEAD.size <= size:
        kind, count, length, checksum = RECORD_HEAD.unpack(_read_at(descriptor, at, RECORD_HEAD.size))
        begin = at + RECORD_HEAD.size
        if kind not in _SIGNALS or begin + length > size or zlib.crc32(_read_at(descriptor, begin, length)) != checksum:
            break
        records.append(Record(_SIGNALS[kind], count, begin, length))
        at = begin + length
    return Left(path, process, max(at_risk, 0), records, size, size - at, descriptor)
