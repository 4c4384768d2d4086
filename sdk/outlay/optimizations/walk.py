"""Walks: one text for what is done with functions and with coroutine functions.

A walk is a generator. What has to be awaited it hands out, and gets its value or exception back; where nothing is to
be awaited it runs to its end at once.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any


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
    except StopIteration as stop:
        return stop.value


async def ready(value: Any) -> Any:
    """For a function that returns awaitables: its answer, found at once."""
    return value


def drop(begun: Any) -> None:
    """A coroutine that nobody needs to run."""
    if inspect.iscoroutine(begun):
        begun.close()
