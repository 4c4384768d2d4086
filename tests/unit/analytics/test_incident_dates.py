"""Worlds of one cause: the incident is dated within two hours, and their clean twins have nothing that goes on."""

from __future__ import annotations

import numpy as np
import pytest

from outlay_analytics.anomalies.excess import excess_of, last_hour
from outlay_analytics.anomalies.incidents import MEASURES, most_telling, watch
from outlay_analytics.anomalies.watching import Incident
from outlay_analytics.query.arrays import Floats

HOURS = 45 * 24
BEGAN = 40 * 24 + 9
CHANNEL = {
    "price": "usd_per_token",
    "cache": "uncached_share",
    "prompt": "tokens_per_call",
    "answers": "tokens_per_call",
    "retries": "retry_share",
}


def ended_at(channel: str, data: Floats, first: int) -> int:
    """The last hour of an incident that begins at `first`, the newest one while it goes on."""
    return last_hour(excess_of(channel, data, first))


def world(cause: str, ended: int, seed: int, per_hour: float = 20) -> Floats:
    """Hours of one feature with days, nights and weekends; from BEGAN to `ended` something is wrong."""
    noise = np.random.default_rng(seed)
    t = np.arange(HOURS)
    usual = per_hour * (1 + 0.5 * np.sin(t / 24 * 2 * np.pi)) * np.where((t // 24) % 7 >= 5, 0.4, 1.0)
    calls = noise.poisson(usual).astype(float)
    read = calls * 1000 * noise.normal(1, 0.03, HOURS)
    cached = read * np.clip(0.5 + noise.normal(0, 0.01, HOURS), 0, 1)
    written = calls * 100 * noise.normal(1, 0.05, HOURS)
    retries = noise.binomial(calls.astype(int), 0.01).astype(float)
    wrong = (t >= BEGAN) & (t < ended)
    if cause == "cache":
        cached[wrong] = 0
    elif cause == "prompt":
        read[wrong] *= 1.75
        cached[wrong] *= 1.75
    elif cause == "answers":
        written[wrong] *= 2.5
    elif cause == "retries":
        retries[wrong] += calls[wrong]
        for measure in (calls, read, cached, written):
            measure[wrong] *= 2
    spent = (read - cached) * 1e-5 + cached * 1e-6 + written * 4e-5
    if cause == "price":
        spent[wrong] *= 1.4
    return np.stack([spent, calls, read, cached, written, retries], axis=1)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("cause", CHANNEL)
@pytest.mark.parametrize("ended", [BEGAN + 34, HOURS])
def test_an_incident_of_one_cause_is_named_and_dated(cause: str, ended: int, seed: int) -> None:
    assert len(MEASURES) == world(cause, ended, seed).shape[1]
    found = most_telling(watch([((), world(cause, ended, seed))], 0, 0.1))
    assert [one.channel for one in found] == [CHANNEL[cause]]
    assert abs(found[0].first - BEGAN) <= 2
    assert abs(found[0].last + 1 - ended) <= 2
    assert (found[0].last == HOURS - 1) is (ended == HOURS)


@pytest.mark.parametrize("cause", CHANNEL)
def test_a_faint_incident_of_days_goes_on_by_night_as_by_day_until_it_ends(cause: str) -> None:
    ended = HOURS - 48
    for seed in range(6):
        usual = world("none", HOURS, seed)
        data = usual + 0.2 * (world(cause, ended, seed) - usual)
        left = [now for now in range(BEGAN + 12, ended + 1) if ended_at(CHANNEL[cause], data[:now], BEGAN) != now - 1]
        assert left == [], (seed, left)
        assert abs(ended_at(CHANNEL[cause], data, BEGAN) + 1 - ended) <= 6, seed


@pytest.mark.parametrize("seed", range(2))
def test_an_old_blip_does_not_swallow_the_incident_after_it(seed: int) -> None:
    noise = np.random.default_rng(seed)
    blip = BEGAN - int(noise.integers(30, 160))
    usual = world("none", HOURS, seed)
    for cause in ("prompt", "price", "retries"):
        data = world(cause, HOURS, seed)
        data[blip : blip + 3] = usual[blip : blip + 3]
        data[blip : blip + 3, 0] *= 4
        data[blip : blip + 3, 2:4] *= 4
        told = most_telling(watch([((), data)], 0, 0.1))
        real = [one for one in told if abs(one.first - BEGAN) <= 2]
        assert [one.last for one in real] == [HOURS - 1], (cause, blip, told)


@pytest.mark.parametrize("ended", [BEGAN + 34, HOURS])
@pytest.mark.parametrize("seed", range(3))
def test_twice_the_calls_are_dated_from_their_first_hour_whenever_they_are_noticed(seed: int, ended: int) -> None:
    data = world("none", HOURS, seed, per_hour=100)
    data[BEGAN:ended] *= 2
    (one,) = most_telling(watch([((), data)], 0, 0.1))
    assert one.channel == "spend"
    assert abs(one.first - BEGAN) <= 2
    assert abs(one.last + 1 - ended) <= 2


@pytest.mark.parametrize("hours", [34, 60])
def test_twice_the_calls_end_within_two_hours_where_there_are_twenty_an_hour(hours: int) -> None:
    began = BEGAN + 15  # a Monday's first hour
    for seed in range(8):
        data = world("none", HOURS, seed)
        data[began : began + hours] += world("none", HOURS, seed + 500)[began : began + hours]
        (one,) = most_telling(watch([((), data)], 0, 0.1))
        assert abs(one.last + 1 - began - hours) <= 2, seed


def test_half_as_many_calls_again_are_dated_where_there_are_sixty_an_hour() -> None:
    """Whatever hours they begin and end in: the first of a weekend, too, and those of a night."""
    off = []
    for seed in range(10):
        chance = np.random.default_rng(seed + 99)
        began, hours = 38 * 24 + int(chance.integers(0, 48)), int(chance.integers(24, 60))
        data = world("none", HOURS, seed, per_hour=60)
        data[began : began + hours] += world("none", HOURS, seed + 500, per_hour=30)[began : began + hours]
        (one,) = most_telling(watch([((), data)], 0, 0.1))
        off.append(max(abs(one.first - began), abs(one.last + 1 - began - hours)))
    assert sum(hours <= 2 for hours in off) >= 9, off


@pytest.mark.parametrize("seed", range(5))
def test_an_old_blip_of_spend_does_not_swallow_the_rise_after_it(seed: int) -> None:
    noise = np.random.default_rng(seed)
    blip, hours = BEGAN - int(noise.integers(30, 160)), int(noise.integers(1, 5))
    ended = (HOURS, BEGAN + 34)[seed % 2]
    data = world("none", HOURS, seed, per_hour=100)
    data[blip : blip + hours] *= float(noise.choice([3, 6]))
    data[BEGAN:ended] *= 2.5
    real = [one for one in most_telling(watch([((), data)], 0, 0.1)) if abs(one.first - BEGAN) <= 2]
    assert [abs(one.last + 1 - ended) <= 2 for one in real] == [True]


@pytest.mark.parametrize("cause", ["price", "prompt"])
def test_a_faint_incident_is_not_told_as_going_on_for_days_after_itsended_at(cause: str) -> None:
    ended = BEGAN + 48
    for seed in range(6):
        usual = world("none", HOURS, seed, per_hour=12)
        data = usual + (0.2 if cause == "price" else 0.1) * (world(cause, ended, seed, per_hour=12) - usual)
        assert ended_at(CHANNEL[cause], data[: ended + 48], BEGAN) < ended + 24, seed


def test_a_small_sign_of_another_kind_does_not_hide_what_costs_more() -> None:
    def sign(channel: str, impact: float) -> Incident:
        return Incident((), channel, 900, 960, 0.6, 100 + impact, 100)

    assert most_telling([sign("retry_share", 2), sign("spend", 80)]) == [sign("spend", 80)]
    assert most_telling([sign("retry_share", 60), sign("spend", 80)]) == [sign("retry_share", 60)]


def test_the_narrowest_part_that_holds_half_of_the_whole_is_told() -> None:
    def sign(impact: float, *values: str) -> Incident:
        scope = tuple(zip(("feature", "model"), values, strict=False))
        return Incident(scope, "retry_share", 900, 905, 0.6, 1 + impact, 1)

    whole, search = sign(0.169), sign(0.09, "search")
    mini, large = sign(0.1, "search", "mini"), sign(0.052, "search", "large")
    assert most_telling([whole, search, large]) == [search]  # half of a half is not half of it
    assert most_telling([whole, sign(0.08, "search"), large]) == [whole]
    assert most_telling([whole, sign(0.16, "search"), mini, large]) == [mini, large]
    assert most_telling([search, large, sign(1, "chat")]) == [large, sign(1, "chat")]


def test_calls_that_moved_to_a_dearer_model_are_told_of_their_feature() -> None:
    digest, large = (("feature", "digest"),), (("feature", "digest"), ("model", "large"))
    whole = Incident(digest, "usd_per_token", 900, 905, 0.6, 2.5, 1)
    moved = Incident(large, "spend", 900, 905, 0.6, 1.7, 0.1)
    assert most_telling([whole, moved]) == [whole]
    dearer = Incident(large, "usd_per_token", 900, 905, 0.6, 1.7, 0.1)
    assert most_telling([whole, dearer]) == [dearer]
    assert most_telling([Incident((), "usd_per_token", 900, 905, 0.6, 3, 1), moved]) == [moved]


@pytest.mark.parametrize("seed", range(6))
def test_a_clean_twin_has_nothing(seed: int) -> None:
    assert watch([((), world("none", HOURS, seed))], 0, 0.1) == []
