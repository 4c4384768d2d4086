"""What rules can watch, and what the alerts of budgets and rules are called."""

from __future__ import annotations

KINDS = {  # what is watched, in words; the unit of its threshold
    "spend_usd": ("spend in the window", "usd"),
    "entity_usd": ("spend of any one user, customer or session in the window", "usd"),
    "budget_share": ("share of a budget that is spent", "ratio"),
    "above_usual": ("spend against the same hours of the last three weeks", "times"),
    "retry_usd": ("cost of repeated calls in the window", "usd"),
    "error_share": ("share of calls that failed", "ratio"),
    "unpriced_share": ("share of calls without a known cost", "ratio"),
    "latency_p95_ms": ("95th percentile of latency", "ms"),
    "cache_hit_ratio_fall": ("fall of the cache hit ratio against the four weeks before", "ratio"),
    "escalation_rate_rise": ("rise of the escalation rate against the four weeks before", "ratio"),
    "no_data": ("share of calls that usually arrive and did not", "ratio"),
    "price_change": ("largest change of a price of a model in use that begins within the window ahead", "ratio"),
}
BUDGET_FAILED, RULE_FAILED = "evaluation_failed", "rule_failed"
OF_BUDGETS = (
    "over_budget",
    "entity_over_budget",
    "projected_over_budget",
    "above_projection",
    "burn_rate",
    BUDGET_FAILED,
)
OF_RULES = (*KINDS, RULE_FAILED)
FAILED = (BUDGET_FAILED, RULE_FAILED)
