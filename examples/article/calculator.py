"""The calculator: what a request and a month would cost, with a cascade, a cache, and prices of your own."""

import outlay

usage = {"input_tokens": 1000, "output_tokens": 100}
ours = {"input_usd_per_mtok": "0.05", "output_usd_per_mtok": "0.05"}
alone = outlay.estimate("openai", "gpt-4o", usage, requests_per_month=100_000)
cascade = outlay.estimate(
    "openai",
    "gpt-4o-mini",
    usage,
    requests_per_month=100_000,
    cascade={"model": "gpt-4o", "escalation_rate": 0.2},
    cache_hit_ratio=0.25,
)
local = outlay.estimate("local", "llama-3", usage, requests_per_month=100_000, prices=ours)
print(alone.cost_per_month_usd, cascade.cost_per_month_usd, local.cost_per_month_usd)
print(cascade.saving_usd, cascade.break_even_escalation_rate)
