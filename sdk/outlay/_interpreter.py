"""Whether Outlay can work in this interpreter: isolated subinterpreters start no threads in the background."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

_MODULES = ("_interpreters", "_xxsubinterpreters")  # from Python 3.13 on, and before


def is_isolated() -> bool:
    """Whether this is a subinterpreter whose threads cannot go on by themselves."""
    for name in _MODULES:
        try:
            module: Any = import_module(name)
            if module.get_current() == module.get_main():
                return False
        except (ImportError, AttributeError, RuntimeError):
            continue
        try:
            threading.Thread(target=int, daemon=True).start()
        except RuntimeError:
            return True
        return False
    return False
