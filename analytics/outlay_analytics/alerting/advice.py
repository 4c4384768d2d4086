"""What a message adds to what happened: what would stop it, where the month is heading, and the last days as a chart.

The lever that costs least is to take back what was changed when it began. Where nothing was, it is what turns back the
driver that raised spend most, with the dollars that this driver holds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from outlay.errors import OutlayError
from outlay_analytics.alerting.states import ABOUT, Alert
from outlay_analytics.forecast.projection import look_ahead
from outlay_analytics.incidents.markers import list_markers
from outlay_analytics.incidents.repository import read_incidents
from outlay_analytics.query.calendar import spend_series, start_of, with_window
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import exact, usd
from outlay_analytics.query.window import Window
from outlay_analytics.questions.cache_breaks import cache_breaks
from outlay_collector.store import Store

logger = logging.getLogger(__name__)

AROUND = timedelta(hours=6)  # before it began: what was changed then may be why
CHART = timedelta(days=13)  # before today
LEVERS = {  # what turns a driver back
    "requests": "limit how often it is called, or answer repeats from a cache",
    "escalation": "lower the cascade's threshold, so that fewer calls go on to a later tier",
    "retries": "cap repeats, or wait longer between them",
    "model_mix": "send these calls to the cheaper model again",
    "input_tokens": "shorten what each call reads",
    "output_tokens": "limit how much each call writes (max_tokens)",
    "cache_share": "let prompts begin the same way again, so that they are read from the provider's cache",
    "unit_price": "move to a model or a service tier with a lower price",
}


@dataclass(frozen=True)
class Advice:
    """About the alert that a message leads with; empty where nothing can be said.

    Attributes:
        lever: What would stop it, at the least cost.
        month_end: What the month is heading for, and what is spent of it.
        chart: Spend of the last two weeks: (day, exact USD), the oldest first; the last one is under way.
    """

    lever: str = ""
    month_end: str = ""
    chart: tuple[tuple[str, str], ...] = ()


def advice(store: Store, alert: Alert, now: datetime, holidays: Holidays = NO_HOLIDAYS) -> Advice:
    """What to add to a message about an alert that fires; what cannot be found is left out and logged."""
    try:
        scope = replace(_scope(store, alert), holidays=holidays)
        return replace(advise(store, scope, alert.drivers, now), chart=_chart(store, scope, now))
    except OutlayError as exc:
        logger.warning("a message goes without lever and projection: %s", exc)
        return Advice()


def advise(store: Store, scope: Scope, drivers: Sequence[Mapping[str, Any]], now: datetime) -> Advice:
    """What would stop what `drivers`, the largest first, did in a scope's window, and where its month is heading."""
    return Advice(_lever(store, scope, drivers), _month_end(store, scope, now))


def _scope(store: Store, alert: Alert) -> Scope:
    filters = {name: tuple(values) for name, values in alert.scope.items() if name not in ABOUT}
    if alert.incident and (found := read_incidents(store, alert.project, incident_id=alert.incident)):
        filters = found[0].filters
    return Scope(alert.explained, filters, alert.project)


def _lever(store: Store, scope: Scope, drivers: Sequence[Mapping[str, Any]]) -> str:
    raised = [driver for driver in drivers if driver["usd"] > 0]
    if not raised:
        return ""
    began = scope.window.start
    until = min(began + AROUND, max(scope.window.end, began))
    changed = list_markers(store, with_window(scope, began - AROUND, until))
    if changed:
        return f"take back {changed[0]['name']}, new since {changed[0]['at']:%-d %B %H:%M} UTC"
    lead = raised[0]
    words = LEVERS.get(str(lead["driver"]), "")
    if lead["driver"] == "cache_share" and (broken := cache_breaks(store, scope)):
        words = f"let the prompt {broken[0]['prompt']} begin the same way again; it is no longer read from the cache"
    return f"{words} ({usd(lead['usd'])} of it)" if words else ""


def _month_end(store: Store, scope: Scope, now: datetime) -> str:
    projection = look_ahead(store, scope, "month", now)
    spent = f"{usd(projection.spent_usd)} spent so far"
    if not projection.total:
        return f"{spent}; {projection.note}" if projection.note else spent
    mean, low, high = (usd(f"{projection.total[name]:.6f}") for name in ("mean", "lo80", "hi80"))
    return f"heading for {mean} by the month's end (80% between {low} and {high}); {spent}"


def _chart(store: Store, scope: Scope, now: datetime) -> tuple[tuple[str, str], ...]:
    window = Window(start_of(now, "day", "UTC") - CHART, now)
    series = spend_series(store, with_window(scope, window.start, window.end), "day")
    return tuple((f"{at:%-d %b}", exact(amount)) for at, amount in zip(series.times, series.usd, strict=True))
