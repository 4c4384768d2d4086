"""The incidents of the demo are found where they are, at every hour of its month, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

from outlay_analytics.anomalies.incidents import MEASURES, Key, most_telling, series_of, watch
from outlay_analytics.anomalies.watching import Where
from outlay_analytics.query.arrays import Floats
from outlay_web.demo.bill import cost
from outlay_web.demo.company import Company
from outlay_web.demo.interactions import Interaction

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

HOURS = 65 * 24


def watched(month: Iterable[Interaction], first: datetime) -> list[tuple[Where, Floats]]:
    """The series that are watched for anomalies, from `first` on."""
    table: dict[Key, Floats] = {}
    for one in month:
        for call in one.calls:
            hour = (call.started_at - first) // timedelta(hours=1)
            row = table.setdefault((one.feature, call.model), np.zeros((HOURS + 1, len(MEASURES))))[hour]
            used = (0, 0, 0) if call.cache_hit else (call.input_tokens, call.cache_read_tokens, call.output_tokens)
            row += [float(cost(call) or 0), 1, *used, call.attempt > 1]
    table = {key: data[:HOURS] for key, data in table.items()}
    return series_of(table, sum(table.values(), np.zeros((HOURS, len(MEASURES)))))


def test_every_hour_of_the_month_was_watched_and_each_incident_dated() -> None:
    """What the detector says at each hour, knowing only the hours before it. Statistics are causal: found once."""
    company, first = Company(NOW), NOW - timedelta(hours=HOURS)
    series = watched(company.interactions(), first)
    watch(series, 0, 1.0)
    notes: list[str] = []
    begun: dict[str, int] = {}
    for hour in range(HOURS - 15 * 24, HOURS + 1):
        seen = [(where, data[:hour]) for where, data in series if data[:hour, 1].any()]
        at = first + timedelta(hours=hour)
        told = most_telling(watch(seen, hour - 30 * 24, 1.0, notes))
        by_feature = {dict(one.scope).get("feature"): one for one in told}
        for incident in company.incidents.values():
            one = by_feature.pop(incident.feature, None)
            if one is None:  # not seen at once; but before the demo's day is over
                assert incident.name not in begun, (incident.name, at)
                assert at < incident.start + timedelta(hours=12), incident.name
                continue
            assert abs(first + timedelta(hours=one.first) - incident.start) <= timedelta(hours=2), (incident.name, at)
            assert one.first == begun.setdefault(incident.name, one.first), (incident.name, at)  # it stays the same one
            ended = first + timedelta(hours=one.last + 1)
            if at <= incident.end:
                assert ended == at, (incident.name, at)  # and goes on by night as by day
            assert ended <= incident.end + timedelta(hours=2), (incident.name, at)
            if at >= incident.end + timedelta(hours=2):
                assert ended >= incident.end - timedelta(hours=2), (incident.name, at)
        assert not by_feature, at  # nothing else
    assert all(one.impact > 5 for one in told)
    assert notes == []


def test_on_another_day_too_each_incident_is_found_in_its_hours_and_nothing_else() -> None:
    now = NOW + timedelta(days=3)
    company = Company(now)
    end = now.replace(minute=0, second=0, microsecond=0)
    first = end - timedelta(days=HOURS // 24)
    found = most_telling(watch(watched(company.interactions(), first), HOURS - 30 * 24, 1.0))
    told = {dict(each.scope)["feature"]: each for each in found}
    assert len(told) == len(found) == 4
    for incident in company.incidents.values():
        shown = told[incident.feature]
        began, ended = (first + timedelta(hours=hour) for hour in (shown.first, shown.last + 1))
        assert abs(began - incident.start) <= timedelta(hours=2), incident.name
        assert abs(ended - min(incident.end, end)) <= timedelta(hours=4), incident.name
        assert shown.impact > 5, incident.name
