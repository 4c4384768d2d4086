"""What sums over caches say: hit ratios, tokens and money, as answers and pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

KINDS = ("exact", "semantic")


def figures_of(provider: Mapping[str, Any], kinds: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    own = {kind: lookup_figures(None if kinds is None else kinds.get(kind, {})) for kind in KINDS}
    return {**own, "provider": provider_figures(provider)}


def lookup_figures(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """Figures of one kind of cache: all None when unknown; "0" avoided where nothing hit."""
    if row is None:
        return dict.fromkeys(("lookups", "hits", "hit_ratio", "avoided_usd"))
    lookups, hits = int(row.get("lookups", 0)), int(row.get("hits", 0))
    known = hits == 0 or row["known_hits"] > 0
    return {
        "lookups": lookups,
        "hits": hits,
        "hit_ratio": hits / lookups if lookups else None,
        "avoided_usd": Decimal(row.get("avoided_usd", 0)) if known else None,
    }


def provider_figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of the providers' caches: money is "0" without calls, None where none of the calls is priced."""
    calls = int(row.get("calls", 0))
    silent = calls > 0 and calls == int(row["no_usage_calls"])
    tokens = {
        name: None if silent and not row[name] else int(row.get(name, 0))
        for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens")
    }
    net, premium = Decimal(row.get("net_saving_usd", 0)), Decimal(row.get("write_premium_usd", 0))
    known = calls == 0 or row["priced_calls"] > 0
    read, given = tokens["cache_read_tokens"], tokens["input_tokens"]
    return {
        **tokens,
        "hit_ratio": read / given if given and read is not None else None,
        "saving_usd": net + premium if known else None,
        "write_premium_usd": premium if known else None,
        "net_saving_usd": net if known else None,
    }
