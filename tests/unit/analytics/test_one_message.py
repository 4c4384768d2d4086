"""One incident is one message: what is told again, and what is not. Pure functions of alerts and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from outlay.errors import ConfigError
from outlay_analytics.alerting.budget_rules import Finding
from outlay_analytics.alerting.groups import grouped
from outlay_analytics.alerting.messages import compose
from outlay_analytics.alerting.reasons import spoken_for, why_notify
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.alerting.states import Alert, begin
from outlay_analytics.notify.channels import parse_channel
from outlay_analytics.query.window import Window

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MARCH = Window(datetime(2026, 3, 1, tzinfo=UTC), NOW)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEARCH = {"feature": ("search",)}
UNUSUAL = {**SEARCH, "channel": ("spend",), "incident": ("i1",)}


def alert(
    rule: str, actual: str = "12", expected: str = "10", *, at: datetime = NOW, severity: str = "warning", **more: Any
) -> Alert:
    """One that fires since `at`, for more requests."""
    finding = Finding(rule, severity, True, Decimal(actual), Decimal(expected), "because", MARCH)
    scope, budget = (UNUSUAL, "") if rule == "anomaly" else (SEARCH, "search")
    made = begin("default", budget, scope, ("oncall",), finding, at)
    return replace(made, drivers=({"driver": "requests", "usd": Decimal(1)},), **more)


def told(one: Alert, at: datetime = NOW) -> Alert:
    return replace(
        one,
        notified_at=at,
        notified_state=f"{one.state}:{one.severity}",
        notified_actual_usd=one.actual_usd,
        notified_expected_usd=one.expected_usd,
    )


def ended(one: Alert, at: datetime) -> Alert:
    return replace(one, state="resolved", resolved_at=at, notified_state=f"resolved:{one.severity}")


@pytest.mark.parametrize(
    ("hours", "actual", "expected", "why"),
    [
        (9, "40", "20", ""),  # told: $10 above $10; it goes on as it was, if for twice as long
        (9, "200", "100", ""),  # ten times the dollars, but on the same day
        (24, "200", "100", "worse"),
        (24, "198", "100", ""),
        (9, "49", "20", ""),  # nearly
        (9, "50", "20", "worse"),  # since then $20 above $10: twice as far
        (9, "24", "10.2", ""),  # far above, but not twice the dollars yet
    ],
)
def test_an_incident_is_told_again_when_it_became_materially_worse(
    hours: int, actual: str, expected: str, why: str
) -> None:
    before = told(alert("anomaly", "20", "10"), NOW - hours * HOUR)
    grown = replace(before, actual_usd=Decimal(actual), expected_usd=Decimal(expected))
    assert why_notify(grown, [grown], NOW, floor_usd=Decimal(5)) == why
    assert why_notify(grown, [grown], NOW, floor_usd=Decimal(1000)) == ""
    assert why_notify(grown, [grown], NOW, acknowledged=True, floor_usd=Decimal(5)) == ""


@pytest.mark.parametrize("rule", ["over_budget", "projected_over_budget"])
def test_a_budget_is_told_again_at_twice_what_was_told(rule: str) -> None:
    before = told(alert(rule, "101", "100"))
    for actual, why in (("150", ""), ("202", "worse")):
        grown = replace(before, actual_usd=Decimal(actual))
        assert why_notify(grown, [grown], NOW + 9 * DAY, floor_usd=Decimal(1)) == why


def test_what_became_worse_says_so_and_what_was_told() -> None:
    before = told(alert("anomaly", "20", "10"))
    grown = replace(before, actual_usd=Decimal(200), expected_usd=Decimal(100))
    said = compose("g", [grown], {grown.alert_id: "worse"}, AlertSettings())
    assert said.title == "Worse: unusual spend in feature search"
    quiet = told(alert("above_projection"))
    both = compose("g", [quiet, grown], {grown.alert_id: "worse"}, AlertSettings())
    assert both.title == "Worse: unusual spend in feature search, and 1 more: requests"  # the news leads
    assert "It was $10.00 more than expected when it was told last." in said.entries[0].description


def test_a_message_says_once_how_much_more_it_was() -> None:
    words = ("$10.00 (+100%) more than expected was spent: $20.00 instead of $10.00.", "search: requests +$9.00.")
    said = compose("g", [alert("anomaly", sentences=words)], {}, AlertSettings()).entries[0].description
    assert said == "because. search: requests +$9.00."


def test_nothing_is_repeated_unless_the_operator_wants_it() -> None:
    known = told(alert("anomaly"))
    assert why_notify(known, [known], NOW + 30 * DAY) == ""
    assert why_notify(known, [known], NOW + DAY, DAY) == "repeat"
    assert parse_alerts({}).repeat is None
    assert parse_alerts({"repeat_hours": 12}).repeat == 12 * HOUR


def test_heading_over_is_told_once_a_period_and_over_is_told_then() -> None:
    first = ended(told(alert("projected_over_budget")), NOW)
    later = NOW + 5 * DAY
    for rule in ("projected_over_budget", "above_projection"):
        again = spoken_for(alert(rule, at=later), [first])
        assert why_notify(again, [again], later) == "", rule
    over = spoken_for(alert("over_budget", severity="critical", at=later), [first])
    assert why_notify(over, [over], later) == "first"
    next_month = replace(alert("projected_over_budget", at=later), window_start=datetime(2026, 4, 1, tzinfo=UTC))
    raised = alert("projected_over_budget", expected="11", at=later)
    for new in (next_month, raised):
        new = spoken_for(new, [first])
        assert why_notify(new, [new], later) == "first"


def test_other_estimates_of_a_budget_that_was_told_are_not_but_money_that_goes_out_fast_is() -> None:
    heading = told(alert("projected_over_budget", at=NOW - DAY), NOW - DAY)
    for rule, severity, why in (("above_projection", "warning", ""), ("burn_rate", "critical", "first")):
        new = spoken_for(alert(rule, severity=severity), [heading])
        assert why_notify(new, [heading, new], NOW) == why, rule
        ended_since = ended(heading, NOW)
        assert why_notify(new, [ended_since, new], NOW) == why, rule


def test_what_fires_again_soon_only_concerns_those_who_hold_a_state() -> None:
    before = ended(told(alert("latency_p95_ms")), NOW)
    for after, why in ((2 * HOUR, "again"), (7 * HOUR, "first")):
        new = spoken_for(alert("latency_p95_ms", at=NOW + after), [before])
        assert why_notify(new, [new], NOW + after) == why
    same, other = (
        alert("anomaly", at=NOW + 9 * DAY),
        alert("anomaly", at=NOW + 9 * DAY, scope={**UNUSUAL, "incident": ("i2",)}),
    )
    for new, why in ((same, "again"), (other, "first")):
        new = spoken_for(new, [ended(told(alert("anomaly")), NOW)])
        assert why_notify(new, [new], NOW + 9 * DAY) == why


def test_what_an_incident_does_to_a_budget_is_told_with_the_incident() -> None:
    began = NOW - 10 * HOUR
    unusual = told(alert("anomaly", at=began), began)
    heading, over = alert("projected_over_budget"), alert("over_budget", severity="critical")
    placed = grouped([unusual, heading], NOW)
    assert placed[0].group_key == placed[1].group_key
    assert why_notify(heading, placed, NOW) == ""
    assert why_notify(over, [unusual, over], NOW) == "first"  # a fact is told
    assert why_notify(heading, [ended(unusual, NOW), heading], NOW) == "first"  # it heads over without it, too
    for rule, why in (("above_projection", ""), ("burn_rate", ""), ("projected_over_budget", "first")):
        later = spoken_for(alert(rule), [ended(unusual, NOW - HOUR)])  # it is over, but its money is spent
        assert why_notify(later, [later], NOW) == why, rule
    dearer = replace(heading, drivers=({"driver": "unit_price", "usd": Decimal(1)},))
    assert why_notify(dearer, [unusual, dearer], NOW) == "first"


def test_ends_are_for_those_who_hold_a_state_and_for_those_who_want_them() -> None:
    hook = "https://hooks.example.com/x"
    for kind, ends in (("webhook", True), ("slack", False)):
        assert parse_channel({"kind": kind, "url": hook}).ends is ends
        turned = parse_channel({"kind": kind, "url": hook, "ends": not ends})
        assert (turned.ends, turned.holds_state) == (not ends, False)
    assert parse_channel("ops@example.com").ends is False
    assert parse_channel("pagerduty:KEY").holds_state
    with pytest.raises(ConfigError, match="ends of slack is 'yes'; it must be true or false"):
        parse_channel({"kind": "slack", "url": hook, "ends": "yes"})
    with pytest.raises(ConfigError, match="pagerduty has no 'ends'"):
        parse_channel({"kind": "pagerduty", "routing_key": "k", "ends": False})
