"""A small company's month: seven features, four teams, four providers, and four incidents worth finding.

Everything follows from one seed; only the dates move with the day the demo is run. Shapes come from published
measurements of real LLM traffic (`shapes`), not from thin air.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

from outlay_web.demo.features import FEATURES
from outlay_web.demo.interactions import Interaction
from outlay_web.demo.month import Month
from outlay_web.demo.shapes import HOURS, WEEKEND, poisson


class Company(Month):
    """A company in its month. `interactions()` is the same for the same seed and day."""

    def interactions(self) -> Iterator[Interaction]:
        """Every interaction up to now, in order of time."""
        hour = self.start
        while hour < self.now:
            rng = random.Random(f"{self.seed}:{(hour - self.start) // timedelta(hours=1)}")
            made: list[Interaction] = []
            for make, per_day in FEATURES:
                expected = self.scale * per_day * HOURS[hour.hour] / sum(HOURS)
                expected *= WEEKEND if hour.weekday() >= 5 else 1.0
                for _ in range(poisson(rng, expected * rng.gammavariate(14.0, 1 / 14.0))):
                    moment = hour + timedelta(microseconds=rng.randrange(3_600_000_000))
                    made.append(make(self, rng, moment))
            yield from sorted((one for one in made if one.ended_at < self.now), key=lambda one: one.started_at)
            hour += timedelta(hours=1)
