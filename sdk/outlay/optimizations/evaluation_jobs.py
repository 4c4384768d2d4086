"""The work of an evaluation: ask a candidate, score its answer, keep the row."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from outlay import _safely
from outlay._kinds import is_read_once
from outlay.optimizations.asking import asked
from outlay.optimizations.evaluation_rows import EvaluationRow, Header, RowLog
from outlay.optimizations.given import scalar
from outlay.optimizations.walk import own
from outlay.tracing.recording import score as send_score
from outlay.tracing.track import track

Scorer = Callable[[Any, Any], float | bool | Awaitable[float | bool]]


@dataclass(frozen=True, slots=True)
class Job:
    """One row to be made."""

    index: int
    key: str
    example: Any
    candidate: str
    repeat: int

    @property
    def place(self) -> tuple[str, str, int]:
        """As of its row."""
        return self.key, self.candidate, self.repeat


class Jobs:
    """All rows to be made, and those that are."""

    def __init__(
        self,
        header: Header,
        jobs: Sequence[Job],
        candidates: Mapping[str, Callable[[Any], Any]],
        scorers: Mapping[str, Scorer],
        *,
        timeout_s: float | None,
        max_cost_usd: Decimal | None,
        log: RowLog | None,
        progress: bool | None,
    ) -> None:
        self.header = header if log is None else log.header
        self.jobs = jobs
        self._candidates = candidates
        self._scorers = scorers
        self._timeout_s = timeout_s
        self._max_cost_usd = max_cost_usd
        self._log = log
        self._bar = _Bar(len(jobs), sys.stderr.isatty() if progress is None else progress)
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str, int], EvaluationRow] = {}
        self._spent_usd = Decimal(0) if log is None else log.spent_usd
        self.not_asked = 0

    def rows(self) -> list[EvaluationRow]:
        """Those that are made, in the order of the examples."""
        return [self._rows[job.place] for job in self.jobs if job.place in self._rows]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Rows that are made inside are not lost, however it ends."""
        try:
            yield
        except BaseException as problem:
            if self._log is None and self._rows:
                import tempfile

                with tempfile.NamedTemporaryFile("w", suffix=".jsonl", prefix="outlay-rows-", delete=False) as file:
                    path = file.name
                log = RowLog(path, self.header)
                for row in self.rows():
                    log.add(row)
                log.close()
                problem.add_note(f"{len(self._rows)} rows are kept in {path}: evaluate(results=…) goes on from there")
            raise
        finally:
            self._bar.close()
            if self._log is not None:
                self._log.close()

    def walk(self, job: Job, awaits: bool) -> Generator[Any, Any, None]:
        """Make one row; hands out what has to be awaited."""
        before = None if self._log is None else self._log.kept.get(job.place)
        if before is not None:
            before = replace(before, index=job.index)
            if before.error is None and before.scores.keys() >= self._scorers.keys():
                self._done(job, before, is_new=False)
                return
        is_answered = before is not None and not before.failed and before.is_whole
        with self._lock:
            if self._max_cost_usd is not None and self._spent_usd >= self._max_cost_usd:
                self.not_asked += 1
                if before is not None:
                    self._rows[job.place] = before
                return
        facts: dict[str, Any] = {"experiment": {"name": self.header.name, "arm": job.candidate}}
        facts |= {"evaluation_run": self.header.run_id, "evaluation_item": job.key}
        with track(f"evaluate {job.candidate}", feature="evaluation", **facts) as frame:
            frame.used = []
            try:
                if before is not None and is_answered:
                    row = before
                else:
                    row = yield from self._answer(job, frame, awaits)
                if not row.failed:
                    row = yield from self._score(job, row, frame, awaits)
            finally:
                self._spend(frame.used)
        self._done(job, row, _cost(frame.used))

    def _answer(self, job: Job, frame: Any, awaits: bool) -> Generator[Any, Any, EvaluationRow]:
        example, candidate = job.example, self._candidates[job.candidate]
        given = example["input"] if isinstance(example, Mapping) and "input" in example else example
        output, error = None, None
        started = time.perf_counter()
        try:
            output = yield from asked(candidate, (given,), {}, self._timeout_s, awaits, aside=True, what="candidate")
            if is_read_once(output):
                output = None
                raise TypeError("gave a stream, which can be read once; give what is to be scored")
        except BaseException as problem:  # an exit or a cancellation inside costs its row, too, and no other
            if _ends_everything(problem):
                raise
            problem = own(problem)
            error = f"{type(problem).__name__}: {problem}"
            frame.set(attributes={"error.type": type(problem).__name__})
        latency_s = time.perf_counter() - started
        call = frame.last_call or frame.call  # a scorer may be a call, too
        return EvaluationRow(
            index=job.index,
            candidate=job.candidate,
            output=output,
            scores={},
            cost_usd=_cost(frame.used),
            latency_s=latency_s,
            error=error,
            failed=error is not None,
            repeat=job.repeat,
            key=job.key,
            call=call if call.trace else None,
        )

    def _score(self, job: Job, row: EvaluationRow, frame: Any, awaits: bool) -> Generator[Any, Any, EvaluationRow]:
        found, error = dict(row.scores), None
        for name, scorer in self._scorers.items():
            if name in found:
                continue
            try:
                given = yield from asked(
                    scorer, (row.output, job.example), {}, self._timeout_s, awaits, aside=True, what="scorer"
                )
                found[name] = _number(given)
            except BaseException as problem:
                if _ends_everything(problem):
                    row = replace(row, scores=found, error="interrupted before it was scored")
                    self._done(job, row, _cost(frame.used))
                    raise
                problem = own(problem)
                error = f"scorer {name}: {type(problem).__name__}: {problem}"
                continue
            if row.call is not None:
                send_score(name, found[name], call=row.call)
        return replace(row, scores=found, error=error)

    def _done(self, job: Job, row: EvaluationRow, spent_usd: Decimal | None = None, *, is_new: bool = True) -> None:
        if is_new and self._log is not None:
            self._log.add(row, spent_usd)
        with self._lock:
            self._rows[job.place] = row
            self._bar.step()

    def _spend(self, used: list[dict[str, Any]] | None) -> None:
        if self._max_cost_usd is None or not used:
            return
        cost = _cost(used)
        if cost is None:
            _safely.warn(
                f"evaluation cost {self.header.name}",
                "max_cost_usd of evaluation %s leaves out calls without a known price",
                self.header.name,
            )
        with self._lock:
            self._spent_usd += cost or 0


def _ends_everything(problem: BaseException) -> bool:
    """Whether it is meant for the whole evaluation, not for a candidate."""
    if isinstance(problem, (KeyboardInterrupt, GeneratorExit)):
        return True
    if "asyncio" not in sys.modules:
        return False
    import asyncio

    if not isinstance(problem, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


def _number(score: Any) -> float:
    """A score.

    Raises:
        ValueError: If it is none: None, NaN, infinite.
    """
    number = math.nan if score is None else float(scalar(score))
    if not math.isfinite(number):
        raise ValueError(f"gave {score!r}, which is no score")
    return number


def _cost(used: list[dict[str, Any]] | None) -> Decimal | None:
    from outlay._cost import cost_of

    try:
        costs = [cost_of(attributes, time.time_ns()) for attributes in used or ()]
    except Exception:
        _safely.report("cost of an evaluation")
        return None
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(costs) else None


class _Bar:
    """A progress bar of one line on stderr."""

    def __init__(self, total: int, shown: bool) -> None:
        self._total = total
        self._done = 0
        self._shown = shown

    def step(self) -> None:
        self._done += 1
        if self._shown:
            filled = self._done * 30 // max(self._total, 1)
            print(f"\r[{'#' * filled:30s}] {self._done}/{self._total}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._shown and self._total:
            print(file=sys.stderr)
