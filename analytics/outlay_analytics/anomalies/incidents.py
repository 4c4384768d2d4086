"""Find what is unusual in spend: hourly, per feature and model and in total, on the spend and on its drivers.

Hours that alert are merged into incidents, small ones are dropped by a dollar floor, and of several signs of the same
incident the most telling one is kept: the narrowest scope, the most specific channel.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from outlay_analytics.anomalies.detector import LEARN_H, WEEK, channels, expected, score
from outlay_analytics.anomalies.excess import APART_H, excess_of, first_hour, last_hour, stands_out, uncertainty
from outlay_analytics.explain.bases import usual_window
from outlay_analytics.explain.change import changes
from outlay_analytics.explain.drivers import RISES
from outlay_analytics.explain.expected import expected_of
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.calendar import HOUR, start_of, ticks, with_window
from outlay_analytics.query.folding import Kept, folded, largest
from outlay_analytics.query.freshness import hours_changed
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import EARLIEST, Window
from outlay_collector.store import Store, load_sql

__all__ = ["CHANNELS", "as_of", "find", "lookback", "score", "usual_window", "watch"]

logger = logging.getLogger(__name__)

# Most specific first: which of several signs of one incident is told.
CHANNELS = ("retry_share", "uncached_share", "tokens_per_call", "usd_per_token", "cost_per_call", "spend")
LEARN = timedelta(days=35)
SIGHT = timedelta(days=30)
MOST_SERIES = 24
MOST_VALUES = 50  # of features, and of models, that are read apart
MOST_SHOWN = 100
MOST_SPANS = 20  # incidents of one series whose traces are taken out of the detector's longer windows
FLOOR_USD = Decimal(1)
TOGETHER_H = 6  # hours within which what begins for one cause is one incident
Z80 = 1.281552  # of the interval's 80%
MOST_SENTENCES = 6
SAME_IMPACT = 0.25  # of the dollars of a sign: what a more specific one must hold to stand for it
MEASURES = ("usd", "calls", "in_tok", "cached_tok", "out_tok", "retries")
CHANNEL_WORDS = {  # for what no driver explains
    "spend": "more was spent than these hours usually bring",
    "cost_per_call": "each call cost more",
    "tokens_per_call": "each call used more tokens",
    "uncached_share": "less of the input came from the cache",
    "usd_per_token": "each token cost more",
    "retry_share": "more calls were repeats",
}


Finder = Callable[..., dict[str, Any]]  # `find`, or one that remembers what it found
Where = tuple[tuple[str, str], ...]
Key = tuple[str | None, str | None]  # feature and model; None: all that are not apart


@dataclass(frozen=True)
class Incident:
    """Hours [first, last] of one series in which one channel alerts; `deviation`: the impact's standard one, in USD."""

    scope: Where
    channel: str
    first: int
    last: int
    score: float
    actual: float
    expected: float
    deviation: float = 0.0

    @property
    def impact(self) -> float:
        return self.actual - self.expected


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
    times = ticks(Window(start - LEARN, end), "hour", "UTC")
    table = _hours(store, with_window(scope, times[0], end), len(times), times[0])
    notes: list[str] = []
    total = sum(table.values(), np.zeros((len(times), len(MEASURES)))) if table else None
    judged = len(times) if total is None else _began(total) + LEARN_H
    if judged >= len(times):
        notes.append(f"anomalies need {LEARN_H // 24} days of history to compare with")
    if total is None or not total[:, 0].any():
        return {"anomalies": [], "notes": notes, "judged_from": None}
    found = watch(series_of(table, total), len(times) - round((end - start) / HOUR), float(floor_usd), notes)
    told = sorted(together(most_telling(found)), key=lambda parts: -min(part.first for part in parts))
    shown_from = scope.window.start
    kept = [parts for parts in told if times[max(part.last for part in parts)] + HOUR > shown_from][:limit]
    return {
        "anomalies": [_shown(store, scope, parts, times) for parts in kept],
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


def watch(
    series: Sequence[tuple[Where, Floats]], shown_from: int, floor: float, notes: list[str] | None = None
) -> list[Incident]:
    """What all series have to report. Calls that only moved from one model of a feature to another are not news.

    A series that cannot be watched is named in `notes` and hides none of the others.
    """
    by_scope = dict(series)
    found: list[Incident] = []
    for where, data in series:
        if float(data[:, 0].sum()) < floor:  # all of it is less than the least that is told
            continue
        feature = by_scope.get(where[:1]) if len(where) > 1 else None
        try:
            found += [one for one in _incidents(where, data, shown_from, floor) if not _only_moved(one, feature)]
        except Exception as exc:
            logger.warning("a series could not be watched for anomalies", exc_info=exc)
            if notes is not None:
                notes.append(f"{_named(where)} could not be watched ({type(exc).__name__}); the server's log says more")
    return found


def _only_moved(incident: Incident, feature: Floats | None) -> bool:
    """Whether a model's spend rose while that of its feature, if it has other models, hardly did."""
    if feature is None or incident.channel != "spend":
        return False
    actual, normal = _money("spend", feature, incident.first, incident.last)
    return actual - normal < 0.5 * incident.impact


def _named(where: Where) -> str:
    return ", ".join(f"{name} {value or '(none)'}" for name, value in where) or "all spend"


def _incidents(where: Where, data: Floats, shown_from: int, floor: float) -> list[Incident]:
    """What one series has to report that was not over before hour `shown_from`."""
    began = _began(data)
    lived = data[began:]
    if len(lived) <= LEARN_H:
        return []
    usd_, aux = lived[:, 0], {name: lived[:, k] for k, name in enumerate(MEASURES) if name != "usd"}
    out = []
    for channel, statistic in channels(usd_, aux).items():
        for first, last, alerted in _spans(channel, lived, statistic):
            actual, normal = _money(channel, lived, first, last)
            if actual - normal >= floor and began + last >= shown_from:
                strength = 1 - 0.5 ** float(statistic[first : max(last, alerted) + 1].max())
                share = uncertainty(excess_of(channel, lived, first), last)
                deviation = share * (actual - normal)
                out.append(Incident(where, channel, began + first, began + last, strength, actual, normal, deviation))
    return out


def _began(data: Floats) -> int:
    """The first hour with calls; the end where there is none."""
    called = np.flatnonzero(data[:, 1])
    return int(called[0]) if len(called) else len(data)


def _spans(channel: str, data: Floats, statistic: Floats) -> list[tuple[int, int, int]]:
    """First and last hour of each incident, and the last hour that says so.

    The detector's longer windows alert for a week after a blip. So once an incident is over, an alert of the day after
    is still its own, and a later one is another only if it would be one without it: with the hours of what is over as
    they were a week earlier.
    """
    spans: list[tuple[int, int, int]] = []
    calm, open_ = data, statistic > 1
    open_[:LEARN_H] = False
    while open_.any():
        alerted = int(np.argmax(open_))
        first = first_hour(channel, calm, alerted, spans[-1][1] + 1 if spans else 0)
        excess = excess_of(channel, calm, first)
        last = last_hour(excess)
        if stands_out(excess, last):
            spans.append((first, last, max(last, alerted)))
        open_[: max(last + APART_H, alerted) + 1] = False
        if open_.any() and len(spans) < MOST_SPANS:
            calm = calm.copy()
            for hour in range(max(first, WEEK), last + 1):
                calm[hour] = calm[hour - WEEK]
            aux = {name: calm[:, k] for k, name in enumerate(MEASURES) if name != "usd"}
            open_ &= channels(calm[:, 0], aux)[channel] > 1
    return spans


def _end(channel: str, data: Floats, first: int) -> int:
    """The last hour of an incident that begins at `first`, the newest one while it goes on."""
    return last_hour(excess_of(channel, data, first))


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


def most_telling(found: Sequence[Incident]) -> list[Incident]:
    """One incident each: the most specific channel of a series, and the narrowest scope that holds most of it."""
    by_channel: list[Incident] = []
    for incident in sorted(found, key=lambda incident: CHANNELS.index(incident.channel)):
        mine = [other for other in by_channel if other.scope == incident.scope and _overlap(other, incident)]
        if not any(other.impact >= SAME_IMPACT * incident.impact for other in mine):
            by_channel = [other for other in by_channel if other not in mine] + [incident]
    kept: list[Incident] = []
    for whole in sorted(by_channel, key=lambda incident: -len(incident.scope)):
        parts = [part for part in kept if _inside(part, whole) and _overlap(part, whole)]
        if sum(part.impact for part in parts) < 0.5 * whole.impact:
            kept = [one for one in kept if one not in parts] + [whole]
    return kept


def _inside(part: Incident, whole: Incident) -> bool:
    return part.scope[: len(whole.scope)] == whole.scope


def _overlap(a: Incident, b: Incident) -> bool:
    return a.first <= b.last + APART_H and b.first <= a.last + APART_H


def together(told: Sequence[Incident]) -> list[tuple[Incident, ...]]:
    """Incidents that are one: those of the same channel that began within `TOGETHER_H` hours, largest part first."""
    groups: list[list[Incident]] = []
    for one in sorted(told, key=lambda one: -one.impact):
        for group in groups:
            if group[0].channel == one.channel and abs(group[0].first - one.first) <= TOGETHER_H:
                group.append(one)
                break
        else:
            groups.append([one])
    return [tuple(group) for group in groups]


def _shared(parts: Sequence[Incident]) -> Where:
    """What the scopes of all parts have in common."""
    common: list[tuple[str, str]] = []
    for pair in parts[0].scope:
        if not all(pair in part.scope for part in parts):
            break
        common.append(pair)
    return tuple(common)


def _shown(store: Store, scope: Scope, parts: Sequence[Incident], times: Sequence[datetime]) -> dict[str, Any]:
    """One incident as the API shows it; its figures are those of its parts together, of their own hours each."""
    first, last = min(part.first for part in parts), max(part.last for part in parts)
    started, ended = times[first], times[last] + HOUR
    where = _shared(parts)
    told = [_part(store, scope, part, times) for part in parts]
    drivers, sentences = told[0]["drivers"], told[0]["sentences"]
    if len(told) > 1:
        sums: dict[str, Decimal] = {}
        for part in told:
            for driver in part["drivers"]:
                sums[driver["driver"]] = sums.get(driver["driver"], Decimal(0)) + driver["usd"]
        drivers = [{"driver": name, "usd": value} for name, value in sorted(sums.items(), key=lambda d: -abs(d[1]))]
        sentences = [sentence for part in told for sentence in part["sentences"][1:2]][:MOST_SENTENCES]
    actual = sum((part["actual_usd"] for part in told), Decimal(0))
    usual = sum((part["expected_usd"] for part in told), Decimal(0))
    if len(told) > 1:
        sentences.insert(
            0, f"{usd(actual - usual)} more than expected was spent: {usd(actual)} instead of {usd(usual)}."
        )
    margin = Z80 * float(np.sqrt(sum(part.deviation**2 for part in parts)))
    channel = parts[0].channel
    cause = _cause(channel, drivers)
    text = f"{scope.project}|{where}|{channel}|{started.astimezone(UTC).isoformat()}"
    shown = {
        "id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "started_at": started,
        "ended_at": ended,
        "ongoing": last == len(times) - 1,
        "scope": {name: value or None for name, value in where},
        "channel": channel,
        "actual": actual,
        "expected": usual,
        "actual_usd": actual,
        "expected_usd": usual,
        "impact_usd": actual - usual,
        "impact_lo_usd": actual - usual - Decimal(f"{margin:.6f}"),
        "impact_hi_usd": actual - usual + Decimal(f"{margin:.6f}"),
        "score": round(max(part.score for part in parts), 4),
        "cause": cause,
        "summary": f"{cause}: {usd(actual - usual)} more than expected",
        "explain": {"drivers": drivers, "sentences": sentences},
    }
    names = ("scope", "started_at", "ended_at", "actual_usd", "expected_usd", "impact_usd")
    return shown | {"parts": [{name: part[name] for name in names} for part in told] if len(told) > 1 else []}


def _part(store: Store, scope: Scope, incident: Incident, times: Sequence[datetime]) -> dict[str, Any]:
    """What one series spent above what was expected of it, and why: its drivers add up to that."""
    window = Window(times[incident.first], times[incident.last] + HOUR)
    filters = dict(scope.filters) | {name: (value,) for name, value in incident.scope}
    inside = replace(scope, window=window, filters=filters)
    usual = Decimal(f"{max(incident.expected, 0.0):.6f}")
    looked = expected_of(store, inside, usual)
    drivers, sentences = changes(store, inside, looked.expected or usual_window(window))
    actual = Decimal(f"{incident.actual:.6f}")
    return {
        "scope": {name: value or None for name, value in incident.scope},
        "started_at": window.start,
        "ended_at": window.end,
        "actual_usd": actual,
        "expected_usd": usual,
        "impact_usd": actual - usual,
        "drivers": drivers,
        "sentences": sentences,
    }


def _cause(channel: str, drivers: Sequence[dict[str, Any]]) -> str:
    """What happened: the driver that raised spend most, since a channel also moves with what it is not about."""
    raised = max(drivers, key=lambda driver: driver["usd"], default=None)
    return RISES[raised["driver"]] if raised is not None and raised["usd"] > 0 else CHANNEL_WORDS[channel]
