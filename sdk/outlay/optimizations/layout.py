"""Where instances of a class keep their state: in a dict, in slots, or where Python does not show it."""

from __future__ import annotations

import sys
import types
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_POINTER = 8 if sys.maxsize > 2**32 else 4


class _Layout(NamedTuple):
    """Of one class; it never changes.

    Attributes:
        is_opaque: As below.
        slots: Name and descriptor of each, of all bases.
    """

    is_opaque: bool
    slots: tuple[tuple[str, types.MemberDescriptorType], ...]


_layouts: WeakKeyDictionary[type, _Layout] = WeakKeyDictionary()


def is_opaque(kind: type) -> bool:
    """Whether instances have a state that Python's attributes do not show: as pickle finds out.

    Two checks of CPython's: `copyreg._reduce_ex` looks for the last base that is written in C, `object_getstate`
    compares the size of an instance with that of its known parts.
    """
    return _layout(kind).is_opaque


def state(value: Any, kind: type) -> dict[str, Any]:
    """Attributes of an instance, those in slots too."""
    found: dict[str, Any] = {}
    for name, slot in _layout(kind).slots:
        try:
            found[name] = slot.__get__(value, kind)
        except AttributeError:
            continue
    try:
        found |= object.__getattribute__(value, "__dict__")
    except AttributeError:
        pass
    return found


def _layout(kind: type) -> _Layout:
    found = _layouts.get(kind)
    if found is None:
        slots = tuple(
            (f"{base.__qualname__}.{name}", part)
            for base in kind.__mro__
            for name, part in vars(base).items()
            if isinstance(part, types.MemberDescriptorType)
        )
        found = _layouts[kind] = _Layout(_hides(kind, len(slots)), slots)
    return found


def _hides(kind: type, slots: int) -> bool:
    if kind is object:
        return True  # a mark, told apart by nothing but which one it is
    for base in kind.__mro__:
        if base is object:
            continue
        new = base.__dict__.get("__new__")
        if not base.__flags__ & _HEAP_TYPE or isinstance(new, types.BuiltinFunctionType):
            return True
    known = object.__basicsize__ + _POINTER * (slots + (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0))
    return kind.__basicsize__ > known
