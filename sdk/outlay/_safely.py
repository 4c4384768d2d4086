"""Our mistakes stay ours: log once per place, never raise into the application."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger("outlay")
_last: dict[str, float] = {}
told: dict[str, tuple[int, str]] = {}  # place → how often something was amiss there, and what it was last
_INTERVAL_S = 60.0
_MOST_TOLD = 100
raise_errors = False  # the tests of the SDK itself want to see its mistakes


def report(place: str, level: int = logging.WARNING, message: str = "failed; the application is not affected") -> None:
    """Log the exception being handled, at most once a minute per place."""
    _remember(place, f"{place} {message} ({sys.exc_info()[1]!r})")
    now = time.monotonic()
    if now - _last.get(place, -_INTERVAL_S) < _INTERVAL_S:
        return
    _last[place] = now
    _logger.log(level, "outlay: %s %s", place, message, exc_info=True)


def warn(place: str, message: str, *values: Any) -> None:
    """Log a warning, at most once a minute per place."""
    _remember(place, message % values if values else message)
    now = time.monotonic()
    if now - _last.get(place, -_INTERVAL_S) < _INTERVAL_S:
        return
    _last[place] = now
    _logger.warning("outlay: " + message, *values)


def _remember(place: str, said: str) -> None:
    if place in told or len(told) < _MOST_TOLD:
        told[place] = told.get(place, (0, ""))[0] + 1, said


def swallow(place: str, message: str = "failed; the application is not affected") -> None:
    """In an except block of ours: log what happened; tests of the SDK see it raised again."""
    if raise_errors:
        raise
    report(place, message=message)


def safely(default: Any = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Wrap a function of ours that the application calls: an exception becomes `default` and a log line."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception:
                swallow(function.__qualname__)
                return default  # type: ignore[no-any-return]

        return call

    return decorate
