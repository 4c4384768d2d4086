"""What was paid for again although a cache could have answered: whole prompts, and long beginnings of prompts.

Known only where prompts were captured. A prompt that was sent before in the window could have come from an exact cache:
its repeats are the saving. A prefix that was sent at most five minutes before could have been read from the provider's
cache: the saving is the difference between the plain and the read price of its first 4,096 characters (about 1,024
tokens, the least that providers cache), so it is a lower bound.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, load_sql

SHOWN = 20
MAX_CALLS = 1_000_000
PREFIX_TTL_S = 300
PREFIX_TOKENS = 1024
READ_PRICE_RATIO = Decimal("0.5")  # where no call has shown it: the smallest discount that is common


def opportunities(store: Store, scope: Scope, calls: int) -> list[dict[str, Any]]:
    """The 20 largest savings left, largest first.

    Args:
        store: The store.
        scope: Window, filters, project.
        calls: How many calls the scope has; of more than a million only the newest part of the window is searched.

    Returns:
        `kind` (prompt or prefix), `feature`, `provider`, `model`, `prompt` (its name, where known), `calls`, `repeats`,
        `cost_usd` (of all of them), `saving_usd`, `read_price_ratio` (of a prefix: price of reading ÷ plain price),
        `trace_id` (the newest).
    """
    if not calls:
        return []
    if calls > MAX_CALLS:
        part = scope.window.length * (MAX_CALLS / calls)
        scope = replace(scope, window=Window(scope.window.end - part, scope.window.end))
    params: dict[str, Any] = {"project": scope.project, "max_rows": SHOWN}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    filters = filter_sql(scope, "calls", params) or "1"
    captured = store.query(load_sql("outlay_analytics.questions.sql", "opportunities_captured"), params)[0]
    prompts, prefixes = [], []
    if captured["prompts"]:
        prompts = store.query(
            load_sql("outlay_analytics.questions.sql", "opportunities_prompts", filters=filters), params
        )
    if captured["prefixes"]:
        params |= {"ttl_s": PREFIX_TTL_S, "prefix_tokens": PREFIX_TOKENS, "max_rows": 2 * SHOWN}
        prefixes = store.query(
            load_sql("outlay_analytics.questions.sql", "opportunities_prefixes", filters=filters), params
        )
    ratios = _read_price_ratios(store, scope) if prefixes else {}
    found = [_shown("prompt", row, Decimal(row["saving_usd"]), None) for row in prompts]
    for row in prefixes:
        ratio = ratios.get((row["provider"], row["model"]), READ_PRICE_RATIO)
        cost = Decimal(row["plain_cost_usd"]) * row["prefix_part"] / row["plain"]
        found.append(_shown("prefix", row, (cost * (1 - ratio)).quantize(PICO), float(ratio)))
    found = [one for one in found if one["saving_usd"] > 0]
    return sorted(found, key=lambda one: -one["saving_usd"])[:SHOWN]


def _shown(kind: str, row: dict[str, Any], saving: Decimal, ratio: float | None) -> dict[str, Any]:
    names = ("feature", "provider", "model", "prompt")
    return {
        "kind": kind,
        **{name: row[name] or None for name in names},
        "calls": row["calls"],
        "repeats": row["repeats"],
        "cost_usd": row["cost_usd"],
        "saving_usd": saving,
        "read_price_ratio": ratio,
        "trace_id": row["trace_id"],
    }


def _read_price_ratios(store: Store, scope: Scope) -> dict[tuple[str, str], Decimal]:
    """Price of reading from the cache ÷ plain price by (provider, model), where calls of the scope have shown both."""
    everyone = replace(scope, filters={})
    source = spend_source(store, everyone, ("provider", "model"))
    ratios = {}
    for row in store.query(
        load_sql("outlay_analytics.questions.sql", "opportunities_rates", source=source.sql), source.params
    ):
        if row["plain_tokens"] > 0 and row["read_tokens"] > 0 and row["plain_usd"] > 0 and row["read_usd"] > 0:
            plain, read = row["plain_usd"] / row["plain_tokens"], row["read_usd"] / row["read_tokens"]
            ratios[row["provider"], row["model"]] = min(read / plain, Decimal(1))
    return ratios
