"""What senders hand on of a request as one text, JSON or a Python repr: values at paths inside of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from outlay_collector.dialects.opened import at, parse, text_of

MOST_BYTES = 1 << 16
"""Longer texts are not looked into."""


def said_inside(text: bytes, paths: Sequence[tuple[tuple[str, ...], int]]) -> Iterator[tuple[int, str]]:
    """What stands at paths of a JSON text, or of what Python shows of a dict: numbers of the paths, and the texts."""
    if any(path[0].encode() in text for path, _ in paths):
        document = _parse_dict(text)
        for path, number in paths:
            found = text_of(at(document, path))
            if found:
                yield number, found


def _parse_dict(text: bytes) -> Any:
    """The dict of a text, None where it is none, or too long to look into."""
    if not text.startswith(b"{") or len(text) > MOST_BYTES:
        return None
    try:
        return parse(text) or ast.literal_eval(text.decode())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
