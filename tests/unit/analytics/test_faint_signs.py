"""What shows in each call but holds few dollars yet names the incident that is told for its dollars."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from tests.unit.analytics.test_incident_dates import BEGAN, HOURS, world

from outlay_analytics.anomalies.incidents import most_telling, watch
from outlay_analytics.anomalies.showing import _cause
from outlay_analytics.anomalies.watching import Where
from outlay_analytics.query.arrays import Floats

SEARCH: Where = (("feature", "search"),)


def told(data: Floats, floor: float) -> list[tuple[str, int]]:
    """Channel and first hour, from the beginning on, of what is told of one series."""
    found = most_telling(watch([(SEARCH, data)], BEGAN, floor))
    return [(one.channel, one.first - BEGAN) for one in found]


def test_a_lost_cache_is_the_cause_while_its_own_dollars_are_below_the_floor_and_more_requests_came_too() -> None:
    data = world("cache", HOURS, seed=2)[: BEGAN + 8].copy()
    data[BEGAN:] *= 1.25
    signs = {one.channel: one.impact for one in watch([(SEARCH, data)], BEGAN, 0.0)}
    between = (signs["uncached_share"] + signs["spend"]) / 2
    assert signs["uncached_share"] < between < signs["spend"]
    ((channel, first),) = told(data, between)
    assert (channel, abs(first) <= 2) == ("uncached_share", True)
    drivers = [{"driver": "requests", "usd": Decimal("0.0386")}, {"driver": "cache_share", "usd": Decimal("0.0384")}]
    assert _cause(channel, drivers) == "less came from a cache"


def test_more_requests_alone_stay_more_requests() -> None:
    data = world("", HOURS, seed=2)[: BEGAN + 8].copy()
    data[BEGAN:] *= 3
    ((channel, _),) = told(data, 0.3)
    assert channel == "spend"
    assert np.isclose(data[BEGAN:, 3].sum() / data[BEGAN:, 2].sum(), 0.5, atol=0.05)
