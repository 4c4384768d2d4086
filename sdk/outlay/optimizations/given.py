"""What is given as a number or as a function, read where it is written: so that a mistake is told there."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from inspect import isawaitable
from numbers import Real
from typing import Any

from outlay._kinds import is_async, is_generator, title_of
from outlay.optimizations.walk import drop

_EXACT = 2**53  # whole numbers up to here are floats, too


def scalar(value: Any) -> Any:
    """A scalar of numpy, torch or the like as Python's own; anything else as it is."""
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def number_of(value: Any) -> float | None:
    """A number of any library as a float; None for what is none: a text, True and False, NaN."""
    kind = type(value)
    if kind is float or (kind is int and -_EXACT <= value <= _EXACT):  # nearly always
        return None if value != value else float(value)
    try:
        value = scalar(value)
        if isinstance(value, bool) or not (isinstance(value, Real) or hasattr(value, "as_tuple")):  # or a Decimal
            return None
        found = float(value)
    except (ArithmeticError, TypeError, ValueError):
        return None
    return None if math.isnan(found) else found


def share_of(value: Any) -> float | None:
    """A number of 0–1; None for anything else."""
    number = number_of(value)
    return number if number is not None and 0 <= number <= 1 else None


def count_of(what: str, value: Any) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: Naming what it is.
    """
    number = number_of(value)
    if number is None or number < 1 or not number.is_integer():
        raise ValueError(f"{what} must be a whole number of at least 1, not {value!r}")
    return int(number)


def check_plain_function(what: str, function: Any) -> None:
    """Refuse what is asked on the spot and cannot answer there: what is no function, async, or a generator.

    Raises:
        TypeError: Naming what it is.
    """
    if not callable(function):
        raise TypeError(f"{what} must be a function, not {function!r}")
    if is_async(function) or is_generator(function):
        raise TypeError(f"{what} is asked on the spot: {title_of(function)} must be a plain function, not async")


def on_the_spot(what: str, answer: Any) -> Any:
    """What such a function answered.

    Raises:
        TypeError: If it has to be awaited, as nobody does.
    """
    if isinstance(answer, Awaitable) or isawaitable(answer):
        drop(answer)
        raise TypeError(f"{what} gave something to be awaited; it must be a plain function")
    return answer
