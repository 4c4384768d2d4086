"""What holidays spend, of what their days usually do: from past ones, and from the week's quietest day.

A holiday is expected to spend what the week's quietest day does, times what past holidays were of that: e to the mean
of their logarithms, shrunk to 0 as if one more had been just like the quietest day (W. James and C. Stein, "Estimation
with quadratic loss", 1961). Holidays of one calendar (a country, days of one's own) are shrunk to those of the others.

How sure that is: past holidays stray about their mean; before there were any, by half of what lies between an ordinary
day and the quietest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.holidays import Holiday

PRIOR = 1.0  # past holidays that the assumption counts for, to be just like the quietest day
LEAST_SPREAD = 0.2  # of a logarithm: how far holidays stray where all days of the week are alike
FARTHEST = 2.5  # of a logarithm: the most that one past holiday says
WEEKS = 8  # that say what the quietest day is


@dataclass(frozen=True)
class Effect:
    """A past holiday: the logarithm of what it spent, of what the week's quietest day would have."""

    holiday: Holiday
    log: float


@dataclass(frozen=True)
class Expected:
    """Of a holiday to come: the logarithm expected, how far one strays from it, and how far it may be off itself."""

    log: float
    spread: float
    unsure: float


def effect_of(holiday: Holiday, spent: float, quiet: float) -> Effect | None:
    """What a past holiday says; None where that is not known.

    Args:
        spent: By the holiday, NaN where it is not known.
        quiet: By the week's quietest day in its place.
    """
    if not (quiet > 0 and np.isfinite(spent)):
        return None
    log = float(np.log(max(spent, 1e-12) / quiet))
    return Effect(holiday, min(max(log, -FARTHEST), FARTHEST))


def expected(holiday: Holiday, effects: Sequence[Effect], quiet_share: float) -> Expected:
    """What a holiday is expected to spend.

    Args:
        effects: Of past ones.
        quiet_share: What the week's quietest day is of an ordinary one in its place.
    """
    mine = [one.log for one in effects if one.holiday.calendars == holiday.calendars]
    others = [one.log for one in effects if one.holiday.calendars != holiday.calendars]
    prior = sum(others) / (len(others) + PRIOR)
    log = (sum(mine) + PRIOR * prior) / (len(mine) + PRIOR)
    unknown = max(LEAST_SPREAD, -0.5 * float(np.log(max(quiet_share, 1e-3))))
    strayed = sum((one - log) ** 2 for one in mine) + sum((one - prior) ** 2 for one in others)
    spread = float(np.sqrt((PRIOR * unknown**2 + strayed) / (len(mine) + len(others) + PRIOR)))
    return Expected(log, spread, spread / float(np.sqrt(len(mine) + PRIOR)))


def quiet_shares(usual: Floats, days: Sequence[date], steps: int) -> Floats:
    """What the week's quietest day is of each step of the coming week, 1 at most for a whole day; 1 if that is unknown.

    Args:
        usual: What steps without holidays spend.
        days: The day of each.
        steps: Of a day.
    """
    week = 7 * steps
    count = min(len(usual) // week, WEEKS)
    if count < 2:
        return np.ones(week)
    mean = usual[len(usual) - count * week :].reshape(count, week).mean(axis=0)
    newest = days[len(days) - week :]
    midnight = next((k for k in range(1, week) if newest[k] != newest[k - 1]), 0) % steps
    table = np.roll(mean, -midnight).reshape(7, steps)
    sums = table.sum(axis=1)
    quietest = table[int(sums.argmin())]
    share = np.where(table > 0, quietest / np.where(table > 0, table, 1.0), 1.0)
    share = np.where((sums > sums.min())[:, None], share, 1.0) ** (count / (count + 1.0))
    return np.roll(share.ravel(), midnight)
