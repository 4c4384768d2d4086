"""The month of the demo: its days, its chances, and the four incidents worth finding."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

DAYS = 30
SEED = 20260722


@dataclass(frozen=True)
class Incident:
    """Something that went wrong, and what a page should say about it."""

    name: str
    feature: str
    start: datetime
    end: datetime
    driver: str


@dataclass
class Month:
    """The month that ends at `now`."""

    now: datetime
    seed: int = SEED
    scale: float = 1.0
    incidents: dict[str, Incident] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.today = self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = self.today - timedelta(days=DAYS - 1)

        def at(days_ago: int, hour: int, last_weekday: int = 4) -> datetime:
            """An hour of a working day about so long ago: what happens at weekends is small and shows little."""
            day = self.today - timedelta(days=days_ago)
            while day.weekday() > last_weekday:
                day -= timedelta(days=1)
            return day + timedelta(hours=hour)

        swap, outage, storm = at(9, 8, 2), at(5, 7, 3), at(2, 12)
        self.incidents = {
            incident.name: incident
            for incident in (
                Incident("longer prompt", "doc-search", at(11, 9), self.now, "input_tokens"),
                Incident("model swap", "summarize", swap, swap + timedelta(days=2, hours=9), "model_mix"),
                Incident("cache outage", "support-chat", outage, outage + timedelta(days=1, hours=12), "cache_share"),
                Incident("retry storm", "code-review", storm, storm + timedelta(hours=7), "retries"),
            )
        }

    def aside(self, moment: datetime) -> random.Random:
        """Chance of one moment's own: what is drawn from it moves nothing else of the month."""
        return random.Random(f"{self.seed}:{(moment - self.start) // timedelta(microseconds=1)}")

    def hit(self, name: str, moment: datetime) -> bool:
        """Whether `moment` lies in the incident called `name`."""
        return self.incidents[name].start <= moment < self.incidents[name].end
