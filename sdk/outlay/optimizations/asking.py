"""Asking a function, sync or async, for no longer than it may take."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from outlay import _safely
from outlay._kinds import is_async, is_read_once, title_of
from outlay.optimizations.walk import Stopped, called


def asked(
    tier: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    limit_s: float | None,
    awaits: bool,
    *,
    aside: bool = False,
    what: str = "tier",
) -> Generator[Any, Any, Any]:
    """The function's answer; hands out what has to be awaited.

    Args:
        limit_s: Longest time it may take.
        awaits: Whether we are in an event loop, which a function that blocks must not hold up for longer than that.
        aside: In an event loop, call what is not async in a thread whether or not there is a limit.
        what: What it is, for messages.

    Raises:
        TimeoutError: If it took longer. What is async is cancelled; what is not goes on in its thread.
    """
    ask = functools.partial(tier, *args, **kwargs)
    late = f"{what} {title_of(tier)} took longer than {limit_s:g} s" if limit_s is not None else ""
    if is_async(tier) or (limit_s is None and not (awaits and aside)):
        answer = called(ask)
    elif awaits:
        import asyncio

        coming = _started(ask)
        try:
            answer = yield _within(asyncio.wrap_future(coming), limit_s, late)
        except BaseException:
            coming.add_done_callback(_close)
            raise
    else:
        answer = _in_thread(ask, limit_s, late)
    if inspect.isawaitable(answer):
        answer = yield answer if limit_s is None else _within(answer, limit_s, late)
    return answer


async def _within(awaitable: Awaitable[Any], limit_s: float | None, late: str) -> Any:
    import asyncio

    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired():
            raise TimeoutError(late) from error
        raise


def _started(ask: Callable[[], Any]) -> Future[Any]:
    """The answer to come of a thread of its own.

    Not of the event loop's pool: what hangs would stay in one of its few threads, and the program could not end.
    """
    answer: Future[Any] = Future()
    answer.set_running_or_notify_cancel()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            found = context.run(ask)
        except StopIteration as error:  # an awaiting task would never hear of it
            answer.set_exception(Stopped(error))
        except BaseException as error:
            answer.set_exception(error)
        else:
            answer.set_result(found)

    try:
        threading.Thread(target=work, name="outlay limited", daemon=True).start()
    except RuntimeError:
        _safely.warn("limited", "no thread can be started: %s is asked without its limit", title_of(ask))
        work()
    return answer


def _close(late: Future[Any]) -> None:
    """A stream that came too late, or to nobody, is ended; a coroutine is not begun."""
    if late.exception() is not None:
        return
    found = late.result()
    if inspect.iscoroutine(found) or is_read_once(found):
        try:
            found.close()
        except Exception:
            _safely.report("late answer", message="cannot be closed")


def _in_thread(ask: Callable[[], Any], limit_s: float | None, late: str) -> Any:
    answer = _started(ask)
    try:
        return answer.result(limit_s)
    except FutureTimeout:
        if answer.done() and answer.exception() is not None:  # the function's own
            raise
        answer.add_done_callback(_close)
        raise TimeoutError(late) from None
