"""Discounts that a bill shows, put in force as own prices.

What a bill is below holds for the prices that its calls were priced with. Where others are in force by now, these may
have the discount already: then the calls have to be priced anew before anything is put on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay.pricing.units import PRICE_KEYS
from outlay_analytics.bills.pull import DAYS_BACK
from outlay_analytics.bills.pulled import midnight
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.text import rfc3339
from outlay_analytics.reconcile.models import unplaced
from outlay_collector.prices import periods
from outlay_collector.prices.lists import list_prices
from outlay_collector.prices.values import SCALE
from outlay_web.http.context import Context
from outlay_web.services.bills import compare_pulled
from outlay_web.services.reconcile import compare_bill

MOST_PRICES = 1000  # of one model: tiers, regions, sizes and their history
TOKENS = "_usd_per_mtok"
Price = Mapping[str, Any]  # as `list_prices` has it
DAY = timedelta(days=1)


class NotAccepted(BadRequest):
    """A bill that shows no discount, or only such as cannot be put in force."""


def accept(ctx: Context, project: str, bill: str = "") -> dict[str, Any]:
    """Put the discounts that a bill shows in force as own prices.

    Args:
        bill: An imported bill; empty for the bills that are pulled.

    Returns:
        `prices`, the rows as `PUT /prices` takes them, `price_version`, `reprice`, the command that prices the calls of
        the bill's days anew, and `refused`: why other discounts of the bill were not put in force.

    Raises:
        NotAccepted: If nothing can be put in force, and why.
    """
    if bill:
        found = compare_bill(ctx, project, bill)
    else:
        today = ctx.now().date()
        found = compare_pulled(ctx, project, today - timedelta(days=DAYS_BACK), today - DAY)
    first, last = found["bill"]["first_day"], found["bill"]["last_day"]
    command = f"outlay reprice --start {first} --end {last + DAY}"
    command += "" if project == "default" else f" --project {project}"
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for proposal in found["proposals"]:
        days = {row["day"] for row in found["rows"] if _about(row, proposal) and row["calls"]}
        try:
            rows += discounted(ctx, project, proposal, days, f"the bill up to {last}", command)
        except NotAccepted as exc:
            refused.append(str(exc))
    if not rows:
        why = "; ".join(refused) or f"the bills from {first} to {last} show no discount that own prices lack"
        raise NotAccepted(why)
    with ctx.writing() as writer:
        version = ctx.prices.put(writer, rows, ctx.now())
    return {"price_version": version, "prices": rows, "reprice": command, "refused": refused}


def discounted(
    ctx: Context, project: str, proposal: Mapping[str, Any], days: Iterable[date], source: str, command: str
) -> list[dict[str, Any]]:
    """The prices of a model less what a bill shows, from the bill's first day on, as `PUT /prices` takes them.

    Args:
        days: Those that have calls of the model.
        command: Prices these calls anew.

    Raises:
        NotAccepted: If the calls were priced with other prices than are in force, or price rows cannot say it.
    """
    provider, model, ratio = proposal["provider"], proposal["model"], proposal["paid_ratio"]
    begins = midnight(proposal["valid_from"])
    prices = _prices(ctx, provider, model, begins)
    if any(price["hours"] for price in prices):
        raise NotAccepted(
            f"{provider} {model} has prices by the hour, which no price of your own can lower alike; write the "
            f'discount as [[discounts]] of outlay.toml: discount = "{proposal["discount"]}"'
        )
    for version in _versions(ctx, project, days):
        if _rates_by_slot(_prices(ctx, provider, model, begins, version)) != _rates_by_slot(prices):
            raise NotAccepted(
                f"other prices of {provider} {model} are in force by now than its calls were priced with, and may have "
                f"this discount already; price the calls anew with `{command}`, then ask again"
            )
    rows = []
    for price in prices:
        rates = {name: _exact(rate * ratio) for name, rate in _rates(price).items()}
        starts = rfc3339(max(price["valid_from"] or begins, begins))
        place = {name: price[name] for name in ("provider", "model", "service_tier", "min_input_tokens")}
        place |= {"region": price["region"]} if price["region"] else {}
        if rates:
            said = f"{source}: {1 - ratio:%} off"
            rows.append({**place, "valid_from": starts, "source": said, **rates})
    return rows


def _about(row: Mapping[str, Any], proposal: Mapping[str, Any]) -> bool:
    return bool((row["provider"], row["model"]) == (proposal["provider"], proposal["model"]))


def _versions(ctx: Context, project: str, days: Iterable[date]) -> set[str]:
    """The price lists that calls of these days are priced with."""
    with ctx.pricing() as writer:
        line = periods.read(writer, project)
    return {period.price_version for day in days for period in periods.within(line, midnight(day), midnight(day) + DAY)}


def _prices(ctx: Context, provider: str, model: str, begins: datetime, version: str = "") -> list[Price]:
    """Every price of a model that holds at some time from `begins` on, wherever it is priced."""
    found = list_prices(ctx.store, provider=provider, model=model, version=version, limit=MOST_PRICES, now=ctx.now())[
        "prices"
    ]
    return [
        price
        for price in found
        if unplaced(price["model"]) == model and (price["valid_until"] is None or price["valid_until"] > begins)
    ]


def _rates(price: Price) -> dict[str, Decimal]:
    """What its tokens cost, as `PUT /prices` names it."""
    found = {name: value for name, value in price.items() if name in PRICE_KEYS and value is not None}
    more = {f"{part}{TOKENS}": value for part, value in price["other_usd_per_million"].items()}
    return found | {name: value for name, value in more.items() if name in PRICE_KEYS}


def _rates_by_slot(prices: Iterable[Price]) -> dict[tuple[Any, ...], dict[str, Decimal]]:
    names = ("model", "service_tier", "region", "min_input_tokens", "hours", "valid_from")
    return {tuple(price[name] for name in names): _rates(price) for price in prices}


def _exact(rate: Decimal) -> str:
    return format(rate.quantize(SCALE).normalize(), "f")
