"""Which object it is: for what has a life of its own, such as a client, and no value that would tell it apart."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterable
from typing import Any

from outlay import _fork


class Untold(TypeError):
    """Nothing tells this value apart from another of its kind."""

    def __init__(self, where: str, value: object, inner: Untold | None = None) -> None:
        self.where = where
        because = f", for {inner.where}" if inner is not None and inner.where != where else ""
        super().__init__(f"{where} ({type(value).__qualname__}{because})")


def join(tag: bytes, parts: Iterable[bytes]) -> bytes:
    return b"%b(%b)" % (tag, b"".join([b"%d:%b" % (len(part), part) for part in parts]))


class _Which:
    """Which object it is: a number that is never given twice, in this process."""

    def __init__(self) -> None:
        self._count = itertools.count()
        self._own: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._held: dict[int, dict[str, tuple[Any, int]]] = {}
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """Numbers of the parent are not the child's."""
        self._process = os.urandom(8)

    def of(self, value: Any, where: str, owner: Any) -> bytes:
        """Tell it; what cannot be pointed at weakly is told by its place in an owner that can."""
        try:
            return self._number(self._of_own(value))
        except TypeError:
            pass
        try:
            places = self._held.setdefault(self._of_own(owner), {})
        except TypeError:
            raise Untold(where, value) from None
        found = places.get(where)
        if found is None or found[0] is not value:
            found = places[where] = (value, next(self._count))
        return self._number(found[1])

    def _of_own(self, value: Any) -> int:
        found = self._own.get(id(value))
        if found is not None and found[0]() is value:
            return found[1]
        number, key = next(self._count), id(value)

        def gone(reference: weakref.ref[Any]) -> None:
            known = self._own.get(key)
            if known is not None and known[0] is reference:
                del self._own[key]
            self._held.pop(number, None)

        self._own[key] = (weakref.ref(value, gone), number)
        return number

    def _number(self, number: int) -> bytes:
        return join(b"which", [self._process, b"%d" % number])


which = _Which()
