"""The local spool: what a process has not sent yet, in a file that the next start sends if this one cannot.

A file belongs to one process, which holds a lock on it for as long as it lives, and to one target: the server and the
key that its spans are for. It begins with a head (format, process, how many spans are at risk: begun, or ended and not
in the file yet) and goes on with records (kind, how many spans, length, checksum, an OTLP request). The head is mapped
into memory, so that a killed process leaves it as it was at that moment. Once everything in it is sent, the file is cut
back to its head.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outlay.settings import Settings

try:
    import fcntl
except ImportError:  # no locks of this kind, no spool
    fcntl = None  # type: ignore[assignment]

OFF = "off"
MAGIC = b"OUTLAY-SPOOL\x001\n"
_HEAD = struct.Struct("<16sQq")  # format, process, spans at risk
_AT_RISK = struct.Struct("<q")
_AT_RISK_AT = 24
_RECORD = struct.Struct("<cIII")  # kind, spans, length, checksum
_KINDS = {"traces": b"t", "logs": b"l"}
_SIGNALS = {kind: signal for signal, kind in _KINDS.items()}
_SUFFIX = ".spool"
REST_SUFFIX = ".rest"


@dataclass(frozen=True)
class Record:
    """One request of a file."""

    signal: str
    count: int
    body: bytes


@dataclass
class Left:
    """What a process left behind when it ended; ours from now on."""

    path: Path
    process: int
    at_risk: int
    records: list[Record]
    rest: bytes = field(default=b"", repr=False)
    """What cannot be read: of another version, or cut off."""
    descriptor: int = -1


class Spool:
    """The file of this process, made when something is written."""

    def __init__(self, folder: Path, target: str, most_bytes: int) -> None:
        self.folder = folder
        self._target = target
        self._most_bytes = most_bytes
        self._descriptor = -1
        self._head: mmap.mmap | None = None
        self._failed = False
        self._opening = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Spool | None:
        """The spool that the settings ask for, None where they ask for none or there can be none."""
        if fcntl is None or settings.spool_dir == OFF or settings.spool_file:
            return None
        where = settings.spool_dir
        if not where:
            state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
            where = os.path.join(state, "outlay", "spool")
        key = (settings.headers or {}).get("authorization", "")
        target = hashlib.sha256(f"{settings.traces_url}\n{key}".encode()).hexdigest()[:12]
        return cls(Path(where), target, settings.spool_bytes)

    def after_fork(self) -> None:
        """A forked child makes a file of its own; its parent keeps the lock on this one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)  # unlocks nothing: the parent holds it open
        self._descriptor, self._head, self._failed = -1, None, False
        self._opening = threading.Lock()

    def at_risk(self, spans: int) -> None:
        """How many spans would be lost if the process were killed now."""
        head = self._head
        if head is not None:
            _AT_RISK.pack_into(head, _AT_RISK_AT, spans)

    def open(self) -> bool:
        """Make the file, once; whether there is one."""
        if self._descriptor >= 0 or self._failed:
            return not self._failed
        with self._opening:
            return self._descriptor >= 0 or self._make()

    def _make(self) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{self._target}-{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, _HEAD.pack(MAGIC, os.getpid(), 0))
            self._head = mmap.mmap(descriptor, _HEAD.size)
            self._path, self._size = path, _HEAD.size
            self._descriptor = descriptor  # last: with it the file is there
        except OSError:
            self._failed = True  # a folder that cannot be written is no reason to say anything
        return not self._failed

    def append(self, signal: str, count: int, body: bytes) -> bool:
        """Write a request; whether it is written."""
        size = _RECORD.size + len(body)
        if not self.open() or self._size + size > self._most_bytes:
            return False
        head = _RECORD.pack(_KINDS[signal], count, len(body), zlib.crc32(body))
        try:
            if os.pwrite(self._descriptor, head + body, self._size) < size:
                raise OSError("the disk is full")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            return False
        self._size += size
        return True

    def all_sent(self) -> None:
        """Nothing in the file is still to be sent."""
        if self._descriptor >= 0 and self._size > _HEAD.size:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, _HEAD.size)
            self._size = _HEAD.size

    def rotate(self) -> Left | None:
        """Take the file as one that was left behind, and begin another; None where nothing is in it."""
        if self._descriptor < 0 or self._size == _HEAD.size:
            return None
        left = _read(self._path, self._descriptor)
        left.at_risk = 0
        self._descriptor, self._head = -1, None
        return left

    def close(self) -> None:
        """The process ends: the file goes, unless it holds something."""
        if self._descriptor < 0:
            return
        self.at_risk(0)
        with contextlib.suppress(OSError):
            if self._size == _HEAD.size:
                self._path.unlink(missing_ok=True)
        self._head = None
        os.close(self._descriptor)
        self._descriptor = -1

    def others(self) -> bool:
        """Whether there are files of other processes, alive or not."""
        try:
            return any(path for path in self.folder.glob(f"{self._target}-*{_SUFFIX}") if not self._is_own(path))
        except OSError:
            return False

    def _is_own(self, path: Path) -> bool:
        return self._descriptor >= 0 and path == self._path

    def left_behind(self) -> Iterator[Left]:
        """What processes that are no more have left for this target; each is ours until it is done with."""
        try:
            paths = sorted(self.folder.glob(f"{self._target}-*{_SUFFIX}"))
        except OSError:
            return
        for path in paths:
            if self._is_own(path):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left = _read(path, descriptor) if path.exists() else None
                except OSError:  # its process lives
                    left = None
                if left is None:
                    os.close(descriptor)
                else:
                    yield left

    def done(self, left: Left, unsent: int) -> None:
        """What could be sent of it is; what cannot be read stays under another name.

        Args:
            unsent: Records at the end that are still to be sent, by whoever finds the file next.
        """
        with contextlib.suppress(OSError):
            if unsent:
                kept = left.records[len(left.records) - unsent :]
                body = b"".join(_record(one) for one in kept) + left.rest
                # At risk is told already.
                os.ftruncate(left.descriptor, 0)
                os.pwrite(left.descriptor, _HEAD.pack(MAGIC, left.process, 0) + body, 0)
            elif left.rest:
                os.ftruncate(left.descriptor, 0)
                os.pwrite(left.descriptor, left.rest, 0)
                left.path.rename(left.path.with_suffix(REST_SUFFIX))
            else:
                left.path.unlink(missing_ok=True)
        os.close(left.descriptor)


def _record(record: Record) -> bytes:
    head = _RECORD.pack(_KINDS[record.signal], record.count, len(record.body), zlib.crc32(record.body))
    return head + record.body


def _read(path: Path, descriptor: int) -> Left:
    """A file as far as it can be read."""
    written = b""
    while part := os.pread(descriptor, 1 << 20, len(written)):
        written += part
    if len(written) < _HEAD.size or not written.startswith(MAGIC):
        return Left(path, 0, 0, [], written, descriptor)
    _, process, at_risk = _HEAD.unpack_from(written)
    records: list[Record] = []
    at = _HEAD.size
    while at + _RECORD.size <= len(written):
        kind, count, length, checksum = _RECORD.unpack_from(written, at)
        body: Any = written[at + _RECORD.size : at + _RECORD.size + length]
        if kind not in _SIGNALS or len(body) < length or zlib.crc32(body) != checksum:
            break
        records.append(Record(_SIGNALS[kind], count, body))
        at += _RECORD.size + length
    return Left(path, process, max(at_risk, 0), records, written[at:], descriptor)
