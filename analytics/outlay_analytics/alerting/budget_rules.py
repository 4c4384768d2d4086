"""When a budget deserves an alert. Pure functions of what was spent and what is expected; times are arguments.

- `over_budget`: spent > amount. A fact, so it fires at once.
- `projected_over_budget`: the period's projected total > amount (warning); its lower 80 % bound > amount, that is,
  over with a probability of 0.9 (critical).
- `above_projection`: spent > 1.2 x what was expected by now when the period began, and by more than a dollar floor.
- `burn_rate`: burn(w) = spend in w ÷ (amount x expected share of the period in w), over a long and a short window
  together: 1 h and 6 h > 6, 6 h and 24 h > 3 (critical), 24 h and 72 h > 1.5 (warning). The pattern is that of the
  multi-window rules of the Google SRE Workbook, "Alerting on SLOs", with spend in place of errors and thresholds for
  monthly money.

Expected shares come from the hour of the week, never from flat days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from outlay_analytics.forecast.projection import Projection
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Window, parse_timezone

WEEK_HOURS = 168
ABOVE = 1.2
BURN_PAIRS = ((1, 6, 6.0, "critical"), (6, 24, 3.0, "critical"), (24, 72, 1.5, "warning"))
LONGEST_BURN_H = 72
FALLEN = 0.02  # by so much of the bill the explained share falls before it is told


@dataclass(frozen=True)
class Finding:
    """One rule that holds.

    Attributes:
        rule, severity: What holds and how bad it is.
        at_once: It is a fact rather than an estimate, so one evaluation is enough.
        actual_usd, expected_usd: What is compared; None where it is no money.
        reason: The comparison in words.
        window: The time it speaks of.
    """

    rule: str
    severity: str
    at_once: bool
    actual_usd: Decimal | None
    expected_usd: Decimal | None
    reason: str
    window: Window


@dataclass(frozen=True)
class Explained:
    """A comparison of bills with calls.

    Attributes:
        share: Of the billed USD that calls and reasons explain, 0 to 1.
        billed_usd: What was billed.
        at: When they were compared.
        largest: The reason with the largest amount, in words.
    """

    share: float
    billed_usd: Decimal
    at: datetime
    largest: str = ""


def explained_less(checks: Sequence[Explained]) -> Finding | None:
    """Less of the bill is explained than was usual in the last comparisons, the newest first.

    Usual is their median, so that what stays unexplained is told once and then is the usual.
    """
    if len(checks) < 2:
        return None
    newest = checks[0]
    usual = float(np.median([one.share for one in checks[1:]]))
    if usual - newest.share < FALLEN:
        return None
    unexplained, before = (_money(float(newest.billed_usd) * (1 - share)) for share in (newest.share, usual))
    most = f"; most of it: {newest.largest}" if newest.largest else ""
    reason = f"{newest.share:.1%} of {usd(newest.billed_usd)} billed is explained, it was {usual:.1%}{most}"
    return Finding("bill_unexplained", "warning", True, unexplained, before, reason, Window(newest.at, newest.at))


def over_budget(amount: Decimal, projection: Projection, now: datetime, timezone: str = "UTC") -> Finding | None:
    """Spent more than the budget."""
    if projection.spent_usd <= amount:
        return None
    share = f" ({projection.spent_usd / amount:.0%})" if amount else ""
    reason = (
        f"spent {usd(projection.spent_usd)} of {usd(amount)}{share} since {_day(projection.window.start, timezone)}"
    )
    window = Window(projection.window.start, now)
    return Finding("over_budget", "critical", True, projection.spent_usd, amount, reason, window)


def projected_over_budget(
    amount: Decimal, projection: Projection, now: datetime, timezone: str = "UTC"
) -> Finding | None:
    """Heading for more than the budget by the period's end; not once it is spent, which is a fact."""
    if not projection.total or projection.total["mean"] <= float(amount) or projection.spent_usd > amount:
        return None
    probability = projection.probability_over(amount)
    critical = projection.total["lo80"] > float(amount)
    projected = _money(projection.total["mean"])
    reason = (
        f"heading for {usd(projected)} of {usd(amount)} by {_day(projection.window.end, timezone)} "
        f"(80% between {usd(_money(projection.total['lo80']))} and {usd(_money(projection.total['hi80']))}, "
        f"over with probability {probability:.0%}); {usd(projection.spent_usd)} so far"
    )
    severity = "critical" if critical else "warning"
    window = Window(projection.window.start, now)
    return Finding("projected_over_budget", severity, False, projected, amount, reason, window)


def above_projection(
    projection: Projection, expected_usd: float | None, floor_usd: Decimal, now: datetime, timezone: str = "UTC"
) -> Finding | None:
    """Spent a fifth more than was expected by now, at the period's start."""
    if expected_usd is None:
        return None
    actual = float(projection.spent_usd)
    if actual <= ABOVE * expected_usd or actual - expected_usd <= float(floor_usd):
        return None
    expected = _money(expected_usd)
    more = (
        f"{actual / expected_usd - 1:.0%} more than the {usd(expected)} expected by now"
        if expected_usd > 0
        else "where nothing was expected by now"
    )
    reason = f"spent {usd(projection.spent_usd)} since {_day(projection.window.start, timezone)}, {more}"
    window = Window(projection.window.start, now)
    return Finding("above_projection", "warning", False, projection.spent_usd, expected, reason, window)


def week_profile(hourly: Floats, first: datetime) -> Floats:
    """Usual share of a week's spend in each of its 168 hours (0 = Monday 00:00 UTC); sums to 1.

    Args:
        hourly: Spend per hour, oldest first, without gaps; at best the last four weeks.
        first: Start of its first hour.

    A little of the flat week is mixed in: much while history is short, and enough that no hour expects nothing.
    """
    flat = np.full(WEEK_HOURS, 1.0 / WEEK_HOURS)
    if not len(hourly) or hourly.sum() <= 0:
        return flat
    slot = (hour_of_week(first) + np.arange(len(hourly))) % WEEK_HOURS
    sums = np.bincount(slot, hourly, WEEK_HOURS)
    seen = np.bincount(slot, minlength=WEEK_HOURS)
    means = np.divide(sums, seen, out=np.full(WEEK_HOURS, hourly.mean()), where=seen > 0)
    weeks = len(hourly) / WEEK_HOURS
    trust = weeks / (weeks + 0.5)
    profile: Floats = trust * means / means.sum() + (1 - trust) * flat
    return profile


def hour_of_week(at: datetime) -> int:
    """0 for Monday 00:00 UTC."""
    return at.weekday() * 24 + at.hour


def burn_rate(spent_usd: float, amount: Decimal, share: float) -> float:
    """How many times faster than budgeted money went out, where `share` of the period was expected to pass.

    1.0 spends exactly the budget by the period's end. Infinite where nothing was budgeted but something spent.
    """
    budgeted = float(amount) * share
    if budgeted <= 0:
        return float("inf") if spent_usd > 0 else 0.0
    return spent_usd / budgeted


def burning(
    amount: Decimal,
    period: Window,
    recent: Sequence[float] | Floats,
    profile: Floats,
    floor_usd: Decimal,
    now: datetime,
) -> Finding | None:
    """The most severe pair of windows over which money goes out too fast, if any.

    Args:
        amount: The budget of one period.
        period: The period that `now` lies in.
        recent: Spend of each of the last 72 hours (the newest last, ending now).
        profile: From `week_profile`.
        floor_usd: Least excess over the long window.
        now: End of the newest hour.
    """
    spent = np.asarray(recent, dtype=float)[-LONGEST_BURN_H:]
    hours = np.arange(round((period.end - period.start) / timedelta(hours=1)))
    whole = float(profile[(hour_of_week(period.start) + hours) % WEEK_HOURS].sum())
    slots = (hour_of_week(now) - 1 - np.arange(LONGEST_BURN_H)) % WEEK_HOURS  # newest first
    shares = profile[slots] / whole
    for short, long, threshold, severity in BURN_PAIRS:
        if long > len(hours):
            continue
        rates = [burn_rate(float(spent[-w:].sum()), amount, float(shares[:w].sum())) for w in (short, long)]
        total, budgeted = float(spent[-long:].sum()), float(amount) * float(shares[:long].sum())
        if min(rates) > threshold and total - budgeted > float(floor_usd):
            reason = (
                f"{usd(_money(total))} in {long} hours where the budget has {usd(_money(budgeted))}: "
                f"{rates[1]:.1f} times as fast (and {rates[0]:.1f} times in the last {_hours(short)})"
            )
            window = Window(now - timedelta(hours=long), now)
            return Finding("burn_rate", severity, False, _money(total), _money(budgeted), reason, window)
    return None


def _hours(count: int) -> str:
    return "hour" if count == 1 else f"{count} hours"


def _day(at: datetime, timezone: str) -> str:
    """When a period begins or ends by its own clocks, which are named where they are not UTC."""
    here = at.astimezone(parse_timezone(timezone))
    clock = f"{here:%-d %B %H:%M}" if here.hour or here.minute else f"{here:%-d %B}"
    return f"{clock} ({timezone})" if timezone != "UTC" else f"{clock} UTC" if ":" in clock else clock


def _money(amount: float) -> Decimal:
    return Decimal(f"{amount:.6f}")
