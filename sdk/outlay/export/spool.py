"""The local spool: what a process has not sent yet, in a file that the next start sends if this one cannot.

A file belongs to one process, which holds a lock on it for as long as it lives, and to one target: the server and the
key that its spans are for. The head is mapped into memory, so that a killed process leaves it as it was at that moment.
Once everything in it is sent, the file is cut back to its head.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from outlay.export.spool_format import (
    AT_RISK,
    AT_RISK_AT,
    HEAD,
    MAGIC,
    RECORD_HEAD,
    Left,
    Record,
    move,
    read,
    record_of,
)
from outlay.settings import Settings

try:
    import fcntl
except ImportError:  # no locks of this kind, no spool
    fcntl = None  # type: ignore[assignment]

OFF = "off"
SUFFIX = ".spool"
_MOST_FILES = 64  # of one process, each of which is held open
REST_SUFFIX = ".rest"
NEW_SUFFIX = ".new"


class Spool:
    """The file of this process, made when something is written.

    Args:
        most_bytes: How much all of its files hold together: the one that is written to and those put aside.
    """

    def __init__(self, folder: Path, target: str, most_bytes: int) -> None:
        self.folder = folder
        self.target = target
        self._most_bytes = most_bytes
        self._descriptor = -1
        self._head: mmap.mmap | None = None
        self._size = 0
        self._failed = False
        self._opening = threading.Lock()
        self._records: list[Record] = []  # of the file that is written to
        self._aside: dict[Path, int] = {}  # file → bytes
        self._aside_bytes = 0

    @classmethod
    def of(cls, settings: Settings, target: str = "") -> Spool | None:
        """The spool that the settings ask for, None where they ask for none or there can be none.

        Args:
            target: Where spans go, where that is more than the server and the key of the settings.
        """
        if fcntl is None or settings.spool_dir == OFF or settings.spool_file:
            return None
        where = settings.spool_dir
        if not where:
            state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
            where = os.path.join(state, "outlay", "spool")
        key = (settings.headers or {}).get("authorization", "")
        whole = f"{settings.traces_url}\n{key}" + (f"\n{target}" if target else "")
        return cls(Path(where), hashlib.sha256(whole.encode()).hexdigest()[:12], settings.spool_bytes)

    def before_fork(self) -> None:
        """A file that is being made is made first: a child would hold it, and never know."""
        self._opening.acquire()

    def forked(self) -> None:
        """The parent goes on."""
        self._opening.release()

    def after_fork(self) -> None:
        """A forked child makes a file of its own; its parent keeps the lock on this one."""
        if self._descriptor >= 0:
            os.close(self._descriptor)  # unlocks nothing: the parent holds it open
        self._descriptor, self._head, self._failed = -1, None, False
        self._records = []
        self._opening = threading.Lock()
        self._aside, self._aside_bytes = {}, 0

    def at_risk(self, spans: int) -> None:
        """How many spans would be lost if the process were killed now."""
        head = self._head
        if head is not None:
            AT_RISK.pack_into(head, AT_RISK_AT, spans)

    def open(self) -> bool:
        """Make the file, once; whether there is one."""
        if self._descriptor >= 0 or self._failed:
            return not self._failed
        with self._opening:
            return self._descriptor >= 0 or self._make()

    def _make(self) -> bool:
        """Under a name that nobody looks for until it is locked: without a lock it would be taken for a dead one's."""
        descriptor = -1
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{self.target}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
            new = path.with_suffix(NEW_SUFFIX)
            descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, HEAD.pack(MAGIC, os.getpid(), 0))
            self._head = mmap.mmap(descriptor, HEAD.size)
            new.rename(path)
            self._path, self._size, self._records = path, HEAD.size, []
            self._descriptor = descriptor  # last: with it the file is there
        except OSError:
            self._failed = True  # a folder that cannot be written is no reason to say anything
            if descriptor >= 0:
                os.close(descriptor)
        return not self._failed

    def append(self, signal: str, count: int, body: bytes) -> bool:
        """Write a request; whether it is written."""
        record = record_of(signal, count, body)
        size = len(record)
        if not self.open() or self._aside_bytes + self._size + size > self._most_bytes:
            return False
        try:
            if os.pwrite(self._descriptor, record, self._size) < size:
                raise OSError("the disk is full")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            return False
        self._records.append(Record(signal, count, self._size + RECORD_HEAD.size, len(body)))
        self._size += size
        return True

    @property
    def is_nearly_full(self) -> bool:
        """Whether three quarters of the bytes are taken: then the texts of spans go before their costs do."""
        return 4 * (self._aside_bytes + self._size) > 3 * self._most_bytes

    def all_sent(self) -> None:
        """Nothing in the file is still to be sent."""
        if self._descriptor >= 0 and self._size > HEAD.size:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, HEAD.size)
            self._size, self._records = HEAD.size, []

    def rotate(self) -> Left | None:
        """Put the file aside and begin another; None where nothing is in it, or too many are aside already."""
        if self._descriptor < 0 or self._size == HEAD.size or len(self._aside) >= _MOST_FILES:
            return None
        self.at_risk(0)
        left = Left(self._path, os.getpid(), 0, self._records, self._size, descriptor=self._descriptor)
        self._count({**self._aside, left.path: left.size})
        self._descriptor, self._head = -1, None
        return left

    def adopt(self, left: Left) -> None:
        """Take over a file that this process put aside for another target: it is of this one now."""
        path = self.folder / f"{self.target}{left.path.name.removeprefix(left.target)}"
        with contextlib.suppress(OSError):  # on another disk it stays where it is
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            left.path = left.path.rename(path)
        self._count({**self._aside, left.path: left.size})

    def _count(self, aside: dict[Path, int]) -> None:
        self._aside, self._aside_bytes = aside, sum(aside.values())

    def close(self) -> None:
        """The process ends: the file goes, unless it holds something."""
        if self._descriptor < 0:
            return
        self.at_risk(0)
        with contextlib.suppress(OSError):
            if self._size == HEAD.size:
                self._path.unlink(missing_ok=True)
        self._head = None
        os.close(self._descriptor)
        self._descriptor = -1

    def others(self) -> bool:
        """Whether there are files of other processes, alive or not."""
        try:
            return any(path for path in self.folder.glob(f"{self.target}-*{SUFFIX}") if not self._is_own(path))
        except OSError:
            return False

    def _is_own(self, path: Path) -> bool:
        return self._descriptor >= 0 and path == self._path

    def left_behind(self) -> Iterator[Left]:
        """What processes that are no more have left for this target; each is ours until it is done with."""
        try:
            paths = sorted(self.folder.glob(f"{self.target}-*{SUFFIX}"))
        except OSError:
            return
        for path in paths:
            if self._is_own(path):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    left = read(path, descriptor) if path.exists() else None
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
        if left.path in self._aside:
            self._count({path: size for path, size in self._aside.items() if path != left.path})
        with contextlib.suppress(OSError):
            if unsent:
                move(left.descriptor, left.records[-unsent].at - RECORD_HEAD.size, HEAD.size)
                os.pwrite(left.descriptor, HEAD.pack(MAGIC, left.process, 0), 0)  # at risk is told already
            elif left.rest:
                move(left.descriptor, left.size - left.rest, 0)
                left.path.rename(left.path.with_suffix(REST_SUFFIX))
            else:
                left.path.unlink(missing_ok=True)
        left.close()
