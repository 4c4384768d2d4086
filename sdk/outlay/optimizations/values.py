"""Values as bytes that are equal for equal values and for no others: what tells arguments of a call apart."""

from __future__ import annotations

import enum
import functools
import hashlib
import os
import sys
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

from outlay.optimizations.layout import is_opaque, state
from outlay.optimizations.which import Untold, join, which

BY_REPR = frozenset({bool, int, float, complex, type(None), type(...), date, timedelta, Decimal, Fraction, UUID, range})

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

_MAX_PARTS = 20_000


def digest(told: bytes) -> str:
    return hashlib.blake2b(told, digest_size=16).hexdigest()


def text_of(value: str) -> bytes:
    """A text as bytes."""
    try:
        return b"str:" + value.encode()
    except UnicodeEncodeError:
        return b"str:" + value.encode("utf-8", "surrogatepass")


class Values:
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
            return text_of(value)
        if kind in BY_REPR:
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
            told = [text_of(part) if type(part) is str else self.value(part, where) for part in value]
            return join(b"list" if kind is list else b"tuple", told)
        if kind is dict:
            pairs = [
                (
                    text_of(key) if type(key) is str else self.value(key, where),
                    text_of(part) if type(part) is str else self.value(part, where),
                )
                for key, part in value.items()
            ]
            pairs.sort()
            return b"dict(%b)" % b"".join([b"%d:%b%d:%b" % (len(a), a, len(b), b) for a, b in pairs])
        if kind is set or kind is frozenset:
            return join(kind.__name__.encode(), sorted(self.value(part, where) for part in value))
        if kind is bytearray or kind is memoryview:
            return join(b"bytes", [bytes(value)])
        if isinstance(value, type):
            return self._class(value, where)
        if isinstance(value, types.ModuleType):
            return join(b"module", [value.__name__.encode()])
        if isinstance(value, types.CodeType):
            return _code(value)
        if isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)):
            return self.function(value, where)
        if isinstance(value, enum.Enum):
            return join(b"enum", [self._class(kind, where), repr(value.name).encode(), repr(value._value_).encode()])
        if kind is datetime or kind is time:
            parts = (value.replace(tzinfo=None), value.utcoffset())
            return join(kind.__name__.encode(), [repr(part).encode() for part in parts])
        if isinstance(value, PurePath):
            return join(b"path", [kind.__name__.encode(), os.fsencode(str(value))])
        if kind.__module__ == "numpy" and hasattr(value, "tobytes") and not value.dtype.hasobject:
            kind_of = (
                value.dtype.str if value.dtype.names is None else repr(value.dtype)
            )  # with the names of its fields
            return join(b"numpy", [repr((kind_of, value.shape)).encode(), value.tobytes()])
        return self._instance(value, kind, where)

    def _instance(self, value: Any, kind: type, where: str) -> bytes:
        parts = [self._class(kind, where)]
        for base, plain in _BASES:
            if isinstance(value, base):
                parts.append(self.value(plain(value), where))
                break
        else:
            if is_opaque(kind):
                raise Untold(where, value)
        return join(b"instance", [*parts, *self._attributes(state(value, kind), kind, where)])

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
            return join(b"local class", [which.of(kind, where, kind)])
        return join(b"class", [_module(kind.__module__), kind.__qualname__.encode()])

    def function(self, function: Any, where: str) -> bytes:
        """Tell a function by what it is and holds."""
        if isinstance(function, functools.partial):
            held = {str(place): value for place, value in enumerate(function.args)} | function.keywords
            inner = self.function_or_value(function.func, where)
            return join(b"partial", [inner, *self._holds(held, function, f"{where} partial")])
        if isinstance(function, types.MethodType):
            bound = self.held(function.__self__, f"{where}.__self__", None)
            return join(b"method", [self.function_or_value(function.__func__, where), bound])
        if isinstance(function, types.BuiltinFunctionType):
            of = function.__self__
            told = b"" if of is None else self.held(of, f"{where}.__self__", None)
            return join(b"builtin", [str(function.__module__).encode(), function.__qualname__.encode(), told])
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
        return join(b"function", [*self._named(function, where), *self._holds(held, function, where)])

    def function_or_value(self, value: Any, where: str) -> bytes:
        """What a partial or a method is of."""
        return self.value(value, where)

    def _named(self, function: types.FunctionType, where: str) -> list[bytes]:
        module = str(function.__globals__.get("__name__"))
        if vars(sys.modules.get(module, types)) is not function.__globals__:
            if self._lasting:
                raise Untold(where, function)  # other globals under the same name
            return [which.of(function, where, function)]
        return [_module(module), function.__code__.co_qualname.encode(), _code(function.__code__)]

    def _holds(self, held: Mapping[str, Any], owner: Any, where: str) -> list[bytes]:
        found = []
        for name in sorted(held):
            found += [name.encode(), self.held(held[name], name, owner)]
        return found

    def held(self, value: Any, where: str, owner: Any) -> bytes:
        """Tell what a function holds."""
        return self.value(value, where)


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
        consts = [Values(lasting=True).value(const, "constant") for const in code.co_consts]
        told = hashlib.blake2b(join(b"code", [code.co_code, *names, *consts]), digest_size=16).digest()
        found = _codes[id(code)] = (code, told)
    return found[1]
