"""What three kinds of cache saved: the application's exact and semantic ones, and the providers' prefix caches.

An application's cache is counted by its lookups: a hit is a call that was not made. A provider's cache is counted in
tokens: reads cost less than plain input, writes may cost more, and the net saving is the uncached cost minus the cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.opportunities import opportunities
from outlay_analytics.spend_source import instant_text, spend_source
from outlay_analytics.window import (
    Interval,
    Scope,
    bucket_sql,
    check_groups,
    check_interval,
    dimension_value,
    expression,
    filter_sql,
)
from outlay_collector.store import Store, load_sql

MAX_ROWS = 20_000
KINDS = ("exact", "semantic")
MODEL_KEYS = ("provider", "model", "feature", "service")
SUMS = ("calls", "priced_calls", "no_usage_calls", "input_tokens", "cache_read_tokens", "cache_write_tokens")
Key = tuple[Any, ...]
Sums = dict[str, Any]


def caching(
    store: Store, scope: Scope, group_by: Sequence[str] = ("feature",), interval: str = "total"
) -> dict[str, Any]:
    """Hit ratios and savings of a scope's caches by group and interval.

    Returns:
        `window`, `total` and `rows` (newest first, then largest) with `exact` and `semantic` `{lookups, hits,
        hit_ratio, avoided_usd}` and `provider` `{input_tokens, cache_read_tokens, cache_write_tokens, hit_ratio,
        saving_usd, write_premium_usd, net_saving_usd}`; `opportunities` (see `opportunities.py`). A lookup does not
        know every dimension: by one that it does not know, its figures are None.

    Raises:
        BadRequest: For an unknown dimension or interval.
    """
    names = check_groups(group_by)
    step = check_interval(interval)
    providers = _providers(store, scope, names, step)
    lookups = _lookups(store, scope, names, step)
    rows = []
    for key in {**providers, **(lookups or {})}:
        time = key[0] if step != "total" else scope.window.start
        row = {"time": time, **dict(zip(names, key[1:], strict=True))}
        rows.append(row | _figures(providers.get(key, {}), None if lookups is None else lookups.get(key, {})))
    rows.sort(key=order)
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "total": _figures(_added(providers.values()), _added_kinds(lookups, store, scope)),
        "rows": rows,
        "opportunities": opportunities(store, scope, calls=sum(row["calls"] for row in providers.values())),
    }


def _providers(store: Store, scope: Scope, names: Sequence[str], step: Interval) -> dict[Key, Sums]:
    """Sums by (time, dimension values)."""
    further = [name for name in MODEL_KEYS if name not in names]
    source = spend_source(store, scope, (*names, *further), step)
    sql = load_sql(
        "outlay_analytics.sql",
        "caching_provider",
        source=source.sql,
        keys=", ".join(source.keys[: len(names) + 1]),
        all_keys=", ".join(source.keys),
    )
    rows = store.query(sql, {**source.params, "max_rows": MAX_ROWS})
    return {_key(names, row): row for row in rows}


def _lookups(store: Store, scope: Scope, names: Sequence[str], step: Interval) -> dict[Key, dict[str, Sums]] | None:
    """Sums by (time, dimension values) and kind; None where lookups cannot tell."""
    params: dict[str, Any] = {"project": scope.project, "timezone": scope.timezone, "max_rows": 2 * MAX_ROWS}
    params |= {"start": instant_text(scope.window.start), "end": instant_text(scope.window.end)}
    columns = [expression(scope, name, "lookups", params) for name in names]
    filters = filter_sql(scope, "lookups", params)
    if filters is None or None in columns:
        return None
    sql = load_sql(
        "outlay_analytics.sql",
        "caching_lookups",
        time=bucket_sql(step, "c.started_at"),
        dimensions="".join(f"{column} AS d{number}, " for number, column in enumerate(columns)),
        keys=", ".join(["time", *(f"d{number}" for number in range(len(names)))]),
        filters=filters,
    )
    found: dict[Key, dict[str, Sums]] = {}
    for row in store.query(sql, params):
        found.setdefault(_key(names, row), {})[row["kind"]] = row
    return found


def _key(names: Sequence[str], row: Mapping[str, Any]) -> Key:
    return (row["time"], *(dimension_value(name, row[f"d{number}"]) for number, name in enumerate(names)))


def _figures(provider: Mapping[str, Any], kinds: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
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


def _added(rows: Any) -> Sums:
    """One row of sums from several."""
    total: Sums = dict.fromkeys((*SUMS, "net_saving_usd", "write_premium_usd"), 0)
    for row in rows:
        for name in total:
            total[name] += row[name]
    return total


def _added_kinds(
    lookups: Mapping[Key, Mapping[str, Sums]] | None, store: Store, scope: Scope
) -> dict[str, Sums] | None:
    if lookups is None:  # by a dimension that lookups do not know; the total may still be known
        lookups = _lookups(store, scope, (), "total")
    if lookups is None:
        return None
    total: dict[str, Sums] = {}
    for kinds in lookups.values():
        for kind, row in kinds.items():
            sums = total.setdefault(kind, dict.fromkeys(("lookups", "hits", "known_hits", "avoided_usd"), 0))
            for name in sums:
                sums[name] += row[name]
    return total


def order(row: Mapping[str, Any]) -> tuple[float, Decimal, int]:
    """A row's place: newest first, then what saved most."""
    saved = sum(
        (
            row[kind][name] or Decimal(0)
            for kind, name in (*((k, "avoided_usd") for k in KINDS), ("provider", "saving_usd"))
        ),
        Decimal(0),
    )
    return (-row["time"].timestamp(), -saved, -(row["provider"]["input_tokens"] or 0))
