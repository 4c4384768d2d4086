"""Budgets of any one user and of the last hours: a real store, a real receiver, times as arguments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.receiver import Received

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budget import parse_budgets, read_budget
from outlay_analytics.alerting.budgets import all_budgets, get_budget, put_budget
from outlay_analytics.alerting.measures import measure
from outlay_analytics.alerting.rules import read_rule
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.alerting.sums import Asked
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.report import daily_report
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTINGS = parse_alerts({"allow": ["127.0.0.1"]})


def kept(store: Store, writer: Writer, name: str, **body: Any) -> dict[str, Any]:
    return put_budget(store, writer, "default", name, body, NOW)


def test_any_one_user_over_the_amount_is_told_once_by_name(store: Store, writer: Writer, hook: Received) -> None:
    many = [call(NOW - HOUR - timedelta(seconds=k), "6", user=f"u{k:04}") for k in range(1500)]
    put(store, *many, call(NOW - 2 * DAY, "9", user="u-big"), call(NOW - 9 * DAY, "50", user="u-old"))
    put(store, call(NOW - HOUR, "99"), call(NOW - HOUR, "1", user="u-small"))
    shown = kept(store, writer, "cap", amount_usd="5", per="user", window="7d", notify=[hook.url])
    assert (shown["per"], shown["rolling_window"], shown["spent_usd"]) == ("user", "7d", Decimal(9))
    assert (shown["projected_usd"], shown["elapsed_ratio"]) == (None, 1.0)
    assert shown["note"] == "user u-big spent the most in 7 days; 1,501 users are over"
    assert [evaluate.evaluate(store, writer, NOW + k * HOUR / 60, SETTINGS) for k in range(3)] == [1, 0, 0]
    (told,) = hook.json[0]["alerts"]
    assert told["labels"]["alertname"] == "entity_over_budget"  # and not over_budget, which is a brake
    words = told["annotations"]["summary"]
    assert words.startswith("cap is over budget for some: 1,501 users over $5.00 in 7 days: u-big $9.00, ")
    assert words.endswith(" and 1,491 more")
    later = NOW + 8 * DAY
    assert [evaluate.evaluate(store, writer, later + k * HOUR / 60, SETTINGS) for k in range(2)] == [0, 1]
    assert {one["state"] for one in listing.list_alerts(store, "default", later)} == {"resolved"}
    text = daily_report(store, "default", NOW.date(), now=NOW, finder=lambda *_, **__: {"anomalies": [], "notes": []})
    assert "cap: $9.00 of $5.00 for any one user in 7d (180%)" in text["text"]


def test_the_last_hours_count_in_place_of_a_period_and_one_customer_in_a_month(store: Store, writer: Writer) -> None:
    put(store, *(call(NOW - k * DAY, "2", customer=("acme", "globex")[k % 2]) for k in range(1, 31)))
    assert kept(store, writer, "two days", amount_usd="5", window="49h")["spent_usd"] == Decimal(4)
    assert kept(store, writer, "nobody", amount_usd="5", per="session")["spent_usd"] == 0
    month = kept(store, writer, "each", amount_usd="19", per="customer")
    assert (month["spent_usd"], month["period"]) == (Decimal(20), "month")
    assert month["window"]["start"] == datetime(2026, 3, 1, tzinfo=UTC)
    assert get_budget(store, "default", "each", NOW) == month
    assert evaluate.evaluate(store, writer, NOW, SETTINGS) == 0
    firing = {one["budget"]: one["reason"] for one in listing.list_alerts(store, "default", NOW, "firing")}
    assert firing == {"each": "1 customer over $19.00 this month: globex $20.00"}
    rule = read_rule("share", {"kind": "budget_share", "threshold": "0.5", "budget": "each"})
    budget = next(one for one in all_budgets(store) if one.name == "each")
    assert measure(store, rule, NOW, budget, Asked(store, [rule])).value is None


def test_what_does_not_fit_together_is_refused_with_what_to_do() -> None:
    good = {"amount_usd": "5", "per": "tag.plan", "window": "6h"}
    assert read_budget("b", good).window_hours == 6
    for more, words in (
        ({"period": "day"}, "window stands in place of period; give one of both"),
        ({"window": "40d"}, "must be 1h to 30d, such as 6h or 7d"),
        ({"per": "planet"}, "planet"),
    ):
        with pytest.raises(BadRequest, match=words):
            read_budget("b", good | more)
    (configured,) = parse_budgets([{"name": "b", **good}])
    assert (configured.per, configured.window_hours) == ("tag.plan", 6)
    with pytest.raises(ConfigError, match="1h to 30d"):
        parse_budgets([{"name": "b", **good, "window": "1y"}])
