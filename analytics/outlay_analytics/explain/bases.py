"""What a window of spend is compared with, and when a comparison would say nothing.

One base for every figure about the same hours: messages, their links, pages and incidents compare with the same hours
of the last weeks that lie wholly before, so that nights stand beside nights and Sundays beside Sundays. A base counts
only where calls were recorded throughout it: against a month of which one day was recorded, everything looks immense.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import EARLIEST, Interval, Window
from outlay_collector.store import Store, load_sql

WEEK = timedelta(weeks=1)
LOOKBACK_WEEKS = timedelta(weeks=15)  # how far back what was expected is looked for
LATE = 20  # calls may begin within the first twentieth of a base
LOOKBACK = timedelta(days=28)  # how far before a base its calls are looked for
SPARSE = 2  # a base has at least half as many days with calls as the window
IN_DAYS = timedelta(days=3)


@dataclass(frozen=True)
class Base:
    """The window to compare with; None where none is comparable, and why."""

    window: Window | None
    reason: str = ""


def usual_window(window: Window) -> Window:
    """The same hours of the last weeks that lie wholly before a window; cut off at 1970."""
    back = WEEK * max(1, -(-window.length // WEEK))
    start, end = (at - back if at - EARLIEST > back else EARLIEST for at in (window.start, window.end))
    return Window(start, end)


def comparable(store: Store, scope: Scope) -> Base:
    """What to compare the window of a scope with: its usual hours, else the time just before, else nothing."""
    reason = ""
    for base in (usual_window(scope.window), scope.window.previous()):
        if base.length != scope.window.length or not base.length:
            continue
        why_not = too_little(store, scope, base)
        if not why_not:
            return Base(base)
        reason = reason or why_not
    return Base(None, reason or "there is no time before it to compare with")


def against(window: Window, base: Window) -> str:
    """What a window is compared with, as it stands in a sentence: `the same 24 hours a week earlier`."""
    if base.end == window.start:
        return f"the {_length(base)} before"
    back = window.start - base.start
    if base.length == window.length and back > timedelta(0):
        for unit, name in ((WEEK, "week"), (timedelta(days=1), "day")):
            if not back % unit:
                times = back // unit
                return f"the same {_length(base)} {f'a {name}' if times == 1 else f'{times} {name}s'} earlier"
    at = base.start
    clock = f" {at:%H:%M} UTC" if at.hour or at.minute else ""
    return f"the {_length(base)} from {_day(at)}{clock}"


def too_little(store: Store, scope: Scope, base: Window) -> str:
    """Why spend in a base says nothing for the filters of a scope, in words; empty when it can be compared with.

    A part of spend that began after the base is new, which is a comparison; one that began within it is not, nor is a
    base in which the project recorded nothing, or calls on far fewer days than in the window.
    """
    latest = base.start + base.length / LATE
    rows = store.query(load_sql("outlay_analytics.questions.sql", "first_call"), {"project": scope.project})
    if not rows:
        return "no calls are recorded yet"
    since = rows[0]["hour"]
    if since > latest:
        return f"calls are recorded only since {_day(since)}, too late to compare with {_span(base)}"
    lookback = base.start - LOOKBACK if base.start - EARLIEST > LOOKBACK else EARLIEST
    first = next(iter(_seen(store, scope, Window(lookback, base.end))), None) if scope.filters else None
    if first is not None and first > latest:
        return f"its calls are recorded only since {_day(first)}, too late to compare with {_span(base)}"
    everything = replace(scope, filters={})
    found = _seen(store, everything, base)
    if not found:
        return f"no calls are recorded from {_span(base)}"
    now = _seen(store, everything, scope.window) if base.length > IN_DAYS else []
    if len(found) * SPARSE < len(now):
        return f"calls are recorded on only {len(found)} day{'s' * (len(found) > 1)} from {_span(base)}"
    return ""


def _seen(store: Store, scope: Scope, window: Window) -> list[datetime]:
    """Starts of the hours with calls in a window, of the days (UTC) where it is long."""
    interval: Interval = "day" if window.length > IN_DAYS else "hour"
    source = spend_source(store, replace(scope, window=window, timezone="UTC"), (), interval)
    rows = store.query(load_sql("outlay_analytics.query.sql", "history", source=source.sql), source.params)
    return [row["time"] for row in rows]


def _length(window: Window) -> str:
    hours = window.length / timedelta(hours=1)
    if hours >= 72 or (hours >= 48 and hours % 24 == 0):
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{window.length / timedelta(minutes=1):.0f} minutes"


def _day(at: datetime) -> str:
    return f"{at:%-d %B %Y}"


def _span(base: Window) -> str:
    if base.length < timedelta(days=2):
        return f"{base.start:%-d %B %H:%M} to {base.end:%-d %B %H:%M} UTC"
    return f"{base.start:%-d %B} to {base.end:%-d %B}"
