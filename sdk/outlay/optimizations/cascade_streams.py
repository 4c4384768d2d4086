"""Tiers that stream: as much of the stream is read as the judge needs, and the caller gets all of it all the same.

The stream that is accepted stays the provider's own: its parts come as they are and when they are, those that were
read for the judge first. One that is not accepted is closed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from itertools import islice
from typing import Any, Literal

from outlay import _safely
from outlay._kinds import is_async

Streaming = Literal["whole", "first"]


class Parts:
    """A stream of which the beginning was read; every other attribute is the stream's.

    Attributes:
        judged: What the judge gets: a list of all parts, or the first one; None where there is none.
    """

    def __init__(self, stream: Any, mode: Streaming) -> None:
        self.judged: Any = None
        self._head: Iterator[Any] = iter(())
        self._stream = stream
        self._mode = mode

    def began(self, head: list[Any]) -> Parts:
        """Say what was read."""
        self.judged = head if self._mode == "whole" else next(iter(head), None)
        self._head = iter(head)
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "_stream" or name.startswith("__"):  # a copy that is being made has none yet
            raise AttributeError(name)
        return getattr(self._stream, name)

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for part in self._head:
            return part
        return next(self._stream)

    def close(self) -> None:
        """End the stream."""
        close = getattr(self._stream, "close", None)
        if callable(close):
            close()


class AsyncParts:
    """As `Parts`, of an async stream."""

    def __init__(self, stream: Any, mode: Streaming) -> None:
        self.judged: Any = None
        self._head: Iterator[Any] = iter(())
        self._stream = stream
        self._mode = mode

    def began(self, head: list[Any]) -> AsyncParts:
        """Say what was read."""
        self.judged = head if self._mode == "whole" else next(iter(head), None)
        self._head = iter(head)
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "_stream" or name.startswith("__"):  # a copy that is being made has none yet
            raise AttributeError(name)
        return getattr(self._stream, name)

    async def __aenter__(self) -> AsyncParts:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        for part in self._head:
            return part
        return await anext(self._stream)

    async def aclose(self) -> None:
        """End the stream."""
        close = getattr(self._stream, "aclose", None) or getattr(self._stream, "close", None)
        if callable(close):
            closing = close()
            if inspect.isawaitable(closing):
                await closing


def streamed(tier: Callable[..., Any], mode: Streaming) -> Callable[..., Any]:
    """A tier whose stream is read as far as the judge needs."""
    if is_async(tier) or inspect.isasyncgenfunction(tier):

        async def ask_async(*args: Any, **kwargs: Any) -> Any:
            answer = tier(*args, **kwargs)
            return await _read_async(answer, mode)

        return functools.update_wrapper(ask_async, tier, updated=())

    def ask(*args: Any, **kwargs: Any) -> Any:
        answer = tier(*args, **kwargs)
        if inspect.isawaitable(answer) or hasattr(answer, "__aiter__"):
            return _read_async(answer, mode)
        return _read(answer, mode)

    return functools.update_wrapper(ask, tier, updated=())


def judged_by(accept: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What judges a stream by what was read of it."""
    return functools.update_wrapper(lambda parts: accept(parts.judged), accept, updated=())


def closed(parts: Any) -> Generator[Any, Any, None]:
    """End a stream that nobody will read; hands out what has to be awaited."""
    try:
        if isinstance(parts, AsyncParts):
            yield parts.aclose()
        else:
            parts.close()
    except Exception:
        _safely.report("stream of a cascade", message="cannot be closed")


def _read(answer: Any, mode: Streaming) -> Parts:
    _check(answer, "__iter__")
    stream = iter(answer)
    parts = Parts(answer if hasattr(answer, "__next__") else stream, mode)
    try:
        return parts.began(list(stream) if mode == "whole" else list(islice(stream, 1)))
    except BaseException:
        _safely.safely()(parts.close)()
        raise


async def _read_async(answer: Any, mode: Streaming) -> Any:
    if inspect.isawaitable(answer):
        answer = await answer
    if not hasattr(answer, "__aiter__"):
        return _read(answer, mode)
    stream, head = aiter(answer), list[Any]()
    parts = AsyncParts(answer if hasattr(answer, "__anext__") else stream, mode)
    try:
        async for part in stream:
            head.append(part)
            if mode == "first":
                break
    except BaseException:  # also a task that is cancelled: nobody will read it
        try:
            await parts.aclose()
        except Exception:
            _safely.report("stream of a cascade", message="cannot be closed")
        raise
    return parts.began(head)


def _check(answer: Any, method: str) -> None:
    if not hasattr(answer, method) or isinstance(answer, (str, bytes)):
        raise TypeError(f"a tier of a cascade with stream= gives a stream, not {type(answer).__name__}")
