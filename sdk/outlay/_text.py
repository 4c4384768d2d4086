"""Texts as UTF-8 can express them."""


def readable(text: str) -> str:
    """The text, with question marks in place of halves of surrogate pairs, which no encoder takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
