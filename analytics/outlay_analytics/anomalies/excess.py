"""What an incident holds above what is expected, hour by hour: when it began and ends.

Each hour counts by its weight: dollars expected of it, or its calls. So the few calls of a night say little, and what
they say is measured against how far the same weight strays at usual times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay_analytics.anomalies.expected import expected_hours
from outlay_analytics.anomalies.rolling import WEEK
from outlay_analytics.query.arrays import Floats

SIZES_H = (3, 6, 12, 24)  # hours from its beginning that an incident's size is taken from
BACK_H = 96  # hours before its first alert in which an incident may have begun
BASE_H = 3 * WEEK  # hours before it that say how calls come
LEAST_BASE_H = 72  # hours before those that say what is expected
LOUDEST = 2.0  # times its size: what a single hour may count for when the beginning is looked for
BEGUN_H = 6  # hours that say whether it went up or down
APART_H = 24  # what is no further apart is one incident
SILENCE_H = 72  # longer than a weekend, whose few calls say little
DOUBT_H = 3  # hours that must have passed before the newest ones can say that it is over
OVER = 7.0  # log of how much likelier the hours since must be without the incident than with it: 1,100 to 1
CHANCE = 5.0  # standard deviations above expected: a month has a million stretches of hours, series and channels
TRIMMED = 0.9  # of the hours that a variance is taken from: those that stray least
RARE = 0.98  # of the hours that say how far few calls stray: all but what is an incident, not chance
OF_TRIMMED = 0.623  # mean of a squared standard normal below its quantile at TRIMMED


@dataclass(frozen=True)
class Excess:
    """The hours of one series around an incident that begins at hour `first`.

    Attributes:
        values: Above expected, per hour; 0 where nothing is known. Falls are turned round where the incident is one.
        weight: What each hour counts; 0 where nothing is known.
        first: The hour it begins.
        variance: Of `values` at usual times, times the weight of the hour.
        counts: Whether `values` are shares of `weight`, of what comes one by one as calls do.
    """

    values: Floats
    weight: Floats
    first: int
    variance: float
    counts: bool = False


def excess_of(
    channel: str, data: Floats, first: int, alerted: int | None = None, silent: Floats | None = None
) -> Excess:
    """The excess of a channel over its expected value: of the same hours of earlier weeks, or of the week before.

    Args:
        channel: One of `anomalies.CHANNELS`.
        data: Hours × `anomalies.MEASURES`.
        first: The hour at which an incident begins.
        alerted: An hour by which it is sure to have begun; `first` where that is its beginning.
        silent: Whether each hour says nothing (see holidays.py).
    """
    begins = first if alerted is None else alerted
    if channel == "spend":
        hours = expected_hours(data[:, 0], first)
        hours *= level(data, hours, first)
        weight = np.maximum(hours, 0.1 * float(data[:, 0].mean()) + 1e-12)
        values = data[:, 0] / weight - 1.0
    else:
        measure, weight = measured(channel, data), data[:, 1]
        before = slice(max(0, first - WEEK), first)
        held = np.isfinite(measure[before]) & (weight[before] > 0)
        expected = float(np.average(measure[before][held], weights=weight[before][held])) if held.any() else 0.0
        values = measure - expected
        near = slice(begins, begins + BEGUN_H) if alerted is None else slice(max(0, begins + 1 - BEGUN_H), begins + 1)
        begun = np.nan_to_num(values[near]) @ np.nan_to_num(weight[near])
        values = values if begun >= 0 else -values  # signed: noise cancels out, or no incident would ever end
    weight = np.where(np.isfinite(values), np.nan_to_num(weight), 0.0)
    values = np.nan_to_num(values)
    if silent is not None:
        weight[silent[: len(weight)]] = 0.0
    before = slice(max(0, first - WEEK), first)
    variance = max(_variance(values[before], weight[before], 0.0), _by_chance(channel, data, first))
    return Excess(values, weight, first, variance, channel == "spend")


def level(data: Floats, expected: Floats, first: int) -> float:
    """How much more was spent in the week before hour `first` than these hours usually bring; 1 where that is chance.

    Of few calls a week strays from the weeks before it by itself. What chance explains is taken from the difference
    (the positive-part rule of W. James and C. Stein, "Estimation with quadratic loss", 1961).
    """
    before = slice(max(0, first - WEEK), first)
    brought = float(np.nansum(expected[before]))
    if brought <= 0:
        return 1.0
    moved = float(data[before, 0].sum()) / brought - 1.0
    chance = _by_chance("spend", data, first) / brought * (1 + WEEK / BASE_H)  # of the week and of those before it
    return min(max(1.0 + moved * max(0.0, 1.0 - chance / max(moved * moved, 1e-12)), 0.4), 2.5)


def _variance(values: Floats, weight: Floats, center: float) -> float:
    """Of values that are means over `weight` of something, for a weight of one; robust."""
    held = weight > 0
    squares = np.sort(weight[held] * (values[held] - center) ** 2)
    kept = squares[: max(1, round(TRIMMED * len(squares)))]
    return float(kept.mean()) / OF_TRIMMED if len(kept) else 0.0


def _by_chance(channel: str, data: Floats, first: int) -> float:
    """The least variance there can be, for a weight of one: calls come one by one, and few were seen.

    - Spend is a sum of calls that come by chance: n calls of a mean m and variance s² spend n (m² + s²) ± (W. Feller,
      "An Introduction to Probability Theory", vol. 1, ch. XII: compound Poisson).
    - Repeats are a share p of n calls: p (1 - p), with half a repeat more than were seen (H. Jeffreys, 1946).
    - Of anything else, that n calls were all alike says that one of n + 1 may not be; and where the hours of few calls
      stray now and then by far, as a dear model that answers one in ten makes them, nearly all of them tell.
    """
    past = data[max(0, first - BASE_H) : first]
    spent, calls = past[:, 0], past[:, 1]
    many = float(calls.sum())
    if channel == "spend":
        mean = float(spent.sum()) / many if many else 0.0
        if mean <= 0:
            return 0.0
        return mean + float(((spent - calls * mean) ** 2).sum()) / many / mean
    if channel == "retry_share":
        share = min((float(past[:, 5].sum()) + 0.5) / (many + 1.0), 0.5)
        return share * (1.0 - share)
    unit = float(channel == "uncached_share")  # of all, though none was seen
    measure = measured(channel, past)
    held = np.isfinite(measure)
    expected = float(np.average(measure[held], weights=calls[held])) if calls[held].sum() > 0 else 0.0
    squares = np.sort(calls[held] * (measure[held] - expected) ** 2)
    kept = squares[: max(1, round(RARE * len(squares)))]
    return max(float(kept.mean()) if len(kept) else 0.0, max(expected * expected, unit) / (many + 1.0))


def measured(channel: str, data: Floats) -> Floats:
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


def first_hour(channel: str, data: Floats, alerted: int, earliest: int, silent: Floats | None = None) -> int:
    """The hour in which an incident began that first alerts at hour `alerted`, not before `earliest`.

    An alert comes when enough is known: a longer window of the detector speaks hours after the beginning. That is the
    hour from which on they are likeliest to be of one kind and those before of the expected one (D. V. Hinkley,
    "Inference about the change-point in a sequence of random variables", 1970). Nothing later than the alert is read,
    so that an incident keeps its beginning.

    Args:
        channel, data, silent: As for `excess_of`.
        alerted: The hour of its first alert.
        earliest: The first hour that it may begin in.
    """
    back = max(earliest, alerted - BACK_H, 0)
    start = max(0, back - WEEK)
    if back >= alerted or back - start < LEAST_BASE_H:
        return alerted
    excess = excess_of(channel, data[: alerted + 1], back, alerted, silent)
    values, weight = excess.values[start:], excess.weight[start:]
    held = np.cumsum(weight[::-1])[::-1]  # from each hour to the last
    gained = np.cumsum((values * weight)[::-1])[::-1]
    size = max(float(gained[-hours] / max(held[-hours], 1e-12)) for hours in (1, *SIZES_H))
    loudest = LOUDEST * max(size, 0.0)
    values = np.clip(values, -loudest, loudest)  # a blip before it is not its beginning
    gained = np.cumsum((values * weight)[::-1])[::-1]
    tells = _likelihood(gained, held, excess.counts)[back - start : alerted - start + 1]
    return back + int(np.argmax(tells)) if tells.any() else alerted


def stands_out(excess: Excess, last: int) -> bool:
    """Whether the hours to `last` together hold more than chance: what does not add up was a blip of a noisy series.

    Twice the logarithm of how much likelier they are at their own mean, which of few calls is less than the square of
    their deviation. Beginning and end are chosen where that is most, so more is asked for than of one given stretch.
    """
    hours, before = slice(excess.first, last + 1), slice(max(0, excess.first - BASE_H), excess.first)
    gained, held = excess.values[hours] @ excess.weight[hours], excess.weight[hours].sum()
    base = max(float(excess.weight[before].sum()), 1e-12)
    tells = float(_likelihood(np.array([gained]), np.array([held]), excess.counts)[0]) * (2 if excess.counts else 1)
    return tells >= CHANCE * CHANCE * excess.variance * (1 + float(held) / base)


def last_hour(excess: Excess) -> int:
    """The last hour of the incident, the newest one while it goes on.

    It lasts to the hour up to which its hours are likeliest to be of one kind and those since of the expected one
    (D. V. Hinkley, 1970, as above). That is its end once the hours since say so by their weight (A. Wald, "Sequential
    tests of statistical hypotheses", 1945); until then it goes on. Alerts are no measure of it: their longer windows go
    on after a short incident is over, and fall silent in a long one once it has become what they compare with.
    """
    values, weight = excess.values[excess.first :], excess.weight[excess.first :]
    gained, held = np.cumsum(values * weight), np.cumsum(weight)
    tells = _likelihood(gained, held, excess.counts)

    def over(best: int, hour: int) -> bool:
        mean = float(gained[best]) / max(float(held[best]), 1e-12)
        fallen = 0.5 * mean * float(held[hour] - held[best]) - float(gained[hour] - gained[best])
        inside = _variance(values[: best + 1], weight[: best + 1], mean) if best >= APART_H else 0.0
        return fallen > 0 and mean * fallen >= OVER * max(excess.variance, inside)

    best = 0
    for hour, value in enumerate(tells):
        if value > tells[best]:
            best = hour
        elif hour - best > SILENCE_H or (hour - best > APART_H and over(best, hour)):
            return excess.first + best  # what comes later is another incident
    newest = len(values) - 1
    return excess.first + (best if newest - best >= DOUBT_H and over(best, newest) else newest)


def _likelihood(gained: Floats, held: Floats, counts: bool) -> Floats:
    """How much likelier the hours up to each one are at their own mean than at the expected; 0 where they are below.

    Of counts by Poisson's law, of means by the normal one, but for a factor that is the same for all hours.
    """
    held = np.maximum(held, 1e-12)
    if not counts:
        return np.where(gained > 0, gained * gained / held, 0.0)
    found = np.maximum(held + gained, held)
    return found * np.log(found / held) - (found - held)
