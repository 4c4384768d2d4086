"""Prompts whose beginning stopped being read from the provider's cache: when, and what that costs a day.

A provider reads a prompt from its cache as far as it begins as one before did; a date, a name or a shuffled list of
tools near its beginning ends that from one release to the next. For each prompt and model the hour is sought that parts
the calls best into those before and those after by how many of them read anything from the cache (likelihood of two
binomial shares against one), and likewise the hour at which it came back. A break is told where the share fell by more
than a tenth, also at the bound of its 95 % interval (Newcombe), and to less than half::

    usd_per_day = (share of tokens read before − after) · input tokens after · (plain price − read price) ÷ days after

Prices are those that the same calls paid. Nothing is said of a prompt that never paid both. Prompts are looked at in
the order of what they can have lost at most, until no further one can be among the dearest, so that however many there
are, none is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import numpy as np

from outlay_analytics.query.amounts import PICO
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.prompt_source import prompt_source
from outlay_analytics.statistics.intervals import difference
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.questions.sql"
AT_ONCE = 100  # prompts whose hours are read together
LEAST_CALLS = 30  # on either side
LEAST_DROP = 0.1  # of the share of calls that read from the cache
SHOWN = 20
HOUR = timedelta(hours=1)
KEY = ("prompt", "provider", "model")
Row = Mapping[str, Any]


def cache_breaks(store: Store, scope: Scope) -> list[dict[str, Any]]:
    """The dearest breaks of a scope first, at most 20.

    Returns:
        `prompt`, `provider`, `model`, `began_at` (the hour), `ended_at` (None while it lasts), `hit_ratio_before` and
        `hit_ratio_after` (tokens read of input), `usd_per_day`, `lost_usd` (until it ended, or the last call).
    """
    params: dict[str, Any] = {"least": 2 * LEAST_CALLS}
    fragments = {"source": prompt_source(store, scope, params), "not_answers": NOT_ANSWERS}
    candidates = store.query(load_sql(SQL, "prompt_cache_totals", **fragments), params)
    hours = load_sql(SQL, "prompt_cache_hours", **fragments)
    found: list[dict[str, Any]] = []
    for at in range(0, len(candidates), AT_ONCE):
        if len(found) == SHOWN and candidates[at]["most_usd"] < found[-1]["lost_usd"]:
            break
        keys = [_key(row) for row in candidates[at : at + AT_ONCE]]
        rows = store.query(hours, params | {"keys": keys})
        for key, group in groupby(rows, key=_key):
            one = _break(list(group))
            if one is not None:
                found.append({**dict(zip(KEY, key, strict=True)), **one})
        found = sorted(found, key=lambda one: (-one["lost_usd"], one["prompt"], one["model"]))[:SHOWN]
    return found


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _break(rows: Sequence[Row]) -> dict[str, Any] | None:
    calls, hits = (np.array([row[name] for row in rows], dtype=float) for name in ("calls", "hits"))
    at = _split(calls, hits, falls=True)
    if at is None:
        return None
    back = _split(calls[at:], hits[at:], falls=False)
    end = len(rows) if back is None else at + back
    before, after = rows[:at], rows[at:end]
    first, second = (_ratio(part) for part in (before, after))
    prices = _prices(rows)
    if prices is None or second >= first / 2 or not _fell(before, after):
        return None
    plain, read = prices
    lost = Decimal(first - second) * sum(row["input_tokens"] for row in after) * (plain - read)
    days = Decimal((after[-1]["hour"] - after[0]["hour"] + HOUR) / timedelta(days=1))
    if lost <= 0:
        return None
    return {
        "began_at": after[0]["hour"],
        "ended_at": None if back is None else rows[end]["hour"],
        "hit_ratio_before": first,
        "hit_ratio_after": second,
        "usd_per_day": (lost / max(days, Decimal(1))).quantize(PICO),
        "lost_usd": lost.quantize(PICO),
    }


def _split(calls: Floats, hits: Floats, falls: bool) -> int | None:
    """The place that parts the hours best by their share of hits, which falls, or rises, there."""
    n, k = np.cumsum(calls), np.cumsum(hits)
    m, j = n[-1] - n, k[-1] - k
    fits = (n >= LEAST_CALLS) & (m >= LEAST_CALLS)
    if not fits.any():
        return None
    first, second = k / n, np.divide(j, m, out=np.zeros_like(j), where=m > 0)
    moved = (first - second) * (1 if falls else -1)
    gain = _likelihood(k, n) + _likelihood(j, m)
    gain[~fits | (moved <= LEAST_DROP)] = -np.inf
    best = int(np.argmax(gain))
    return best + 1 if np.isfinite(gain[best]) else None


def _likelihood(k: Floats, n: Floats) -> Floats:
    """Logarithm of the likelihood of k of n hits at their own share."""
    share = np.divide(k, n, out=np.zeros_like(k), where=n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = k * np.log(share) + (n - k) * np.log1p(-share)
    return np.where((share > 0) & (share < 1), logs, 0.0)


def _ratio(rows: Sequence[Row]) -> float:
    tokens = sum(row["input_tokens"] for row in rows)
    return float(sum(row["read_tokens"] for row in rows) / tokens) if tokens else 0.0


def _fell(before: Sequence[Row], after: Sequence[Row]) -> bool:
    sides = []
    for part in (after, before):
        n, k = sum(row["calls"] for row in part), sum(row["hits"] for row in part)
        sides.append(Moments(n, k, n, k, n, k, shares=True))
    low = difference(sides[0], sides[1]).low
    return low is not None and low > LEAST_DROP


def _prices(rows: Sequence[Row]) -> tuple[Decimal, Decimal] | None:
    """USD per token: plain, and read from the cache."""
    plain, read = (sum(row[f"{name}_tokens"] for row in rows) for name in ("plain", "read"))
    if not plain or not read:
        return None
    usd = [sum((Decimal(row[f"{name}_usd"]) for row in rows), Decimal(0)) for name in ("plain", "read")]
    return usd[0] / plain, usd[1] / read
