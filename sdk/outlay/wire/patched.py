"""Methods of other libraries, replaced once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

MARK = "__outlay__"


def patch(owner: Any, name: str, around: Callable[[Any], Any], mark: str = MARK) -> None:
    """Replace a method by what `around` makes of it, unless it bears the mark; one that is not there is left alone."""
    original = getattr(owner, name, None)
    if original is not None and not hasattr(original, mark):
        replaced = functools.wraps(original)(around(original))
        setattr(replaced, mark, True)
        setattr(owner, name, replaced)
