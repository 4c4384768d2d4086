"""Texts as UTF-8 can express them, and as the application wants them seen."""

from collections.abc import Callable


def readable(text: str) -> str:
    """The text, with question marks in place of halves of surrogate pairs, which no encoder takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def redacted(redact: Callable[[str], str], text: str) -> str:
    """What the application lets through: nothing, where its function returns anything but a text."""
    found: object = redact(text)
    return found if isinstance(found, str) else ""
