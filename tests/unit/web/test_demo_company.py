"""The demo's company: the same for the same seed, shaped as published, with its incidents where they belong."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median

import numpy as np
import pytest

from outlay_analytics.anomalies import incidents as anomalies
from outlay_analytics.anomalies.detector import channels
from outlay_analytics.anomalies.incidents import MEASURES, Key, Where, most_telling, series_of, watch
from outlay_analytics.query.arrays import Floats
from outlay_web.demo.bill import PRICES, cost, exact
from outlay_web.demo.company import PREFIX, Call, Company, Interaction

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(NOW)


@pytest.fixture(scope="module")
def month(company: Company) -> list[Interaction]:
    return list(company.interactions())


def test_the_same_seed_gives_the_same_month(month: list[Interaction]) -> None:
    again = Company(NOW).interactions()
    assert [next(again) for _ in range(500)] == month[:500]
    other = Company(NOW, seed=1).interactions()
    assert [next(other) for _ in range(20)] != month[:20]


def test_it_is_about_sixty_thousand_calls_of_four_providers_all_in_the_past(month: list[Interaction]) -> None:
    calls = [call for one in month for call in one.calls]
    assert 50_000 < len(calls) < 70_000
    assert {"openai", "anthropic", "gcp.gemini", "mistral_ai"} < {call.provider for call in calls}
    assert all(one.ended_at < NOW for one in month)
    assert all(a.started_at <= b.started_at for a, b in pairwise(month) if a.feature == b.feature)


def test_chat_has_the_published_median_lengths(month: list[Interaction]) -> None:
    chats = [call for one in month if one.feature == "support-chat" for call in one.calls if call.input_tokens]
    assert median(call.input_tokens - PREFIX for call in chats) == pytest.approx(1035, rel=0.05)
    assert median(call.output_tokens for call in chats) == pytest.approx(141, rel=0.05)


def test_weekends_and_nights_are_quiet(month: list[Interaction]) -> None:
    days: dict[bool, list[int]] = {True: [], False: []}
    for ago in range(1, 29):
        day = (NOW - timedelta(days=ago)).date()
        days[day.weekday() >= 5].append(sum(one.started_at.date() == day for one in month))
    assert median(days[True]) < 0.5 * median(days[False])


def test_each_incident_shows_in_what_it_is_about(company: Company, month: list[Interaction]) -> None:
    def during(name: str) -> list[Call]:
        it = company.incidents[name]
        return [
            c for one in month if one.feature == it.feature and company.hit(name, one.started_at) for c in one.calls
        ]

    assert all(call.cache_read_tokens == 0 for call in during("cache outage"))
    assert max(call.attempt for call in during("retry storm")) >= 3
    assert {call.model for call in during("model swap")} == {"claude-opus-4-5-20251101"}
    grown = [call.input_tokens for call in during("longer prompt") if call.operation == "chat"]
    assert median(grown) == pytest.approx(1.75 * 7590, rel=0.05)


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


def test_every_hour_of_the_month_was_watched_and_each_incident_dated(
    company: Company, month: list[Interaction], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the detector says at each hour, knowing only the hours before it. Statistics are causal: computed once."""
    first = NOW - timedelta(hours=HOURS)
    series = watched(month, first)
    statistics: dict[bytes, dict[str, Floats]] = {}

    def prefix(spent: Floats, aux: dict[str, Floats]) -> dict[str, Floats]:
        return {name: values[: len(spent)] for name, values in statistics[aux["calls"][:300].tobytes()].items()}

    for _, data in series:
        lived = data[int(np.flatnonzero(data[:, 1])[0]) :]
        aux = {name: lived[:, k] for k, name in enumerate(MEASURES) if name != "usd"}
        statistics[aux["calls"][:300].tobytes()] = channels(lived[:, 0], aux)
    monkeypatch.setattr(anomalies, "channels", prefix)
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
    assert notes == []


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(days=2), NOW + timedelta(days=3)])
def test_the_detector_finds_each_incident_in_its_hours_and_nothing_else(now: datetime) -> None:
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


def test_the_bill_is_exact_and_unknown_models_have_none() -> None:
    call = Call("openai", "gpt-5-mini-2025-08-07", NOW, 100, 3000, 200, cache_read_tokens=1536)
    assert cost(call) == Fraction((3000 - 1536) * 25, 10**8) + Fraction(1536 * 25, 10**9) + Fraction(200 * 2, 10**6)
    assert exact(Fraction(1, 1000)).as_tuple().exponent == -12
    with pytest.raises(ValueError, match="twelve"):
        exact(Fraction(1, 3))
    assert cost(Call("vllm", "acme-research-7b", NOW, 100, 10, 10)) is None
    assert cost(Call("openai", "gpt-5-mini", NOW, 100, 10, 10, cache_hit=True)) == 0


def test_every_priced_model_of_the_month_has_a_typed_price(month: list[Interaction]) -> None:
    models = {call.model for one in month for call in one.calls}
    assert models - set(PRICES) == {"acme-research-7b"}
