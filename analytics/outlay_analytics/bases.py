"""What a window of spend is compared with, and when a comparison would say nothing.

One base for every figure about the same hours: messages, their links, pages and incidents compare with the same hours
of the last weeks that lie wholly before, so that nights stand beside nights and Sundays beside Sundays. A base counts
only where calls were recorded throughout it: against a month of which one day was recorded, everything looks immense.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from outlay_analytics.history import with_window
from outlay_analytics.spend_source import spend_source
from outlay_analytics.window import EARLIEST, Interval, Scope, Window
from outlay_collector.store import Store, load_sql

WEEK = timedelta(weeks=1)
LATE = 20  # calls may begin within the first twentieth of a base
SIGHT = timedelta(days=28)  # how far before a base its calls are looked for
IN_DAYS = timedelta(days=3)


@dataclass(frozen=True)
class Base:
    """The window to compare with; None where none is comparable, and why."""

    window: Window | None
    reason: str = ""


def usual_window(window: Window) -> Window | None:
    """The same hours of the last weeks that lie wholly before a window; None before 1970."""
    back = WEEK * max(1, -(-window.length // WEEK))
    return None if window.start - EARLIEST < back else Window(window.start - back, window.end - back)


def comparable(store: Store, scope: Scope) -> Base:
    """What to compare the window of a scope with: its usual hours, else the time just before, else nothing."""
    reason = ""
    for base in (usual_window(scope.window), scope.window.previous()):
        if base is None or base.length != scope.window.length or not base.length:
            continue
        why_not = too_little(store, scope, base)
        if not why_not:
            return Base(base)
        reason = reason or why_not
    return Base(None, reason or "there is no time before it to compare with")


def too_little(store: Store, scope: Scope, base: Window) -> str:
    """Why spend in a base says nothing for the filters of a scope, in words; empty when it can be compared with.

    A part of spend that began after the base is new, which is a comparison; one that began within it is not, nor is a
    base in which the project recorded nothing.
    """
    latest = base.start + base.length / LATE
    rows = store.query(load_sql("outlay_analytics.sql", "first_call"), {"project": scope.project})
    since = rows[0]["hour"] if rows else None
    if since is None:
        return "no calls are recorded yet"
    if since > latest:
        return f"calls are recorded only since {_day(since)}; {_span(base)} would be compared with"
    first, last = _seen(store, scope, base)
    if first is not None and first > latest and scope.filters:
        return f"its calls are recorded only since {_day(first)}; {_span(base)} would be compared with"
    if last is None or last < base.start:
        everything = replace(scope, filters={})
        last = _seen(store, everything, base)[1] if scope.filters else last
        if last is None or last < base.start:
            return f"no calls are recorded from {_span(base)}"
    return ""


def _seen(store: Store, scope: Scope, base: Window) -> tuple[datetime | None, datetime | None]:
    """Start of the first and the last interval with calls in a base and the four weeks before it."""
    interval: Interval = "day" if base.length > IN_DAYS else "hour"
    start = base.start - SIGHT if base.start - EARLIEST > SIGHT else EARLIEST
    asked = replace(with_window(scope, start, base.end), timezone="UTC")
    source = spend_source(store, asked, (), interval)
    rows = store.query(load_sql("outlay_analytics.sql", "history", source=source.sql), source.params)
    if not rows:
        return None, None
    step = timedelta(days=1) if interval == "day" else timedelta(hours=1)
    return rows[0]["time"], rows[-1]["time"] + step - timedelta(microseconds=1)


def _day(at: datetime) -> str:
    return f"{at:%-d %B %Y}"


def _span(base: Window) -> str:
    if base.length < timedelta(days=2):
        return f"{base.start:%-d %B %H:%M} to {base.end:%-d %B %H:%M} UTC"
    return f"{base.start:%-d %B} to {base.end:%-d %B}"
