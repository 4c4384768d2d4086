"""estimate(): what calls would cost, before they are made.

With a cascade the cheap attempt of escalated requests counts, too: cost = cheap + escalation rate × expensive. The
usual back-of-the-envelope formula, (1 − rate) × cheap + rate × expensive, forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay.errors import PriceNotFound
from outlay.usage import Usage


@dataclass(frozen=True, slots=True)
class Estimate:
    """Money in USD at list prices.

    Attributes:
        cost_per_request_usd: Expected cost of one request with everything that was said about it.
        cost_per_month_usd: The same times the requests per month; None without them.
        lines: Cost of one call without cache or cascade, by part.
        cheap_usd, expensive_usd: One attempt of either tier, in a cascade.
        break_even_escalation_rate: Above this rate the cascade costs more than the expensive model alone.
    """

    cost_per_request_usd: Decimal
    cost_per_month_usd: Decimal | None
    lines: Mapping[str, Decimal]
    cheap_usd: Decimal | None = None
    expensive_usd: Decimal | None = None
    break_even_escalation_rate: float | None = None


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
) -> Estimate:
    """Expected cost of a request, and of a month of them.

    Args:
        provider: openai, anthropic, gcp.gemini …
        model: The model; with a cascade the cheap one.
        usage: Tokens of a typical request.
        requests_per_month: How many there are.
        cascade: `{"model", "escalation_rate"}` of the expensive tier, with `provider` and `usage` where they differ.
        cache_hit_ratio: Share of requests answered by the application's own cache, 0–1.
        batch_share: Share of requests that go through the provider's batch API, 0–1.
        service_tier: flex, priority …
        at: Prices of that moment; default now.

    Raises:
        PriceNotFound: If no price is known.
        ValueError: If a ratio is not between 0 and 1, or the usage or the cascade makes no sense.

    Example:
        outlay.estimate("openai", "gpt-4o-mini", {"input_tokens": 1200, "output_tokens": 300},
                        requests_per_month=100_000, cascade={"model": "gpt-4o", "escalation_rate": 0.2})
    """
    counts = Usage.of(usage)
    when = at or datetime.now(UTC)
    cached, batched = _ratio("cache_hit_ratio", cache_hit_ratio), _ratio("batch_share", batch_share)

    def one(provider: str, model: str, counts: Usage) -> tuple[Decimal, Mapping[str, Decimal]]:
        whole, lines = _price(provider, model, counts, when, service_tier)
        if not batched:
            return whole, lines
        batch, _ = _price(provider, model, counts, when, "batch")
        return whole * (1 - batched) + batch * batched, lines

    cheap, lines = one(provider, model, counts)
    request = cheap
    expensive: Decimal | None = None
    break_even: float | None = None
    if cascade is not None:
        missing = {"model", "escalation_rate"} - set(cascade)
        if missing:
            raise ValueError(f"cascade needs {', '.join(sorted(missing))}")
        rate = _ratio("escalation_rate", cascade["escalation_rate"])
        upper = Usage.of(cascade["usage"]) if cascade.get("usage") is not None else counts
        expensive, _ = one(str(cascade.get("provider") or provider), str(cascade["model"]), upper)
        request = cheap + rate * expensive
        break_even = float(1 - cheap / expensive) if expensive else None
    request *= 1 - cached
    return Estimate(
        cost_per_request_usd=request,
        cost_per_month_usd=None if requests_per_month is None else request * requests_per_month,
        lines=lines,
        cheap_usd=cheap if cascade is not None else None,
        expensive_usd=expensive,
        break_even_escalation_rate=break_even,
    )


def _price(provider: str, model: str, usage: Usage, at: datetime, tier: str) -> tuple[Decimal, Mapping[str, Decimal]]:
    from outlay.pricing import cost

    found = cost(usage, provider, model, at, service_tier=tier)
    if found is None:
        raise PriceNotFound(f"no price for {provider} {model} {tier or 'standard'} at {at.isoformat()}")
    return found.usd, found.lines


def _ratio(name: str, value: float) -> Decimal:
    ratio = Decimal(str(value))
    if not 0 <= ratio <= 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value!r}")
    return ratio
