"""Find what is unusual in spend: hourly, per feature and model and in total, on the spend and on its drivers.

Hours that alert are merged into incidents, small ones are dropped by a dollar floor, and of several signs of the same
incident the most telling one is kept: the narrowest scope, the most specific channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.detector import LEARN_H, WEEK, channels, expected, score
from outlay_analytics.explain import changes
from outlay_analytics.history import HOUR, start_of, ticks, with_window
from outlay_analytics.messages import usd
from outlay_analytics.shapley import Floats
from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import Scope, Window
from outlay_collector.store import Store, load_sql

__all__ = ["CHANNELS", "find", "score"]

# Most specific first: which of several signs of one incident is told.
CHANNELS = ("retry_share", "uncached_share", "tokens_per_call", "usd_per_token", "cost_per_call", "spend")
LEARN = timedelta(days=35)
MERGE = 24
MOST_SERIES = 24
MOST_SHOWN = 100
FLOOR_USD = Decimal(1)
MEASURES = ("usd", "calls", "in_tok", "cached_tok", "out_tok", "retries")
WORDS = {
    "spend": "more was spent than these hours usually bring",
    "cost_per_call": "each call cost more",
    "tokens_per_call": "tokens per call changed",
    "uncached_share": "less of the input came from the cache",
    "usd_per_token": "each token cost more",
    "retry_share": "more calls were repeats",
}


@dataclass(frozen=True)
class Incident:
    """Hours [first, last] of one series in which one channel alerts."""

    scope: tuple[tuple[str, str], ...]
    channel: str
    first: int
    last: int
    score: float
    actual: float
    expected: float

    @property
    def impact(self) -> float:
        return self.actual - self.expected


def find(
    store: Store, scope: Scope, *, now: datetime | None = None, floor_usd: Decimal = FLOOR_USD, limit: int = MOST_SHOWN
) -> dict[str, Any]:
    """Anomalies that began in the scope's window, newest first.

    Args:
        store: The store.
        scope: Window, filters, project; up to five weeks before it are learned from.
        now: The present; the hour under way is left out.
        floor_usd: Least impact (actual minus expected) that is shown.
        limit: Most anomalies to return.

    Returns:
        `anomalies`: `id`, `started_at`, `ended_at`, `scope`, `channel`, `actual_usd` and `expected_usd` (spend of those
        hours; also as `actual`, `expected`), `impact_usd`, `score` (0–1), `summary`, `explain` (drivers and sentences
        against the same hours a week before). `notes`: what could not be watched.
    """
    end = start_of(min(now, scope.window.end) if now else scope.window.end, "hour", "UTC")
    start = start_of(scope.window.start, "hour", "UTC")
    if end <= start:
        return {"anomalies": [], "notes": []}
    times = ticks(Window(start - LEARN, end), "hour", "UTC")
    table = _hours(store, with_window(scope, times[0], end), len(times), times[0])
    shown_from = len(times) - round((end - start) / HOUR)
    found: list[Incident] = []
    notes: list[str] = []
    total = sum(table.values(), np.zeros((len(times), len(MEASURES)))) if table else None
    if total is None or not total[:, 0].any():
        return {"anomalies": [], "notes": notes}
    if int(np.flatnonzero(total[:, 1])[0]) > len(times) - LEARN_H:
        notes.append(f"anomalies need {LEARN_H // 24} days of history to compare with")
    for where, data in _series(table, total):
        found += _incidents(where, data, shown_from, float(floor_usd))
    kept = sorted(_most_telling(found), key=lambda incident: -incident.first)[:limit]
    return {"anomalies": [_shown(store, scope, incident, times) for incident in kept], "notes": notes}


def _hours(store: Store, scope: Scope, count: int, first: datetime) -> dict[tuple[str, str], Floats]:
    """(feature, model) → measures per hour."""
    source = spend_source(store, scope, ("feature", "model", "repeated"), "hour")
    table: dict[tuple[str, str], Floats] = {}
    for row in store.query(load_sql("outlay_analytics.sql", "anomalies", source=source.sql), source.params):
        hour = round((row["time"] - first) / HOUR)
        key = (row["feature"], row["model"])
        if key not in table:
            table[key] = np.zeros((count, len(MEASURES)))
        table[key][hour] += [float(row[name]) for name in MEASURES]
    return table


def _series(table: dict[tuple[str, str], Floats], total: Floats) -> list[tuple[tuple[tuple[str, str], ...], Floats]]:
    """The series to watch: the largest (feature, model), and the total of all."""
    largest = sorted(table, key=lambda key: -float(table[key][:, 0].sum()))[:MOST_SERIES]
    named = [(tuple(zip(("feature", "model"), key, strict=True)), table[key]) for key in largest]
    return named if len(table) == 1 else [((), total), *named]


def _incidents(where: tuple[tuple[str, str], ...], data: Floats, shown_from: int, floor: float) -> list[Incident]:
    """What one series has to report from hour `shown_from` on."""
    began = int(np.flatnonzero(data[:, 1])[0])
    lived = data[began:]
    if len(lived) <= LEARN_H:
        return []
    usd_, aux = lived[:, 0], {name: lived[:, k] for k, name in enumerate(MEASURES) if name != "usd"}
    out = []
    for channel, statistic in channels(usd_, aux).items():
        alerting = np.flatnonzero(statistic > 1)
        alerting = alerting[alerting >= max(LEARN_H, shown_from - began)]
        for first, alerted in _runs(alerting):
            last = _end(channel, lived, first, alerted)
            actual, normal = _money(channel, lived, first, last)
            if actual - normal >= floor:
                strength = 1 - 0.5 ** float(statistic[first : last + 1].max())
                out.append(Incident(where, channel, began + first, began + last, strength, actual, normal))
    return out


def _runs(hours: Sequence[int] | Any) -> list[tuple[int, int]]:
    """Alerting hours no more than a day apart are one incident."""
    runs: list[list[int]] = []
    for hour in hours:
        if runs and hour - runs[-1][1] <= MERGE:
            runs[-1][1] = int(hour)
        else:
            runs.append([int(hour), int(hour)])
    return [(first, last) for first, last in runs]


def _end(channel: str, data: Floats, first: int, alerted: int) -> int:
    """The last hour that was itself unusual: the longer windows go on alerting after an incident is over."""
    measure = _measure(channel, data)
    if channel == "spend":
        usual = np.maximum(expected(data[:, 0]), 0.1 * float(data[:, 0].mean()) + 1e-12)
        excess = measure / usual - 1.0
    else:
        excess = np.abs(measure - float(np.nanmedian(measure[max(0, first - WEEK) : first])))
    inside = np.nan_to_num(excess[first : alerted + 1])
    high = np.flatnonzero(inside >= 0.4 * np.quantile(inside[: 2 * MERGE], 0.8))
    return first + int(high[-1]) if len(high) else alerted


def _measure(channel: str, data: Floats) -> Floats:
    """What a channel watches, per hour; NaN where there were no calls."""
    spent, calls, read, cached, written, retries = data.T
    top, bottom = {
        "spend": (spent, np.ones(len(spent))),
        "cost_per_call": (spent, calls),
        "tokens_per_call": (read + 4.0 * written, calls),  # output costs about four times as much
        "uncached_share": (read - cached, read),
        "usd_per_token": (spent, read + written),
        "retry_share": (retries, calls),
    }[channel]
    out = np.full(len(spent), np.nan)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def _money(channel: str, data: Floats, first: int, last: int) -> tuple[float, float]:
    """Spend of the incident's hours, and what would have been expected of them."""
    inside, before = data[first : last + 1], data[max(0, first - WEEK) : first]
    actual = float(inside[:, 0].sum())
    calls, earlier = float(inside[:, 1].sum()), float(before[:, 1].sum())
    if channel == "spend" or not calls or not earlier:
        usual = expected(data[:, 0])
        level_then = float(np.nansum(usual[max(0, first - WEEK) : first]))
        level = min(max(float(before[:, 0].sum()) / level_then, 0.4), 2.5) if level_then > 0 else 1.0
        return actual, float(np.nansum(usual[first : last + 1])) * level
    if channel == "retry_share":
        more = float(inside[:, 5].sum()) / calls - float(before[:, 5].sum()) / earlier
        return actual, actual * (1 - max(more, 0.0))
    return actual, calls * float(before[:, 0].sum()) / earlier


def _most_telling(found: Sequence[Incident]) -> list[Incident]:
    """One incident each: the most specific channel of a series, then the parts that make up most of the whole."""
    by_channel: list[Incident] = []
    for incident in sorted(found, key=lambda incident: CHANNELS.index(incident.channel)):
        mine = [other for other in by_channel if other.scope == incident.scope and _overlap(other, incident)]
        if not mine:
            by_channel.append(incident)
    kept = [incident for incident in by_channel if incident.scope]
    for whole in (incident for incident in by_channel if not incident.scope):
        parts = [part for part in kept if _overlap(part, whole)]
        if sum(part.impact for part in parts) < 0.5 * whole.impact:
            kept.append(whole)
    return kept


def _overlap(a: Incident, b: Incident) -> bool:
    return a.first <= b.last + MERGE and b.first <= a.last + MERGE


def _shown(store: Store, scope: Scope, incident: Incident, times: Sequence[datetime]) -> dict[str, Any]:
    started, ended = times[incident.first], times[incident.last] + HOUR
    filters = dict(scope.filters) | {name: (value,) for name, value in incident.scope}
    window = Window(started, ended)
    week = timedelta(days=7)
    drivers, sentences = changes(
        store, replace(scope, window=window, filters=filters), Window(started - week, ended - week)
    )
    actual, usual = Decimal(f"{incident.actual:.6f}"), Decimal(f"{max(incident.expected, 0.0):.6f}")
    text = f"{scope.project}|{incident.scope}|{incident.channel}|{started.astimezone(UTC).isoformat()}"
    return {
        "id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "started_at": started,
        "ended_at": ended,
        "scope": {name: value or None for name, value in incident.scope},
        "channel": incident.channel,
        "actual": actual,
        "expected": usual,
        "actual_usd": actual,
        "expected_usd": usual,
        "impact_usd": actual - usual,
        "score": round(incident.score, 4),
        "summary": f"{WORDS[incident.channel]}: {usd(actual - usual)} more than expected",
        "explain": {"drivers": drivers, "sentences": sentences},
    }
