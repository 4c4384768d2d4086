"""One incident as people see it: its figures, its parts, its cause in words."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from outlay_analytics.anomalies.telling import shared
from outlay_analytics.anomalies.watching import Incident
from outlay_analytics.explain.bases import usual_window
from outlay_analytics.explain.change import changes
from outlay_analytics.explain.drivers import HAPPENED, happened
from outlay_analytics.explain.expected import expected_of, same_hours
from outlay_analytics.query.calendar import HOUR
from outlay_analytics.query.freshness import hours_changed
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Window
from outlay_analytics.statistics.intervals import Z_90
from outlay_collector.store import Store

MOST_EXPLAINED = 256
MOST_SENTENCES = 6
OWN = Decimal("0.33")  # of the dearest driver's dollars: what a channel's own driver must have raised to be the cause
ABOUT = {  # the drivers of a channel
    "retry_share": ("retries",),
    "uncached_share": ("cache_share",),
    "tokens_per_call": ("input_tokens", "output_tokens"),
    "usd_per_token": ("unit_price", "model_mix", "escalation"),
}
CHANNEL_WORDS = {  # for what no driver explains
    "spend": "more was spent than was expected",
    "cost_per_call": "each call cost more",
    "tokens_per_call": "each call used more tokens",
    "uncached_share": "less of the input came from the cache",
    "usd_per_token": "each token cost more",
    "retry_share": "more calls were repeats",
}

Why = tuple[list[dict[str, Any]], list[str]]  # drivers and sentences

_explained: WeakKeyDictionary[Store, OrderedDict[Hashable, tuple[Hashable, Why]]] = WeakKeyDictionary()


def shown(store: Store, scope: Scope, parts: Sequence[Incident], times: Sequence[datetime]) -> dict[str, Any]:
    """One incident as the API shows it; its figures are those of its parts together, of their own hours each."""
    first, last = min(part.first for part in parts), max(part.last for part in parts)
    started, ended = times[first], times[last] + HOUR
    where = shared(parts)
    told = [_part(store, scope, part, times) for part in parts]
    drivers, sentences = told[0]["drivers"], told[0]["sentences"]
    if len(told) > 1:
        sums: dict[str, Decimal] = {}
        for part in told:
            for driver in part["drivers"]:
                sums[driver["driver"]] = sums.get(driver["driver"], Decimal(0)) + driver["usd"]
        drivers = [{"driver": name, "usd": value} for name, value in sorted(sums.items(), key=lambda d: -abs(d[1]))]
        sentences = _told_apart(told)[:MOST_SENTENCES]
    actual = sum((part["actual_usd"] for part in told), Decimal(0))
    expected = sum((part["expected_usd"] for part in told), Decimal(0))
    if len(told) > 1:
        sentences.insert(
            0, f"{usd(actual - expected)} more than expected was spent: {usd(actual)} instead of {usd(expected)}."
        )
    margin = Z_90 * float(np.sqrt(sum(part.deviation**2 for part in parts)))
    channel = parts[0].channel
    cause = _cause(channel, drivers)
    sentences = _in_order(sentences, _driver(channel, drivers))
    text = f"{scope.project}|{where}|{channel}|{started.astimezone(UTC).isoformat()}"
    shown = {
        "id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "started_at": started,
        "ended_at": ended,
        "ongoing": last == len(times) - 1,
        "scope": {name: value or None for name, value in where},
        "channel": channel,
        "actual": actual,
        "expected": expected,
        "actual_usd": actual,
        "expected_usd": expected,
        "impact_usd": actual - expected,
        "impact_lo_usd": actual - expected - Decimal(f"{margin:.6f}"),
        "impact_hi_usd": actual - expected + Decimal(f"{margin:.6f}"),
        "score": round(max(part.score for part in parts), 4),
        "cause": cause,
        "summary": f"{cause}: {usd(actual - expected)} more than expected",
        "explain": {"drivers": drivers, "sentences": sentences},
    }
    names = ("scope", "started_at", "ended_at", "actual_usd", "expected_usd", "impact_usd")
    return shown | {"parts": [{name: part[name] for name in names} for part in told] if len(told) > 1 else []}


def _told_apart(parts: Sequence[dict[str, Any]]) -> list[str]:
    """What each part's largest driver is; those that would begin alike say which values or hours they speak of."""
    said = [(part, *part["sentences"][1].partition(":")) for part in parts if len(part["sentences"]) > 1]
    begun = Counter(name for _, name, _, _ in said)
    out = []
    for part, name, colon, rest in said:
        if begun[name] > 1:
            scopes = [one["scope"] for one, other, _, _ in said if other == name]
            own = [str(value) for key, value in part["scope"].items() if any(one.get(key) != value for one in scopes)]
            start, end = part["started_at"], part["ended_at"]
            until = f"{end:%H:%M}" if start.date() == end.date() else f"{end.day} {end:%b %H:%M}"
            name += f" ({', '.join(own) or f'{start.day} {start:%b %H:%M} to {until} UTC'})"
        out.append(name + colon + rest)
    return out


def _part(store: Store, scope: Scope, incident: Incident, times: Sequence[datetime]) -> dict[str, Any]:
    """What one series spent above what was expected of it, and why: its drivers add up to that."""
    window = Window(times[incident.first], times[incident.last] + HOUR)
    filters = dict(scope.filters) | {name: (value,) for name, value in incident.scope}
    inside = replace(scope, window=window, filters=filters)
    expected = Decimal(f"{max(incident.expected, 0.0):.6f}")
    drivers, sentences = _why(store, inside, expected)
    actual = Decimal(f"{incident.actual:.6f}")
    return {
        "scope": {name: value or None for name, value in incident.scope},
        "started_at": window.start,
        "ended_at": window.end,
        "actual_usd": actual,
        "expected_usd": expected,
        "impact_usd": actual - expected,
        "drivers": drivers,
        "sentences": sentences,
    }


def _why(store: Store, inside: Scope, expected: Decimal) -> Why:
    """Drivers and sentences; from memory while no hour that they speak of has changed."""
    window = inside.window
    first = min((one.start for one in same_hours(window)), default=window.start)
    version = hours_changed(store, inside.project, first, window.end)
    known = _explained.setdefault(store, OrderedDict())
    key = (inside.project, repr(sorted(inside.filters.items())), window, expected)
    if key not in known or known[key][0] != version:
        looked = expected_of(store, inside, expected)
        known[key] = (version, changes(store, inside, looked.expected or usual_window(window)))
        while len(known) > MOST_EXPLAINED:
            known.popitem(last=False)
    drivers, sentences = known[key][1]
    return list(drivers), list(sentences)


def _cause(channel: str, drivers: Sequence[dict[str, Any]]) -> str:
    """What happened: the driver that raised spend, in words."""
    name = _driver(channel, drivers)
    return happened(name) if name else CHANNEL_WORDS[channel]


def _driver(channel: str, drivers: Sequence[dict[str, Any]]) -> str:
    """The driver that raised spend: the one that raised it most, since a channel also moves with what it is not about.

    Of few calls the dearest driver may have moved by chance, as which model answers does. So the one that the channel
    is about, which is known to be unusual, comes first where it raised a good part of that.
    """
    raised = sorted((one for one in drivers if one["usd"] > 0), key=lambda one: -one["usd"])
    own = [one for one in raised if one["driver"] in ABOUT.get(channel, ()) and one["usd"] >= OWN * raised[0]["usd"]]
    return str((own or raised)[0]["driver"]) if raised else ""


def _in_order(sentences: Sequence[str], driver: str) -> list[str]:
    """The headline, what is said of the driver, and the rest."""
    words = f": {happened(driver)} (" if driver in HAPPENED else ""
    return [*sentences[:1], *sorted(sentences[1:], key=lambda sentence: words not in sentence)]
