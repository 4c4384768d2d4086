"""How well holidays are forecast, against the same forecast that does not know them.

    python benchmarks/holiday_forecasts.py --seeds 8

Days of a working week with a drifting level; Bavaria's holidays of 2025/26 spend a share of a working day. Errors are
shares of a working day's spend; prints a row of benchmarks/README-analytics.md for each share.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("sdk", "collector", "analytics", "web")]

from outlay_analytics.forecast.holidays import Days, forecast_days  # noqa: E402
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays  # noqa: E402

HOLIDAYS = Holidays(("DE-BY",))
DAYS = [date(2025, 9, 1) + timedelta(days=k) for k in range(320)]
CLOSED = np.array([HOLIDAYS.on(day) is not None for day in DAYS])
FIRST = ("2025-12-20", "2025-12-29", "2026-01-04", "2026-01-09", "2026-03-30", "2026-04-09", "2026-04-24", "2026-05-10")
HISTORY, AHEAD, WEEKEND = 120, 14, 0.4


def world(seed: int, share: float) -> Any:
    chance = np.random.default_rng(seed)
    shape = np.array([WEEKEND if day.weekday() >= 5 else 1.0 for day in DAYS])
    level = np.exp(np.cumsum(chance.normal(0, 0.01, len(DAYS))))
    holiday = share * np.exp(chance.normal(0, 0.15, len(DAYS)))
    return level * np.where(CLOSED, holiday, shape) * np.exp(chance.normal(0, 0.06, len(DAYS)))


def measure(share: float, seeds: int, holidays: Holidays) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        y = world(seed, share)
        for first in map(date.fromisoformat, FIRST):
            at = DAYS.index(first)
            past, ahead = slice(max(0, at - HISTORY), at), slice(at, at + AHEAD)
            told = forecast_days(y[past], "D", AHEAD, Days(DAYS[past], DAYS[ahead], holidays))
            truth, closed, total = y[ahead], CLOSED[ahead], told["total"]
            off = np.abs(truth - told["mean"])
            inside = {level: (truth >= told[f"lo{level}"]) & (truth <= told[f"hi{level}"]) for level in (80, 95)}
            for name, values in (
                ("holidays", off[closed]),
                ("others", off[~closed]),
                ("in80", inside[80][closed]),
                ("in95", inside[95][closed]),
                ("total", [abs(total["mean"] - truth.sum()) / truth.sum()]),
                ("total in80", [total["lo80"] <= truth.sum() <= total["hi80"]]),
            ):
                found.setdefault(name, []).extend(map(float, values))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    seeds = parser.parse_args().seeds
    for share in (0.15, 0.4, 0.7, 1.0):
        knows, blind = (measure(share, seeds, holidays) for holidays in (HOLIDAYS, NO_HOLIDAYS))
        pairs = [f"{100 * knows[name]:.1f} %, {100 * blind[name]:.1f} %" for name in ("holidays", "others", "total")]
        inside = f"{knows['in80']:.2f} / {knows['in95']:.2f}"
        print(f"| {share} | {' | '.join(pairs)} | {inside} | {knows['total in80']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
