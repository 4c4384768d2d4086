"""What three kinds of cache saved: the application's exact and semantic ones, and the providers' prefix caches.

An application's cache is counted by its lookups: a hit is a call that was not made. A provider's cache is counted in
tokens: reads cost less than plain input, writes may cost more, and the net saving is the uncached cost minus the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_analytics.query.dimensions import check_groups, dimension_value
from outlay_analytics.query.groups import (
    MAX_GROUPS,
    MAX_ROWS,
    Groups,
    check_steps,
    chosen,
    fitting,
    look_at,
    top_groups,
)
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.lookup_source import lookup_source
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Interval, check_interval
from outlay_analytics.questions.caching_figures import KINDS, figures_of
from outlay_analytics.questions.opportunities import opportunities
from outlay_collector.store import Store, load_sql

MODEL_KEYS = ("provider", "model", "feature", "service")
SUMS = ("calls", "priced_calls", "no_usage_calls", "input_tokens", "cache_read_tokens", "cache_write_tokens")
LOOKUP_SUMS = ("lookups", "hits", "known_hits", "avoided_usd")
Key = tuple[Any, ...]
Sums = dict[str, Any]
Ids = list[int] | None
Known = list[Sums] | None


@dataclass(frozen=True)
class Page:
    """A part of the rows: `limit` of them after a place, in the order of `key`."""

    limit: int
    after: tuple[Any, ...] | None
    key: Callable[[dict[str, Any]], tuple[Any, ...]]


def caching(
    store: Store,
    scope: Scope,
    group_by: Sequence[str] = ("feature",),
    interval: str = "total",
    limit: int = MAX_GROUPS,
    page: Page | None = None,
) -> dict[str, Any]:
    """Hit ratios and savings of a scope's caches by group and interval.

    Args:
        limit: Most groups to show: those with the most input tokens, then those with the most lookups. Where some are
            left out, each step has a row with `remainder` that holds them, so that rows add up to the total.
        page: Only these rows; what has no row of its own then is in one `remainder`, of any time.

    Returns:
        `window`, `total` and `rows` (newest first, then largest) with `exact` and `semantic` `{lookups, hits,
        hit_ratio, avoided_usd}` and `provider` `{input_tokens, cache_read_tokens, cache_write_tokens, hit_ratio,
        saving_usd, write_premium_usd, net_saving_usd}`; `opportunities` (see `opportunities.py`); with a page also
        `next`, the place of its last row where more follow. A lookup does not know every dimension: by one that it does
        not know, its figures are None. See `group_value` for a row's values.

    Raises:
        BadRequest: For an unknown dimension or interval.
    """
    names = check_groups(group_by)
    step = check_interval(interval)
    with one_look():
        shown, looked_up = _shown(store, scope, names, step, limit)
        providers = _providers(store, scope, names, step, shown)
        lookups = _lookups(store, scope, names, step, shown, looked_up)
    entries = []
    for key in {**providers, **(lookups or {})}:
        time = key[0] if step != "total" else scope.window.start
        row = {"time": time, **dict(zip(names, key[2:], strict=True))}
        kinds = None if lookups is None else lookups.get(key, {})
        row |= _named(figures_of(providers.get(key, {}), kinds), row) | ({"remainder": True} if key[1] else {})
        entries.append((row, providers.get(key, {}), kinds))
    entries.sort(key=lambda entry: order(entry[0]))
    answer: dict[str, Any] = {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "total": figures_of(_added(providers.values()), _added_kinds(lookups, store, scope)),
    }
    if page is None:
        answer["rows"] = [row for row, _, _ in entries]
    else:
        answer |= _cut(entries, names, page)
    answer["opportunities"] = opportunities(store, scope, calls=sum(row["calls"] for row in providers.values()))
    return answer


def group_value(row: Mapping[str, Any], name: str) -> str | int | None:
    """A row's value of a dimension it is grouped by: under its name, that of a provider under `provider.name`."""
    found: str | int | None = row["provider"]["name"] if name == "provider" else row[name]
    return found


def _named(figures: dict[str, dict[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """`figures`, those of the provider's cache with the provider's name where that is a group: both have one name."""
    return figures | ({"provider": {"name": values["provider"], **figures["provider"]}} if "provider" in values else {})


def _cut(entries: Sequence[tuple[dict[str, Any], Sums, Any]], names: Sequence[str], page: Page) -> dict[str, Any]:
    """The rows of a page, and the sums of all others in one."""
    single = sorted((entry for entry in entries if not entry[0].get("remainder")), key=lambda entry: page.key(entry[0]))
    following = [entry for entry in single if page.after is None or page.key(entry[0]) > page.after]
    shown = following[: page.limit]
    kept = {id(entry) for entry in shown}
    others = [entry for entry in entries if id(entry) not in kept]
    rows = [row for row, _, _ in shown]
    if others:
        kinds = None if others[0][2] is None else _merged(entry[2] for entry in others)
        figures = figures_of(_added(entry[1] for entry in others if entry[1]), kinds)
        values = dict.fromkeys(names)
        rows.append({"time": None, **values, **_named(figures, values), "remainder": True})
    return {"rows": rows, "next": page.key(shown[-1][0]) if len(following) > page.limit else None}


def _shown(store: Store, scope: Scope, names: Sequence[str], step: Interval, limit: int) -> tuple[Ids, Known]:
    """Ids of the groups to show, None where all fit; and what the lookups say of them, where that was found here."""
    if not names:
        return None, None
    look = look_at(store, spend_source(store, scope, names, step, exact=False))
    ids = top_groups(store, spend_source(store, scope, names), limit, "input_tokens")
    most_rows = 2 * (limit + 1)
    looked_up = _look(store, scope, names, "total", None, most_rows) or []
    others = list(dict.fromkeys(row["id"] for row in looked_up))
    most = fitting(limit, check_steps(step, look.steps))
    if len({*ids, *others}) > most:
        return chosen(ids, others, limit=most), None
    return None, looked_up if step == "total" and len(looked_up) < most_rows else None


def _providers(
    store: Store, scope: Scope, names: Sequence[str], step: Interval, shown: Sequence[int] | None
) -> dict[Key, Sums]:
    """Sums by (time, whether it is the remainder, dimension values)."""
    further = [name for name in MODEL_KEYS if name not in names]
    source = spend_source(store, scope, (*names, *further), step)
    groups = Groups(source.keys[: len(names) + 1])
    params: dict[str, Any] = {**source.params, "max_rows": 3 * MAX_ROWS}
    relation, all_keys = source.sql, source.keys
    if shown is not None:
        relation = groups.shown(source.sql)
        params["shown"] = list(shown)
        all_keys = (*all_keys, "group_id")  # what a premium is estimated from does not depend on what is shown
    sql = load_sql(
        "outlay_analytics.questions.sql",
        "caching_provider",
        source=relation,
        keys=", ".join(groups.keys),
        all_keys=", ".join(all_keys),
        is_rest="0" if shown is None else "is_rest",
    )
    return {_key(names, row): row for row in store.query(sql, params)}


def _lookups(
    store: Store, scope: Scope, names: Sequence[str], step: Interval, shown: Sequence[int] | None, known: Known = None
) -> dict[Key, dict[str, Sums]] | None:
    """Sums by (time, whether it is the remainder, dimension values) and kind; None where lookups cannot tell."""
    rows = known or _look(store, scope, names, step, shown, 6 * MAX_ROWS)
    if rows is None:
        return None
    found: dict[Key, dict[str, Sums]] = {}
    for row in rows:
        found.setdefault(_key(names, row), {})[row["kind"]] = row
    return found


def _look(
    store: Store, scope: Scope, names: Sequence[str], step: Interval, shown: Sequence[int] | None, max_rows: int
) -> list[Sums] | None:
    """Rows of caching_lookups.sql, None where lookups do not know a dimension or filter."""
    source = lookup_source(store, scope, names, step)
    if source is None:
        return None
    groups = Groups(source.keys)
    params, relation = {**source.params, "max_rows": max_rows}, source.sql
    if shown is not None:
        params["shown"] = list(shown)
        relation = groups.shown(relation)
    sql = load_sql(
        "outlay_analytics.questions.sql",
        "caching_lookups",
        relation=relation,
        is_rest="0" if shown is None else "is_rest",
        id=groups.id,
        keys=", ".join(groups.keys),
    )
    return store.query(sql, params)


def _key(names: Sequence[str], row: Mapping[str, Any]) -> Key:
    values = (dimension_value(name, row[f"d{number}"]) for number, name in enumerate(names))
    return (row["time"], bool(row["is_rest"]), *values)


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
        lookups = _lookups(store, scope, (), "total", None)
    return None if lookups is None else _merged(lookups.values())


def _merged(several: Iterable[Mapping[str, Sums]]) -> dict[str, Sums]:
    """Sums by kind from several such."""
    total: dict[str, Sums] = {}
    for kinds in several:
        for kind, row in kinds.items():
            sums = total.setdefault(kind, dict.fromkeys(LOOKUP_SUMS, 0))
            for name in sums:
                sums[name] += row[name]
    return total


def order(row: Mapping[str, Any]) -> tuple[float, bool, Decimal, int]:
    """A row's place: newest first, then what saved most, what is left out last."""
    saved = sum(
        (
            row[kind][name] or Decimal(0)
            for kind, name in (*((k, "avoided_usd") for k in KINDS), ("provider", "saving_usd"))
        ),
        Decimal(0),
    )
    return (
        -row["time"].timestamp(),
        bool(row.get("remainder")),
        -saved,
        -(row["provider"]["input_tokens"] or 0),
    )
