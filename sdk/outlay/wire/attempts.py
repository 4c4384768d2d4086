"""Retries: a request that repeats a failed one, from the same place, is the next attempt of the same request."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, NamedTuple

_WINDOW_S = 120.0
_KEPT = 512
_RETRIED = frozenset({408, 409, 425, 429})

Key = tuple[Any, ...]  # parent, format, model, size and hash of the body


class Attempt(NamedTuple):
    """One try of a logical request."""

    request_id: str
    number: int


# Without a lock, which a destructor or a fork could find closed: each operation is atomic by itself.
_failed: OrderedDict[Key, tuple[Attempt, float]] = OrderedDict()


def forget() -> None:
    """Nothing failed so far."""
    _failed.clear()


def is_retried(status: int) -> bool:
    """Whether clients try again after this answer; 0 stands for none at all."""
    return not status or status in _RETRIED or status >= 500


def remember(key: Key, attempt: Attempt) -> None:
    """This attempt failed."""
    _failed[key] = attempt, time.monotonic()
    if len(_failed) > _KEPT:
        _failed.popitem(last=False)


def previous(key: Key) -> Attempt | None:
    """The failed attempt that a new request repeats."""
    if not _failed:
        return None
    entry = _failed.pop(key, None)
    return entry[0] if entry is not None and time.monotonic() - entry[1] <= _WINDOW_S else None
