"""The rows of a price list in ClickHouse, and back: `prices` for each model and slot, `model_matches` for names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from outlay.pricing.catalog import Model, Window, slot_of
from outlay_collector.store.client import Writer

COLUMNS = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
Name = tuple[str, str, str, str, str]  # list as model_matches names it, provider, request and response model, tier


def model_key(version: str, provider: str, model: str) -> int:
    """The number of a model in a list; a slot's key is this plus the slot."""
    digest = hashlib.sha256(f"{version}|{provider}:{model}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def _row_id(slot_key: int, valid_from: datetime) -> int:
    digest = hashlib.sha256(f"{slot_key}|{valid_from.isoformat()}".encode()).digest()
    return int.from_bytes(digest[:8]) | 1


def price_rows(version: str, model: Model) -> Iterable[dict[str, Any]]:
    """The rows of one model for the table `prices`."""
    key = model_key(version, model.provider, model.id)
    sizes, hours = (0, *model.thresholds), ("", *(window.name for window in model.windows))
    for row in model.rows:
        listed = row.list_rates or row.rates
        body: dict[str, Any] = {
            "price_version": version,
            "row": str(_row_id(key + row.slot, row.valid_from)),
            "slot_key": str(key + row.slot),
            "provider": model.provider,
            "model": model.id,
            "service_tier": model.tiers[row.slot >> 16],
            "min_input_tokens": sizes[row.slot >> 8 & 255],
            "hours": hours[row.slot & 255],
            "valid_from": row.valid_from.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "origin": row.origin,
            "source": row.source,
            "checked": row.checked,
            "is_list": listed == row.rates,
            "borrowed": sorted(row.borrowed),
        }
        for prefix, rates in (("", row.rates), ("list_", listed)):
            for part in COLUMNS:
                body[f"{prefix}{part}_usd_per_mtok"] = str(rates[part]) if part in rates else None
            body[f"{prefix}other_usd_per_million"] = {p: str(rate) for p, rate in rates.items() if p not in COLUMNS}
        yield body


def match_row(name: Name, listed: str, model: Model, kind: str) -> dict[str, Any]:
    """A row of `model_matches`; `listed` is the list that the prices are from."""
    key, provider, request_model, response_model, tier = name
    return {
        "price_version": key,
        "provider": provider,
        "request_model": request_model,
        "response_model": response_model,
        "service_tier": tier,
        "matched_provider": model.provider,
        "matched_name": model.id,
        "matched_model": model.key,
        "match_kind": kind,
        "model_key": str(model_key(listed, model.provider, model.id)),
        "no_tier": model.place(tier) is None,
        "tier_slot": slot_of(model.place_or_standard(tier), 0, 0),
        "thresholds": list(model.thresholds),
        "windows": [
            {"weekdays": window.weekdays, "start_s": window.start_s, "end_s": window.end_s} for window in model.windows
        ],
    }


def stored_model(writer: Writer, version: str, like: Model) -> Model | None:
    """The grid of a model in a list that is only in the store; None if that list does not have it."""
    rows = writer.query(
        "SELECT DISTINCT slot_key, service_tier, min_input_tokens, hours FROM prices "
        "WHERE price_version = {version:String} AND provider = {provider:String} AND model = {model:String}",
        {"version": version, "provider": like.provider, "model": like.id},
    )
    if not rows:
        return None
    base = model_key(version, like.provider, like.id)
    slots = {row["slot_key"] - base: row for row in rows}
    tiers = {slot >> 16: str(row["service_tier"]) for slot, row in slots.items()}
    sizes = {slot >> 8 & 255: int(row["min_input_tokens"]) for slot, row in slots.items()}
    hours = {slot & 255: str(row["hours"]) for slot, row in slots.items()}
    return Model(
        like.provider,
        like.id,
        tuple(tiers[index] for index in sorted(tiers)),
        tuple(sizes[index] for index in sorted(sizes) if index),
        tuple(_window(hours[index]) for index in sorted(hours) if index),
        (),
    )


def _window(name: str) -> Window:
    """`mon-fri 01:00-04:00` as a window."""
    days, _, text = name.rpartition(" ")
    mask = {"": 0b1111111, "mon-fri": 0b0011111, "sat-sun": 0b1100000}[days]
    start, end = (int(part[:2]) * 3600 + int(part[3:]) * 60 for part in text.split("-"))
    return Window(name, mask, start, end)
