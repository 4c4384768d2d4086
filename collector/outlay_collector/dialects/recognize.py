"""Whose span it is and what kind: by its scope, and by the attribute that says so. One word in, one meaning out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import takewhile

from outlay_collector.dialects import DIALECTS, operations
from outlay_collector.dialects.names import NUMBER

MOST_SCOPES = 4_096
"""Scopes are named by senders: only the latest are remembered."""
MOST_DIGITS = 9
"""Of a part of a version; none that anybody numbers has more."""


def longest_first(texts: Iterable[str]) -> str:
    """A regular expression that finds the first of these texts that fits, the longest first."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


_SCOPES = {scope: NUMBER[dialect.name] for dialect in reversed(DIALECTS) for scope in dialect.scopes}
_OLDER = sorted(
    ([int(part) for part in scope.split("@<")[1].split(".")], scope.split("@<")[0], number)
    for scope, number in _SCOPES.items()
    if "@<" in scope
)
_WHOLE = {scope[:-1]: number for scope, number in _SCOPES.items() if scope.endswith("$")}
_BEGUN = {scope: number for scope, number in _SCOPES.items() if not scope.endswith("$") and "@<" not in scope}
_BEGINNING = re.compile(longest_first(_BEGUN))


@lru_cache(maxsize=MOST_SCOPES)
def dialect_of_scope(name: str, version: str) -> int | None:
    """The dialect of a scope, None where no table knows it. A version wins, then the longest beginning."""
    for parts, beginning, number in _OLDER:
        if name.startswith(beginning) and _is_before(version, parts):
            return number
    if name in _WHOLE:
        return _WHOLE[name]
    found = _BEGINNING.match(name)
    return _BEGUN[found[0]] if found else None


def _is_before(version: str, parts: list[int]) -> bool:
    """Whether a version is known and older than this one, part by part."""
    digits = ("".join(takewhile(str.isdecimal, part)).lstrip("0") for part in version.split(".", len(parts)))
    return bool(version) and [int(each[:MOST_DIGITS] or 0) for each in digits] < parts


def _meanings() -> dict[str, dict[str, tuple[str, str]]]:
    """By attribute and value: role and operation. A value may begin with an asterisk; the empty one is any other."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for kind in (*(kind for dialect in DIALECTS for kind in dialect.kinds), *operations.KINDS):
        values = found.setdefault(kind.key, {})
        for value, meaning in kind.values.items():
            values.setdefault(value, meaning)
        values.setdefault("", (kind.otherwise, ""))
    return found


_MEANINGS = _meanings()


def meaning_of(key: str, value: str) -> tuple[str, str]:
    """Role and operation by the attribute that says what a span is; an empty role where it does not decide.

    Args:
        key: The attribute's name.
        value: Its value, in lower case.
    """
    values = _MEANINGS[key]
    if value in values:
        return values[value]
    endings = [each for each in values if each.startswith("*") and value.endswith(each[1:])]
    return values[max(endings, key=len)] if endings else values[""]


@lru_cache(maxsize=MOST_SCOPES)
def operation_of(url: str) -> str:
    """The operation that the path of a request names, empty where it names none."""
    path = url.lower().partition("?")[0].rstrip("/")
    return next((operation for end, operation in operations.ENDPOINTS.items() if path.endswith(end)), "")
