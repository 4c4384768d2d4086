"""SVG elements as escaped text: presentation attributes and classes only, as a strict content security policy wants."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from markupsafe import Markup, escape

Child = Markup | str
Attribute = str | float | None


def number(value: float) -> str:
    """A coordinate with at most two decimals and no exponent."""
    text = f"{value:.2f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def percent(share: float) -> str:
    """A share 0–1 as a percentage coordinate, fine enough for a wide screen."""
    text = f"{share * 100:.3f}".rstrip("0").rstrip(".")
    return f"{'0' if text in ('', '-0') else text}%"


def el(tag: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element. `class_` is class, `text_anchor` is text-anchor, `viewBox` stays; None leaves the attribute out."""
    parts = []
    for key, value in attributes.items():
        if value is None:
            continue
        text = value if isinstance(value, str) else number(value)
        parts.append(f' {key.removesuffix("_").replace("_", "-")}="{escape(text)}"')
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{''.join(parts)}>{inside}</{tag}>" if inside else f"<{tag}{''.join(parts)}/>")


def join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)


def points(pairs: Iterable[tuple[float, float]]) -> str:
    """Points for a polyline or polygon, or a path's L commands."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in pairs)


_ids = itertools.count(1)


def unique(prefix: str) -> str:
    """An id that no other element of the page has."""
    return f"{prefix}-{next(_ids) % 1_000_000}"
