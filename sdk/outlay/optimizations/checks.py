"""What a cache refuses where it is written."""

from __future__ import annotations

import threading
from typing import Any

from outlay._kinds import is_generator, name_of
from outlay.optimizations.given import count_of, number_of
from outlay.optimizations.identity import Identity
from outlay.optimizations.which import Untold


def check_limits(ttl_s: float | None, max_entries: int, max_wait_s: float) -> None:
    """What a cache cannot work with.

    Raises:
        ValueError: Naming it.
    """
    lasts_s, waits_s = number_of(ttl_s), number_of(max_wait_s)
    if ttl_s is not None and (lasts_s is None or not lasts_s > 0):
        raise ValueError(f"ttl_s must be a number above 0, not {ttl_s!r}; None keeps answers for good")
    count_of("max_entries", max_entries)
    if waits_s is None or not 0 <= waits_s < threading.TIMEOUT_MAX:
        raise ValueError(f"max_wait_s must be a number of at least 0 and finite, not {max_wait_s!r}")


def check_name(name: Any, what: str) -> None:
    """A name is a word.

    Raises:
        TypeError: If it is none.
    """
    if name is not None and not (isinstance(name, str) and name):
        raise TypeError(f"{what}: name must be a text, not {name!r}")


def check_function(function: Any, what: str) -> None:
    """Refuse what has no answer to keep.

    Raises:
        TypeError: If it is no function, or a generator, whose items can be had only once.
    """
    if not callable(function):
        raise TypeError(f"{what} decorates a function, not {function!r}")
    if is_generator(function):
        raise TypeError(f"{what} cannot keep what {name_of(function)} yields: its items can be read only once")


def identity_of(function: Any, what: str, is_lasting: bool, name: str | None, is_keyed: bool = False) -> Identity:
    """What tells the function apart.

    Raises:
        TypeError: If nothing does, in a store that lasts.
    """
    try:
        return Identity(function, is_lasting, name, is_keyed)
    except Untold as held:
        raise TypeError(
            f"{what}: {name_of(function)} holds {held}, which nothing tells apart in a store that other processes "
            "share; give name=… if all functions of that name may share answers, or pass what matters as an argument"
        ) from None
