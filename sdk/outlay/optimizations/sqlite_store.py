"""SqliteStore: answers in a file that processes of one machine share and that outlasts them."""

from __future__ import annotations

import os
import threading
import time
from os import PathLike
from typing import Any

from outlay import _fork

_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, ends_at REAL, used_at REAL NOT NULL
) WITHOUT ROWID"""
_PRUNE_EVERY = 100  # answers between two looks for those whose time is over


class SqliteStore(_fork.Renewed):
    """For `cached(store=…)`: a file of SQLite's, safe for threads and processes.

    Args:
        path: The file; made where it is not there.
        max_entries: How many answers are kept at most, more or less; those used longest ago go first.
        wait_s: How long a write waits for another process before it is given up: then the answer is not kept.

    Raises:
        ValueError: If a limit makes no sense.

    Example:
        @outlay.cached(store=outlay.SqliteStore("answers.db"), ttl_s=86_400)
        def answer(question: str) -> str: ...
    """

    def __init__(self, path: str | PathLike[str], *, max_entries: int = 100_000, wait_s: float = 1.0) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries must be at least 1, not {max_entries!r}")
        if not 0 <= wait_s < threading.TIMEOUT_MAX:
            raise ValueError(f"wait_s must be at least 0 and finite, not {wait_s!r}")
        self._path = os.fspath(path)
        self._max_entries = max_entries
        self._wait_s = wait_s
        self.after_fork()
        _fork.renew(self)
        with self._lock:
            self._opened()

    def after_fork(self) -> None:
        """A connection must not be carried over a fork, nor a lock that nobody holds any more."""
        self._lock = threading.Lock()
        self._connection: Any = None
        self._writes = 0

    def _opened(self) -> Any:
        if self._connection is None:
            import sqlite3

            found = sqlite3.connect(self._path, timeout=self._wait_s, isolation_level=None, check_same_thread=False)
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = NORMAL")  # a lost answer is made again
            found.execute(_TABLE)
            found.execute("CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used_at)")
            self._connection = found
        return self._connection

    def get(self, key: str) -> bytes | None:
        """The value, unless there is none or its time is over."""
        now = time.time()
        with self._lock:
            connection = self._opened()
            row = connection.execute("SELECT value, ends_at, used_at FROM answers WHERE key = ?", (key,)).fetchone()
            if row is None or (row[1] is not None and row[1] <= now):
                return None
            if now - row[2] > 60:  # a minute is exact enough for what goes first
                self._touch(connection, key, now)
            return bytes(row[0])

    def _touch(self, connection: Any, key: str, now: float) -> None:
        """Note that an answer was used; while another process writes, the next use will."""
        import sqlite3

        connection.execute("PRAGMA busy_timeout = 0")
        try:
            connection.execute("UPDATE answers SET used_at = ? WHERE key = ?", (now, key))
        except sqlite3.OperationalError:  # locked, or read-only: no reason to lose a hit, or to wait
            pass
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")

    def set(self, key: str, value: str | bytes) -> None:
        """Keep a value for good."""
        self._put(key, value, None)

    def setex(self, key: str, seconds: float, value: str | bytes) -> None:
        """Keep a value for so long."""
        self._put(key, value, time.time() + seconds)

    def delete(self, key: str) -> int:
        """Drop a value; how many there were."""
        with self._lock:
            return int(self._opened().execute("DELETE FROM answers WHERE key = ?", (key,)).rowcount)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _put(self, key: str, value: str | bytes, ends_at: float | None) -> None:
        raw = value.encode() if isinstance(value, str) else value
        with self._lock:
            connection, now = self._opened(), time.time()
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", (key, raw, ends_at, now))
            self._writes += 1
            if self._writes % min(_PRUNE_EVERY, self._max_entries) == 0:
                connection.execute("DELETE FROM answers WHERE ends_at <= ?", (now,))
                connection.execute(
                    "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY used_at LIMIT "
                    "max((SELECT count(*) FROM answers) - ?, 0))",
                    (self._max_entries,),
                )
