"""Scales: round ticks for an amount axis, and which labels a time axis shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_analytics.query.calendar import next_start, start_of


@dataclass(frozen=True)
class Axis:
    """An amount axis from `low` to `high` with a line at each tick."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float | Decimal) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end."""
        if self.log:
            return math.log(float(value) / self.low) / math.log(self.high / self.low)
        span = self.high - self.low
        return (float(value) - self.low) / span if span > 0 else 0.0


def axis(low: float, high: float, wanted: int = 4) -> Axis:
    """Round ticks (1, 2, 2.5 or 5 times a power of ten) that cover `low` to `high`; an empty range is 0 to 1."""
    low, high = (low, high) if math.isfinite(low) and math.isfinite(high) else (0.0, 0.0)
    if high <= low:
        high = low + 1
    step = _round_step((high - low) / wanted)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    ticks = tuple(round(i * step, 12) for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def log_axis(values: Sequence[float]) -> Axis:
    """A logarithmic axis around positive values, with ticks at 1, 2 and 5 times powers of ten, at most seven."""
    low, high = min(values) / 1.3, max(values) * 1.3
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= 7:
            break
    return Axis(low, high, tuple(ticks), log=True)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5, 10):
        if rough <= factor * power * (1 + 1e-9):
            return float(factor * power)
    return 10 * power


@dataclass(frozen=True)
class Bucket:
    """One step of a time axis.

    Attributes:
        start: Its beginning, aware.
        end: Its end; the next bucket's beginning.
        label: In full, for tables and tooltips: `Mon 3 Nov`, `3 Nov 14:00`.
        short: For the axis: `3 Nov`, `14:00`.
        strong: Whether it begins a day or month, so that its label is preferred.
        part: Whether the window covers only a part of it.
    """

    start: datetime
    end: datetime
    label: str
    short: str
    strong: bool = False
    part: bool = False


def buckets(start: datetime, end: datetime, interval: str, timezone: str = "UTC") -> list[Bucket]:
    """The steps of `[start, end)` by hour, day, week (from Monday) or month, in a time zone."""
    zone = ZoneInfo(timezone)
    at = floor(start, interval, timezone)
    steps: list[Bucket] = []
    while at < end and len(steps) < 2000:
        after = following(at, interval, timezone)
        local = at.astimezone(zone)
        part = at < start or after > end
        day = f"{local.day} {local:%b}"
        if interval == "hour":
            label, short, strong = f"{day} {local:%H:%M}", f"{local:%H:%M}", local.hour == 0
            if strong:
                short = day
        elif interval == "day":
            label, short, strong = f"{local:%a} {day}", day, local.weekday() == 0
        elif interval == "week":
            label, short, strong = f"week of {day}", day, local.day <= 7
        else:
            label, short, strong = f"{local:%B %Y}", f"{local:%b}", local.month == 1
            if strong:
                short = f"{local:%b %Y}"
        steps.append(Bucket(at, after, label, short, strong, part))
        at = after
    return steps


def floor(at: datetime, interval: str, timezone: str) -> datetime:
    """The beginning of the hour, day, week or month that holds an instant."""
    return start_of(at, interval, timezone).astimezone(at.tzinfo)


def following(at: datetime, interval: str, timezone: str) -> datetime:
    """The beginning of the next hour, day, week or month."""
    return next_start(at, interval, timezone).astimezone(at.tzinfo)


def labeled(steps: Sequence[Bucket], wanted: int = 9) -> list[tuple[int, bool]]:
    """Which steps get a label, and whether that label goes on a narrow screen (every third or so stays)."""
    strong = [i for i, step in enumerate(steps) if step.strong]
    if len(strong) >= 3:
        chosen = strong[:: math.ceil(len(strong) / wanted)]
    else:
        rough = max(1, math.ceil(len(steps) / wanted))
        every = next((n for n in (1, 2, 3, 6, 12, 24) if n >= rough), rough)
        offset = strong[0] % every if strong else 0
        chosen = list(range(offset, len(steps), every))
    stride = max(1, math.ceil(len(chosen) / 4))
    return [(i, k % stride != 0) for k, i in enumerate(chosen)]
