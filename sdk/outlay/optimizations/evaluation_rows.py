"""Rows of an evaluation: what one candidate made of one example, and the file that keeps rows as they come.

The file is JSON, a line each: first what the evaluation is, then the rows. A run that is started again with the same
file asks only for what is not there: nothing that was paid for is paid for again.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any

from outlay.tracing.call import Call

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """One candidate's answer to one example.

    Attributes:
        scores: By scorer; those that failed are missing.
        error: What went wrong, in the candidate or in a scorer.
        failed: Whether the candidate gave no answer.
        repeat: Which time the example was asked, from 0.
        key: Tells the example in other runs, whatever its place.
        call: What answered, for `score(call=…)`; None where nothing was recorded.
        is_whole: Whether `output` is the answer itself; read from a file, it may be its text.
    """

    index: int
    candidate: str
    output: Any
    scores: Mapping[str, float]
    cost_usd: Decimal | None
    latency_s: float
    error: str | None
    failed: bool = False
    repeat: int = 0
    key: str = ""
    call: Call | None = None
    is_whole: bool = True

    @property
    def place(self) -> tuple[str, str, int]:
        """What tells it from all other rows of its evaluation."""
        return self.key, self.candidate, self.repeat

    def as_json(self) -> dict[str, Any]:
        """Its fields, as JSON has them: money as text; an answer that JSON cannot hold as its text."""
        output, is_whole = self.output, self.is_whole
        try:
            is_whole = is_whole and bool(json.loads(json.dumps(output, allow_nan=False)) == output)
        except (TypeError, ValueError, RecursionError):
            is_whole = False
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "output": output if is_whole else str(output),
            "scores": dict(self.scores),
            "cost_usd": None if self.cost_usd is None else str(self.cost_usd),
            "call": None if self.call is None else [self.call.trace_id, self.call.span_id],
            "is_whole": is_whole,
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> EvaluationRow:
        """The way back.

        Raises:
            TypeError, ValueError: If it is no row.
        """
        if unknown := set(told) - {field.name for field in fields(cls)}:
            raise ValueError(f"a row has no {', '.join(sorted(unknown))}")
        row = cls(**told)
        call, cost = told.get("call"), told.get("cost_usd")
        return replace(
            row,
            cost_usd=None if cost is None else Decimal(cost),
            call=None if call is None else Call(int(call[0], 16), int(call[1], 16)),
        )


def keys_of(examples: Iterable[Any]) -> Iterator[str]:
    """What tells each example in other runs: its value, and for equal ones the how-manieth it is."""
    seen: Counter[str] = Counter()
    for index, example in enumerate(examples):
        try:
            text = json.dumps(_sortable(example), sort_keys=True, default=repr, ensure_ascii=False)
        except (ValueError, RecursionError):  # it holds itself
            text = f"example {index}"
        if _ADDRESS.search(text):
            text = f"example {index}"  # an object without a value: told by its place
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        yield f"{digest}-{seen[digest]}"
        seen[digest] += 1


def _sortable(value: Any) -> Any:
    """The value, with mappings whose keys are not all texts as lists of pairs, for JSON to sort."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _sortable(part) for key, part in value.items()}
        return ["pairs", *sorted([repr(key), _sortable(part)] for key, part in value.items())]
    if isinstance(value, (list, tuple)):
        return [_sortable(part) for part in value]
    return value


@dataclass(frozen=True, slots=True)
class Header:
    """What an evaluation is.

    Attributes:
        margin: How much lower a score may be and still count as no worse.
        on_error: Score of a row without one.
    """

    name: str
    run_id: str
    candidates: tuple[str, ...]
    scorers: tuple[str, ...]
    baseline: str
    margin: float
    on_error: float

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        return asdict(self)

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Header:
        """The way back.

        Raises:
            TypeError: If it is none.
        """
        header = cls(**told)
        return replace(header, candidates=tuple(header.candidates), scorers=tuple(header.scorers))


@dataclass(slots=True)
class Kept:
    """What a file of rows holds.

    Attributes:
        header: The latest.
        rows: By place; of one place the latest.
        spent_usd: By all that was done for it, also for rows that were made again, as far as prices are known.
    """

    header: Header
    rows: dict[tuple[str, str, int], EvaluationRow]
    spent_usd: Decimal = Decimal(0)


def read_rows(path: str | PathLike[str]) -> Kept:
    """Read a file of rows. A last line that was cut off is left out.

    Raises:
        ValueError: If the file is none of an evaluation.
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    try:
        kept = Kept(Header.of_json(json.loads(lines[0])), {})
        for number, line in enumerate(lines[1:], 2):
            try:
                told = json.loads(line)
            except ValueError:
                if number == len(lines):
                    break
                raise
            if "candidates" in told:  # from here on it was started again, with others
                kept.header = Header.of_json(told)
                continue
            kept.spent_usd += Decimal(told.pop("spent_usd", None) or 0)
            row = EvaluationRow.of_json(told)
            kept.rows[row.place] = row
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no rows of an evaluation ({error}); give another file") from error
    return kept


def _mended(path: Path) -> bool:
    """Whether the file holds anything; a last line that was cut off is taken away."""
    if not path.exists():
        return False
    held = path.read_bytes()
    whole = held[: held.rfind(b"\n") + 1]
    if whole != held:
        try:
            json.loads(held[len(whole) :])
            whole = held + b"\n"
        except ValueError:
            pass
        path.write_bytes(whole)
    return bool(whole)


class RowLog:
    """The file that rows go to as they come, and what it held before.

    Attributes:
        header: What the evaluation is; `takes_run_id`, under the name that the file has.
        kept: Rows of before, by place.
        spent_usd: On all rows of before.

    Raises:
        ValueError: If the file is of another evaluation.
    """

    def __init__(self, path: str | PathLike[str], header: Header, *, takes_run_id: bool = False) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self.header = header
        self.kept: dict[tuple[str, str, int], EvaluationRow] = {}
        self.spent_usd = Decimal(0)
        before = read_rows(path) if _mended(self.path) else None
        if before is not None:
            if before.header.name != header.name:
                raise ValueError(
                    f"{path} holds evaluation {before.header.name!r}, not {header.name!r}; give another file"
                )
            self.kept, self.spent_usd = before.rows, before.spent_usd
            if takes_run_id:
                self.header = replace(header, run_id=before.header.run_id)
        self._file = self.path.open("a", encoding="utf-8")
        if before is None or before.header != self.header:
            self._write(self.header.as_json())

    def add(self, row: EvaluationRow, spent_usd: Decimal | None = None) -> None:
        """Keep a row, and what was spent on it now."""
        self._write({**row.as_json(), "spent_usd": None if spent_usd is None else str(spent_usd)})

    def _write(self, told: Mapping[str, Any]) -> None:
        line = json.dumps(told, ensure_ascii=True, allow_nan=False)
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()
