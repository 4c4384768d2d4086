"""An incident's dollars above expected lie in their interval as often as it says, whatever was wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outlay_analytics.anomalies.dollars import dollars
from outlay_analytics.anomalies.holidays import Hours
from outlay_analytics.query.arrays import Floats
from outlay_analytics.statistics.intervals import Z_90

HOURS = 38 * 24
T = np.arange(HOURS)
BEGAN = 35 * 24 + 9
BY_HOUR = np.array((8, 6, 5, 5, 7, 12, 26, 52, 84, 100, 104, 96, 82, 92, 102, 98, 88, 70, 50, 38, 30, 24, 17, 12))
DEAR, CHEAP = (25.0, 12.5, 100.0), (1.5, 0.75, 6.0)  # USD per million tokens of input, cached, output
CAUSES = {  # the sign that it is told by, and for how many hours
    "requests": ("spend", 24),
    "retries": ("retry_share", 12),
    "prompt": ("tokens_per_call", 48),
    "answers": ("tokens_per_call", 36),
    "cache": ("uncached_share", 36),
    "model": ("usd_per_token", 24),
    "price": ("usd_per_token", 36),
}


def world(cause: str, seed: int) -> tuple[Floats, float]:
    """Hours × measures of one feature, every call drawn by itself; and the dollars that the incident added.

    One call in ten goes to a model that costs sixteen times as much; days differ by eight per cent.
    """
    chance = np.random.default_rng([seed, list(CAUSES).index(cause)])
    days = np.exp(chance.normal(0, 0.08, HOURS // 24))[T // 24]
    wrong = (T >= BEGAN) & (BEGAN + CAUSES[cause][1] > T)
    counts = chance.poisson(0.6 * BY_HOUR[T % 24] * np.where(T // 24 % 7 >= 5, 0.4, 1.0) * days)
    more = chance.poisson(2 * counts * wrong * (cause == "requests"))
    hour = np.repeat(T, counts + more)
    usual = np.concatenate([np.arange(a + b) < a for a, b in zip(counts, more, strict=True)])
    hit = wrong[hour]
    read, written = 1400 * chance.lognormal(0, 0.4, len(hour)), 160 * chance.lognormal(0, 0.5, len(hour))
    dear = chance.random(len(hour)) < 0.1
    retried = hit & (chance.random(len(hour)) < 0.5) & (cause == "retries")

    def spent(read: Floats, cached: Floats, written: Floats, dear: Any) -> Floats:
        prices = np.where(dear[:, None], DEAR, CHEAP) / 1e6
        found: Floats = (np.stack([read - cached, cached, written], axis=1) * prices).sum(axis=1)
        return found

    was = spent(read, 0.6 * read, written, dear) * usual
    read = read * np.where(hit & (cause == "prompt"), 2, 1)
    written = written * np.where(hit & (cause == "answers"), 3, 1)
    cached = 0.6 * read * np.where(hit & (cause == "cache"), 0, 1)
    tries = np.where(retried, 3, 1)
    usd = spent(read, cached, written, dear | (hit & (cause == "model"))) * tries
    usd *= np.where(hit & (cause == "price"), 1.4, 1)
    measures = (usd, tries, read * tries, cached * tries, written * tries, tries - 1)
    data: Floats = np.stack([np.bincount(hour, one, HOURS) for one in measures], axis=1).astype(float)
    return data, float((usd - was).sum())


def test_the_interval_holds_what_an_incident_added_as_often_as_it_says() -> None:
    inside: dict[str, list[bool]] = {}
    for cause, (channel, hours) in CAUSES.items():
        for seed in range(12):
            data, added = world(cause, seed)
            found = dollars(channel, data, Hours(data), BEGAN, BEGAN + hours - 1)
            off = abs(found.actual - found.expected - added) / found.deviation
            inside.setdefault(cause, []).append(off <= Z_90)
    shares = {cause: float(np.mean(held)) for cause, held in inside.items()}
    assert 0.72 <= np.mean(list(shares.values())) <= 0.92, shares
    assert min(shares.values()) >= 0.5, shares


@pytest.mark.parametrize("cause", CAUSES)
def test_what_never_varied_is_not_known_for_certain(cause: str) -> None:
    """Calls that were all alike, or none where some come now, are finitely many: the fewer, the less is known."""
    channel, hours = CAUSES[cause]
    data = np.tile([0.2, 20.0, 20000.0, 10000.0, 2000.0, 0.0], (HOURS, 1))
    data[BEGAN:, 5] = 10
    data[BEGAN:, 0] *= 1.5

    def share(times: float) -> float:
        found = dollars(channel, data * times, Hours(data * times), BEGAN, BEGAN + hours - 1)
        return found.deviation / found.actual

    assert 0 < share(100) < share(1) < 0.5
    none = data * (T >= BEGAN)[:, None]
    assert dollars(channel, none, Hours(none), BEGAN, BEGAN + hours - 1).deviation > 0
