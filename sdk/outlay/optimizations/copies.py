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
        return copy.deepcopy(value)
    except Exception:
        _safely.warn(f"copy {name}", "answers of %s cannot be copied; all callers share one", name)
        return value
