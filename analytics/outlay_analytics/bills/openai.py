"""OpenAI's costs and usage: `GET /v1/organization/costs` and `/v1/organization/usage/…`.

Source: developers.openai.com/api/docs/api-reference/usage, read in November 2026. `amount.value` is a JSON number;
days are UTC. Amount ÷ quantity of a line is the unit price that was paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.fetch import Fetch, PullFailed, group_by
from outlay_analytics.bills.pulled import Days, Pulled, from_lines, text, whole
from outlay_analytics.reconcile.bill import Usage
from outlay_analytics.reconcile.formats import read_pages
from outlay_analytics.reconcile.models import ModelNames

RIGHT = "an admin key (sk-admin-…) of the organization with the scope api.usage.read"
COSTS = "/v1/organization/costs"
USAGE = "/v1/organization/usage/"
# Of each kind of usage, by what it can be told apart.
KINDS: Mapping[str, tuple[str, ...]] = {
    "completions": ("project_id", "api_key_id", "model", "batch", "service_tier"),
    "embeddings": ("project_id", "api_key_id", "model"),
    "moderations": ("project_id", "api_key_id", "model"),
    "images": ("project_id", "api_key_id", "model"),
    "audio_speeches": ("project_id", "api_key_id", "model"),
    "audio_transcriptions": ("project_id", "api_key_id", "model"),
}
COST_BUCKETS, USAGE_BUCKETS = 180, 31
MISSING = 404


def headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def pull(fetch: Fetch, account: Account, days: Days, models: ModelNames, *, whole_window: bool) -> Pulled:
    """The costs of `days`, and with `whole_window` what was used.

    Raises:
        PullFailed: If any page does not come.
        BadBill: If an amount cannot be read.
    """
    query = [*_window(days), ("limit", str(COST_BUCKETS)), *group_by("line_item", "project_id", "api_key_id")]
    pages = list(fetch.pages_of(COSTS, query, RIGHT))
    found = from_lines(read_pages(pages, models, account.usd_per), days, f" at the rates of {account.usd_per_day}")
    found.format = "openai"
    if whole_window:
        lacking: list[str] = []
        found.usage = [one for kind in KINDS for one in _usage(fetch, kind, days, lacking)]
        if lacking:
            found.notes.append(f"the provider has no usage of {', '.join(lacking)}")
    return found


def _usage(fetch: Fetch, kind: str, days: Days, lacking: list[str]) -> Iterator[Usage]:
    for part in days.parts(USAGE_BUCKETS):
        query = [*_window(part), ("limit", str(USAGE_BUCKETS)), *group_by(*KINDS[kind])]
        try:
            for page in fetch.pages_of(USAGE + kind, query, RIGHT):
                for bucket in page["data"]:
                    yield from _counted(bucket, days)
        except PullFailed as exc:
            if exc.status != MISSING:
                raise
            lacking.append(kind)
            return


def _counted(bucket: Any, days: Days) -> Iterator[Usage]:
    results = bucket.get("results") if isinstance(bucket, Mapping) else None
    if not isinstance(results, list) or not isinstance(bucket.get("start_time"), int):
        raise PullFailed("a bucket of OpenAI's usage has no start_time or no results")
    day = next((day for day in days if int(_start(day)) <= bucket["start_time"] < int(_start(day)) + 86400), None)
    for row in results:
        if day is None or not isinstance(row, Mapping):
            continue
        cached, written = whole(row.get("input_cached_tokens")), whole(row.get("input_cache_write_tokens"))
        inputs = whole(row.get("input_tokens"))
        plain = row.get("input_uncached_tokens")
        tokens = {
            "input": max(0, inputs - cached - written) if plain is None else whole(plain),
            "cache_read": cached,
            "cache_write": written,
            "output": whole(row.get("output_tokens")),
        }
        requests = row.get("num_model_requests")
        tier = "batch" if row.get("batch") is True else standard_tier(text(row.get("service_tier")))
        yield Usage(
            day, "openai", text(row.get("model")), tier, text(row.get("project_id")), text(row.get("api_key_id")),
            None if requests is None else whole(requests), {name: count for name, count in tokens.items() if count},
        )  # fmt: skip


def _start(day: Any) -> float:
    return Days(day, day).start.timestamp()


def _window(days: Days) -> list[tuple[str, str]]:
    start, end = (str(int(at.timestamp())) for at in (days.start, days.end))
    return [("start_time", start), ("end_time", end), ("bucket_width", "1d")]
