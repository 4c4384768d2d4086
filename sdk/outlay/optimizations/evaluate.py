"""evaluate(): benchmark candidates on a dataset; quality beside cost and latency.

Every answer is a tracked span with the candidate as arm of an experiment, and every score is sent as an evaluation of
its call, so that the results land beside the costs. Candidates are compared with the baseline on the same examples
(paired differences), which is what makes small datasets say something. A row that failed counts: its score is
`on_error`. Intervals of scores within 0 and 1 hold at every number of examples (see `intervals.py`), and "no worse" is
said only where the data show it: wrongly at most one time in forty.
"""

from __future__ import annotations

import contextvars
import inspect
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from os import PathLike
from typing import Any

from outlay._kinds import is_generator, title_of
from outlay.optimizations.cascade_run import limit_of
from outlay.optimizations.evaluation import Evaluation, summarize
from outlay.optimizations.evaluation_jobs import Job, Jobs, Scorer
from outlay.optimizations.evaluation_rows import Header, RowLog, keys_of
from outlay.optimizations.given import count_of, number_of
from outlay.optimizations.walk import driven

Candidates = Mapping[str, Callable[[Any], Any]] | Sequence[Callable[[Any], Any]]
Scorers = Mapping[str, Scorer] | Sequence[Scorer]


def evaluate(
    dataset: Iterable[Any],
    candidates: Candidates,
    scorers: Scorers,
    *,
    name: str = "evaluation",
    baseline: str | None = None,
    margin: float = 0.02,
    on_error: float = 0.0,
    concurrency: int = 8,
    progress: bool | None = None,
    repeats: int = 1,
    timeout_s: float | None = None,
    max_cost_usd: Decimal | float | None = None,
    results: str | PathLike[str] | None = None,
    run_id: str | None = None,
) -> Evaluation:
    """Run every candidate on every example, score the answers, compare.

    Args:
        dataset: Examples; a mapping with an `input` is taken apart: the candidate gets the input, scorers the whole.
            `outlay.dataset` reads them from files and from logged calls.
        candidates: Name → function of the example's input; a list is named after the functions. Coroutine functions
            are awaited, all in one event loop, so that they may share a client.
        scorers: Functions of (output, example) → number or bool, sync or async; a list is named after the functions.
        name: Name of the experiment under which the results appear.
        baseline: Candidate to compare with; default is the first.
        margin: How much lower a score may be and still count as no worse.
        on_error: Score of a row whose candidate or scorer failed, or gave None or NaN.
        concurrency: Answers asked for at the same time.
        progress: Show a bar on stderr; default is only on a terminal.
        repeats: How often each example is asked; it counts once, with the mean of its scores.
        timeout_s: Longest time of an answer, and of a score; then it has failed. What is async is cancelled.
        max_cost_usd: Once that much is spent (list prices, scorers included, and what a file of `results` says was
            spent before), nothing more is asked for.
        results: File that keeps each row as it comes. Started again with it, a run asks only for what is missing or
            failed, and only scores what was answered already.
        run_id: Name of the run, the tag `evaluation_run` of its calls; default is a new one, or that of `results`.

    A candidate or a scorer that raises costs its row, which says why and counts; the others go on. Where the baseline's
    scorer failed, the row compares with nothing. "No worse" takes about 220 examples without a difference at the margin
    of 0.02, about 90 at 0.05. An interrupted run without `results` leaves its rows in a file that the exception names.

    Raises:
        TypeError, ValueError: If there is nothing to run, or the baseline is no candidate.
    """
    from concurrent.futures import ThreadPoolExecutor

    every = _jobs(
        dataset,
        candidates,
        scorers,
        name=name,
        baseline=baseline,
        margin=margin,
        on_error=on_error,
        progress=progress,
        repeats=repeats,
        timeout_s=timeout_s,
        max_cost_usd=max_cost_usd,
        results=results,
        run_id=run_id,
    )
    with _loop() as wait_for, every.kept(), ThreadPoolExecutor(count_of("concurrency", concurrency)) as pool:

        def run(job: Job) -> None:
            walk = every.walk(job, awaits=False)
            try:
                awaitable = next(walk)
                while True:
                    try:
                        value = wait_for(awaitable)
                    except BaseException as problem:
                        awaitable = walk.throw(problem)
                    else:
                        awaitable = walk.send(value)
            except StopIteration:
                pass

        running = [pool.submit(contextvars.copy_context().run, run, job) for job in every.jobs]
        try:
            for future in running:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return summarize(every.header, every.rows(), every.not_asked)


async def aevaluate(
    dataset: Iterable[Any],
    candidates: Candidates,
    scorers: Scorers,
    *,
    name: str = "evaluation",
    baseline: str | None = None,
    margin: float = 0.02,
    on_error: float = 0.0,
    concurrency: int = 8,
    progress: bool | None = None,
    repeats: int = 1,
    timeout_s: float | None = None,
    max_cost_usd: Decimal | float | None = None,
    results: str | PathLike[str] | None = None,
    run_id: str | None = None,
) -> Evaluation:
    """As `evaluate`, in the event loop that runs: async candidates may share its clients; sync ones get a thread."""
    import asyncio

    every = _jobs(
        dataset,
        candidates,
        scorers,
        name=name,
        baseline=baseline,
        margin=margin,
        on_error=on_error,
        progress=progress,
        repeats=repeats,
        timeout_s=timeout_s,
        max_cost_usd=max_cost_usd,
        results=results,
        run_id=run_id,
    )
    free = asyncio.Semaphore(count_of("concurrency", concurrency))

    async def run(job: Job) -> None:
        async with free:
            await driven(every.walk(job, awaits=True))

    with every.kept():
        running = [asyncio.ensure_future(run(job)) for job in every.jobs]
        try:
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
    return summarize(every.header, every.rows(), every.not_asked)


def _jobs(
    dataset: Iterable[Any],
    candidates: Candidates,
    scorers: Scorers,
    *,
    name: str,
    baseline: str | None,
    margin: float,
    on_error: float,
    progress: bool | None,
    repeats: int,
    timeout_s: float | None,
    max_cost_usd: Decimal | float | None,
    results: str | PathLike[str] | None,
    run_id: str | None,
) -> Jobs:
    """What is to be done.

    Raises:
        TypeError, ValueError: If it cannot be.
    """
    if isinstance(dataset, (str, bytes, Mapping)) or not isinstance(dataset, Iterable):
        raise TypeError(f"dataset is a list of examples, not {dataset!r}; outlay.dataset() reads files")
    examples, asks, scores = list(dataset), _named(candidates, "candidates"), _named(scorers, "scorers")
    if not examples:
        raise ValueError("evaluate needs at least one example: of none nothing can be said")
    if not (isinstance(name, str) and name):
        raise TypeError(f"the name of an evaluation is a text, not {name!r}")
    if not (run_id is None or (isinstance(run_id, str) and run_id)):
        raise TypeError(f"run_id is a text, not {run_id!r}")
    if not asks or not scores:
        raise ValueError("evaluate needs at least one candidate and one scorer")
    reference = baseline if baseline is not None else next(iter(asks))
    for word, number in (("margin", margin), ("on_error", on_error)):
        value = number_of(number)
        if value is None or not math.isfinite(value) or (word == "margin" and value < 0):
            raise ValueError(f"{word} must be a finite number{' of at least 0' * (word == 'margin')}, not {number!r}")
    repeats = count_of("repeats", repeats)
    limit_s = limit_of("timeout_s", timeout_s)
    if limit_s is not None and not limit_s > 0:
        raise ValueError(f"timeout_s must be above 0, not {timeout_s!r}")
    if reference not in asks:
        raise ValueError(f"baseline {reference!r} is no candidate; there are {', '.join(asks)}")
    header = Header(
        name, run_id or os.urandom(8).hex(), tuple(asks), tuple(scores), reference, float(margin), float(on_error)
    )
    keys = list(keys_of(examples))
    return Jobs(
        header,
        [
            Job(index, keys[index], example, label, repeat)
            for index, example in enumerate(examples)
            for repeat in range(repeats)
            for label in asks
        ],
        asks,
        scores,
        timeout_s=None if limit_s is None else float(limit_s),
        max_cost_usd=limit_of("max_cost_usd", max_cost_usd),
        log=None if results is None else RowLog(results, header, takes_run_id=run_id is None),
        progress=progress,
    )


def _named(functions: Any, what: str) -> dict[str, Any]:
    """Name → function."""
    if callable(functions) or not isinstance(functions, Iterable):
        raise TypeError(f"{what} are a list of functions, or a mapping of names to functions, not {functions!r}")
    if isinstance(functions, Mapping):
        named = {str(name): function for name, function in functions.items()}
    else:
        several = list(functions)
        named = {title_of(function): function for function in several}
        if len(named) < len(several):
            raise ValueError(f"{what} share a name: give a mapping")
    for name, function in named.items():
        if not callable(function):
            raise TypeError(f"{what}: {name!r} is no function but {function!r}")
        if is_generator(function):
            raise TypeError(f"{what}: {name!r} yields; it must return what is to be scored, or the score")
    return named


@contextmanager
def _loop() -> Iterator[Callable[[Any], Any]]:
    """Waits for awaitables, from any thread, in one event loop that starts when it is first needed."""
    import asyncio
    import threading

    loop: asyncio.AbstractEventLoop | None = None
    thread: threading.Thread | None = None
    lock = threading.Lock()

    def wait_for(value: Any) -> Any:
        nonlocal loop, thread
        if not inspect.isawaitable(value):
            return value
        with lock:
            if loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever, name="outlay-evaluate", daemon=True)
                thread.start()
        return asyncio.run_coroutine_threadsafe(_finish(value), loop).result()

    try:
        yield wait_for
    finally:
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _finish(awaitable: Any) -> Any:
    try:
        return await awaitable
    except SystemExit as exit:  # would end the loop that the others run in
        raise RuntimeError(f"SystemExit: {exit}") from exit
