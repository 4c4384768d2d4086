"""What tells functions and their arguments apart, in a store that functions, tenants and processes may share.

A function is its module, name and code, with what its closure, its defaults, its partial and its instance hold. Plain
data (numbers, texts, dates, containers, dataclasses and instances of plain data) is told by its value, at each call.
An object with a life of its own, such as a client, is told by which one it is, and by the texts it holds. That is good
in this process only: in a store that outlasts it such an object is `Untold`. Within the process, an object that a
function holds counts as one with a life of its own as soon as it holds numbers or containers, which may be counters
and logs; so does a container in a closure, and a function that has one as an attribute, such as a decorator's
statistics (in a store that lasts, the value that it had first counts). What somebody changes in it between two calls
begins a new epoch (`epochs.py`). What the function's globals hold is not looked at.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Mapping
from typing import Any

from outlay.optimizations.epochs import Holdings
from outlay.optimizations.held import Held
from outlay.optimizations.values import BY_REPR, Values, digest, text_of
from outlay.optimizations.which import Untold, join

_ATOMS = BY_REPR | {str, bytes}


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
        self._whole = digest(name.encode()) if is_keyed and name is not None else None
        # What it held as it was told last, if that is settled, and what was told: one value, for threads to read whole.
        self._settled: tuple[tuple[Any, ...], str] | None = None
        self.of_function()

    def of_function(self, holdings: Holdings | None = None) -> str:
        """32 hex digits, of what the function holds now.

        Args:
            holdings: Gets what may change.
        """
        if self._whole is not None:
            return self._whole
        parts, settled = _settled_parts(self._function), self._settled
        if parts is not None and settled is not None and _are_same(parts, settled[0]):
            return settled[1]
        held = Held(self._lasting, self._name, self, holdings).root(self._function)
        told = digest(held if self._name is None else join(b"named", [self._name.encode(), held]))
        after = _settled_parts(self._function)  # another thread may have changed what it holds while it was told
        is_settled = parts is not None and after is not None and _are_same(parts, after)
        self._settled = (parts, told) if parts is not None and is_settled else None
        return told

    def of_arguments(
        self, arguments: Mapping[str, Any], defaults: Mapping[str, Any], holdings: Holdings | None = None
    ) -> str:
        """32 hex digits, the same for equal arguments, however they were passed.

        Args:
            arguments: All of a call's, by name.
            defaults: The function's own; where no value tells one of them, the function's identity does.
            holdings: Gets what may change of a method's instance.

        Raises:
            Untold: If no value tells an argument.
        """
        parts = []
        for place, (name, value) in enumerate(arguments.items()):
            try:
                if place == 0 and name in ("self", "cls"):
                    told = Held(self._lasting, self._name, self, holdings).held(value, name, None)
                else:
                    told = text_of(value) if type(value) is str else Values(self._lasting).value(value, name)
            except Untold as inner:
                if name in defaults and value is defaults[name]:
                    continue
                raise Untold(name, value, inner) from None
            parts += [name.encode(), told]
        return digest(join(b"call", parts))

    def of_value(self, value: object) -> str:
        """What a `key=` made, as text."""
        return value if isinstance(value, str) else digest(Values(self._lasting).value(value, "key"))


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
