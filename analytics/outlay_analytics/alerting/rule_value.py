"""What a rule's kind comes to in a window."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from outlay_analytics.query.window import Window


@dataclass(frozen=True)
class RuleValue:
    """A rule's value in a window; None where it says nothing, and then `words` say why."""

    window: Window
    value: Decimal | None
    words: str


def span_of(hours: int) -> str:
    """The length of a window in words."""
    return "an hour" if hours == 1 else f"{hours} hours" if hours < 48 or hours % 24 else f"{hours // 24} days"
