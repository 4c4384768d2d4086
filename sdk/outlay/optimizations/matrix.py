"""Which tier a kind of task needs, as a table: the one that ships, one in a file, or what a server has measured."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from outlay import _fork, _safely
from outlay.optimizations.given import check_plain_function, on_the_spot
from outlay.optimizations.server_api import ServerApi


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """What is known about a kind of task.

    Attributes:
        task: Kind of task, as given to `Router.choose(task=…)`.
        tier: The tier that is recommended for it.
        kept: What a lower tier is said to keep of the quality.
        failure: How a lower tier usually fails.
    """

    task: str
    tier: str
    kept: str = ""
    failure: str = ""


MATRIX: tuple[MatrixRow, ...] = (
    MatrixRow("classification", "cheap", "95 %+ with good prompts", "edge cases misclassified"),
    MatrixRow("extraction", "mid", "90 %+ with schema hints", "schema broken on complex fields"),
    MatrixRow("rag", "frontier", "80 %", "hallucination where context has gaps"),
    MatrixRow("reasoning", "frontier", "60–70 %", "logical errors in the chain"),
    MatrixRow("summarization", "mid", "85 %+ if chunked well", "details lost in reduce"),
    MatrixRow("code", "frontier", "70 %, simple code only", "subtle logic errors, wrong APIs"),
)

Matrix = Iterable[MatrixRow] | str | PathLike[str] | Callable[[], Iterable[MatrixRow]]


def measured_matrix(url: str, *, api_key: str = "", **filters: str) -> tuple[MatrixRow, ...]:
    """What a server recommends by its own measurements: per task the cheapest tier that is no worse (`/tradeoff`).

    Tasks for which the data do not say are left out. For `Router(matrix=…)`, where a rule or the default then holds.

    Args:
        url: Of the server.
        api_key: Where it wants one that may read.
        **filters: As in its API: `start="-30d"`, `score="correct"`, `feature="faq"`.

    Raises:
        ValueError: If the server refuses.

    Example:
        router = outlay.Router(tiers, default="mid", matrix=lambda: outlay.measured_matrix("http://outlay:4318"))
    """
    told = ServerApi(url, api_key).get(f"/tradeoff?{urlencode(filters)}")
    return tuple(
        MatrixRow(str(task["task"]), str(task["recommended_tier"]), str(task["reason"]))
        for task in told["tasks"]
        if task["task"] and task["recommended_tier"]
    )


def read_matrix(path: str | PathLike[str]) -> tuple[MatrixRow, ...]:
    """The matrix in a file: JSON, a list of rows; or TOML, `[[matrix]]` tables with `task` and `tier`.

    Raises:
        ValueError: Naming the file and what is wrong.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        if Path(path).suffix.lower() == ".toml":
            import tomllib

            rows = tomllib.loads(text).get("matrix")
        else:
            rows = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(rows, list):
        raise ValueError(f"{path} holds no list of rows")
    return tuple(_row(path, number, row) for number, row in enumerate(rows, 1))


def _row(path: Any, number: int, row: Any) -> MatrixRow:
    known = [field.name for field in fields(MatrixRow)]
    if not isinstance(row, Mapping) or not {"task", "tier"} <= row.keys() <= set(known):
        raise ValueError(f"{path}, row {number}: a row has task and tier, and may have kept and failure, not {row!r}")
    if not all(isinstance(value, str) for value in row.values()):
        raise ValueError(f"{path}, row {number}: all are texts, unlike {row!r}")
    return MatrixRow(**row)


class MatrixSource(_fork.Renewed):
    """A matrix that may change while the application runs.

    A file is looked at again after `reload_s`, and read where it changed; a function is asked again, in a thread of its
    own. One that fails leaves the matrix as it was, and says so.

    Args:
        check: Refuses rows that cannot be used.
    """

    def __init__(self, source: Matrix, reload_s: float, check: Callable[[Iterable[MatrixRow]], None]) -> None:
        if callable(source):
            check_plain_function("matrix of a router", source)
        elif not isinstance(source, (str, PathLike, Iterable)) or isinstance(source, Mapping):
            raise TypeError(f"matrix is a list of MatrixRow, a file, or a function that gives rows, not {source!r}")
        self._source = source
        self._reload_s = reload_s
        self._check = check
        self._changed_at = self._mark()
        self._rows = self._read()
        self._read_at = time.monotonic()
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._reading = threading.Lock()

    def rows(self) -> dict[str, MatrixRow]:
        """Task → row, as known now."""
        is_fixed = not callable(self._source) and not isinstance(self._source, (str, PathLike))
        if (
            not is_fixed
            and time.monotonic() - self._read_at >= self._reload_s
            and (reading := self._reading).acquire(blocking=False)
        ):
            self._read_at = time.monotonic()
            if callable(self._source):
                try:
                    threading.Thread(target=self._renew, args=(reading,), name="outlay matrix", daemon=True).start()
                except RuntimeError:
                    reading.release()
                    _safely.report("matrix of a router", message="cannot be read again now; it stays as it was")
            else:
                self._renew(reading)
        return self._rows

    def reload(self) -> None:
        """Read it again now.

        Raises:
            Exception: Whatever is wrong with it; then it stays as it was.
        """
        changed_at = self._mark()
        self._rows = self._read()
        self._changed_at, self._read_at = changed_at, time.monotonic()

    def _renew(self, reading: threading.Lock) -> None:
        try:
            changed_at = self._mark()
            if callable(self._source) or changed_at != self._changed_at:
                self._changed_at = changed_at
                self._rows = self._read()
        except Exception:
            _safely.report("matrix of a router", message="cannot be read again; it stays as it was")
        finally:
            reading.release()  # the one that was taken: a process that was forked meanwhile has another

    def _mark(self) -> Any:
        if not isinstance(self._source, (str, PathLike)):
            return None
        found = Path(self._source).stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> dict[str, MatrixRow]:
        if callable(self._source):
            given = on_the_spot("matrix of a router", self._source())
            if not isinstance(given, Iterable):
                raise TypeError(f"matrix of a router gave {given!r}, which is no list of MatrixRow")
            rows = tuple(given)
        elif isinstance(self._source, (str, PathLike)):
            rows = read_matrix(self._source)
        else:
            rows = tuple(self._source)
        self._check(rows)
        return {row.task: row for row in rows}
