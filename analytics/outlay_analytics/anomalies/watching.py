"""What is unusual in hourly series: each is watched on its spend and its drivers; what alerts is dated and priced."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outlay_analytics.anomalies.detector import LEARN_H
from outlay_analytics.anomalies.dollars import dollars
from outlay_analytics.anomalies.excess import APART_H, excess_of, first_hour, last_hour, stands_out
from outlay_analytics.anomalies.holidays import HolidayHours, Hours, watched
from outlay_analytics.anomalies.memory import statistic_of
from outlay_analytics.anomalies.rolling import WEEK
from outlay_analytics.query.arrays import Floats

logger = logging.getLogger(__name__)

# Most specific first: which of several signs of one incident is told.
CHANNELS = ("retry_share", "uncached_share", "tokens_per_call", "usd_per_token", "cost_per_call", "spend")
SAME_IMPACT = 0.25  # of the dollars of a sign: what a more specific one must hold to stand for it
MOST_SPANS = 20  # incidents of one series whose traces are taken out of the detector's longer windows

Where = tuple[tuple[str, str], ...]


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

    def overlaps(self, other: Incident) -> bool:
        """Whether the two go on at the same time, or nearly."""
        return self.first <= other.last + APART_H and other.first <= self.last + APART_H

    def stands_for(self, other: Incident) -> bool:
        """Whether it is a sign of another one at that time that holds enough of its dollars to name it."""
        return self.overlaps(other) and self.impact >= SAME_IMPACT * other.impact


def watch(
    series: Sequence[tuple[Where, Floats]],
    shown_from: int,
    floor: float,
    notes: list[str] | None = None,
    closed: HolidayHours | None = None,
) -> list[Incident]:
    """What all series have to report. Calls that only moved from one model of a feature to another are not news.

    A series that cannot be watched is named in `notes` and hides none of the others.

    Args:
        closed: The holidays among their hours.
    """
    by_scope = dict(series)
    found: list[Incident] = []
    for where, data in series:
        if float(data[:, 0].sum()) < floor:  # all of it is less than the least that is told
            continue
        feature = by_scope.get(where[:1]) if len(where) > 1 else None
        try:
            found += [
                one
                for one in _incidents(where, data, shown_from, floor, closed)
                if not _only_moved(one, feature, closed)
            ]
        except Exception as exc:
            logger.warning("a series could not be watched for anomalies", exc_info=exc)
            if notes is not None:
                notes.append(f"{_named(where)} could not be watched ({type(exc).__name__}); the server's log says more")
    return found


def _only_moved(incident: Incident, feature: Floats | None, closed: HolidayHours | None) -> bool:
    """Whether a model's spend rose while that of its feature, if it has other models, hardly did."""
    if feature is None or incident.channel != "spend":
        return False
    usual = watched("spend", feature, closed)
    found = dollars("spend", feature, usual, incident.first, incident.last)
    return found.actual - found.expected < 0.5 * incident.impact


def _named(where: Where) -> str:
    return ", ".join(f"{name} {value or '(none)'}" for name, value in where) or "all spend"


def _incidents(
    where: Where, data: Floats, shown_from: int, floor: float, closed: HolidayHours | None
) -> list[Incident]:
    """What one series has to report that was not over before hour `shown_from`."""
    began = first_called(data)
    lived = data[began:]
    if len(lived) <= LEARN_H:
        return []
    out: list[Incident] = []
    faint: list[Incident] = []  # by themselves too few dollars
    for channel in CHANNELS:
        usual = watched(channel, lived, closed.since(began) if closed else None)
        statistic = statistic_of(where, channel, usual.data)
        for first, last, alerted, calm in _spans(where, channel, usual, statistic):
            found = dollars(channel, lived, replace(usual, data=calm), first, last)
            if began + last < shown_from:
                continue
            strength = 1 - 0.5 ** float(statistic[first : max(last, alerted) + 1].max())
            one = Incident(where, channel, began + first, began + last, strength, *found)
            (faint if one.impact < floor else out).append(one)
    return [_named_by(one, faint) for one in out]


def _named_by(told: Incident, faint: Sequence[Incident]) -> Incident:
    """What is told, under the most specific sign of it: of few dollars that sign shows before it would be told alone.

    A cache that is lost shows in each call, while the dollars of its hours also move with how many calls come.
    """
    specific = [one for one in faint if CHANNELS.index(one.channel) < CHANNELS.index(told.channel)]
    best = min(
        (one for one in specific if one.stands_for(told)), key=lambda one: CHANNELS.index(one.channel), default=told
    )
    return replace(told, channel=best.channel)


def first_called(data: Floats) -> int:
    """The first hour with calls; the end where there is none."""
    called = np.flatnonzero(data[:, 1])
    return int(called[0]) if len(called) else len(data)


def _spans(where: Where, channel: str, usual: Hours, statistic: Floats) -> list[tuple[int, int, int, Floats]]:
    """First and last hour of each incident, the last hour that says so, and the hours without the incidents before it.

    The detector's longer windows alert for a week after a blip. So once an incident is over, an alert of the day after
    is still its own, and a later one is another only if it would be one without it: with the hours of what is over as
    they were a week earlier.
    """
    spans: list[tuple[int, int, int, Floats]] = []
    calm, open_ = usual.data, statistic > 1
    open_[:LEARN_H] = False
    while open_.any():
        alerted = int(np.argmax(open_))
        first = first_hour(channel, calm, alerted, spans[-1][1] + 1 if spans else 0, usual.silent)
        excess = excess_of(channel, calm, first, silent=usual.silent)
        last = last_hour(excess)
        if stands_out(excess, last):
            spans.append((first, last, max(last, alerted), calm))
        open_[: max(last + APART_H, alerted) + 1] = False
        if open_.any() and len(spans) < MOST_SPANS:
            calm = calm.copy()
            for hour in range(max(first, WEEK), last + 1):
                calm[hour] = calm[hour - WEEK]
            looked = int(np.flatnonzero(open_)[-1]) + 1
            open_[:looked] &= statistic_of((where, len(spans)), channel, calm[:looked]) > 1
    return spans
