"""What is remembered of a series is what would be found of it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.analytics.test_incident_dates import world

from outlay_analytics.anomalies import memory
from outlay_analytics.anomalies.detector import NEEDS, statistic
from outlay_analytics.anomalies.memory import MEASURES, statistic_of
from outlay_analytics.query.arrays import Floats

DATA = world("cache", 45 * 24, 3)


def plainly(channel: str, data: Floats) -> Floats:
    return statistic(channel, {name: data[:, k] for k, name in enumerate(MEASURES)})


@pytest.mark.parametrize("channel", NEEDS)
def test_hours_that_are_added_changed_or_taken_back_are_judged_as_if_seen_for_the_first_time(channel: str) -> None:
    series = f"of this test {channel}"
    changed = DATA[:950].copy()
    changed[900:] *= 2  # late calls
    for data in (DATA[:900], DATA[:901], DATA[:940], changed, DATA[:700], DATA, DATA[24:]):
        found = statistic_of(series, channel, data)
        assert len(found) == len(data)
        np.testing.assert_allclose(found, plainly(channel, data), rtol=1e-9, atol=1e-9)


def test_only_new_hours_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    since: list[int] = []

    def counted(channel: str, data: dict[str, Floats], first: int = 0) -> Floats:
        since.append(first)
        return statistic(channel, data, first)

    monkeypatch.setattr(memory, "statistic", counted)
    for hours in (900, 901, 901, 850, 925):
        statistic_of("of another test", "spend", DATA[:hours])
    assert since == [0, 900, 901]


def test_no_more_is_remembered_than_fits() -> None:
    for number in range(memory.MOST + 5):
        statistic_of(number, "spend", DATA[:2])
    assert len(memory._known) == memory.MOST
