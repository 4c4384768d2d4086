"""Any series can be watched, and one that cannot hides none of the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outlay_analytics.anomalies import watching
from outlay_analytics.anomalies.detector import LEARN_H
from outlay_analytics.anomalies.excess import excess_of, last_hour
from outlay_analytics.anomalies.memory import MEASURES
from outlay_analytics.anomalies.watching import CHANNELS, watch
from outlay_analytics.query.arrays import Floats


def hours(count: int, seed: int, per_hour: float, empty: float = 0.0) -> Floats:
    """Hours of one feature: calls by day and by night, tokens and spend in proportion; some hours hold nothing."""
    noise = np.random.default_rng(seed)
    day = 1 + 0.5 * np.sin(np.arange(count) / 24 * 2 * np.pi)
    calls = noise.poisson(per_hour * day) * (noise.random(count) >= empty)
    read = calls * 1000.0 * noise.normal(1, 0.03, count)
    out = np.zeros((count, len(MEASURES)))
    out[:, 1:5] = np.stack([calls, read, read * 0.5, calls * 100.0], axis=1)
    out[:, 0] = read * 1e-4 + calls * 0.02
    return out


SERIES = st.builds(
    hours,
    st.one_of(st.integers(1, 72), st.integers(LEARN_H - 3, LEARN_H + 300)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.02, 0.5, 12.0, 400.0]),
    st.sampled_from([0.0, 0.3, 0.95]),
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 100), st.sampled_from(range(len(MEASURES))), st.sampled_from([0.0, 1.5, 5.0, 1e6])),
    max_size=3,
)


@settings(max_examples=15, deadline=None)
@given(SERIES, CHANGES)
@example(hours(400 * 24, 1, 12.0), [(1, 0, 5.0)])
def test_any_series_is_watched_to_its_newest_hour(data: Floats, changes: list[tuple[int, int, float]]) -> None:
    for from_end, measure, times in changes:  # incidents as fresh as one hour
        data[-1 - min(from_end, len(data) - 1) :, measure] *= times
    notes: list[str] = []
    found = watch([((), data)], 0, 0.01, notes)
    assert notes == []
    for incident in found:
        assert 0 <= incident.first <= incident.last < len(data)
        assert 0.5 < incident.score <= 1
        assert np.isfinite([incident.actual, incident.expected, incident.deviation]).all()
        assert incident.deviation > 0


@settings(deadline=None)
@given(SERIES, st.sampled_from(CHANNELS), st.data())
def test_an_end_lies_between_the_beginning_and_the_newest_hour(data: Floats, channel: str, draw: st.DataObject) -> None:
    first = draw.draw(st.integers(max(0, len(data) - 30), len(data) - 1))
    assert first <= last_hour(excess_of(channel, data, first)) < len(data)


@pytest.mark.parametrize("ago", [1, 2, 3, 5])
def test_an_incident_of_an_hour_is_found_and_goes_on(ago: int) -> None:
    data = hours(30 * 24, 1, 50.0)
    data[-ago:, 0] *= 3  # the price tripled
    found = [one for one in watch([((), data)], 0, 1.0) if one.channel == "usd_per_token"]
    assert [(one.first, one.last) for one in found] == [(len(data) - ago, len(data) - 1)]


def test_a_series_that_cannot_be_watched_is_named_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = hours(30 * 24, 1, 50.0)
    dear[-3:, 0] *= 3
    bad = (("feature", "search"),)
    looked_at = watching._incidents

    def fails_for_one(where: watching.Where, *rest: object) -> list[watching.Incident]:
        if where == bad:
            raise IndexError("index 2 is out of bounds")
        return looked_at(where, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(watching, "_incidents", fails_for_one)
    notes: list[str] = []
    found = watch([(bad, dear), ((("feature", "triage"),), dear)], 0, 1.0, notes)
    assert {dict(one.scope)["feature"] for one in found} == {"triage"}
    assert len(notes) == 1
    assert notes[0].startswith("feature search could not be watched (IndexError)")
