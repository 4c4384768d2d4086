"""Work that a tracked function leaves for later: generators, streaming responses, awaitables.

It goes on where somebody consumes it: later, in another context, task or thread. Each step runs inside the frame and
leaves nothing behind in its consumer. The frame ends with the last step, with an exception, when the work is closed,
or when it is forgotten.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Mapping
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from outlay import _safely
from outlay.tracing.frame import Frame

Start = Callable[..., tuple[Frame | None, Any]]  # opens a frame and makes the iterator whose steps run inside

_ITERATORS = (GeneratorType, map, filter, zip, enumerate, itertools.chain, itertools.islice, itertools.starmap)
# Where a response keeps its unread body: Starlette's and FastAPI's, Werkzeug's and Flask's, Django's.
_BODIES = ("body_iterator", "response", "streaming_content")
_PROPERTY = "streaming_content"
_DONE = (str, bytes, int, float, bool, type(None), dict, list, set)


def generator(start: Start) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator function whose steps are those of the iterator that `start` makes, inside its frame."""

    def driven(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        frame, inner = start(*args, **kwargs)
        if frame is None:
            return (yield from inner)
        step: Callable[[], Any] = functools.partial(next, inner)
        try:
            while True:
                frame.attach()  # only while the body runs: the caller's context stays the caller's
                try:
                    value = step()
                except StopIteration as stop:
                    frame.result(stop.value)
                    frame.end()
                    return stop.value
                finally:
                    frame.detach()
                try:
                    sent = yield value
                except GeneratorExit:
                    frame.attach()
                    if hasattr(inner, "close"):
                        inner.close()
                    raise
                except BaseException as error:
                    if not hasattr(inner, "throw"):
                        raise
                    step = functools.partial(inner.throw, error)
                else:
                    step = functools.partial(next, inner) if sent is None else functools.partial(inner.send, sent)
        except BaseException as error:
            frame.end(error)
            raise

    return driven


def async_generator(start: Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The same for asynchronous iterators."""

    async def driven(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        frame, inner = start(*args, **kwargs)
        step: Callable[[], Any] = inner.__anext__
        try:
            while True:
                if frame is not None:
                    frame.attach()
                try:
                    value = await step()
                except StopAsyncIteration:
                    if frame is not None:
                        frame.end()
                    return
                finally:
                    if frame is not None:
                        frame.detach()
                try:
                    sent = yield value
                except GeneratorExit:
                    if frame is not None:
                        frame.attach()
                    if hasattr(inner, "aclose"):
                        await inner.aclose()
                    raise
                except BaseException as error:
                    if not hasattr(inner, "athrow"):
                        raise
                    step = functools.partial(inner.athrow, error)
                else:
                    step = inner.__anext__ if sent is None else functools.partial(inner.asend, sent)
        except BaseException as error:
            if frame is not None:
                frame.end(error)
            raise

    return driven


async def finish(frame: Frame, coroutine: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """Await what a tracked function returned, as a part of it."""
    frame.attach()
    try:
        result = await coroutine
    except BaseException as error:
        frame.end(error)
        raise
    return conclude(frame, result, arguments, keywords)


def conclude(frame: Frame, result: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What the function returns to its caller: its result. The frame ends now, or with the work that is left in it."""
    if type(result) is CoroutineType:  # another decorator hides that the function is async
        frame.detach()
        return finish(frame, result, arguments, keywords)
    try:
        rest = _inside(frame, result)
    except Exception:
        _safely.swallow("streaming response")
        rest = None
    if rest is not None:
        frame.detach()
        return rest
    frame.result(result, arguments, keywords)
    frame.end()
    return result


def _inside(frame: Frame, result: Any) -> Any:
    """`result` with the work that is left in it inside the frame; None if it is done."""
    kind: Any = type(result)
    bring = _bring_inside(kind)
    return None if bring is None else bring(frame, result)


@functools.lru_cache(maxsize=512)
def _bring_inside(kind: type) -> Callable[[Frame, Any], Any] | None:
    """What brings the rest of a result of this type inside; None where nothing can be left in it."""
    if issubclass(kind, _ITERATORS):
        return lambda frame, result: generator(_Started(frame, result))()
    if issubclass(kind, AsyncGeneratorType):
        return lambda frame, result: async_generator(_Started(frame, result))()
    if kind is tuple:
        return _first_inside
    if kind in _DONE:
        return None
    return _body_inside


def _first_inside(frame: Frame, result: tuple[Any, ...]) -> Any:
    """A body with status and headers, as Flask takes it."""
    first = _inside(frame, result[0]) if result else None
    return None if first is None else (first, *result[1:])


def _body_inside(frame: Frame, result: Any) -> Any:
    """A response that keeps its unread body in an attribute."""
    fields = getattr(result, "__dict__", None)
    if type(fields) is not dict:
        return None
    kind: Any = type(result)
    for name in _BODIES:
        if name in fields or (name == _PROPERTY and _has_property(kind)):
            body = getattr(result, name)
            if isinstance(body, AsyncIterable) and not isinstance(body, AsyncGeneratorType):
                body = _as_generator(body)
            if isinstance(body, (AsyncGeneratorType, *_ITERATORS)):
                setattr(result, name, _inside(frame, body))
                return result
    return None


@functools.lru_cache(maxsize=512)
def _has_property(kind: type) -> bool:
    return hasattr(kind, _PROPERTY)


async def _as_generator(body: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    async for piece in body:
        yield piece


class _Started:
    """An open frame and the work in it; ends the frame when the work is forgotten before it began."""

    __slots__ = ("_frame", "_inner")

    def __init__(self, frame: Frame, inner: Any) -> None:
        self._frame = frame
        self._inner = inner

    def __call__(self) -> tuple[Frame, Any]:
        return self._frame, self._inner

    def __del__(self) -> None:
        self._frame.forget()
