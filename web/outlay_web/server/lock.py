"""One process per data directory, said clearly: a locked file that names the holder.

The lock is the kernel's (`flock`), so it ends with its process however that ends; what is written in the file only
says who holds it. Checked before the store is opened, whose own message names nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from outlay.errors import ConfigError

FILE = "outlay.lock"


@dataclass(frozen=True)
class Holder:
    """Who holds a data directory: its process, the command, and its URL if it serves."""

    pid: int
    command: str
    url: str = ""


class DataHeld(ConfigError):
    """Another process holds the data directory."""

    def __init__(self, data: Path, holder: Holder) -> None:
        use = f"use --url {holder.url}" if holder.url else "wait until it is done"
        super().__init__(f"outlay {holder.command} (pid {holder.pid or 'unknown'}) holds {data}; {use}")
        self.holder = holder


class DataLock:
    """Holds a data directory until released or until the process ends."""

    def __init__(self, data: Path, command: str) -> None:
        """Take the lock, making the directory (for its owner only) if need be.

        Raises:
            DataHeld: If another process has it.
            ConfigError: If the directory cannot be used.
        """
        self._command = command
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.chmod(data, 0o700)
            self._file: IO[str] | None = open(data / FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held for long
        except OSError as exc:
            raise ConfigError(f"data = {str(data)!r} cannot be used: {exc.strerror}") from exc
        for tries_left in (3, 2, 1, 0):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as exc:
                if tries_left:  # `holder_of` of a passing command holds it for a moment
                    time.sleep(0.05)
                    continue
                holder = _read(self._file)
                self._file.close()
                raise DataHeld(data, holder) from exc
        self.say("")

    def say(self, url: str) -> None:
        """Write down who holds the directory, and where it answers."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            json.dump({"pid": os.getpid(), "command": self._command, "url": url}, self._file)
            self._file.flush()

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None


def holder_of(data: Path) -> Holder | None:
    """Who holds `data` right now, None when nobody does."""
    try:
        with open(data / FILE, "r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _read(file)
            return None
    except OSError:
        return None


def _read(file: IO[str]) -> Holder:
    try:
        file.seek(0)
        said = json.load(file)
        return Holder(int(said["pid"]), str(said["command"]), str(said["url"]))
    except (ValueError, KeyError, TypeError):
        return Holder(0, "serve")
