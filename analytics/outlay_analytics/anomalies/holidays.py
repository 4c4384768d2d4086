"""Hours of holidays: neither a rise where people come back from one, nor what later weeks are compared with.

A holiday's hours say little of a rise: most bring less, and how much less is not known of this one. So an hour that
brought less than usual counts as a usual one, one that brought more keeps it, and none of them says whether an incident
goes on. What is expected of a holiday in dollars is what its week's quietest day brings, and what earlier holidays were
of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from outlay_analytics.anomalies.expected import LAGS
from outlay_analytics.anomalies.rolling import DAY, WEEK
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.holiday_effect import Effect, effect_of, expected, quiet_shares
from outlay_analytics.query.holidays import Holiday, Holidays


@dataclass(frozen=True)
class HolidayHours:
    """The holidays among the hours of all series: first and last hour of each, in order; `days`: of each hour."""

    stretches: Sequence[tuple[Holiday, int, int]]
    days: Sequence[date]

    def since(self, hour: int) -> HolidayHours:
        """As seen by a series that begins at an hour."""
        kept = [(one, max(first, hour) - hour, last - hour) for one, first, last in self.stretches if last >= hour]
        return HolidayHours(kept, self.days[hour:])


def holiday_hours(times: Sequence[datetime], holidays: Holidays) -> HolidayHours | None:
    """The holidays among some hours; None where nobody named any."""
    if not holidays:
        return None
    days = holidays.days_of(times)
    stretches = []
    for one in holidays.among(days):
        mine = [k for k, day in enumerate(days) if day == one.day]
        stretches.append((one, mine[0], mine[-1]))
    return HolidayHours(stretches, days)


@dataclass(frozen=True)
class Usual:
    """A series whose holidays are as usual.

    Attributes:
        spent: Per hour, at least the usual on holidays.
        share: What is expected of each hour, of a usual one; 1 but for holidays.
        silent: Hours that say nothing.
    """

    spent: Floats
    share: Floats
    silent: Floats


@dataclass(frozen=True)
class Hours:
    """A series as it is watched; `share` and `silent` as in `Usual`, None without holidays."""

    data: Floats
    share: Floats | None = None
    silent: Floats | None = None


def watched(channel: str, data: Floats, closed: HolidayHours | None) -> Hours:
    """Spend as it would be without holidays; what is watched per call needs nothing of that."""
    if closed is None or channel != "spend" or not closed.stretches:
        return Hours(data)
    found = as_usual(data[:, 0], closed)
    return Hours(np.column_stack([found.spent, data[:, 1:]]), found.share, found.silent)


def as_usual(spent: Floats, closed: HolidayHours) -> Usual:
    """The series without its holidays; an hour depends on nothing later than its own holiday."""
    lifted, share, silent = spent.copy(), np.ones(len(spent)), np.zeros(len(spent), dtype=bool)
    effects: list[Effect] = []
    for holiday, first, last in closed.stretches:
        hours = np.arange(first, last + 1)
        usual = _usual(lifted, first, last)
        quiet = quiet_shares(lifted[:first], closed.days[:first], DAY)[(hours - first) % WEEK]
        brought = float(usual.sum())
        assumed = float((usual * quiet).sum())
        share[hours] = quiet * np.exp(expected(holiday, effects, assumed / brought if brought > 0 else 1.0).log)
        found = effect_of(holiday, float(spent[hours].sum()), assumed)
        effects += [found] if found is not None else []
        lifted[hours] = np.maximum(spent[hours] / np.maximum(share[hours], 1.0), usual)
        silent[hours] = True
    return Usual(lifted, share, silent)


def _usual(spent: Floats, first: int, last: int) -> Floats:
    """The median of the same hours of the last three weeks; what they brought themselves where none are known."""
    weeks = [spent[first - WEEK * k : last + 1 - WEEK * k] for k in LAGS if first >= WEEK * k]
    found: Floats = np.median(weeks, axis=0) if weeks else spent[first : last + 1]
    return found
