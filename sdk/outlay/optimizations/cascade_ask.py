"""Asking a tier, for no longer than it may take."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from outlay._kinds import is_async, title_of


def asked(
    tier: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], limit_s: float | None, awaits: bool
) -> Generator[Any, Any, Any]:
    """The tier's answer; hands out what has to be awaited.

    Args:
        limit_s: Longest time it may take.
        awaits: Whether we are in an event loop, which a tier that blocks must not hold up for longer than that.

    Raises:
        TimeoutError: If it took longer. What is async is cancelled; what is not goes on in its thread.
    """
    ask = functools.partial(tier, *args, **kwargs)
    if limit_s is None or is_async(tier):
        answer = ask()
    elif awaits:
        import asyncio

        answer = yield _within(asyncio.to_thread(ask), limit_s, tier)
    else:
        answer = _in_thread(ask, limit_s, tier)
    if inspect.isawaitable(answer):
        answer = yield answer if limit_s is None else _within(answer, limit_s, tier)
    return answer


async def _within(awaitable: Awaitable[Any], limit_s: float, tier: Any) -> Any:
    import asyncio

    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired():
            raise _late(tier, limit_s) from error
        raise


def _in_thread(ask: Callable[[], Any], limit_s: float, tier: Any) -> Any:
    answer: Future[Any] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            answer.set_result(context.run(ask))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work, name=f"outlay cascade {title_of(tier)}", daemon=True).start()
    try:
        return answer.result(limit_s)
    except FutureTimeout:
        if answer.done():  # the tier's own
            raise
        raise _late(tier, limit_s) from None


def _late(tier: Any, limit_s: float) -> TimeoutError:
    return TimeoutError(f"tier {title_of(tier)} took longer than {limit_s:g} s")
