"""Walks: one text for what is done with functions and with coroutine functions.

A walk is a generator. What has to be awaited it hands out, and gets its value or exception back; where nothing is to
be awaited it runs to its end at once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any


class Stopped(Exception):
    """A StopIteration of the application on its way through a walk, which it would otherwise end.

    Attributes:
        stop: The application's own.
    """

    def __init__(self, stop: StopIteration) -> None:
        super().__init__()
        self.stop = stop


def called(function: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
    """What a function of the application gives, inside of a walk.

    Raises:
        Stopped: Where it raises StopIteration.
    """
    try:
        return function(*args, **(kwargs or {}))
    except StopIteration as stop:
        raise Stopped(stop) from None


def own(error: BaseException) -> BaseException:
    """The application's own exception."""
    return error.stop if isinstance(error, Stopped) else error


def begun(walk: Generator[Any, Any, Any]) -> tuple[Any, bool]:
    """What a walk returns, and True; or what it hands out first, to be awaited, and False."""
    try:
        return next(walk), False
    except StopIteration as end:
        return end.value, True
    except Stopped as stopped:
        stop = stopped.stop
    raise stop


async def driven(walk: Generator[Any, Any, Any], first: Awaitable[Any] | None = None) -> Any:
    """Await what a walk hands out, until it ends, and give what it returns.

    Args:
        walk: The walk.
        first: What it has handed out already, if it has begun.
    """
    try:
        waits = next(walk) if first is None else first
        while True:
            try:
                value = await waits
            except BaseException as error:
                step: Callable[[], Any] = functools.partial(walk.throw, error)
            else:
                step = functools.partial(walk.send, value)
            waits = step()
    except StopIteration as end:
        return end.value
    except Stopped as stopped:
        stop = stopped.stop
    raise stop  # as from any coroutine, a RuntimeError


async def ready(value: Any) -> Any:
    """For a function that returns awaitables: its answer, found at once."""
    return value


def drop(begun: Any) -> None:
    """A coroutine that nobody needs to run."""
    if inspect.iscoroutine(begun):
        begun.close()
