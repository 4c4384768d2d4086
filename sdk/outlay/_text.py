"""Texts as UTF-8 can express them, and as the application wants them seen."""

from collections.abc import Callable


def readable(text: str) -> str:
    """The text, with question marks in place of halves of surrogate pairs, which no encoder takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def redacted(redact: Callable[[str], str], text: str) -> str:
    """What the application lets through: nothing, where its function returns anything but a text."""
    try:
        found: object = redact(text)
    except Exception as error:
        raise RuntimeError(f"redact raised {type(error).__name__}") from None  # its message may quote the text
    return found if isinstance(found, str) else ""
