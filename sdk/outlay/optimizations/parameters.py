"""A function's parameters, and the arguments of its calls by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def _anything(*args: Any, **kwargs: Any) -> None:
    """Takes what nobody knows the parameters of."""


class Parameters:
    """Of one function.

    Attributes:
        names: In order.
        defaults: Of those that have one.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self._signature = inspect.signature(function)
        except ValueError:  # of some that are written in C nobody knows
            self._signature = inspect.signature(_anything)
        parameters = self._signature.parameters
        self.names = tuple(parameters)
        self.defaults = {name: one.default for name, one in parameters.items() if one.default is not one.empty}
        self._is_plain = all(one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters.values())

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """All arguments of a call, in the order of the parameters.

        Raises:
            TypeError: If the function does not take them.
        """
        if self._is_plain and len(args) <= len(self.names):
            given = dict(zip(self.names, args, strict=False))
            named = 0
            for name in self.names[len(args) :]:
                if name in kwargs:
                    given[name] = kwargs[name]
                    named += 1
                elif name in self.defaults:
                    given[name] = self.defaults[name]
            if len(given) == len(self.names) and named == len(kwargs):
                return given
        bound = self._signature.bind(*args, **kwargs)  # ten times slower; it also says what is wrong
        bound.apply_defaults()
        return bound.arguments
