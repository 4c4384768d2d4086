"""The rules on budgets, as properties: what must never fire, and what must within a known time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay_analytics.alerting.budget_rules import (
    Finding,
    above_projection,
    burn_rate,
    burning,
    over_budget,
    projected_over_budget,
    week_profile,
)
from outlay_analytics.alerting.reasons import inhibited, why_notify
from outlay_analytics.alerting.states import advance, begin
from outlay_analytics.forecast.projection import Projection, probability_above
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.window import Window

MARCH = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
HOURS = 31 * 24
NOTHING = Decimal(0)
HOUR = timedelta(hours=1)


def shape(weekly: list[float]) -> Floats:
    """168 positive weights as a profile that starts on a Monday."""
    weights = np.array(weekly)
    weights /= weights.sum()
    return weights


def burn_at(hour: int, spent: Floats, profile: object, amount: Decimal) -> Finding | None:
    """The burn rule after `hour` hours of March; `spent` begins 72 hours before March."""
    return burning(amount, MARCH, spent[hour : hour + 72], profile, NOTHING, MARCH.start + hour * HOUR)  # type: ignore[arg-type]


def expected(profile: Floats, amount: float) -> Floats:
    """Hourly spend that follows the profile and uses up the amount exactly, from 72 hours before March on."""
    first = MARCH.start.weekday() * 24
    slots = (first - 72 + np.arange(72 + HOURS)) % 168
    spent: Floats = profile[slots] / profile[slots[72:]].sum() * amount
    return spent


profiles = st.lists(st.floats(0.2, 5.0), min_size=168, max_size=168).map(shape)


@given(profiles, st.integers(0, HOURS), st.sampled_from([100.0, 5000.0]))
@settings(max_examples=60, deadline=None)
def test_spend_exactly_on_budget_never_burns(profile: Floats, hour: int, amount: float) -> None:
    assert burn_at(hour, expected(profile, amount), profile, Decimal(amount)) is None


@given(profiles, st.integers(80, HOURS - 100))
@settings(max_examples=40, deadline=None)
def test_twice_the_spend_fires_the_slow_rule_within_one_to_three_days(profile: Floats, step: int) -> None:
    spent = expected(profile, 1000.0)
    spent[72 + step :] *= 2
    found = [burn_at(hour, spent, profile, Decimal(1000)) for hour in range(step, step + 73)]
    fired = [k for k, finding in enumerate(found) if finding is not None]
    assert fired
    assert 12 <= fired[0] <= 72
    assert found[fired[0]].severity == "warning"  # type: ignore[union-attr]


@given(profiles, st.integers(80, HOURS - 100))
@settings(max_examples=40, deadline=None)
def test_five_times_the_spend_for_one_hour_alone_fires_nothing(profile: Floats, spike: int) -> None:
    flat = np.full(168, 1 / 168)
    spent = expected(flat, 1000.0)
    spent[72 + spike] *= 5
    assert all(burn_at(hour, spent, flat, Decimal(1000)) is None for hour in range(spike, spike + 73))


def test_ten_times_the_spend_is_critical_within_six_hours() -> None:
    flat = np.full(168, 1 / 168)
    spent = expected(flat, 1000.0)
    spent[72 + 200 :] *= 10
    found = [burn_at(hour, spent, flat, Decimal(1000)) for hour in range(200, 207)]
    assert any(finding is not None and finding.severity == "critical" for finding in found)


def test_the_floor_keeps_pennies_quiet() -> None:
    flat = np.full(168, 1 / 168)
    spent = expected(flat, 1.0) * 100
    assert burning(Decimal(1), MARCH, spent[:72], flat, Decimal(1000), MARCH.start + 100 * HOUR) is None


def test_a_short_period_has_no_long_windows() -> None:
    day = Window(MARCH.start, MARCH.start + timedelta(days=1))
    flat = np.full(168, 1 / 168)
    recent = np.full(72, 2 * 24.0 / 24)  # twice a daily budget of $24, for three days
    assert burning(Decimal(24), day, recent, flat, NOTHING, day.end) is None


def test_burn_rate_is_one_when_the_budget_lasts_exactly() -> None:
    assert burn_rate(10.0, Decimal(100), 0.1) == pytest.approx(1.0)
    assert burn_rate(1.0, Decimal(100), 0.0) == float("inf")
    assert burn_rate(0.0, Decimal(100), 0.0) == 0.0


def test_the_profile_knows_the_hour_of_the_week_and_forgets_no_hour() -> None:
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    hourly = np.tile(np.r_[np.zeros(8), np.full(10, 6.0), np.zeros(6)], 28)
    profile = week_profile(hourly, monday)
    assert profile.sum() == pytest.approx(1.0)
    assert profile[10] > 10 * profile[3] > 0
    shifted = week_profile(hourly[5:], monday + 5 * HOUR)
    assert shifted == pytest.approx(profile, abs=1e-4)
    assert week_profile(np.zeros(0), monday) == pytest.approx(1 / 168)


def projection(spent: str, **total: float) -> Projection:
    return Projection(MARCH, Decimal(spent), total)


NOW = MARCH.start + timedelta(days=10)
WIDE = {"mean": 110.0, "lo80": 95.0, "hi80": 130.0, "lo95": 85.0, "hi95": 150.0}


def test_projected_is_a_warning_until_the_lower_bound_is_over_too() -> None:
    warning = projected_over_budget(Decimal(100), projection("40", **WIDE), NOW)
    critical = projected_over_budget(Decimal(94), projection("40", **WIDE), NOW)
    assert warning is not None
    assert critical is not None
    assert (warning.severity, critical.severity) == ("warning", "critical")
    assert "$110.00 of $100.00" in warning.reason
    assert projected_over_budget(Decimal(111), projection("40", **WIDE), NOW) is None
    assert projected_over_budget(Decimal(1), projection("0.5"), NOW) is None


@given(st.floats(1, 1e6), st.floats(0.01, 0.5), st.floats(0.3, 3.0))
def test_the_probability_falls_with_the_amount_and_is_a_tenth_at_the_upper_bound(
    mean: float, spread: float, at: float
) -> None:
    total = {
        "mean": mean,
        "lo80": mean * (1 - spread),
        "hi80": mean * (1 + spread),
        "lo95": mean * (1 - 1.5 * spread),
        "hi95": mean * (1 + 1.5 * spread),
    }
    assert probability_above(total, total["hi80"]) == pytest.approx(0.1)
    assert probability_above(total, total["lo80"]) == pytest.approx(0.9)
    assert 0 <= probability_above(total, mean * (at + 0.01)) <= probability_above(total, mean * at) <= 1


def test_over_budget_is_a_fact() -> None:
    finding = over_budget(Decimal(100), projection("100.000000000001"), NOW)
    assert finding is not None
    assert finding.at_once
    assert over_budget(Decimal(100), projection("100"), NOW) is None
    assert projection("101").probability_over(Decimal(100)) == 1.0


def test_above_projection_needs_a_fifth_and_the_floor() -> None:
    assert above_projection(projection("120"), 100.0, Decimal(5), NOW) is None
    assert above_projection(projection("121"), 100.0, Decimal(5), NOW) is not None
    assert above_projection(projection("121"), 100.0, Decimal(50), NOW) is None
    assert above_projection(projection("121"), None, Decimal(5), NOW) is None


def test_spend_where_none_was_expected_is_said_without_an_amount() -> None:
    found = above_projection(projection("121"), 0.0, Decimal(5), NOW)
    assert found is not None
    assert found.reason == "spent $121.00 since 1 March, where nothing was expected by now"


def finding(rule: str = "projected_over_budget", severity: str = "warning", at_once: bool = False) -> Finding:
    return Finding(rule, severity, at_once, Decimal(2), Decimal(1), "because", MARCH)


def test_an_estimate_fires_on_the_second_evaluation_and_ends_on_the_second_miss() -> None:
    alert = begin("default", "b", {}, (), finding(), NOW)
    assert alert.state == "pending"
    alert = advance(alert, finding(), NOW)
    assert (alert.state, alert.fired_at) == ("firing", NOW)
    alert = advance(alert, None, NOW)
    assert alert.state == "firing"
    assert advance(alert, finding(), NOW).state == "firing"
    alert = advance(alert, None, NOW)
    assert (alert.state, alert.reason) == ("resolved", "over; it was: because")


def test_a_pending_alert_that_does_not_last_is_never_told() -> None:
    alert = advance(begin("default", "b", {}, (), finding(), NOW), None, NOW)
    assert alert.state == "resolved"
    assert why_notify(alert, [alert], NOW, HOUR) == ""


def test_the_weightier_alert_speaks_for_the_others() -> None:
    over = begin("default", "b", {}, (), finding("over_budget", "critical", True), NOW)
    projected = advance(begin("default", "b", {}, (), finding(), NOW), finding(), NOW)
    assert inhibited(projected, [over, projected])
    assert not inhibited(over, [over, projected])


def test_what_is_told_and_when() -> None:
    from dataclasses import replace

    alert = begin("default", "b", {}, (), finding("burn_rate", at_once=True), NOW)
    assert why_notify(alert, [alert], NOW, HOUR) == "first"
    assert why_notify(alert, [alert], NOW, HOUR, silenced_until=NOW + HOUR) == ""
    told = replace(alert, notified_at=NOW, notified_state="firing:warning")
    assert why_notify(told, [told], NOW + HOUR / 2, HOUR) == ""
    assert why_notify(told, [told], NOW + HOUR, HOUR) == "repeat"
    assert why_notify(told, [told], NOW + HOUR, HOUR, acknowledged=True) == ""
    worse = replace(told, severity="critical")
    assert why_notify(worse, [worse], NOW, HOUR) == "more_severe"
    assert why_notify(worse, [worse], NOW, HOUR, acknowledged=True) == ""
    likelier = replace(worse, rule="projected_over_budget")
    assert why_notify(likelier, [likelier], NOW) == ""  # heading over is heading over, however likely
    assert why_notify(replace(told, state="resolved"), [told], NOW, HOUR) == "resolved"
