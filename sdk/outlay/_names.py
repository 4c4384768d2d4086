"""Names of keywords that are nearly right: `track(featur=…)` would make a free tag that nobody looks for."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable

from outlay import _safely, semconv

DEVELOPMENT = frozenset({"dev", "development", "local", "test", "testing"})
FACTS = ("feature", "inherit", "started_at", "ended_at", "cascade", "cache", "experiment", "route", "attributes")
_LIKENESS = 0.85
environment = ""
"""Where the process runs, as `init` was told."""


def check(names: Iterable[str], where: str, known: tuple[str, ...] = ()) -> None:
    """Refuse names that are nearly those of a known keyword, or say so once a minute where it is no development.

    Args:
        names: Keywords as they were given.
        where: `track` or `tags`.
        known: Names that are right beside those of tags.

    Raises:
        TypeError: In development: names the keyword, and the one that is meant.
    """
    for name in names:
        meant = _meant(name, known)
        if not meant:
            continue
        message = f"{where}({name}=…): did you mean {meant!r}? As it is, {name!r} is a free tag"
        if is_development():
            raise TypeError(f"{message}; where that is meant, choose a name that is less alike")
        _safely.warn(f"name {name}", "%s", message)


def is_development() -> bool:
    """Whether the environment is one in which mistakes are to be loud."""
    return (environment or os.environ.get("OUTLAY_ENVIRONMENT", "")).strip().lower() in DEVELOPMENT


@functools.lru_cache(maxsize=4096)
def _meant(name: str, beside: tuple[str, ...]) -> str:
    """The known name that this one is nearly, empty where it is none or right."""
    known = (*semconv.TAG_ATTRIBUTES, *beside)
    if name in known:
        return ""
    import difflib

    near = difflib.get_close_matches(name.lower(), known, 1, _LIKENESS)
    return near[0] if near else ""
