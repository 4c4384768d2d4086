"""OpenRouter's activity: `GET /api/v1/activity`, of the last thirty whole days in UTC.

Source: openrouter.ai/docs (API reference, activity), read in November 2026. `usage` is USD; what was used with the
account's own keys (`byok_usage_inference`) is billed by others and left out. The day that goes on is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.fetch import Fetch, PullFailed
from outlay_analytics.bills.pulled import Days, Pulled, text, whole
from outlay_analytics.reconcile.bill import Charge, LeftOut, Usage
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.reading import Reading

RIGHT = "a provisioning key (management key) of the account"
ACTIVITY = "/api/v1/activity"
KNOWN_DAYS = 30


def headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def pull(fetch: Fetch, account: Account, days: Days, models: ModelNames, *, whole_window: bool) -> Pulled:
    """The activity of those of `days` that it knows; nothing where only the present one is asked for.

    Raises:
        PullFailed: If it does not come, or a row cannot be read.
        BadBill: If an amount cannot be read.
    """
    if not whole_window:
        return Pulled("openrouter", frozenset(), ())
    page = fetch.json(ACTIVITY, [("group_by", "workspace")], RIGHT)
    rows = page.get("data") if isinstance(page, Mapping) else page
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise PullFailed(f"{ACTIVITY} answered without a list `data`: is this the provider's address?")
    known = Days(days.last - timedelta(days=KNOWN_DAYS), days.last - timedelta(days=1))
    reader, left_out = Reading(models), LeftOut()
    charges, usage = [], []
    for row in rows:
        day = _day(row.get("date"))
        if day not in known:
            continue
        where = f"{ACTIVITY} {day}"
        usd, others = (reader.usd(where, name, row.get(name) or 0) for name in ("usage", "byok_usage_inference"))
        model, workspace = text(row.get("model")), text(row.get("workspace_id"))
        if usd is None or others is None:
            continue
        if others:
            left_out.add("billed by others (own keys)", others)
        charges.append(Charge(day, "openrouter", model, "", "credit" if usd < 0 else "usage", usd, account=workspace))
        usage.append(Usage(day, "openrouter", model, "", workspace, "", whole(row.get("requests")), _tokens(row)))
    reader.problems.check()
    return Pulled("openrouter", frozenset(known), charges, usage, (), left_out.usd, left_out.lines)


def _tokens(row: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by cost line; more may be cached than was sent, where an answer is replayed."""
    prompt, cached = whole(row.get("prompt_tokens")), whole(row.get("cached_tokens"))
    counts = {"input": max(0, prompt - cached), "cache_read": cached, "output": whole(row.get("completion_tokens"))}
    return {name: count for name, count in counts.items() if count}


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise PullFailed(f"date: {str(value)[:60]!r} where a day is expected") from None
