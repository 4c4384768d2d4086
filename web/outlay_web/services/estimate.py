"""The calculator without traffic: what calls would cost as of any date, per month, and as a cascade.

Priced by the same SQL as real calls, with the list in force, so that an estimate and a bill cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay.pricing.regions import canonical_region
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer
from outlay_web.http.errors import Problem
from outlay_web.http.schemas import CascadeEstimate, EstimateBody, EstimateCall, ModelBody

SQL = "outlay_web.services.sql"
TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
RESULT = ("cost_usd", "cost_lines", "cost_state", "matched_model", "price_version")
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
PICO = Decimal("1e-12")


@dataclass(frozen=True)
class Priced:
    """A call to price: model and moment may differ from what was asked, the usage does not."""

    provider: str
    model: str
    service_tier: str
    region: str
    at: datetime
    usage: Mapping[str, int | None]


def estimate(book: PriceBook, writer: Writer, project: str, body: EstimateBody, now: datetime) -> dict[str, Any]:
    """`POST /estimate`: every call with its cost; with `requests_per_month` the month's; with `cascade` that too.

    The `calls` together are one request. A cascade makes them all with the cheap model first and, at the escalation
    rate, again with the expensive one.

    Raises:
        Problem: For a moment out of range, or a cascade without calls.
    """
    calls = [_asked(call, now) for call in body.calls]
    rows = price(book, writer, project, calls)
    found: dict[str, Any] = {
        "calls": [{name: None if row[name] == "" else row[name] for name in RESULT} for row in rows]
    }
    if body.requests_per_month is not None:
        found["cost_per_month_usd"] = _times(total(rows), body.requests_per_month)
    if body.cascade is not None:
        if not calls:
            raise Problem(400, "a cascade needs calls: what one request uses")
        found |= _cascade(book, writer, project, calls, body.cascade, body.requests_per_month)
    return found


def price(book: PriceBook, writer: Writer, project: str, calls: Sequence[Priced]) -> list[dict[str, Any]]:
    """Each call's cost, in order, with the newest list as of the call's moment."""
    if not calls:
        return []
    version = book.ensure(writer)
    writer.run("DROP TEMPORARY TABLE IF EXISTS estimate_calls")
    writer.run(load_sql(SQL, "estimate_calls"))
    try:
        writer.insert("estimate_calls", [_row(n, call) for n, call in enumerate(calls)])
        source, params = load_sql(SQL, "estimate"), {"project": project}
        book.prepare(writer, source, params, version=version)
        rows = writer.query(book.price_select(source, version=version), params)
    finally:
        writer.run("DROP TEMPORARY TABLE IF EXISTS estimate_calls")
    return sorted(rows, key=lambda row: int(row["n"]))


def total(rows: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """The sum of the costs; None when one is not known."""
    costs = [row["cost_usd"] for row in rows]
    return None if any(cost is None for cost in costs) else sum(costs, Decimal(0))


def _cascade(
    book: PriceBook,
    writer: Writer,
    project: str,
    calls: Sequence[Priced],
    cascade: CascadeEstimate,
    requests: int | None,
) -> dict[str, Any]:
    cheap = total(price(book, writer, project, [_with_model(call, cascade.cheap) for call in calls]))
    dear = total(price(book, writer, project, [_with_model(call, cascade.expensive) for call in calls]))
    each = break_even = None
    if cheap is not None and dear is not None:
        each = cheap + cascade.escalation_rate * dear
        break_even = float(1 - cheap / dear) if dear else None
    return {
        "cascade_cost_per_month_usd": None if requests is None else _times(each, requests),
        "break_even_escalation_rate": break_even,
    }


def _asked(call: EstimateCall, now: datetime) -> Priced:
    at = call.at or now
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST <= at <= LATEST:
        raise Problem(400, f"at must lie between {EARLIEST.year} and {LATEST.year}")
    usage = call.usage.model_dump()
    if any(count is not None for count in usage.values()):  # in a made-up call what is not named is not there
        usage |= {name: usage[name] or 0 for name in ("input_tokens", "output_tokens")}
    return Priced(call.provider, call.model, call.service_tier, canonical_region(call.region), at, usage)


def _with_model(call: Priced, model: str | ModelBody) -> Priced:
    if isinstance(model, ModelBody):
        return replace(call, provider=model.provider, model=model.model)
    return replace(call, model=model)


def _row(number: int, call: Priced) -> dict[str, Any]:
    other = {name: count for name, count in call.usage.items() if name not in TOKENS and count}
    return {
        "n": number,
        "provider": call.provider,
        "model": call.model,
        "service_tier": call.service_tier,
        "region": call.region,
        "at": call.at,
        **{name: call.usage[name] for name in TOKENS},
        "other_names": list(other),
        "other_counts": list(other.values()),
    }


def _times(cost: Decimal | None, requests: int) -> Decimal | None:
    return None if cost is None else (cost * requests).quantize(PICO)
