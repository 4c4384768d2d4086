"""What is looked up before a question is asked, once for all questions that belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from outlay_collector.store import Store

_seen: ContextVar[dict[tuple[Store, str, str], Any] | None] = ContextVar("outlay_looks_seen", default=None)


@contextmanager
def one_look() -> Iterator[None]:
    """Within the block and those in it a window's clean hours are looked up once: all figures speak of one state."""
    if _seen.get() is not None:
        yield
        return
    token = _seen.set({})
    try:
        yield
    finally:
        _seen.reset(token)


def once(key: tuple[Store, str, str], look: Callable[[], Any]) -> Any:
    """What `look` answers; within `one_look` it is asked once for a key."""
    seen = _seen.get()
    if seen is None:
        return look()
    if key not in seen:
        seen[key] = look()
    return seen[key]
