"""The calculator without traffic: what calls would cost as of any date, per month, and as a cascade.

Priced as real calls are, with the newest list, so that an estimate and a bill cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay.pricing.regions import canonical_region
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.reckon import COUNTS, Asked, Priced, Reckoner
from outlay_collector.store.client import Writer
from outlay_web.http.errors import Problem
from outlay_web.http.schemas import CascadeEstimate, EstimateBody, EstimateCall, ModelBody

RESULT = ("cost_usd", "cost_lines", "cost_state", "matched_model", "price_version")
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
PICO = Decimal("1e-12")


def estimate(book: PriceBook, writer: Writer, project: str, body: EstimateBody, now: datetime) -> dict[str, Any]:
    """`POST /estimate`: every call with its cost; with `requests_per_month` the month's; with `cascade` that too.

    The `calls` together are one request. A cascade makes them all with the cheap model first and, at the escalation
    rate, again with the expensive one.

    Raises:
        Problem: For a moment out of range, or a cascade without calls.
    """
    book.ensure(writer)
    calls, reckoner = [_asked(project, call, now) for call in body.calls], book.newest(project)
    priced = [_priced(reckoner, call) for call in calls]
    found: dict[str, Any] = {"calls": [_shown(one) for one in priced]}
    if body.requests_per_month is not None:
        found["cost_per_month_usd"] = _times(total(priced), body.requests_per_month)
    if body.cascade is not None:
        if not calls:
            raise Problem(400, "a cascade needs calls: what one request uses")
        found |= _cascade(reckoner, calls, body.cascade, body.requests_per_month)
    return found


def total(priced: Sequence[Priced]) -> Decimal | None:
    """The sum of the costs; None when one is not known."""
    costs = [one.cost_usd for one in priced if one.cost_usd is not None]
    return sum(costs, Decimal(0)) if len(costs) == len(priced) else None


def _cascade(
    reckoner: Reckoner, calls: Sequence[Asked], cascade: CascadeEstimate, requests: int | None
) -> dict[str, Any]:
    cheap = total([_priced(reckoner, _with_model(call, cascade.cheap)) for call in calls])
    dear = total([_priced(reckoner, _with_model(call, cascade.expensive)) for call in calls])
    each = break_even = None
    if cheap is not None and dear is not None:
        each = cheap + cascade.escalation_rate * dear
        break_even = float(1 - cheap / dear) if dear else None
    return {
        "cascade_cost_per_month_usd": None if requests is None else _times(each, requests),
        "break_even_escalation_rate": break_even,
    }


def _priced(reckoner: Reckoner, call: Asked) -> Priced:
    found = reckoner.price(call)
    assert found is not None  # the newest list is in memory
    return found


def _asked(project: str, call: EstimateCall, now: datetime) -> Asked:
    at = call.at or now
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if not EARLIEST <= at <= LATEST:
        raise Problem(400, f"at must lie between {EARLIEST.year} and {LATEST.year}")
    usage = call.usage.model_dump()
    if any(count is not None for count in usage.values()):  # in a made-up call what is not named is not there
        usage |= {name: usage[name] or 0 for name in ("input_tokens", "output_tokens")}
    return Asked(
        project=project,
        provider=call.provider,
        request_model=call.model,
        response_model="",
        service_tier=call.service_tier,
        region=canonical_region(call.region),
        started_at=at,
        counts={name: usage[name] for name in COUNTS},
        other_usage={name: count for name, count in usage.items() if name not in COUNTS and count},
        state_hint="",
    )


def _with_model(call: Asked, model: str | ModelBody) -> Asked:
    if isinstance(model, ModelBody):
        return replace(call, provider=model.provider, request_model=model.model)
    return replace(call, request_model=model)


def _shown(one: Priced) -> dict[str, Any]:
    said = {name: getattr(one, name) for name in RESULT}
    return {name: None if value == "" else value for name, value in said.items()}


def _times(cost: Decimal | None, requests: int) -> Decimal | None:
    return None if cost is None else (cost * requests).quantize(PICO)
