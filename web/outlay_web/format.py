"""How values look on a page: money, tokens, durations, ratios, names. Also the Jinja filters of the same names.

Money stays `Decimal` until here and shows as many digits as help (`$1,234.56`, `$0.00214`); the exact value is in the
element's title. What is unknown shows as a dash, never as a zero.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from outlay_analytics.query.text import MINUS, digits, exact, rfc3339

UNKNOWN = "–"
NAME_SHOWN = 120

# Characters that would change the text around them, or hide: shown as a replacement character instead.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def usd_text(amount: Decimal | None, *, signed: bool = False) -> str:
    """An amount for reading: cents from a dollar up, three significant digits below.

    >>> usd_text(Decimal("1234.5678")), usd_text(Decimal("0.0021437")), usd_text(Decimal(0)), usd_text(None)
    ('$1,234.57', '$0.00214', '$0.00', '–')
    """
    if amount is None:
        return UNKNOWN
    sign = "" if not amount else MINUS if amount < 0 else "+" if signed else ""
    return f"{sign}${digits(amount)}"


def price_text(amount: Decimal | None) -> str:
    """A price, never rounded: every digit, cents at least.

    >>> price_text(Decimal("3.125")), price_text(Decimal("15")), price_text(None)
    ('$3.125', '$15.00', '–')
    """
    if amount is None:
        return UNKNOWN
    whole, _, part = exact(amount).partition(".")
    return f"${int(whole):,}.{part.ljust(2, '0')}"


def usd_beside(amount: Decimal | None, largest: Decimal, *, signed: bool = False) -> str:
    """An amount in a column whose largest is given: the decimals that suit that one throughout, cents from a dollar up.

    >>> usd_beside(Decimal("0.0372"), Decimal("19.82")), usd_beside(Decimal("-0.001"), Decimal("19.82"), signed=True)
    ('$0.04', '−<$0.01')
    """
    if amount is None or not largest or not 0 < abs(amount) < 1:
        return usd_text(amount, signed=signed)
    least = Decimal(1).scaleb(-min(max(2, 2 - largest.adjusted()), 12)) if largest < 1 else Decimal("0.01")
    shown = abs(amount).quantize(least, ROUND_HALF_EVEN)
    sign = MINUS if amount < 0 else "+" if signed and shown else ""
    return f"{sign}${shown:f}" if shown else f"{sign}<${least:f}"


def usd_each(amount: Decimal | None) -> Markup:
    """What one of something cost, in a column of such: three significant digits, zeros at the end included."""
    shown = usd_text(amount)
    if amount is not None and 0 < abs(amount) < 1:
        places = min(max(2, 2 - amount.adjusted()), 12)
        shown = f"{MINUS if amount < 0 else ''}${abs(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):f}"
    return _titled(shown, "unknown" if amount is None else f"{exact(amount)} USD", amount)


def usd_short(amount: Decimal | float, *, signed: bool = False) -> str:
    """An amount for an axis or a label: `$950`, `$1.2k`, `$12M`, `$0.004`."""
    value = float(amount)
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    size = abs(value)
    if size == 0:
        return "$0"
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            return f"{sign}${_three(size / limit)}{unit}"
    if size >= 1:
        return f"{sign}${_three(size)}"
    return sign + usd_text(Decimal(f"{size:.2g}"))


def usd(amount: Decimal | None, signed: bool = False, largest: Decimal | None = None) -> Markup:
    """An amount as an element whose title is the exact value; `largest` as in `usd_beside`."""
    shown = usd_text(amount, signed=signed) if largest is None else usd_beside(amount, largest, signed=signed)
    return _titled(shown, "unknown" if amount is None else f"{exact(amount)} USD", amount)


def count_text(value: float | None) -> str:
    """A whole number with separators; infinite is unknown."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{round(value):,}".replace("-", MINUS)


def count(value: float | None) -> Markup:
    return _titled(count_text(value), "unknown", value)


def tokens_text(value: float | None) -> str:
    """A number of tokens: exact below ten thousand, then `12.3k`, `4.56M`."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    sign = MINUS if value < 0 else ""
    if size < 10_000:
        return f"{sign}{round(size):,}"
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= limit * 0.9995:
            return f"{sign}{_three(size / (1e3 if unit == 'k' else limit))}{unit}"
    return f"{sign}{round(size):,}"


def tokens(value: float | None) -> Markup:
    return _titled(tokens_text(value), "unknown" if value is None else f"{round(value):,}", value)


def duration_text(ms: float | None) -> str:
    """A duration given in milliseconds: `320 ms`, `1.45 s`, `3 min 20 s`, `2 h 5 min`."""
    if ms is None:
        return UNKNOWN
    ms = float(ms)
    if ms < 1:
        return f"{ms:.2g} ms" if ms else "0 ms"
    if ms < 999.5:
        return f"{round(ms)} ms"
    seconds = ms / 1000
    if seconds < 59.95:
        return f"{_three(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def duration(ms: float | None) -> Markup:
    return _titled(duration_text(ms), "unknown" if ms is None else f"{float(ms):.3f} ms", ms)


def difference_text(value: float | Decimal | None, kind: str) -> str:
    """A difference with its sign: usd, duration, number, or ratio in points, which has none where it rounds to 0.0."""
    if value is None:
        return UNKNOWN
    if kind == "ratio":
        points = f"{float(value) * 100:+.1f}"
        return f"{'0.0' if points[1:] == '0.0' else points} pp".replace("-", MINUS)
    if kind in ("usd", "duration"):
        size = f"${abs(value):.3g}" if kind == "usd" else duration_text(abs(float(value)))
        return f"{MINUS if value < 0 else '+'}{size}"
    return f"{float(value):+.3g}".replace("-", MINUS)


def ratio_text(value: float | Decimal | None, *, signed: bool = False, column: bool = False) -> str:
    """A ratio 0–1 as percent: `0.4%`, `12%`, `99.2%`. Never rounds up to 100% or down to 0%; `12.0%` in a column."""
    if value is None:
        return UNKNOWN
    percent = float(value) * 100
    size = abs(percent)
    sign = MINUS if percent < 0 else "+" if signed and percent > 0 else ""
    if size == 0:
        return "0%"
    if size < 0.1:
        return f"{sign}<0.1%"
    if 99.9 < size < 100:
        return f"{sign}>99.9%"
    if size >= 1000:
        return f"{sign}{round(size):,}%"
    text = f"{size:.1f}"
    return f"{sign}{text if column and size < 100 else text.removesuffix('.0')}%"


def ratio(value: float | Decimal | None, signed: bool = False, column: bool = False) -> Markup:
    return _titled(
        ratio_text(value, signed=signed, column=column), "unknown" if value is None else f"{float(value):.6f}", value
    )


def times_text(value: float | None) -> str:
    """A factor: `1.4×`."""
    return UNKNOWN if value is None else f"{_three(value)}×"


def instant_text(
    at: datetime | None, timezone: str = "UTC", *, seconds: bool = False, now: datetime | None = None
) -> str:
    """An instant in the reader's zone: `22 Nov 2026, 14:05`, without the year where `now` is given and in it."""
    if at is None:
        return UNKNOWN
    zone = ZoneInfo(timezone)
    local = at.astimezone(zone)
    day = f"{local.day} {local:%b}"
    if now is None or now.astimezone(zone).year != local.year:
        day += f" {local.year}"
    return f"{day}, {local:%H:%M:%S}" if seconds else f"{day}, {local:%H:%M}"


def instant(at: datetime | None, timezone: str = "UTC", seconds: bool = False, now: datetime | None = None) -> Markup:
    if at is None:
        return _titled(UNKNOWN, "unknown", None)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        rfc3339(at), rfc3339(at), instant_text(at, timezone, seconds=seconds, now=now)
    )


def name_text(value: object, empty: str = "(none)") -> str:
    """A name that came from outside, safe to stand in a line: no control or direction characters, bounded length."""
    text = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", unicodedata.normalize("NFC", "" if value is None else str(value)))
    if not text.strip():
        return empty
    return text if len(text) <= NAME_SHOWN else text[: NAME_SHOWN - 1] + "…"


def words(value: object) -> str:
    """A sentence, whole, as safe as a name."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", unicodedata.normalize("NFC", str(value)))


def name(value: object, empty: str = "(none)") -> Markup:
    """A name as an element of its own direction; an empty one is muted."""
    if value is None or not str(value).strip():
        return Markup('<span class="muted">{}</span>').format(empty)
    shown = name_text(value)
    whole = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", str(value))
    title = Markup(' title="{}"').format(whole[:2000]) if shown != whole else ""
    return Markup("<bdi{}>{}</bdi>").format(title, shown)


def plural(number: float | None, one: str, many: str = "") -> str:
    """`1 call`, `2,310 calls`."""
    return f"{count_text(number)} {one if number == 1 else many or one + 's'}"


def less_sure(coverage: Mapping[str, int]) -> str:
    """Which calls of a total have a cost that is less sure: `3 calls estimated, 1 call at an assumed price`."""
    said = (
        ("estimated_calls", "estimated"),
        ("assumed_calls", "at an assumed price"),
        ("cached_input_unknown_calls", "without their cached input"),
    )
    return ", ".join(f"{plural(coverage[name], 'call')} {text}" for name, text in said if coverage.get(name))


def _three(value: float) -> str:
    """Three significant digits without an exponent: `1.23`, `12.3`, `123`."""
    places = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _titled(text: str, title: str, value: object) -> Markup:
    if value is None:
        return Markup('<span class="num unknown" title="{}">{}</span>').format(title, text)
    if escape(title) == escape(text) or title == "unknown":
        return Markup('<span class="num">{}</span>').format(text)
    return Markup('<span class="num" title="{}">{}</span>').format(title, text)


FILTERS = {
    "usd": usd,
    "usd_short": usd_short,
    "usd_text": usd_text,
    "count": count,
    "tokens": tokens,
    "duration": duration,
    "ratio": ratio,
    "ratio_text": ratio_text,
    "times": times_text,
    "instant": instant,
    "rfc3339": rfc3339,
    "name": name,
    "name_text": name_text,
}
