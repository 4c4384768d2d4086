"""Holidays: which days they are, what they spend, and that nobody is alarmed by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from outlay.errors import ConfigError
from outlay_analytics.anomalies.holidays import HolidayHours, holiday_hours
from outlay_analytics.anomalies.watching import Incident, watch
from outlay_analytics.forecast import forecast
from outlay_analytics.forecast.holidays import Days, forecast_days
from outlay_analytics.forecast.spend import backtest
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.holidays import Holidays, parse_holidays

GERMAN = Holidays(("DE-BY",), timezone="Europe/Berlin")
FIRST = date(2025, 9, 1)
DAYS = [FIRST + timedelta(days=k) for k in range(260)]


def refusal(section: object) -> str:
    with pytest.raises(ConfigError) as refused:
        parse_holidays(section)
    return str(refused.value)


def test_holidays_are_those_of_countries_their_parts_and_days_of_ones_own() -> None:
    own = {"first": date(2026, 12, 24), "last": date(2026, 12, 25), "name": "works holidays"}
    found = parse_holidays({"countries": ["DE-BY", "US"], "timezone": "Europe/Berlin", "closed": [own]})
    christmas = found.on(date(2026, 12, 25))
    assert christmas is not None
    assert (christmas.name, christmas.calendars) == ("Christmas Day, works holidays", ("DE-BY", "US", "closed"))
    named = [(one.day.day, one.calendars) for one in found.among([date(2026, 12, day) for day in range(20, 31)])]
    assert named == [(24, ("closed",)), (25, ("DE-BY", "US", "closed")), (26, ("DE-BY",))]
    assert found.on(date(2026, 6, 4)) is not None  # Corpus Christi, in Bavaria
    assert not parse_holidays({})


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"countries": ["Germany"]}, "'Germany' is no country that is known by its ISO 3166 code; did you mean DE"),
        ({"countries": ["GER"]}, "did you mean DE?"),
        ({"countries": ["QQ"]}, "write it as DE or US-CA"),
        ({"countries": ["US-Cal"]}, "US has no part 'Cal'; did you mean US-CA?"),
        ({"countries": "DE"}, "countries = 'DE' must be a list"),
        ({"country": ["DE"]}, "unknown key 'country'; did you mean 'countries'?"),
        ({"timezone": "Berlin"}, "timezone = 'Berlin' is no time zone such as Europe/Berlin"),
        ({"closed": [{"first": "2026-13-01"}]}, "[[holidays.closed]] #1: first = '2026-13-01' is no date"),
        ({"closed": [{"first": date(2026, 1, 2), "last": date(2026, 1, 1)}]}, "last = 2026-01-01 must be"),
        ([], "[holidays] must be a table"),
    ],
)
def test_what_is_no_holiday_is_refused_by_name(section: object, said: str) -> None:
    assert said in refusal(section)


def world(seed: int, dip: float, weekend: float = 0.4) -> Floats:
    """Dollars of each of DAYS, of which holidays spend about `dip` of a working day."""
    chance = np.random.default_rng(seed)
    shape = np.array([weekend if day.weekday() >= 5 else 1.0 for day in DAYS])
    spread = np.exp(chance.normal(0, 0.1, len(DAYS)))
    closed = np.array([GERMAN.on(day) is not None for day in DAYS])
    return 100 * np.where(closed, dip * spread, shape) * np.exp(chance.normal(0, 0.06, len(DAYS)))


def at(y: Floats, first: date, h: int = 14, history: int = 120) -> tuple[dict[str, Any], dict[str, Any], Floats, Any]:
    """The forecast that knows holidays and the one that does not, what came, and on which steps are holidays."""
    origin = DAYS.index(first)
    start = max(0, origin - history)
    past, truth = y[start:origin], y[origin : origin + h]
    days = Days(DAYS[start:origin], DAYS[origin : origin + h], GERMAN)
    closed = np.array([GERMAN.on(day) is not None for day in days.ahead])
    return forecast_days(past, "D", h, days), forecast(past, None, "D", h), truth, closed


@pytest.mark.parametrize("dip", [0.15, 0.7])
def test_holidays_are_forecast_from_past_ones_and_the_quietest_day_and_spoil_no_other(dip: float) -> None:
    errors: Mapping[str, list[Any]] = {"known": [], "unknown": [], "other": [], "other unknown": [], "inside": []}
    for seed in range(2):
        y = world(seed, dip)
        for first in (date(2025, 12, 20), date(2026, 1, 4), date(2026, 1, 9), date(2026, 3, 30), date(2026, 4, 24)):
            knows, does_not, truth, closed = at(y, first)
            for name, found, steps in (
                ("known", knows, closed),
                ("unknown", does_not, closed),
                ("other", knows, ~closed),
                ("other unknown", does_not, ~closed),
            ):
                errors[name].extend(np.abs(truth - found["mean"])[steps])
            errors["inside"].extend(((truth >= knows["lo80"]) & (truth <= knows["hi80"]))[closed])
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    assert mean["known"] < 0.5 * mean["unknown"], mean
    assert mean["other"] < 0.95 * mean["other unknown"], mean
    assert mean["inside"] >= 0.8, mean


def test_before_any_was_seen_one_is_like_the_quietest_day_with_wider_bounds() -> None:
    y = world(1, 0.4)
    found, _, _, _ = at(y, date(2026, 4, 30), 3, history=21)
    (first_of_may,) = [k for k, day in enumerate(DAYS[DAYS.index(date(2026, 4, 30)) :][:3]) if day == date(2026, 5, 1)]
    assert found["learned_holidays"] == 0
    assert 30 < found["mean"][first_of_may] < 60
    assert found["lo80"][first_of_may] < 30
    assert found["hi80"][first_of_may] > 65
    before = first_of_may - 1
    assert found["hi80"][before] - found["lo80"][before] < found["hi80"][first_of_may] - found["lo80"][first_of_may]


def test_where_all_days_are_alike_a_holiday_is_too_until_one_was_seen() -> None:
    flat = np.full(60, 50.0)
    days = Days(DAYS[60:120], DAYS[120:127], Holidays((), {DAYS[122]: "closed"}))
    assert forecast_days(flat, "D", 7, days)["mean"] == pytest.approx(np.full(7, 50.0), rel=0.02)
    seen = Holidays((), {DAYS[122]: "closed", DAYS[100]: "closed", DAYS[90]: "closed", DAYS[80]: "closed"})
    for k in (20, 30, 40):
        flat[k] = 100.0
    found = forecast_days(flat, "D", 7, Days(days.past, days.ahead, seen))
    assert found["mean"][2] == pytest.approx(84, abs=3)  # three of four speak for twice as much
    assert found["mean"][3] == pytest.approx(50, rel=0.02)


def test_without_holidays_a_forecast_is_what_it_was() -> None:
    y = world(2, 0.4)[:100]
    plain = forecast(y, None, "D", 14)
    for days in (None, Days(DAYS[:100], DAYS[100:114], Holidays())):
        found = forecast_days(y, "D", 14, days)
        assert all(np.array_equal(found[name], plain[name]) for name in ("mean", "lo80", "hi95"))
        assert found["total"] == plain["total"]
    plain = backtest(y[50:74], "D")
    assert backtest(y[50:74], "D", Days(DAYS[50:74], (), Holidays())) == plain
    assert backtest(y[50:74], "D", Days(DAYS[50:74], (), GERMAN))["mase"] != plain["mase"]


@pytest.mark.parametrize("freq", ["D", "h"])
@pytest.mark.parametrize("count", [0, 1, 3, 20, 45, 60, 400])
def test_any_history_with_holidays_anywhere_has_finite_bounds_around_its_mean(freq: str, count: int) -> None:
    chance = np.random.default_rng(count)
    steps = 1 if freq == "D" else 24
    for share in (0.0, 0.1, 1.0):
        y = chance.gamma(0.3, 10, count) * (chance.random(count) < 0.7)
        y[chance.random(count) < 0.1] = np.nan
        every = [FIRST + timedelta(days=k // steps) for k in range(count + 40)]
        holidays = Holidays((), {day: "closed" for day in every if chance.random() < share})
        found = forecast_days(y, freq, 40, Days(every[:count], every[count:], holidays))
        for low, high in (("lo80", "hi80"), ("lo95", "hi95")):
            parts = [*zip(found[low], found["mean"], found[high], strict=True)]
            for a, b, c in [*parts, (found["total"][low], found["total"]["mean"], found["total"][high])]:
                assert np.isfinite([a, b, c]).all()
                assert 0 <= a <= b + 1e-9
                assert b <= c + 1e-9


HOURS = 60 * 24
BEGIN = datetime(2025, 12, 1, tzinfo=UTC)


def hours(seed: int, dip: float, closed: HolidayHours, weekend: float = 0.4) -> Floats:
    """Hours × measures of one feature; holidays have about `dip` of a working day's calls."""
    chance = np.random.default_rng(seed)
    t = np.arange(HOURS)
    day = (BEGIN + timedelta(hours=1)).date()  # hours of Berlin's winter
    weekday = np.array([(day + timedelta(days=int(k + 1) // 24)).weekday() for k in t])
    rate = 60 * (1 + 0.6 * np.sin((t % 24 - 8) / 24 * 2 * np.pi)) * np.where(weekday >= 5, weekend, 1.0)
    for _, first, last in closed.stretches:
        rate[first : last + 1] *= dip / (weekend if weekday[first] >= 5 else 1.0)
    calls = chance.poisson(rate).astype(float)
    usd = calls * 0.01 * (1 + 0.2 * chance.normal(size=HOURS) / np.sqrt(np.maximum(calls, 1)))
    return np.stack([usd, calls, calls * 1000, calls * 500, calls * 100, calls * 0.0], axis=1)


def closed_days(*more: str) -> HolidayHours:
    own = {date.fromisoformat(day): "works holidays" for day in more}
    found = holiday_hours(
        [BEGIN + timedelta(hours=k) for k in range(HOURS)], Holidays(("DE-BY",), own, "Europe/Berlin")
    )
    assert found is not None
    return found


WORKS = [f"2025-12-{day}" for day in range(22, 32)] + ["2026-01-02"]


def told(data: Floats, closed: HolidayHours | None) -> list[Incident]:
    return watch([((), data)], 0, 0.3, None, closed)


@pytest.mark.parametrize("dip", [0.1, 0.4, 1.0, 1.6])
def test_neither_holidays_nor_the_days_after_them_are_an_incident(dip: float) -> None:
    """Works holidays around Christmas, and Epiphany; where more is asked on holidays, once that was seen."""
    closed = closed_days(*WORKS)
    blind = 0
    for seed in range(2):
        data = hours(seed, dip, closed)
        first = [one for one in told(data, closed) if dip <= 1 or one.first > 30 * 24]
        assert first == []
        blind += len(told(data, None))
    assert blind or dip not in (0.4, 1.6)


def test_an_incident_goes_on_over_a_holiday_and_its_dollars_are_above_what_holidays_bring() -> None:
    closed = closed_days()
    (first, last) = next((first, last) for one, first, last in closed.stretches if one.day == date(2026, 1, 6))
    for seed in range(2):
        usual = hours(seed, 0.4, closed)
        data = usual.copy()
        data[first - 30 : last + 30] *= 2.5
        (one,) = told(data, closed)
        assert abs(one.first - first + 30) <= 2
        assert abs(one.last + 1 - last - 30) <= 3
        assert one.impact == pytest.approx(1.5 * usual[first - 30 : last + 30, 0].sum(), rel=0.12)
