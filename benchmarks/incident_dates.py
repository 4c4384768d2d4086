"""How far off volume incidents are dated: half as many calls again, and twice as many, for one to two and a half days.

    python benchmarks/incident_dates.py --seeds 16

The worlds are those of `tests/unit/analytics/test_incident_dates.py`: days, nights and weekends of one feature, Poisson
calls. What is added is drawn apart, from any hour of two days on. Hours are those of the largest incident that touches
it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("sdk", "collector", "analytics", "web", ".")]

from tests.unit.analytics.test_incident_dates import HOURS, world  # noqa: E402

from outlay_analytics.anomalies.incidents import most_telling, watch  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=16)
    seeds = parser.parse_args().seeds
    for per_hour in (20, 60):
        for times in (1.5, 2.0):
            off: dict[str, list[int]] = {"begin": [], "end": []}
            for seed in range(seeds):
                chance = np.random.default_rng(seed + 99)
                began, hours = 38 * 24 + int(chance.integers(0, 48)), int(chance.integers(24, 60))
                data = world("none", HOURS, seed, per_hour=per_hour)
                more = world("none", HOURS, seed + 500, per_hour=per_hour * (times - 1))
                data[began : began + hours] += more[began : began + hours]
                told = most_telling(watch([((), data)], 0, 0.1))
                mine = [one for one in told if one.first < began + hours and one.last >= began]
                if mine:
                    one = max(mine, key=lambda one: one.impact)
                    off["begin"].append(one.first - began)
                    off["end"].append(one.last + 1 - began - hours)
            within = {f"{name}_within_2_h": sum(abs(h) <= 2 for h in found) for name, found in off.items()}
            figures = {"calls_per_hour": per_hour, "times": times, "seeds": seeds, "found": len(off["begin"]), **within}
            print(json.dumps(figures | {name: sorted(found) for name, found in off.items()}), flush=True)


if __name__ == "__main__":
    main()
