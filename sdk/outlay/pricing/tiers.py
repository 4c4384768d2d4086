"""Names of service tiers: what responses call them, and what a price list does."""

from __future__ import annotations

from collections.abc import Mapping

from outlay.pricing.regions import canonical_region, in_region

# What responses call the standard tier.
STANDARD_TIERS = frozenset({"", "standard", "default", "auto", "on_demand", "standard_only", "none", "unspecified"})
TIER_NAMES: Mapping[str, str] = {
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
    "service_tier_flex": "flex",
    "service_tier_priority": "priority",
}


def standard_tier(service_tier: str, region: str = "") -> str:
    """The price list's name of a service tier: `default`, `auto` … are `standard`; in a region `standard@eu`."""
    tier = service_tier.strip().lower()
    return in_region("standard" if tier in STANDARD_TIERS else TIER_NAMES.get(tier, tier), canonical_region(region))
