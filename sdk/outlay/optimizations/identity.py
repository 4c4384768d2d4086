"""What tells functions and their arguments apart, in a store that functions, tenants and processes may share.

A function is its module, name and code, with what its closure, its defaults, its partial and its instance hold. Plain
data (numbers, texts, dates, containers, dataclasses and instances of plain data) is told by its value, at each call.
An object with a life of its own, such as a client, is told by which one it is, and by the texts it holds. That is good
in this process only: in a store that outlasts it such an object is `Untold`. Within the process, an object that a
function holds counts as one with a life of its own as soon as it holds numbers or containers, which may be counters
and logs; so does a container in a closure, and a function that has one as an attribute, such as a decorator's
statistics (in a store that lasts, the value that it had first counts). What the function's globals hold is not looked
at.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import itertools
import operator
import os
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

from outlay import _fork, _safely

_BY_REPR = frozenset(
    {bool, int, float, complex, type(None), type(...), date, timedelta, Decimal, Fraction, UUID, range}
)
_ATOMS = _BY_REPR | {str, bytes}
_CONTAINERS = (list, dict, set, bytearray)
_NUMBERS = (int, float, complex, Decimal, Fraction)
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, lambda value: bytes(memoryview(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (list, lambda value: list(list.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
_TEXTS = (str, bytes, tuple, UUID, enum.Enum)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_MAX_PARTS = 20_000
_POINTER = 8 if sys.maxsize > 2**32 else 4


class Untold(TypeError):
    """Nothing tells this value apart from another of its kind."""

    def __init__(self, where: str, value: object, inner: Untold | None = None) -> None:
        self.where = where
        because = f", for {inner.where}" if inner is not None and inner.where != where else ""
        super().__init__(f"{where} ({type(value).__qualname__}{because})")


class Identity:
    """What tells one function apart.

    Args:
        function: The function.
        lasting: Whether the store outlasts this process, so that only values count.
        name: Stands for the function's code, and for what no value tells; None takes the code.
        is_keyed: Whether the caller makes keys of calls; with a name they are all that counts.

    Raises:
        Untold: If the store lasts and the function holds what no value tells.
    """

    def __init__(self, function: Any, lasting: bool, name: str | None, is_keyed: bool = False) -> None:
        self._function = function
        self._lasting = lasting
        self._name = name
        self._whole = _digest(name.encode()) if is_keyed and name is not None else None
        self._settled: tuple[Any, ...] | None = None  # what it held as it was told last, if that is settled
        self._told = ""
        self.of_function()

    def of_function(self) -> str:
        """32 hex digits, of what the function holds now."""
        if self._whole is not None:
            return self._whole
        settled = _settled_parts(self._function)
        if settled is None or self._settled is None or not _are_same(settled, self._settled):
            told = _Held(self._lasting, self._name, self).root(self._function)
            self._told = _digest(told if self._name is None else _join(b"named", [self._name.encode(), told]))
            self._settled = settled
        return self._told

    def of_arguments(self, arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
        """32 hex digits, the same for equal arguments, however they were passed.

        Args:
            arguments: All of a call's, by name.
            defaults: The function's own; where no value tells one of them, the function's identity does.

        Raises:
            Untold: If no value tells an argument.
        """
        parts = []
        for place, (name, value) in enumerate(arguments.items()):
            try:
                if place == 0 and name in ("self", "cls"):
                    told = _Held(self._lasting, self._name, self).held(value, name, None)
                else:
                    told = _Values(self._lasting).value(value, name)
            except Untold as inner:
                if name in defaults and value is defaults[name]:
                    continue
                raise Untold(name, value, inner) from None
            parts += [name.encode(), told]
        return _digest(_join(b"call", parts))

    def of_value(self, value: object) -> str:
        """What a `key=` made, as text."""
        return value if isinstance(value, str) else _digest(_Values(self._lasting).value(value, "key"))


def _digest(told: bytes) -> str:
    return hashlib.blake2b(told, digest_size=16).hexdigest()


def _join(tag: bytes, parts: Iterable[bytes]) -> bytes:
    return b"%b(%b)" % (tag, b"".join([b"%d:%b" % (len(part), part) for part in parts]))


def _text(value: str) -> bytes:
    try:
        return b"str:" + value.encode()
    except UnicodeEncodeError:
        return b"str:" + value.encode("utf-8", "surrogatepass")


def _settled_parts(function: Any) -> tuple[Any, ...] | None:
    """All that tells a plain function, if none of it can change by itself: its code, and texts and numbers it holds."""
    if type(function) is not types.FunctionType or function.__kwdefaults__ or function.__dict__:
        return None
    held = function.__defaults__ or ()
    try:
        for cell in function.__closure__ or ():
            held += (cell.cell_contents,)
    except ValueError:  # not filled yet
        return None
    for value in held:
        if type(value) not in _ATOMS:
            return None
    return (function.__code__, function.__qualname__, *held)


def _are_same(parts: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return len(parts) == len(others) and all(map(operator.is_, parts, others))


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
        return _join(b"which", [self._process, b"%d" % number])


_which = _Which()


class _Values:
    """Tells by value alone; what a function of this process made, such as a local class, also by which one it is."""

    def __init__(self, lasting: bool) -> None:
        self._lasting = lasting
        self._inside: dict[int, int] = {}
        self._left = _MAX_PARTS

    def value(self, value: Any, where: str) -> bytes:
        """Bytes that are equal for equal values, and for no others.

        Raises:
            Untold: If its value is not to be had.
        """
        kind = type(value)
        if kind is str:
            return _text(value)
        if kind in _BY_REPR:
            return b"%s:%s" % (kind.__name__.encode(), repr(value).encode())
        if kind is bytes:
            return b"bytes:" + bytes(value)
        outer = self._inside.get(id(value))
        if outer is not None:
            return b"^%d" % outer
        self._left -= 1
        if self._left < 0:
            raise Untold(where, value)
        self._inside[id(value)] = len(self._inside)
        try:
            return self._part(value, kind, where)
        except RecursionError:
            raise Untold(where, value) from None
        finally:
            del self._inside[id(value)]

    def _part(self, value: Any, kind: type, where: str) -> bytes:
        if kind is tuple or kind is list:
            told = [_text(part) if type(part) is str else self.value(part, where) for part in value]
            return _join(b"list" if kind is list else b"tuple", told)
        if kind is dict:
            pairs = [
                (
                    _text(key) if type(key) is str else self.value(key, where),
                    _text(part) if type(part) is str else self.value(part, where),
                )
                for key, part in value.items()
            ]
            pairs.sort()
            return b"dict(%b)" % b"".join([b"%d:%b%d:%b" % (len(a), a, len(b), b) for a, b in pairs])
        if kind is set or kind is frozenset:
            return _join(kind.__name__.encode(), sorted(self.value(part, where) for part in value))
        if kind is bytearray or kind is memoryview:
            return _join(b"bytes", [bytes(value)])
        if isinstance(value, type):
            return self._class(value, where)
        if isinstance(value, types.ModuleType):
            return _join(b"module", [value.__name__.encode()])
        if isinstance(value, types.CodeType):
            return _code(value)
        if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)):
            return self.function(value, where)
        if isinstance(value, enum.Enum):
            return _join(b"enum", [self._class(kind, where), repr(value.name).encode(), repr(value._value_).encode()])
        if kind is datetime or kind is time:
            parts = (value.replace(tzinfo=None), value.utcoffset())
            return _join(kind.__name__.encode(), [repr(part).encode() for part in parts])
        if isinstance(value, PurePath):
            return _join(b"path", [kind.__name__.encode(), os.fsencode(str(value))])
        if kind.__module__ == "numpy" and hasattr(value, "tobytes") and not value.dtype.hasobject:
            return _join(b"numpy", [repr((value.dtype.str, value.shape)).encode(), value.tobytes()])
        return self._instance(value, kind, where)

    def _instance(self, value: Any, kind: type, where: str) -> bytes:
        parts = [self._class(kind, where)]
        for base, plain in _BASES:
            if isinstance(value, base):
                parts.append(self.value(plain(value), where))
                break
        else:
            if _is_opaque(kind):
                raise Untold(where, value)
        return _join(b"instance", [*parts, *self._attributes(_state(value, kind), kind, where)])

    def _attributes(self, state: Mapping[str, Any], kind: type, where: str) -> list[bytes]:
        found = []
        for name in sorted(state):
            found += [name.encode(), self.value(state[name], f"{where}.{name}")]
        return found

    def _class(self, kind: type, where: str) -> bytes:
        found: Any = sys.modules.get(kind.__module__)
        for name in kind.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is not kind:
            if self._lasting:
                raise Untold(where, kind)  # made by a function, maybe more than once
            return _join(b"local class", [_which.of(kind, where, kind)])
        return _join(b"class", [_module(kind.__module__), kind.__qualname__.encode()])

    def function(self, function: Any, where: str) -> bytes:
        """Tell a function by what it is and holds."""
        if isinstance(function, functools.partial):
            held = {str(place): value for place, value in enumerate(function.args)} | function.keywords
            inner = self.function_or_value(function.func, where)
            return _join(b"partial", [inner, *self._holds(held, function, f"{where} partial")])
        if isinstance(function, types.MethodType):
            bound = self.held(function.__self__, f"{where}.__self__", None)
            return _join(b"method", [self.function_or_value(function.__func__, where), bound])
        if isinstance(function, types.BuiltinFunctionType):
            of = function.__self__
            told = b"" if of is None else self.held(of, f"{where}.__self__", None)
            return _join(b"builtin", [str(function.__module__).encode(), function.__qualname__.encode(), told])
        code = function.__code__
        held = {f"default {place}": value for place, value in enumerate(function.__defaults__ or ())}
        held |= {f"default {name}": value for name, value in (function.__kwdefaults__ or {}).items()}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                held[name] = cell.cell_contents
            except ValueError:  # not filled yet
                held[f"{name} (empty)"] = None
        for name, value in vars(function).items():
            if name != "__wrapped__" or not any(value is part for part in held.values()):
                held[f".{name}"] = value
        return _join(b"function", [*self._named(function, where), *self._holds(held, function, where)])

    def function_or_value(self, value: Any, where: str) -> bytes:
        """What a partial or a method is of."""
        return self.value(value, where)

    def _named(self, function: types.FunctionType, where: str) -> list[bytes]:
        module = str(function.__globals__.get("__name__"))
        if vars(sys.modules.get(module, types)) is not function.__globals__:
            if self._lasting:
                raise Untold(where, function)  # other globals under the same name
            return [_which.of(function, where, function)]
        return [_module(module), function.__code__.co_qualname.encode(), _code(function.__code__)]

    def _holds(self, held: Mapping[str, Any], owner: Any, where: str) -> list[bytes]:
        found = []
        for name in sorted(held):
            found += [name.encode(), self.held(held[name], name, owner)]
        return found

    def held(self, value: Any, where: str, owner: Any) -> bytes:
        """Tell what a function holds."""
        return self.value(value, where)


class _Settled(_Values):
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


class _Held(_Values):
    """Tells what a function holds: by value, else by which one it is."""

    def __init__(self, lasting: bool, name: str | None, owner: Identity) -> None:
        super().__init__(lasting)
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
            return _which.of(value, where, owner)
        if isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            return self._function_held(value, where, owner)
        by_value = self._lasting or self._name is not None
        try:
            return (_Values if by_value else _Settled)(self._lasting).value(value, where)
        except Untold as inner:
            if self._lasting and self._name is None:
                raise Untold(where, value, inner) from None
        shallow = [] if isinstance(value, type) else self._shallow(value, where)
        if self._name is not None:
            return _join(b"any", [type(value).__qualname__.encode(), *shallow])
        return _join(b"object", [_which.of(value, where, owner or self._owner), *shallow])

    def _attribute(self, function: Any, value: Any, where: str) -> bytes:
        """Tell a number or a container that a function has as an attribute: a counter, a log, or a setting.

        Either by which function it is, or by the value as it was seen first: a counter goes on, a setting stays.
        """
        if not self._lasting and self._name is None:
            return _which.of(function, where, function)
        seen = _seen_first.setdefault(function, {})
        if (where, self._lasting) not in seen:
            seen[where, self._lasting] = _Values(self._lasting).value(value, where)
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
            return b"any" if self._name is not None else _which.of(value, where, owner or self._owner)
        finally:
            del self._inside[id(value)]

    def function_or_value(self, value: Any, where: str) -> bytes:
        return self.held(value, where, None)

    def _named(self, function: types.FunctionType, where: str) -> list[bytes]:
        return [] if self._name is not None and function is self._root else super()._named(function, where)

    def _shallow(self, value: Any, where: str) -> list[bytes]:
        """What can be told of an object that cannot be told whole."""
        found = []
        for name, part in sorted(_state(value, type(value)).items()):
            try:
                if self._name is not None:
                    found += [name.encode(), _Values(self._lasting).value(part, name)]
                elif isinstance(part, _TEXTS):
                    found += [name.encode(), _Settled(self._lasting).value(part, name)]
            except Untold:
                continue  # the object itself is told
        return found


_seen_first: weakref.WeakKeyDictionary[Any, dict[tuple[str, bool], bytes]] = weakref.WeakKeyDictionary()


def _may_change(value: object) -> bool:
    """Whether it may be a counter or a log."""
    return isinstance(value, (*_CONTAINERS, *_NUMBERS)) and not isinstance(value, (bool, enum.Enum))


def _module(name: str) -> bytes:
    """A module's name; every program calls its own `__main__`, so there it is the file."""
    if name == "__main__":
        return f"__main__ {os.path.abspath(getattr(sys.modules[name], '__file__', None) or '')}".encode()
    return name.encode()


_codes: dict[int, tuple[types.CodeType, bytes]] = {}


def _code(code: types.CodeType) -> bytes:
    """What a function does, without where it stands."""
    found = _codes.get(id(code))
    if found is None or found[0] is not code:
        if len(_codes) > 4096:
            _codes.clear()
        names = [repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)).encode()]
        consts = [_Values(lasting=True).value(const, "constant") for const in code.co_consts]
        told = hashlib.blake2b(_join(b"code", [code.co_code, *names, *consts]), digest_size=16).digest()
        found = _codes[id(code)] = (code, told)
    return found[1]


def _is_opaque(kind: type) -> bool:
    """Whether instances have a state that Python's attributes do not show: as pickle finds out.

    Two checks of CPython's: `copyreg._reduce_ex` looks for the last base that is written in C, `object_getstate`
    compares the size of an instance with that of its known parts.
    """
    if kind is object:
        return True  # a mark, told apart by nothing but which one it is
    for base in kind.__mro__:
        if base is object:
            continue
        new = base.__dict__.get("__new__")
        if not base.__flags__ & _HEAP_TYPE or isinstance(new, types.BuiltinFunctionType):
            return True
    known = object.__basicsize__ + _POINTER * sum(
        isinstance(part, types.MemberDescriptorType) for base in kind.__mro__ for part in vars(base).values()
    )
    known += _POINTER * ((kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0))
    return kind.__basicsize__ > known


def _state(value: Any, kind: type) -> dict[str, Any]:
    """Attributes of an instance, those in slots too."""
    found: dict[str, Any] = {}
    for base in kind.__mro__:
        for name, part in vars(base).items():
            if isinstance(part, types.MemberDescriptorType):
                try:
                    found[f"{base.__qualname__}.{name}"] = part.__get__(value, kind)
                except AttributeError:
                    continue
    try:
        found |= object.__getattribute__(value, "__dict__")
    except AttributeError:
        pass
    return found
