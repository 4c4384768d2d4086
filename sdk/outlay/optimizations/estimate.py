"""estimate(): what calls would cost, before they are made.

With a cascade the cheap attempt of escalated requests counts, too: cost = cheap + escalation rate × expensive. The
usual back-of-the-envelope formula, (1 − rate) × cheap + rate × expensive, forgets it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from outlay.errors import PriceNotFound
from outlay.optimizations.given import number_of, scalar
from outlay.usage import USAGE_ATTRIBUTES, Usage

_PER_MTOK = "_usd_per_mtok"
_OWN_PARTS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Money in USD at list prices.

    Attributes:
        cost_per_request_usd: Expected cost of one request with everything that was said about it.
        cost_per_month_usd: The same times the requests per month; None without them.
        lines: Cost of one call without cache or cascade, by part.
        cheap_usd, expensive_usd: One attempt of either tier, in a cascade.
        saving_usd: What a request costs less than one without cache, batch and cascade: with a cascade,
            than the expensive model alone. Below 0 where it costs more.
        break_even_escalation_rate: Above this rate the cascade costs more than the expensive model alone.
    """

    cost_per_request_usd: Decimal
    cost_per_month_usd: Decimal | None
    lines: Mapping[str, Decimal]
    cheap_usd: Decimal | None = None
    expensive_usd: Decimal | None = None
    break_even_escalation_rate: float | None = None
    saving_usd: Decimal = Decimal(0)


def estimate(
    provider: str,
    model: str,
    usage: Usage | Mapping[str, Any],
    *,
    requests_per_month: int | None = None,
    cascade: Mapping[str, Any] | None = None,
    cache_hit_ratio: float = 0.0,
    batch_share: float = 0.0,
    service_tier: str = "",
    at: datetime | None = None,
    prices: Mapping[str, Any] | None = None,
) -> Estimate:
    """Expected cost of a request, and of a month of them.

    Args:
        provider: openai, anthropic, gcp.gemini …
        model: The model; with a cascade the cheap one.
        usage: Tokens of a typical request.
        requests_per_month: How many there are.
        cascade: `{"model", "escalation_rate"}` of the expensive tier, with `provider`, `usage` and `prices` where they
            differ.
        cache_hit_ratio: Share of requests answered by the application's own cache, 0–1.
        batch_share: Share of requests that go through the provider's batch API, 0–1.
        service_tier: flex, priority …
        at: Prices of that moment; default now.
        prices: Your own, for a negotiated or a local model, which no list need know: `input_usd_per_mtok`,
            `output_usd_per_mtok`, `cache_read_usd_per_mtok`, `cache_write_usd_per_mtok`, `cache_write_1h_usd_per_mtok`,
            `reasoning_usd_per_mtok`, as in `outlay.toml`. They know of no batch and no service tier.

    Raises:
        PriceNotFound: If no price is known.
        ValueError: If a ratio is not between 0 and 1, requests are fewer than none, the usage, the cascade or the
            prices have a key that means nothing or lack one, or a price is no amount.

    Example:
        outlay.estimate("openai", "gpt-4o-mini", {"input_tokens": 1200, "output_tokens": 300},
                        requests_per_month=100_000, cascade={"model": "gpt-4o", "escalation_rate": 0.2})
    """
    counts = _usage(usage)
    for what, word in (("provider", provider), ("model", model)):
        if not (isinstance(word, str) and word):
            raise ValueError(f"{what} is a name, not {word!r}")
    requests = None
    if requests_per_month is not None:
        number = number_of(requests_per_month)
        if number is None or not 0 <= number < math.inf:
            raise ValueError(f"requests_per_month must be a number of at least 0, not {requests_per_month!r}")
        requests = Decimal(str(scalar(requests_per_month)))
    if not (at is None or isinstance(at, datetime)):
        raise ValueError(f"at is a datetime, not {at!r}")
    when = at or datetime.now(UTC)
    cached, batched = _ratio("cache_hit_ratio", cache_hit_ratio), _ratio("batch_share", batch_share)

    own = None if prices is None else _own_prices("prices", prices)
    if own is not None and (batched or service_tier):
        raise ValueError("prices of your own know of no batch and no service tier: give those of the mix")

    def one(
        provider: str, model: str, counts: Usage, own: Mapping[str, Decimal] | None
    ) -> tuple[Decimal, Mapping[str, Decimal]]:
        whole, lines = _price(provider, model, counts, when, service_tier, own)
        if not batched:
            return whole, lines
        batch, _ = _price(provider, model, counts, when, "batch")
        return whole * (1 - batched) + batch * batched, lines

    cheap, lines = one(provider, model, counts, own)
    request = cheap
    plain, _ = _price(provider, model, counts, when, service_tier, own)
    expensive: Decimal | None = None
    break_even: float | None = None
    if cascade is not None:
        if not isinstance(cascade, Mapping):
            raise ValueError(f"cascade is a mapping with model and escalation_rate, not {cascade!r}")
        missing = {"model", "escalation_rate"} - set(cascade)
        if missing:
            raise ValueError(f"cascade needs {', '.join(sorted(missing))}")
        _refuse_unknown("cascade", cascade, ("model", "escalation_rate", "provider", "usage", "prices"))
        rate = _ratio("escalation_rate", cascade["escalation_rate"])
        upper = _usage(cascade["usage"]) if cascade.get("usage") is not None else counts
        above = str(cascade.get("provider") or provider), str(cascade["model"])
        given = cascade.get("prices")
        theirs = None if given is None else _own_prices("prices of the cascade", given)
        if theirs is not None and (batched or service_tier):
            raise ValueError("prices of your own know of no batch and no service tier: give those of the mix")
        expensive, _ = one(*above, upper, theirs)
        plain, _ = _price(*above, upper, when, service_tier, theirs)
        request = cheap + rate * expensive
        break_even = float(1 - cheap / expensive) if expensive else None
    request *= 1 - cached
    return Estimate(
        cost_per_request_usd=request,
        cost_per_month_usd=None if requests is None else request * requests,
        lines=lines,
        cheap_usd=cheap if cascade is not None else None,
        expensive_usd=expensive,
        break_even_escalation_rate=break_even,
        saving_usd=plain - request,
    )


def _usage(given: Usage | Mapping[str, Any]) -> Usage:
    """What a request uses.

    Raises:
        ValueError: If a name means nothing: a count that nobody prices would make the estimate too low.
    """
    from outlay.pricing.units import UNITS

    if not isinstance(given, (Usage, Mapping)):
        raise ValueError(f"usage is a mapping of counts, such as input_tokens, not {given!r}")
    if not isinstance(given, Usage):
        _refuse_unknown("usage", given, (*USAGE_ATTRIBUTES, *UNITS, "other", "estimated"))
    return Usage.of(given)


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    names = list(dict.fromkeys(known))
    for name in given:
        if name not in names:
            near = get_close_matches(str(name), names, 1)
            meant = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"
            raise ValueError(f"{what} has no {name!r}{meant}")


def _price(
    provider: str, model: str, usage: Usage, at: datetime, tier: str, own: Mapping[str, Decimal] | None = None
) -> tuple[Decimal, Mapping[str, Decimal]]:
    from outlay.pricing import cost

    if own is not None:
        from outlay.pricing.catalog import Row
        from outlay.pricing.cost import counts_of, lines

        priced = lines(counts_of(usage), Row(0, at, own))
        if priced is None:
            raise PriceNotFound(f"the prices given for {provider} {model} lack one that its usage needs")
        return sum(priced[0].values(), Decimal(0)), priced[0]
    found = cost(usage, provider, model, at, service_tier=tier)
    if found is None:
        needs = "" if usage.output_tokens is not None else "; usage says nothing of output_tokens"
        needs += "; prices= takes your own"
        raise PriceNotFound(f"no price for {provider} {model} {tier or 'standard'} at {at.isoformat()}{needs}")
    if tier and "standard_tier" in found.match_kind:
        raise PriceNotFound(f"no price for {provider} {model} {tier} at {at.isoformat()}; prices= takes your own")
    return found.usd, found.lines


def _own_prices(what: str, given: Mapping[str, Any]) -> dict[str, Decimal]:
    """Part → USD per million tokens.

    Raises:
        ValueError: If a name means nothing, or a price is no amount.
    """
    _refuse_unknown(what, given, [f"{part}{_PER_MTOK}" for part in _OWN_PARTS])
    found = {}
    for name, price in given.items():
        try:
            rate = Decimal(str(price))
        except ArithmeticError:
            rate = Decimal("nan")
        if not rate.is_finite() or rate < 0:
            raise ValueError(f"{what}: {name} must be an amount of at least 0, not {price!r}")
        found[name.removesuffix(_PER_MTOK)] = rate
    if not found:
        raise ValueError(f"{what} name no price")
    return found


def _ratio(name: str, value: float) -> Decimal:
    try:
        ratio = Decimal(str(value))
    except ArithmeticError:
        ratio = Decimal("nan")
    if ratio.is_nan() or not 0 <= ratio <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value!r}")
    return ratio
