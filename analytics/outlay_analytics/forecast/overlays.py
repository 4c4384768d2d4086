"""What is planned laid over a forecast: a launch, a move to another model, a campaign.

An overlay is written as `2026-12-01:+25%:launch` or `2026-12-01..2026-12-15:-40usd`: the days it is about, what it
changes (a share of what is expected, or dollars a day), and a name. The change that `/simulate` finds for a move to
another model is such a share. The bounds move with the mean: how sure a plan is, nobody has measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.forecast.projection import NAMES
from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.window import parse_timezone

FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?:([+-]\d{1,12}(?:\.\d{1,6})?)(%|usd)(?::([^:,]{1,80}))?", re.ASCII
)
PERCENT = Decimal("0.000001")
MOST = 10
HOURS_A_DAY = 24
ZERO = Decimal(0)


@dataclass(frozen=True)
class Overlay:
    """A change of the days from `first` to `last` (None: for good); one of `share` and `usd_per_day` is set."""

    first: date
    last: date | None
    share: Decimal | None
    usd_per_day: Decimal | None
    name: str


def parse_overlays(texts: Sequence[str], as_of: datetime, timezone: str) -> list[Overlay]:
    """Overlays as they are written.

    Raises:
        BadRequest: If one cannot be read, begins before tomorrow, ends before it begins, or takes more than all.
    """
    if len(texts) > MOST:
        raise BadRequest(f"overlay: at most {MOST} of them, not {len(texts)}")
    return [_parse(text, as_of.astimezone(parse_timezone(timezone)).date()) for text in texts]


def overlay_text(first: date, share: Decimal, name: str) -> str | None:
    """A change by a share from a day on, as `parse_overlays` reads it; None where it changes nothing."""
    percent = (share * 100).quantize(PERCENT)
    return f"{first}:{percent.normalize():+f}%:{name}" if percent else None


def _parse(text: str, today: date) -> Overlay:
    found = FORM.fullmatch(text.strip())
    wrong = f"overlay {text[:SHOWN]!r}"
    if found is None:
        raise BadRequest(f"{wrong} cannot be read; write it as 2026-12-01:+25%:launch or 2026-12-01..2026-12-15:-40usd")
    try:
        first, last = (date.fromisoformat(part) if part else None for part in found.group(1, 2))
    except ValueError as exc:
        raise BadRequest(f"{wrong}: {exc}") from exc
    assert first is not None
    if first <= today:
        raise BadRequest(f"{wrong} begins on {first}; it is about what is to come, from {today + timedelta(1)} on")
    if last is not None and last < first:
        raise BadRequest(f"{wrong} ends before it begins")
    change = Decimal(found[3])
    if found[4] == "%" and change < -100:
        raise BadRequest(f"{wrong} takes more than all of it; the least is -100%")
    share, usd_per_day = (change / 100, None) if found[4] == "%" else (None, change)
    return Overlay(first, last, share, usd_per_day, found[5] or "planned")


def laid_over(
    rows: Sequence[Mapping[str, Any]], overlays: Sequence[Overlay], step: str, timezone: str
) -> list[dict[str, Any]]:
    """The forecast's rows with all overlays: shares of what is expected in turn, then dollars; 0 at least."""
    zone = parse_timezone(timezone)
    out = []
    for row in rows:
        day = row["time"].astimezone(zone).date()
        mine = [one for one in overlays if one.first <= day and (one.last is None or day <= one.last)]
        factor, plus = Decimal(1), ZERO
        for one in mine:
            factor *= 1 + (one.share or ZERO)
            plus += (one.usd_per_day or ZERO) / (HOURS_A_DAY if step == "hour" else 1)
        out.append({"time": row["time"], **{f"{name}_usd": _moved(row[f"{name}_usd"], factor, plus) for name in NAMES}})
    return out


def _moved(usd: Decimal | None, factor: Decimal, plus: Decimal) -> Decimal | None:
    return None if usd is None else max(usd * factor + plus, ZERO).quantize(PICO)


def shown(one: Overlay) -> dict[str, Any]:
    """An overlay as the API shows it."""
    share = None if one.share is None else float(one.share)
    return {"name": one.name, "first": one.first, "last": one.last, "share": share, "usd_per_day": one.usd_per_day}
