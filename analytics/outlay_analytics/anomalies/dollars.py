"""What an incident's hours spent, what was expected of them, and how far off the difference may be.

Two things are chance: what those hours would have spent without the incident, and what is taken for that. Both are
measured by how far past dollars strayed from what was expected of them, in stretches of an hour and of a day, of which
the larger counts: calls come one by one, but days differ as wholes, too.

- Spend strays from the same hours of earlier weeks at the level of the week before.
- Whatever else is watched is dollars of calls: they stray from what so many calls spent in the week before. That the
  sign itself, say a share of the input, hardly strays says nothing of that.
- Repeats are some of the calls. Which of them they were is chance (W. G. Cochran, "Sampling techniques", 1977, 2.5: a
  sum of R of N drawn without replacement has the variance R (1 - R/N) s²), and how many there usually are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from outlay_analytics.anomalies.excess import level
from outlay_analytics.anomalies.expected import expected_hours
from outlay_analytics.anomalies.holidays import Hours
from outlay_analytics.anomalies.rolling import DAY, WEEK
from outlay_analytics.query.arrays import Floats

PAST_H = 3 * WEEK  # that say how far dollars stray
LEAST_STRETCHES = 6  # of a kind before they are asked
OF_WEEKS = 1 + 1 / 3  # the variance of an hour less the mean of three others, of one's


class Dollars(NamedTuple):
    """In USD; `deviation`: the standard one of the difference."""

    actual: float
    expected: float
    deviation: float


def dollars(channel: str, spent: Floats, usual: Hours, first: int, last: int) -> Dollars:
    """Of the hours [first, last] of an incident.

    Args:
        channel: Its sign.
        spent: Hours × `MEASURES`, as they were.
        usual: The same without holidays, and without earlier incidents.
    """
    data = usual.data
    week = data[max(0, first - WEEK) : first]
    actual = float(spent[first : last + 1, 0].sum())
    calls, earlier = float(data[first : last + 1, 1].sum()), float(week[:, 1].sum())
    if channel == "spend" or not calls or not earlier:
        return _of_hours(actual, usual, first, last)
    per_call = _per_call(data[max(0, first - PAST_H) : first])
    if channel == "retry_share":
        return _of_repeats(actual, data[first : last + 1], week, per_call)
    expected = calls * float(week[:, 0].sum()) / earlier
    return Dollars(actual, expected, float(np.sqrt(per_call * calls * (1 + calls / earlier))))


def _of_hours(actual: float, usual: Hours, first: int, last: int) -> Dollars:
    """Against what the same hours of earlier weeks let one expect."""
    data, past = usual.data, slice(max(0, first - PAST_H), first)
    hours = expected_hours(data[:, 0], first)
    share = 1.0 if usual.share is None else usual.share[first : last + 1]
    expected = float(np.nansum(hours[first : last + 1] * share)) * level(data, hours, first)
    known = np.isfinite(hours[past])
    per_usd = max(_strays(data[past, 0][known], hours[past][known]), _by_chance(data[past.start : last + 1]) * OF_WEEKS)
    week = float(data[max(0, first - WEEK) : first, 0].sum())
    at_least = max(expected, per_usd)  # where nothing is expected, about one call
    return Dollars(actual, expected, float(np.sqrt(per_usd * at_least * (1 + expected / max(week, 1e-12)))))


def _of_repeats(actual: float, inside: Floats, week: Floats, per_call: float) -> Dollars:
    """Of what is spent, the share of calls that are more often repeats than they were; never less than none."""
    calls, earlier = float(inside[:, 1].sum()), float(week[:, 1].sum())
    repeats, before = float(inside[:, 5].sum()), float(week[:, 5].sum())
    more = max(repeats / calls - before / earlier, 0.0)
    usual = min((before + 0.5) / (earlier + 1.0), 0.5)
    share = usual * (1 - usual) * (1 / earlier + 1 / calls)
    variance = per_call * repeats * max(1 - repeats / calls, 0.0) + actual * actual * share
    return Dollars(actual, actual * (1 - more), float(np.sqrt(variance)))


def _per_call(past: Floats) -> float:
    """The variance of what one call spends; that many were alike says that one more may not be."""
    spent, calls = past[:, 0], past[:, 1]
    many = float(calls.sum())
    mean = float(spent.sum()) / max(many, 1.0)
    return max(_strays(spent, calls * mean) * mean, mean * mean / (many + 1.0))


def _strays(spent: Floats, expected: Floats) -> float:
    """The variance of what is spent where a dollar is expected: of stretches of hours or of days, the larger one."""
    found = [0.0]
    for hours in (1, DAY):
        count = len(spent) // hours
        left = len(spent) - count * hours
        is_, was = (values[left:].reshape(count, hours).sum(axis=1) for values in (spent, expected))
        is_, was = is_[was > 0], was[was > 0]
        if len(was) >= LEAST_STRETCHES:
            moved = is_ - was * (is_.sum() / was.sum())
            found.append(float((moved**2 / was).sum()) / (len(was) - 1))
    return max(found)


def _by_chance(data: Floats) -> float:
    """The least variance of what is spent where a dollar is expected: calls come one by one, and differ.

    n calls of a mean m and variance s² spend n (m² + s²) ± (W. Feller, "An Introduction to Probability Theory", vol. 1,
    ch. XII: compound Poisson). An incident's own calls say what calls spend, too: dear ones are few.
    """
    spent, calls = data[:, 0], data[:, 1]
    many = float(calls.sum())
    mean = float(spent.sum()) / many if many else 0.0
    return mean + float(((spent - calls * mean) ** 2).sum()) / many / mean if mean > 0 else 0.0
