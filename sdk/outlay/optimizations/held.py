"""What a function holds in its closure, defaults, partial and instance, as bytes that tell it apart.

By value, else by which object it is: good in this process only.
"""

from __future__ import annotations

import enum
import functools
import types
import weakref
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from outlay import _safely
from outlay.optimizations.epochs import Holdings, epochs
from outlay.optimizations.layout import state
from outlay.optimizations.values import Values
from outlay.optimizations.which import Untold, join, which

_CONTAINERS = (list, dict, set, bytearray)

_NUMBERS = (int, float, complex, Decimal, Fraction)

_TEXTS = (str, bytes, tuple, UUID, enum.Enum)


class _Settled(Values):
    """Tells by value what stays as it is while a function works: nothing that may be a counter or a log."""

    def _part(self, value: Any, kind: type, where: str) -> bytes:
        if isinstance(value, _CONTAINERS) or kind.__module__ == "numpy":
            raise Untold(where, value)
        return super()._part(value, kind, where)

    def _attributes(self, state: Mapping[str, Any], kind: type, where: str) -> list[bytes]:
        parameters = getattr(kind, "__dataclass_params__", None)
        if not (parameters is not None and parameters.frozen):
            for name, value in state.items():
                if isinstance(value, _NUMBERS) and not isinstance(value, (bool, enum.Enum)):
                    raise Untold(f"{where}.{name}", value)
        return super()._attributes(state, kind, where)


class Held(Values):
    """Tells what a function holds: by value, else by which one it is and in what epoch.

    Args:
        holdings: Gets what has epochs.
    """

    def __init__(self, lasting: bool, name: str | None, owner: object, holdings: Holdings | None = None) -> None:
        super().__init__(lasting)
        self._holdings: Holdings = [] if holdings is None else holdings
        self._name = name
        self._owner = owner
        self._root: Any = None

    def root(self, function: Any) -> bytes:
        """Tell the function itself: a name stands for its code, not for that of functions it holds."""
        root = function
        while isinstance(root, (functools.partial, types.MethodType)):
            root = root.func if isinstance(root, functools.partial) else root.__func__
        self._root = root
        return self.held(function, "itself", None)

    def held(self, value: Any, where: str, owner: Any) -> bytes:
        if where.startswith(".") and owner is not None and _may_change(value):
            return self._attribute(owner, value, where)
        if type(value) in _CONTAINERS and self._name is None and owner is not None:
            if self._lasting:
                _safely.warn(
                    f"cache identity {where}",
                    "answers are kept for this process alone, since %s is a %s that may change; give the cache a name=",
                    where,
                    type(value).__name__,
                )
            return self._in_epoch(which.of(value, where, owner), id(value), lambda: value)
        if isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            return self._function_held(value, where, owner)
        by_value = self._lasting or self._name is not None
        try:
            return (Values if by_value else _Settled)(self._lasting).value(value, where)
        except Untold as inner:
            if self._lasting and self._name is None:
                raise Untold(where, value, inner) from None
        shallow = [] if isinstance(value, type) else self._shallow(value, where)
        if self._name is not None:
            return join(b"any", [type(value).__qualname__.encode(), *shallow])
        one = which.of(value, where, owner or self._owner)
        return join(
            b"object", [one if isinstance(value, type) else self._in_epoch(one, id(value), lambda: value), *shallow]
        )

    def _in_epoch(self, one: bytes, place: Hashable, get: Callable[[], Any]) -> bytes:
        """Which one it is, and what somebody has made of it."""
        return join(b"epoch", [one, epochs.of(place, get, self._holdings)])

    def _attribute(self, function: Any, value: Any, where: str) -> bytes:
        """Tell a number or a container that a function has as an attribute: a counter, a log, or a setting.

        Either by which function it is, or by the value as it was seen first: a counter goes on, a setting stays.
        """
        if not self._lasting and self._name is None:
            one = which.of(function, where, function)
            return self._in_epoch(one, (id(function), where), lambda: [vars(function).get(where[1:])])
        seen = _seen_first.setdefault(function, {})
        if (where, self._lasting) not in seen:
            seen[where, self._lasting] = Values(self._lasting).value(value, where)
        return seen[where, self._lasting]

    def _function_held(self, value: Any, where: str, owner: Any) -> bytes:
        outer = self._inside.get(id(value))
        if outer is not None:
            return b"^%d" % outer
        self._inside[id(value)] = len(self._inside)
        try:
            return self.function(value, where)
        except Untold:
            if self._lasting and self._name is None:
                raise
            return b"any" if self._name is not None else which.of(value, where, owner or self._owner)
        finally:
            del self._inside[id(value)]

    def function_or_value(self, value: Any, where: str) -> bytes:
        return self.held(value, where, None)

    def _named(self, function: types.FunctionType, where: str) -> list[bytes]:
        return [] if self._name is not None and function is self._root else super()._named(function, where)

    def _shallow(self, value: Any, where: str) -> list[bytes]:
        """What can be told of an object that cannot be told whole."""
        found = []
        for name, part in sorted(state(value, type(value)).items()):
            try:
                if self._name is not None:
                    found += [name.encode(), Values(self._lasting).value(part, name)]
                elif isinstance(part, _TEXTS):
                    found += [name.encode(), _Settled(self._lasting).value(part, name)]
            except Untold:
                continue  # the object itself is told
        return found


_seen_first: weakref.WeakKeyDictionary[Any, dict[tuple[str, bool], bytes]] = weakref.WeakKeyDictionary()


def _may_change(value: object) -> bool:
    """Whether it may be a counter or a log."""
    return isinstance(value, (*_CONTAINERS, *_NUMBERS)) and not isinstance(value, (bool, enum.Enum))
