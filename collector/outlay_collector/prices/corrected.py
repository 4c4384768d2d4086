"""`corrections.toml` on top of the catalogue: prices that it gets wrong, gives no price for, or tells no regions of.

Also how rows of the price document are written, which both sides share.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

from outlay.pricing.catalog import slot_of
from outlay.pricing.regions import in_region
from outlay.pricing.units import TOKEN_PARTS, UNITS

EVERY_DAY = 0b1111111
WORKDAYS = 0b0011111
WEEKEND = 0b1100000

Rates = dict[str, Decimal]
Entry = dict[str, Any]


def load_corrections() -> dict[str, Any]:
    """The corrections that ship with Outlay."""
    text = files("outlay_collector.prices").joinpath("corrections.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def instant(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


def hours_of(text: str, weekdays: int) -> list[Any]:
    """`01:00-04:00` as a window: [name, weekday mask, start second, end second]."""
    start, end = (time.fromisoformat(part) for part in text.split("-"))
    days = {EVERY_DAY: "", WORKDAYS: "mon-fri ", WEEKEND: "sat-sun "}[weekdays]
    return [days + text, weekdays, start.hour * 3600 + start.minute * 60, end.hour * 3600 + end.minute * 60]


def plain(rates: Rates) -> dict[str, str]:
    return {part: format(rate.normalize(), "f") for part, rate in sorted(rates.items())}


def give_away(models: list[Entry], rule: Mapping[str, Any], checked: str) -> None:
    """Say 0 for models that cost nothing and that the catalogue lists without any price."""
    for entry in models:
        named = entry["id"] in rule.get("ids", ()) or entry["id"].endswith(rule.get("ending", "\n"))
        if named and not any(row[2] for row in entry["r"]):
            entry.update(s=rule["source"], c=checked, r=[[slot_of(0, 0, 0), "", {"input": "0", "output": "0"}, ""]])


def raise_in_region(entry: Entry, rule: Mapping[str, Any]) -> None:
    """Add each tier of a model once more, as it is in a region: its tokens cost more by a factor."""
    tiers = entry.get("t", ["standard"])
    added = []
    for slot, start, rates, borrowed in entry["r"]:
        dearer = {
            part: Decimal(rate) * Decimal(rule["factor"]) if part in TOKEN_PARTS else Decimal(rate)
            for part, rate in rates.items()
        }
        added.append([slot + slot_of(len(tiers), 0, 0), start, plain(dearer), borrowed])
    entry["r"] = [*entry["r"], *added]
    entry["t"] = [*tiers, *(in_region(tier, rule["region"]) for tier in tiers)]


def correct(models: list[Entry], correction: Mapping[str, Any], checked: str) -> None:
    """Put a corrected price history in place of the catalogue's, or add a name that it lacks."""
    index = next((i for i, entry in enumerate(models) if entry["id"] == correction["id"]), None)
    entry: Entry = {
        "id": correction["id"],
        "m": ["=" + name for name in correction["names"]]
        if "names" in correction
        else models[index]["m"]
        if index is not None
        else ["=" + correction["id"]],
        "s": correction["source"],
        "c": checked,
        "r": [],
    }
    peak = correction.get("peak", [])
    masks = [WORKDAYS, WEEKEND] if "weekends_until" in correction else [EVERY_DAY] if peak else []
    if peak:
        entry["w"] = [hours_of(text, mask) for mask in masks for text in peak]
    windows = [0] + [mask for mask in masks for _ in peak]
    for window_index, mask in enumerate(windows):
        previous = None
        for start, rates in _history(correction, mask):
            written = plain(rates)
            if written != previous:
                entry["r"].append([slot_of(0, 0, window_index), start, written, ""])
            previous = written
    if index is None:
        models.insert(0, entry)
    else:
        models[index] = entry


def _history(correction: Mapping[str, Any], mask: int) -> list[tuple[str, Rates]]:
    """The dated rates of a corrected model in the windows of `mask` (0 = outside all of them)."""
    prices = correction["prices"]
    starts = [_utc(step.get("valid_from", "")) for step in prices]
    changes = {*starts}
    weekends_until = _utc(correction.get("weekends_until", ""))
    peak_until = _utc(correction.get("peak_until", ""))
    holidays = [date.fromisoformat(day) for day in correction.get("holidays", ())]
    if mask:
        changes |= {weekends_until} if mask == WEEKEND else set()
        changes |= {peak_until} if peak_until else set()
        if mask == WORKDAYS:
            changes |= {instant(day + timedelta(days=extra)) for day in holidays for extra in (0, 1)}
    history = []
    for change in sorted(changes):
        step = prices[max(index for index, start in enumerate(starts) if start <= change)]
        rates = {part: Decimal(rate) for part, rate in step.items() if part in TOKEN_PARTS or part in UNITS}
        off = (
            not mask
            or (mask == WEEKEND and change >= weekends_until)
            or (bool(peak_until) and change >= peak_until)
            or (mask == WORKDAYS and change in {instant(day) for day in holidays})
        )
        if not off and "peak_factor" in step:
            rates = {part: rate * Decimal(step["peak_factor"]) for part, rate in rates.items()}
        elif not off and "peak" in step:
            rates = {part: Decimal(rate) for part, rate in step["peak"].items()}
        history.append((change, rates))
    return history


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat() if text else ""
