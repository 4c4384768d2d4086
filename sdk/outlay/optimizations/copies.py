"""Copies of answers, for each reader to change."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

from outlay import _safely

_UNCHANGING = frozenset({str, bytes, int, float, bool, complex, type(None), Decimal})


def copied(value: Any, name: str) -> Any:
    """An answer of `name` that its reader may change; what cannot be copied is shared."""
    if type(value) in _UNCHANGING:
        return value
    try:
        return _copy(value, {})
    except Exception:
        _safely.warn(f"copy {name}", "answers of %s cannot be copied; all callers share one", name)
        return value


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    """As `copy.deepcopy`, a few times faster for what JSON can hold, which most answers are."""
    kind = type(value)
    if kind in _UNCHANGING:
        return value
    if kind is not dict and kind is not list:
        return copy.deepcopy(value, memo)
    found: Any = memo.get(id(value))
    if found is None:
        if kind is dict:
            found = memo[id(value)] = {}
            for key, part in value.items():
                found[key if type(key) in _UNCHANGING else _copy(key, memo)] = _copy(part, memo)
        else:
            found = memo[id(value)] = []
            for part in value:
                found.append(_copy(part, memo))
    return found
