"""Budgets as they are put, read, changed and refused, and how they stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.alerting_world import NOW, SETTINGS, spend
from tests.hand_calls import call, put
from tests.receiver import Received

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.budget import parse_budgets
from outlay_analytics.alerting.budgets import all_budgets, delete_budget, get_budget, list_budgets, put_budget
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.notify.channels import Channel
from outlay_analytics.query.errors import BadRequest
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


def test_a_budget_comes_back_as_it_was_put_with_how_it_stands(store: Store, writer: Writer) -> None:
    spend(store, 30, "0.5")
    body = {
        "amount_usd": "1000.25",
        "period": "month",
        "scope": {"feature": "search"},
        "notify": ["https://x.example/h"],
    }
    put_budget(store, writer, "default", "all", body, NOW)
    found = get_budget(store, "default", "all", NOW)
    assert found is not None
    assert {key: found[key] for key in ("amount_usd", "period", "scope", "timezone", "notify")} == {
        "amount_usd": Decimal("1000.25"),
        "period": "month",
        "scope": {"feature": ["search"]},
        "timezone": "UTC",
        "notify": ["https://x.example/h"],
    }
    assert found["window"] == {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 4, 1, tzinfo=UTC)}
    assert found["spent_usd"] == Decimal("0.5") * (19 * 24 + 12)  # 00:30 of 1 March to 11:30 of 20 March
    assert 360 < found["projected_usd"] < 385  # 31 days of 24 calls of $0.50 are $372
    assert found["probability_over"] < 0.01
    put_budget(store, writer, "default", "all", {"amount_usd": 5}, NOW)
    assert [b["amount_usd"] for b in list_budgets(store, "default", NOW)] == [5]
    assert delete_budget(store, writer, "default", "all")
    assert not delete_budget(store, writer, "default", "all")
    assert get_budget(store, "default", "all", NOW) is None


def test_periods_begin_in_the_budgets_own_time_zone(store: Store, writer: Writer) -> None:
    for period, start in (("day", (2026, 3, 19, 23)), ("week", (2026, 3, 15, 23)), ("month", (2026, 2, 28, 23))):
        body = {"amount_usd": "1", "period": period, "timezone": "Europe/Berlin"}
        shown = put_budget(store, writer, "default", period, body, NOW)
        assert shown["window"]["start"] == datetime(*start, tzinfo=UTC)


SECRETS = [
    {"kind": "webhook", "url": "https://x.example/h?token=tok-2", "secret": "sign-3"},
    {"kind": "pagerduty", "routing_key": "route-4"},
    "pagerduty:route-5",
    "https://hooks.slack.com/services/T0/B0/path-6",
    "https://hooks.slack.com/services/T0/B0/path-7",
    "a@b.example",
]


def test_credentials_of_channels_are_shown_masked_and_kept_when_the_mask_is_put_back(
    store: Store, writer: Writer
) -> None:
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": SECRETS}, NOW)
    found = get_budget(store, "default", "b", NOW)
    assert found is not None
    assert found["notify"] == [
        {"kind": "webhook", "url": "https://x.example/h?token=***", "secret": "***"},
        {"kind": "pagerduty", "routing_key": "***"},
        "pagerduty:***",
        "https://hooks.slack.com/***",
        "https://hooks.slack.com/***",
        "a@b.example",
    ]
    kept = all_budgets(store)[0].notify
    put_budget(store, writer, "default", "b", {"amount_usd": "2", "notify": found["notify"]}, NOW)
    assert all_budgets(store)[0].amount_usd == 2
    assert all_budgets(store)[0].notify == kept


def test_a_mask_with_another_address_or_in_a_new_budget_is_refused(store: Store, writer: Writer) -> None:
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": SECRETS[:1]}, NOW)
    elsewhere = {"kind": "webhook", "url": "https://evil.example/h", "secret": "***"}
    for name, entry in (("b", elsewhere), ("new", "pagerduty:***")):
        with pytest.raises(BadRequest, match="masked"):
            put_budget(store, writer, "default", name, {"amount_usd": "1", "notify": [entry]}, NOW)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "amount_usd"),
        ({"amount_usd": "-1"}, "'-1'"),
        ({"amount_usd": "0"}, "'0'"),
        ({"amount_usd": "NaN"}, "'NaN'"),
        ({"amount_usd": True}, "'True'"),
        ({"amount_usd": "1", "period": "year"}, "'year'"),
        ({"amount_usd": "1", "scope": {"color": "red"}}, "'color'"),
        ({"amount_usd": "1", "timezone": "Mars/Base"}, "'Mars/Base'"),
        ({"amount_usd": "1", "notify": ["nobody"]}, "'nobody'"),
        ({"amount_usd": "1", "notify": ["ftp://x/"]}, "ftp"),
        ({"amount_usd": "1", "amount": 2}, "'amount'"),
    ],
)
def test_a_wrong_budget_is_refused_by_name_and_value(
    store: Store, writer: Writer, body: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadRequest, match=named):
        put_budget(store, writer, "default", "b", body, NOW)


def test_budgets_of_the_config_file_are_read_and_cannot_be_changed(store: Store, writer: Writer) -> None:
    configured = parse_budgets([{"name": "file", "amount_usd": "10", "scope": {"team": ["growth"]}}])
    assert get_budget(store, "default", "file", NOW, configured)["configured"] is True  # type: ignore[index]
    with pytest.raises(BadRequest, match=r"outlay\.toml"):
        put_budget(store, writer, "default", "file", {"amount_usd": "1"}, NOW, configured)
    with pytest.raises(ConfigError, match="twice"):
        parse_budgets([{"name": "a", "amount_usd": "1"}] * 2)
    with pytest.raises(ConfigError, match="amount"):
        parse_budgets([{"name": "a", "amount": "1"}])
    with pytest.raises(ConfigError, match="allow_all"):
        parse_alerts({"allow_all": True})


def test_a_budget_for_what_no_call_has_is_taken_and_says_what_was_probably_meant(store: Store, writer: Writer) -> None:
    spend(store, 3, "0.5")
    body = {"amount_usd": "5", "scope": {"feature": ["serach"], "tag.plan": ["pro"]}}
    made = put_budget(store, writer, "default", "typo", body, NOW)
    assert "no call of the last 90 days has feature serach; did you mean search?" in made["note"]
    assert "no call of the last 90 days has tag.plan pro" in made["note"]
    assert get_budget(store, "default", "typo", NOW) == made == list_budgets(store, "default", NOW)[0]
    known = put_budget(store, writer, "default", "known", {"amount_usd": "5", "scope": {"feature": ["search"]}}, NOW)
    assert "no call" not in known["note"]
    put(store, call(NOW - timedelta(days=80), "1", feature="idle"))
    assert (
        "no call"
        not in put_budget(store, writer, "default", "idle", {"amount_usd": "5", "scope": {"feature": ["idle"]}}, NOW)[
            "note"
        ]
    )


def test_channel_settings_default_to_the_budgets_own(store: Store, writer: Writer, hook: Received) -> None:
    settings = replace(SETTINGS, channels={"oncall": Channel("oncall", "webhook", hook.url)})
    spend(store, 20, "0.5")
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": ["oncall"]}, NOW, (), settings.channels)
    assert evaluate.evaluate(store, writer, NOW, settings) == 1
    assert hook.json[0]["receiver"] == "oncall"
