"""Which alerts are told together, and who hears of them when: pure functions of alerts and times."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.alerting.budget_rules import Finding
from outlay_analytics.alerting.groups import grouped
from outlay_analytics.alerting.messages import headline
from outlay_analytics.alerting.reasons import why_notify
from outlay_analytics.alerting.states import Alert, begin
from outlay_analytics.query.window import Window

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
MARCH = Window(datetime(2026, 3, 1, tzinfo=UTC), NOW)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def alert(
    name: str,
    scope: dict[str, tuple[str, ...]],
    cause: str = "requests",
    *,
    at: datetime = NOW,
    rule: str = "over_budget",
    severity: str = "critical",
    notify: tuple[str, ...] = ("oncall",),
    **fields: Any,
) -> Alert:
    finding = Finding(rule, severity, True, Decimal(2), Decimal(1), "because", MARCH)
    drivers = ({"driver": cause, "usd": Decimal(1)},) if cause else ()
    budget = "" if rule == "anomaly" else name
    return replace(begin("default", budget, scope, notify, finding, at), drivers=drivers, **fields)


def feature(name: str, cause: str = "requests", **fields: Any) -> Alert:
    return alert(name, {"feature": (name,)}, cause, **fields)


def keys(*alerts: Alert, now: datetime = NOW) -> list[str]:
    return [one.group_key for one in grouped(alerts, now)]


def told(one: Alert, at: datetime) -> Alert:
    return replace(one, notified_at=at, notified_state=f"{one.state}:{one.severity}")


def test_siblings_with_one_cause_share_a_group_and_those_with_another_do_not() -> None:
    same = keys(feature("a"), feature("b"), feature("c"))
    assert len(set(same)) == 1
    assert len(set(keys(feature("a"), feature("b", "input_tokens")))) == 2
    assert len(set(keys(feature("a", ""), feature("b", "")))) == 1


def test_parts_are_told_with_the_whole_whatever_their_cause() -> None:
    found = keys(feature("a", "unit_price"), alert("all", {}), feature("b", "input_tokens"))
    assert set(found) == {"default/budget:all"}
    model = alert("m", {"feature": ("a",), "model": ("gpt-5",)}, "model_mix", rule="anomaly")
    assert len(set(keys(feature("a"), model))) == 1


def test_a_new_rise_opens_a_group_of_its_own_when_the_other_began_hours_ago() -> None:
    for ago, groups in ((HOUR, 1), (timedelta(hours=4), 2)):
        assert len(set(keys(feature("a", at=NOW - ago), feature("b")))) == groups


def test_other_rules_of_a_budget_stay_in_its_group_for_ever() -> None:
    old = replace(feature("a", at=NOW - 9 * DAY), group_key="default/budget:all")
    burning = feature("a", "input_tokens", rule="burn_rate")
    assert keys(old, burning) == ["default/budget:all"] * 2


def test_projects_and_broken_evaluations_are_never_mixed_with_others() -> None:
    other = replace(feature("a"), project="other", alert_id="other", group_key="other/budget:a")
    assert len(set(keys(feature("a"), other))) == 2
    broken = [alert(name, {}, "", rule="evaluation_failed", severity="warning") for name in ("x", "y")]
    found = keys(*broken, alert("all", {}))
    assert found[0] == found[1] != found[2]


def test_the_order_of_evaluation_does_not_change_the_group() -> None:
    alerts = [alert("all", {}), feature("a"), feature("b", "unit_price")]
    assert set(keys(*alerts)) == set(keys(*reversed(alerts))) == {"default/budget:all"}


def test_what_joins_a_group_waits_until_its_last_message_is_a_quarter_of_an_hour_old() -> None:
    first = told(feature("a", at=NOW - HOUR), NOW - HOUR)
    second = feature("b")
    for since, why in ((timedelta(minutes=5), ""), (timedelta(minutes=15), "first")):
        recent = replace(first, notified_at=NOW - since)
        assert why_notify(second, [recent, second], NOW, DAY) == why
    warned = replace(first, notified_at=NOW, severity="warning", notified_state="firing:warning")
    assert why_notify(second, [warned, second], NOW, DAY) == "first"  # worse than what they heard
    elsewhere = replace(first, notified_at=NOW, notify=("others",))
    assert why_notify(second, [elsewhere, second], NOW, DAY) == "first"


def test_an_anomaly_within_what_was_told_is_not_told_again() -> None:
    over = told(feature("a", at=NOW - HOUR), NOW - HOUR)
    unusual = alert("", {"feature": ("a",), "channel": ("spend",)}, rule="anomaly", severity="warning")
    assert why_notify(unusual, [over, unusual], NOW, DAY) == ""
    assert why_notify(unusual, [unusual], NOW, DAY) == "first"
    for cause, why in (("requests", ""), ("unit_price", "first")):  # the sum of what was told, or something else
        total = alert("", {"channel": ("spend",)}, cause, rule="anomaly", severity="warning")
        assert why_notify(total, [over, total], NOW, DAY) == why
    elsewhere = alert("", {"feature": ("b",), "channel": ("spend",)}, rule="anomaly", severity="warning")
    assert why_notify(elsewhere, [over, elsewhere], NOW, DAY) == "first"


def test_the_end_is_told_when_nothing_that_the_same_people_heard_of_goes_on() -> None:
    over = told(feature("a"), NOW)
    ended = replace(told(feature("b"), NOW), state="resolved", resolved_at=NOW)
    assert why_notify(ended, [over, ended], NOW, DAY) == ""
    assert why_notify(ended, [ended], NOW, DAY) == "resolved"
    assert why_notify(ended, [replace(over, notify=("others",)), ended], NOW, DAY) == "resolved"


def test_the_title_of_many_names_the_first_how_many_and_the_cause_they_share() -> None:
    assert headline([feature("a")]) == "a is over budget"
    assert headline([feature("a"), feature("b"), feature("c")]) == "a is over budget, and 2 more: requests"
    assert headline([feature("a"), feature("b", "unit_price")]) == "a is over budget, and 1 more"
