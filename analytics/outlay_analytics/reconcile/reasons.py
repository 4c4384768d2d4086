"""Why a bill differs from what was computed: the residual of one model's day, sorted into reasons that add up to it.

Evidence decides, the strongest first. A discount that the bill states, and a service tier that explains the difference,
are taken at what they come to. Calls whose cost is not known or only estimated are taken for what they can come to: a
call without usage for the average of its model, a failed one for the average input, an estimate for itself once more;
only calls without any price may account for all of the rest. What no evidence covers stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from outlay_analytics.query.amounts import PICO

REASONS = ("unpriced", "no_usage", "estimated", "failed_but_billed", "tier_mismatch", "meter_mismatch", "discount",
           "region", "premium", "fee", "missing_calls", "not_recorded", "late", "rounding", "unknown")  # fmt: skip
NOT_RECORDED = ("missing_calls", "not_recorded")
UNEXPLAINED = (*NOT_RECORDED, "unknown")
ZERO = Decimal(0)
NEAR = Decimal("0.005")
CLEAN_DAYS = 3
REGION = Decimal(
    "1.1"
)  # what Anthropic, AWS, Azure and Google take for a region or a geography beside the global price
EXACT = Decimal("0.001")
MAX_PREMIUM = Decimal(2)  # twice as much and more is as well half of the calls not recorded


@dataclass(frozen=True, slots=True)
class Open:
    """What the calls of a cell leave open: the most that each reason can come to; None for any amount."""

    unpriced: Decimal | None = ZERO
    no_usage: Decimal | None = ZERO
    estimated: Decimal = ZERO
    failed_but_billed: Decimal = ZERO


def sort_residual(residual: Decimal, known: Mapping[str, Decimal], left_open: Open) -> dict[str, Decimal]:
    """`residual` by reason; every amount has 12 decimals and they add up to it exactly.

    Args:
        residual: Billed minus computed.
        known: What the discount and the tier come to.
        left_open: What the calls leave open.
    """
    found: dict[str, Decimal] = dict.fromkeys(REASONS, ZERO) | dict(known)
    rest = residual - sum(known.values(), ZERO)
    if rest > 0:
        limits = {
            "no_usage": left_open.no_usage,
            "estimated": left_open.estimated,
            "failed_but_billed": left_open.failed_but_billed,
        }
        bounded = {reason: limit for reason, limit in limits.items() if limit}
        shares = _share(min(rest, sum(bounded.values(), ZERO)), bounded)
        for reason, usd in shares.items():
            found[reason] += usd
        rest -= sum(shares.values(), ZERO)
        boundless = next((r for r in ("unpriced", "no_usage") if getattr(left_open, r) is None), "unknown")
        found[boundless] += rest
    elif rest < 0:
        found["estimated"] += max(rest, -left_open.estimated)
        found["unknown"] += rest - max(rest, -left_open.estimated)
    return found


def constant_ratio(days: Iterable[tuple[Decimal, Decimal]]) -> Decimal | None:
    """What billed ÷ computed is on every day of the same model without open questions.

    Args:
        days: (billed, computed) in USD.

    Returns:
        0.85 for 15 % off on at least three days; None where the days disagree, nothing differs, or where the bill is so
        much higher that calls may be missing.
    """
    ratios = sorted(billed / computed for billed, computed in days if computed > 0)
    if len(ratios) < CLEAN_DAYS:
        return None
    middle = ratios[len(ratios) // 2]
    if not ZERO < middle < MAX_PREMIUM or abs(middle - 1) < NEAR:
        return None
    return None if any(abs(ratio - middle) > NEAR * middle for ratio in ratios) else middle


def reason_of(ratio: Decimal) -> str:
    """What a constant ratio of billed to computed is called."""
    if any(abs(ratio / one - 1) <= EXACT for one in (REGION, 1 / REGION)):
        return "region"
    return "discount" if ratio < 1 else "premium"


def tier_stated(
    billed: Mapping[str, Decimal], computed: Mapping[str, Decimal], at: Mapping[tuple[str, str], Decimal]
) -> Decimal:
    """What our calls would cost more or less in the tiers that the bill states.

    Args:
        billed: USD by the bill's tier.
        computed: USD by the tier of our calls.
        at: USD of our calls of a tier, priced in another one, by (ours, other).
    """
    moved = ZERO
    for tier, usd in billed.items():
        lacking = usd - computed.get(tier, ZERO)
        for ours, cost in computed.items():
            other, surplus = at.get((ours, tier)), cost - billed.get(ours, ZERO)
            if ours == tier or not other or cost <= 0 or lacking <= 0 or surplus <= 0:
                continue
            share = min(Decimal(1), surplus / cost, lacking / other)
            moved += share * (other - cost)
            lacking -= share * other
    return moved.quantize(PICO)


def tier_fitting(
    residual: Decimal, computed: Mapping[str, Decimal], at: Mapping[tuple[str, str], Decimal]
) -> Decimal | None:
    """For a bill that states no tiers: the change that pricing one tier's calls in another would make, if it is the
    residual to within half a percent."""
    changes = [other - computed[ours] for (ours, _), other in at.items() if ours in computed]
    near = [change for change in changes if change and abs(residual - change) <= NEAR * abs(change)]
    return min(near, key=lambda change: abs(residual - change), default=None)


def _share(usd: Decimal, limits: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """`usd` in proportion to the limits; the last one takes what rounding leaves."""
    whole = sum(limits.values(), ZERO)
    found: dict[str, Decimal] = {}
    for reason, limit in limits.items():
        found[reason] = (usd * limit / whole).quantize(PICO)
    if found:
        last = next(reversed(found))
        found[last] += usd - sum(found.values(), ZERO)
    return found
