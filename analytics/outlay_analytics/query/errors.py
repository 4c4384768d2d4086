"""What a question is answered with that cannot be answered as asked."""

from __future__ import annotations

from outlay.errors import OutlayError

SHOWN = 80
"""Characters of a value that an error shows."""


class BadRequest(OutlayError):
    """A question that cannot be answered as asked: says which part, its value and what is allowed."""
