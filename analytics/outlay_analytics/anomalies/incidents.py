"""Find what is unusual in spend: hourly, per feature and model and in total, on the spend and on its drivers.

Hours that alert are merged into incidents, small ones are dropped by a dollar floor, and of several signs of the same
incident the most telling one is kept: the narrowest scope, the most specific channel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.anomalies.detector import LEARN_H, score
from outlay_analytics.anomalies.holidays import holiday_hours
from outlay_analytics.anomalies.memory import MEASURES
from outlay_analytics.anomalies.showing import shown
from outlay_analytics.anomalies.telling import most_telling, together
from outlay_analytics.anomalies.watching import CHANNELS, Where, first_called, watch
from outlay_analytics.explain.bases import usual_window
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import HOUR, start_of, ticks, with_window
from outlay_analytics.query.folding import Kept, folded, largest
from outlay_analytics.query.freshness import hours_changed
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import EARLIEST, Window
from outlay_collector.store import Store, load_sql

__all__ = ["CHANNELS", "MEASURES", "as_of", "find", "lookback", "most_telling", "score", "usual_window", "watch"]

LEARN = timedelta(days=35)
SIGHT = timedelta(days=30)
MOST_SERIES = 24
MOST_VALUES = 50  # of features, and of models, that are read apart
MOST_SHOWN = 100
FLOOR_USD = Decimal(1)
Finder = Callable[..., dict[str, Any]]  # `find`, or one that remembers what it found
Key = tuple[str | None, str | None]  # feature and model; None: all that are not apart


def find(
    store: Store, scope: Scope, *, now: datetime | None = None, floor_usd: Decimal = FLOOR_USD, limit: int = MOST_SHOWN
) -> dict[str, Any]:
    """Anomalies of the scope's window, newest first: those that were not over when it began.

    The same incident looks the same through every window: at least 30 days are looked at, whatever was asked for.

    Args:
        store: The store.
        scope: Window, filters, project; five weeks before it are learned from.
        now: The present; the hour under way is left out.
        floor_usd: Least impact (actual minus expected) that is shown.
        limit: Most anomalies to return.

    Returns:
        `anomalies`: `id`, `started_at`, `ended_at`, `ongoing`, `scope`, `channel`, `actual_usd` and `expected_usd`
        (spend of those hours; also as `actual`, `expected`), `impact_usd` with its 80% interval `impact_lo_usd`,
        `impact_hi_usd`, `score` (0–1), `cause`, `summary`, `explain` (drivers and sentences against what was expected;
        the top driver words the cause), `parts` (what each of several series that moved together spent). `notes`:
        what could not be watched. `judged_from`: the first hour with enough past to be judged, None without one.
    """
    seen = lookback(scope, now)
    start, end = seen.window.start, seen.window.end
    if end <= start:
        return {"anomalies": [], "notes": [], "judged_from": None}
    # From a Monday on, so that a week's hours are all judged from the same past.
    times = ticks(Window(start_of(start - LEARN, "week", "UTC"), end), "hour", "UTC")
    table = _hours(store, with_window(scope, times[0], end), len(times), times[0])
    notes: list[str] = []
    total = sum(table.values(), np.zeros((len(times), len(MEASURES)))) if table else None
    judged = len(times) if total is None else first_called(total) + LEARN_H
    if judged >= len(times):
        notes.append(f"anomalies need {LEARN_H // 24} days of history to compare with")
    if total is None or not total[:, 0].any():
        return {"anomalies": [], "notes": notes, "judged_from": None}
    shown_h, closed = round((end - start) / HOUR), holiday_hours(times, scope.holidays)
    found = watch(series_of(table, total), len(times) - shown_h, float(floor_usd), notes, closed)
    told = sorted(together(most_telling(found)), key=lambda parts: -min(part.first for part in parts))
    shown_from = scope.window.start
    kept = [parts for parts in told if times[max(part.last for part in parts)] + HOUR > shown_from][:limit]
    return {
        "anomalies": [shown(store, scope, parts, times) for parts in kept],
        "notes": notes,
        "judged_from": times[judged] if judged < len(times) else None,
    }


def lookback(scope: Scope, now: datetime | None = None) -> Scope:
    """The scope with the whole hours that are looked at for its anomalies: to its end or now, from a month before."""
    end = start_of(min(now, scope.window.end) if now else scope.window.end, "hour", "UTC")
    start = min(start_of(scope.window.start, "hour", "UTC"), end)
    return with_window(scope, min(start, end - SIGHT) if start < end else end, end)


def as_of(store: Store, scope: Scope) -> Hashable:
    """A value that changes when the hours that `find` reads for a scope do."""
    seen = lookback(scope).window
    return seen.end, *hours_changed(store, scope.project, max(seen.start - LEARN, EARLIEST), seen.end)


def _hours(store: Store, scope: Scope, count: int, first: datetime) -> dict[Key, Floats]:
    """(feature, model) → measures per hour; of very many the largest, all others under None."""
    ids = largest(store, [scope], (("feature",), ("model",)), MOST_VALUES)
    kept = [Kept((key,), own) for key, own in zip(("d0", "d1"), ids, strict=True)]
    source = folded(spend_source(store, replace(scope, timezone="UTC"), ("feature", "model", "repeated"), "hour"), kept)
    table: dict[Key, Floats] = {}
    for row in store.query(load_sql("outlay_analytics.anomalies.sql", "anomalies", source=source.sql), source.params):
        hour = round((row["time"] - first) / HOUR)
        key = (None if row["rest"] & 1 else row["feature"], None if row["rest"] & 2 else row["model"])
        if key not in table:
            table[key] = np.zeros((count, len(MEASURES)))
        table[key][hour] += [float(row[name]) for name in MEASURES]
    return table


def series_of(table: dict[Key, Floats], total: Floats) -> list[tuple[Where, Floats]]:
    """The series to watch: everything, the largest features, and the largest models of features that use several."""
    features: dict[str, list[Key]] = defaultdict(list)
    for key in table:
        if key[0] is not None:
            features[key[0]].append(key)
    found: list[tuple[Where, Floats]] = []
    for feature, keys in features.items():
        if len(keys) > 1:
            found.append(((("feature", feature),), sum((table[key] for key in keys), np.zeros_like(total))))
        found += [((("feature", feature), ("model", key[1])), table[key]) for key in keys if key[1] is not None]
    found.sort(key=lambda one: -float(one[1][:, 0].sum()))
    return found if len(table) == len(found) == 1 else [((), total), *found[:MOST_SERIES]]
