"""Anthropic's cost report, usage report and Analytics cost.

Sources, read in November 2026: platform.claude.com `api/admin/cost_report` (amounts are texts of cents with decimals;
the Priority tier is not in it) and `usage_report/messages`; the Analytics API's `analytics/cost` (header
`analytics-usage-cost-2026-08-24`): `amount` after discounts and `list_amount`, the top groups only, so the ungrouped
total is asked for too and what the groups lack is a line of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.fetch import Fetch, PullFailed, group_by
from outlay_analytics.bills.pulled import Days, Pulled, from_lines, midnight, text, whole
from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile.bill import Charge, Usage
from outlay_analytics.reconcile.formats import read_pages
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.reading import Reading

ADMIN = "an Admin API key (sk-ant-admin…) of the organization, made by an admin of it"
ANALYTICS = "a key with the scope read:analytics of the organization"
COSTS = "/v1/organizations/cost_report"
USAGE = "/v1/organizations/usage_report/messages"
TOTALS = "/v1/organizations/analytics/cost"
BUCKETS = 31
ROWS = 1000
GROUPS = ("workspace_id", "model", "cost_type", "token_type", "service_tier", "inference_geo")
BELOW_TOP = "(below the top groups)"


def headers(key: str) -> dict[str, str]:
    return {"x-api-key": key, "anthropic-version": "2023-06-01", "anthropic-beta": "analytics-usage-cost-2026-08-24"}


def pull(fetch: Fetch, account: Account, days: Days, models: ModelNames, *, whole_window: bool) -> Pulled:
    """The costs of `days`, and with `whole_window` what was used.

    Raises:
        PullFailed: If any page does not come.
        BadBill: If an amount cannot be read.
    """
    stated = f" at the rates of {account.usd_per_day}"
    if account.analytics:
        found = _analytics(fetch, account, days, models)
    else:
        pages = [
            page
            for part in days.parts(BUCKETS)
            for page in fetch.pages_of(COSTS, [*_window(part), *group_by("workspace_id", "description")], ADMIN)
        ]
        found = from_lines(read_pages(pages, models, account.usd_per), days, stated)
        found.format = "anthropic_report"
    if whole_window:
        found.usage = list(_usage(fetch, days))
    return found


def _usage(fetch: Fetch, days: Days) -> Iterator[Usage]:
    groups = group_by("api_key_id", "workspace_id", "model", "service_tier")
    for part in days.parts(BUCKETS):
        for page in fetch.pages_of(USAGE, [*_window(part), *groups], ADMIN):
            for bucket in page["data"]:
                if not isinstance(bucket, Mapping) or not isinstance(bucket.get("results"), list):
                    raise PullFailed("a bucket of Anthropic's usage report has no results")
                day = _day(bucket.get("starting_at"))
                yield from (_counted(day, row) for row in bucket["results"] if day in days and isinstance(row, Mapping))


def _counted(day: date, row: Mapping[str, Any]) -> Usage:
    written = row.get("cache_creation")
    made = written if isinstance(written, Mapping) else {}
    tokens = {
        "input": whole(row.get("uncached_input_tokens")),
        "cache_read": whole(row.get("cache_read_input_tokens")),
        "cache_write": whole(made.get("ephemeral_5m_input_tokens")),
        "cache_write_1h": whole(made.get("ephemeral_1h_input_tokens")),
        "output": whole(row.get("output_tokens")),
    }
    tier = standard_tier(text(row.get("service_tier")))
    return Usage(
        day, "anthropic", text(row.get("model")), tier, text(row.get("workspace_id")), text(row.get("api_key_id")),
        None, {name: count for name, count in tokens.items() if count},
    )  # fmt: skip


def _analytics(fetch: Fetch, account: Account, days: Days, models: ModelNames) -> Pulled:
    reader = Reading(models, account.usd_per)
    charges: list[Charge] = []
    totals: dict[date, Decimal] = defaultdict(Decimal)
    for part in days.parts(BUCKETS):
        query = [*_window(part, "time_bucket_width"), ("limit", str(ROWS))]
        for page in fetch.pages_of(TOTALS, [*query, *group_by(*GROUPS)], ANALYTICS):
            charges += [one for row in page["data"] if (one := _row(reader, row)) is not None and one.day in days]
        for page in fetch.pages_of(TOTALS, query, ANALYTICS):
            for row in page["data"]:
                if (one := _row(reader, row)) is not None:
                    totals[one.day] += one.usd
    reader.problems.check()
    notes = []
    for day, total in sorted(totals.items()):
        lacking = total - sum((charge.usd for charge in charges if charge.day == day), Decimal(0))
        if day in days and lacking > 0:
            notes.append(f"{day}: {lacking.normalize():f} USD are {BELOW_TOP}")
            charges.append(Charge(day, "anthropic", "", "", "usage", lacking, meter=BELOW_TOP))
    left_out = reader.left_out
    return Pulled("anthropic", frozenset(days), charges, (), (), left_out.usd, left_out.lines, notes)


def _row(reader: Reading, row: Any) -> Charge | None:
    cost, group = (row.get(name) if isinstance(row, Mapping) else None for name in ("cost", "group"))
    if not isinstance(cost, Mapping):
        raise PullFailed("a row of Anthropic's Analytics cost has no cost")
    of = group if isinstance(group, Mapping) else {}
    day = _day(row.get("starting_at"))
    rate = reader.rate(f"{day}", "currency", cost.get("currency"))
    if rate is None:
        return None
    amount = reader.usd(f"{day}", "amount", cost.get("amount"), rate)
    listed = None if cost.get("list_amount") is None else reader.usd(f"{day}", "list_amount", cost["list_amount"], rate)
    if amount is None:
        return None
    usd, list_usd = (amount / 100).quantize(PICO), None if listed is None else (listed / 100).quantize(PICO)
    model, told = text(of.get("model")), text(of.get("cost_type"))
    tier = text(of.get("service_tier"))
    kind = "credit" if usd < 0 else "fee" if not model and told not in ("", "tokens") else "usage"
    return Charge(
        day, "anthropic", model, standard_tier(tier) if tier else "", kind, usd, list_usd,
        text(of.get("token_type")) or told, text(of.get("workspace_id")), "", None, "", text(of.get("inference_geo")),
    )  # fmt: skip


def _day(value: Any) -> date:
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).date()
    except ValueError:
        raise PullFailed(f"starting_at: {str(value)[:60]!r} where an instant is expected") from None


def _window(days: Days, width: str = "bucket_width") -> list[tuple[str, str]]:
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (midnight(days.first), days.end))
    limit = [("limit", str(BUCKETS))] if width == "bucket_width" else []
    return [("starting_at", start), ("ending_at", end), (width, "1d"), *limit]
