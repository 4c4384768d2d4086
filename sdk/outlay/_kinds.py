"""What calling something gives, whatever it is: a function, a partial, a method, an object with `__call__`."""

from __future__ import annotations

import functools
import inspect
from typing import Any


def is_async(function: Any) -> bool:
    """Whether calling it gives a coroutine, as far as can be seen without a call."""
    return any(inspect.iscoroutinefunction(part) for part in _parts(function))


def is_generator(function: Any) -> bool:
    """Whether calling it gives a generator, as far as can be seen without a call."""
    return any(inspect.isgeneratorfunction(part) or inspect.isasyncgenfunction(part) for part in _parts(function))


def is_read_once(value: object) -> bool:
    """Whether it gives its items once and to one reader: a generator, an iterator, a stream."""
    return hasattr(type(value), "__next__") or hasattr(type(value), "__anext__")


def name_of(function: Any) -> str:
    """Module and name."""
    named = _unwrapped(function)
    named = named if hasattr(named, "__qualname__") else type(named)
    module = getattr(named, "__module__", None) or getattr(named, "__objclass__", type(named)).__module__
    return f"{module}.{named.__qualname__}"


def title_of(function: Any) -> str:
    """A short name, for a span."""
    named = _unwrapped(function)
    return str(getattr(named, "__name__", None) or getattr(named, "name", None) or type(named).__name__)


def _unwrapped(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _parts(function: Any) -> tuple[Any, ...]:
    inner = _unwrapped(function)
    if isinstance(inner, type):
        return (inner,)
    return inner, getattr(type(inner), "__call__", None)  # noqa: B004
