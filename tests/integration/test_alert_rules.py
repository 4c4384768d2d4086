"""Rules beyond budgets: each finds its day in a quiet world, and the preview says what it would have fired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.receiver import receiver
from tests.web_server import own_store

from outlay.errors import ConfigError
from outlay_analytics.alerting import evaluate, listing
from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.alerting.measures import fires, measure, measure_past
from outlay_analytics.alerting.preview import preview
from outlay_analytics.alerting.rules import AlertRule, all_rules, delete_rule, parse_rules, put_rule, read_rule
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.alerting.sums import Asked
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, migrate, open_store

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 100
BIG, FAILING, COLD, SILENT, UNPRICED, REPEATED, SLOW, RISEN = (
    datetime(2026, 3, day, tzinfo=UTC) for day in range(3, 11)
)


def rows() -> Iterator[dict[str, Any]]:
    """Two calls an hour, half of their input cached, one run in four escalated; each odd day is odd in one way."""
    for k in range(DAYS * 24):
        at = NOW.replace(minute=0) - (k + 1) * HOUR
        day = at.replace(hour=0)
        if day == SILENT:
            continue
        for n in range(2):
            odd: dict[str, Any] = {}
            cost: str | None = "0.01"
            if day == BIG and n:
                odd, cost = {"user": "u-big"}, "0.5"
            if day == FAILING:
                odd = {"status": "error"}
            if day == UNPRICED:
                odd, cost = {"cost_state": "unpriced"}, None
            if day == REPEATED and n:
                odd = {"attempt": 2}
            if day == SLOW:
                odd = {"duration_ns": 9_000_000_000}
            read = 0 if day == COLD else 500
            later = k % 4 == 0 or day == RISEN
            run = {"cascade_name": "triage", "cascade_run_id": f"r{k}", "cascade_tier": int(n and later)}
            about = {"user": f"u{k % 7}", "feature": "search", "input_tokens": 1000, "cache_read_tokens": read, **run}
            if n and not later:
                about |= {"cascade_name": "", "cascade_run_id": "", "cascade_tier": None}
            yield call(at + timedelta(minutes=n), cost, **{**about, **odd})


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = open_store(own_store())
    migrate(made)
    put(made, *rows())
    yield made
    made.writer().run(f"DROP DATABASE IF EXISTS {made.dsn.database} SYNC")
    made.close()


def rule(kind: str, threshold: str, project: str = "default", **more: Any) -> AlertRule:
    return read_rule("r", {"kind": kind, "threshold": threshold, **more}, project=project)


@pytest.mark.parametrize(
    ("kind", "threshold", "day", "words"),
    [
        ("entity_usd", "5", BIG, "1 user over $5.00 in 24 hours: u-big $12.00"),
        ("spend_usd", "5", BIG, "$12.24 in 24 hours"),
        ("above_usual", "3", BIG, "times the usual $0.48"),
        ("error_share", "0.5", FAILING, "48 of 48 calls failed in 24 hours (100.0%)"),
        ("unpriced_share", "0.5", UNPRICED, "calls have no known cost in 24 hours (100.0%)"),
        ("retry_usd", "0.2", REPEATED, "$0.24 for repeated calls in 24 hours"),
        ("latency_p95_ms", "5000", SLOW, "95% of calls within"),
        ("cache_hit_ratio_fall", "0.3", COLD, "0.0% of input came from the cache in 24 hours"),
        ("escalation_rate_rise", "0.4", RISEN, "of runs went on to a later tier in 24 hours"),
        ("no_data", "0.95", SILENT, "0 calls in 24 hours, at least 48 in the weeks before"),
    ],
)
def test_each_kind_finds_its_day_and_no_other(
    store: Store, kind: str, threshold: str, day: datetime, words: str
) -> None:
    found = preview(store, rule(kind, threshold, **({"per": "user"} if kind == "entity_usd" else {})), NOW)
    assert found["times"] == 1, found["fired"]
    (fired,) = found["fired"]
    assert day < fired["started_at"] <= fired["ended_at"] <= day + timedelta(hours=48)
    assert words in fired["reason"]
    assert found["judged"] >= 58
    assert found["note"] == ""


def test_the_preview_says_always_never_and_that_it_cannot_tell(store: Store) -> None:
    always, never = preview(store, rule("spend_usd", "0.1"), NOW), preview(store, rule("spend_usd", "500"), NOW)
    assert always["note"].startswith("it would fire nearly always: in ")
    assert never["note"] == "it would never have fired in the last 60 days; at most: $12.24 in 24 hours"
    nobody = preview(store, rule("error_share", "0.5", scope={"feature": ["serach"]}), NOW)
    assert nobody["note"] == "it could not be judged in the last 60 days: only 0 calls in 24 hours"
    missing = preview(store, rule("budget_share", "0.5", budget="none"), NOW)
    assert missing["note"] == "it could not be judged in the last 60 days: there is no budget 'none'"


def test_a_budget_that_is_spent_to_a_share_is_found_once_each_month(store: Store) -> None:
    writer = store.writer()
    put_budget(store, writer, "default", "month", {"amount_usd": "10"}, NOW)
    found = preview(store, rule("budget_share", "0.8", budget="month"), NOW)
    assert [fired["started_at"].month for fired in found["fired"]] == [3, 2, 1][: found["times"]]
    assert "of $10.00 spent" in found["fired"][0]["reason"]


def test_a_rule_fires_tells_and_ends_like_any_alert(store: Store) -> None:
    writer, at = store.writer(), BIG + timedelta(hours=20)
    with receiver() as hook:
        settings = parse_alerts({"allow": ["127.0.0.1"], "repeat_hours": 8760})
        body = {"kind": "entity_usd", "threshold": "3", "per": "user", "notify": [hook.url]}
        put_rule(store, writer, "default", "dear users", body, at)
        assert [evaluate.evaluate(store, writer, at + k * timedelta(minutes=1), settings) for k in range(3)] == [
            0,
            1,
            0,
        ]
        told = hook.json[0]["alerts"][0]
        assert told["labels"]["alertname"] == "entity_usd"
        assert "dear users" in told["annotations"]["summary"]
        assert "u-big" in told["annotations"]["summary"]
        later = BIG + timedelta(days=3)
        assert [evaluate.evaluate(store, writer, later + k * timedelta(minutes=1), settings) for k in range(2)] == [
            0,
            1,
        ]
        assert hook.json[1]["status"] == "resolved"
    assert delete_rule(store, writer, "default", "dear users", later)
    assert not delete_rule(store, writer, "default", "dear users", later)
    assert all_rules(store) == []
    assert {one["state"] for one in listing.list_alerts(store, "default", later) if one["rule"] == "entity_usd"} == {
        "resolved"
    }


@pytest.mark.parametrize("kind", ["entity_usd", "spend_usd", "latency_p95_ms", "error_share"])
def test_a_window_is_as_long_as_it_says_and_ends_now(store: Store, kind: str) -> None:
    """The odd day ended at midnight: at 20:25 of the next, 24 hours hold three and a half of it."""
    day = {"latency_p95_ms": SLOW, "error_share": FAILING}.get(kind, BIG)
    limit = {"latency_p95_ms": "5000", "error_share": "0.01"}.get(kind, "0.6")
    watched = rule(kind, limit, **({"per": "user"} if kind == "entity_usd" else {}))
    asked = Asked(store, [watched])
    for hours, minutes, fired in ((0, 1, True), (20, 25, True), (24, 1, False)):
        end = day + timedelta(days=1, hours=hours, minutes=minutes)
        found = measure(store, watched, end, None, asked)
        assert (fires(watched, found), found.window) == (fired, Window(end - timedelta(days=1), end)), found.words


def test_any_length_of_window_is_measured_the_same_now_and_in_the_past(store: Store) -> None:
    at = BIG + timedelta(days=2)
    for kind, window in product(("entity_usd", "latency_p95_ms", "spend_usd", "no_data"), ("5h", "24h", "36h", "7d")):
        watched = rule(kind, "0.5", window=window, **({"per": "user"} if kind == "entity_usd" else {}))
        past = measure_past(store, watched, Window(at - 3 * HOUR, at), None)[-1]
        assert past == measure(store, watched, at, None, Asked(store, [watched])), (kind, window)


def test_what_many_rules_need_is_read_once_and_no_more_of_it(store: Store) -> None:
    queries: list[str] = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def query(self, sql: str, *args: Any) -> Any:
            queries.append(sql)
            return store.query(sql, *args)

    counted: Any = Counted()
    rules = [rule(kind, "0.5") for kind in ("spend_usd", "retry_usd", "error_share", "unpriced_share")]
    rules += [rule("spend_usd", "0.5", scope={"feature": [f"f{n}"]}) for n in range(20)]
    asked = Asked(counted, rules)
    with one_look():
        for one in rules:
            measure(counted, one, NOW, None, asked)
    assert sum("retry_usd" in sql for sql in queries) == 2  # all calls, and those by feature
    assert len(queries) == 3  # and which hours are clean


def test_calls_of_long_ago_say_nothing_of_the_window(store: Store) -> None:
    slow, at = rule("latency_p95_ms", "5000", window="5h"), SLOW + timedelta(days=1, minutes=30)
    found = measure(store, slow, at + 4 * HOUR, None, Asked(store, [slow]))
    assert (fires(slow, found), found.value, found.words) == (False, None, "only 10 calls in 5 hours")


def test_a_run_that_goes_through_three_tiers_has_escalated_once(store: Store) -> None:
    for name, day, last_tier in (("before", NOW - timedelta(days=9), 0), ("now", NOW - 6 * HOUR, 2)):
        for n in range(20):
            run = {"project": "deep", "cascade_name": "c", "cascade_run_id": f"{name}{n}", "user": "u"}
            put(
                store,
                *(call(day + n * timedelta(minutes=1), "0.01", **run, cascade_tier=k) for k in range(last_tier + 1)),
            )
    watched = rule("escalation_rate_rise", "0.5", "deep")
    found = measure(store, watched, NOW, None, Asked(store, [watched]))
    assert found.value == 1.0
    assert found.words.startswith("100.0% of runs went on to a later tier in 24 hours, 0.0% in")


def test_the_alert_of_a_deleted_rule_says_so_and_one_of_a_budget_is_about_its_calls(store: Store) -> None:
    writer, about = store.writer(), {"scope": {"feature": ["search"]}}
    put_budget(store, writer, "default", "spent", {"amount_usd": "1", **about}, NOW)
    put_rule(store, writer, "default", "nearly", {"kind": "budget_share", "threshold": "0.5", "budget": "spent"}, NOW)

    def alert() -> dict[str, Any]:
        (found,) = (one for one in listing.list_alerts(store, "default", NOW) if one["rule"] == "budget_share")
        return found

    for minutes in range(2):
        evaluate.evaluate(store, writer, NOW + timedelta(minutes=minutes))
    told = alert()
    assert (told["state"], told["scope"]) == ("firing", about["scope"])
    assert told["window"]["start"] == NOW.replace(day=1, hour=0, minute=0)
    delete_rule(store, writer, "default", "nearly", NOW + HOUR)
    evaluate.evaluate(store, writer, NOW + HOUR)
    assert (alert()["state"], alert()["reason"]) == ("resolved", "its rule was deleted or changed")


def test_a_rule_that_cannot_be_evaluated_is_seen_and_never_taken_for_a_budget(store: Store) -> None:
    writer, at = store.writer(), NOW + timedelta(days=9)
    body = {"kind": "budget_share", "threshold": "0.5", "budget": "gone"}
    put_budget(store, writer, "twins", "same", {"amount_usd": "1"}, at)
    put_rule(store, writer, "twins", "same", body, at)
    for minutes in range(2):
        evaluate.evaluate(store, writer, at + timedelta(minutes=minutes))
    [failing] = listing.not_evaluated(store, "twins")
    assert (failing["what"], failing["name"]) == ("rule", "same")
    assert failing["reason"] == "its evaluation failed: there is no budget 'gone'"
    [alert] = listing.list_alerts(store, "twins", at)
    assert (alert["budget"], alert["rule_name"], alert["group"]) == (None, "same", "twins/rule:same")
    assert alert["title"] == "same could not be evaluated"
    put_budget(store, writer, "twins", "gone", {"amount_usd": "1"}, at)
    for minutes in range(2, 4):
        evaluate.evaluate(store, writer, at + timedelta(minutes=minutes))
    assert listing.not_evaluated(store, "twins") == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "moon", "threshold": "1"}, "kind must be one of spend_usd, entity_usd"),
        ({"kind": "error_share", "threshold": "5"}, "threshold of error_share is a share from 0 to 1, not 5"),
        ({"kind": "no_data", "threshold": "1"}, "it has to be below 1"),
        ({"kind": "budget_share", "threshold": "1", "budget": "b", "window": "7d"}, "has no window of its own"),
        ({"kind": "budget_share", "threshold": "1", "budget": "b", "scope": {"feature": ["a"]}}, "has no scope of"),
        ({"kind": "entity_usd", "threshold": "5"}, "per belongs to entity_usd, which needs one"),
        ({"kind": "spend_usd", "threshold": "5", "per": "user"}, "per belongs to entity_usd"),
        ({"kind": "budget_share", "threshold": "1"}, "which needs the name of one"),
        ({"kind": "entity_usd", "threshold": "5", "per": "mood"}, "mood"),
        ({"kind": "spend_usd", "threshold": "-1"}, "must be a positive number"),
        ({"kind": "spend_usd", "threshold": "1", "window": "90d"}, "must be 1h to 30d"),
        ({"kind": "spend_usd", "threshold": "1", "scope": {"mood": ["x"]}}, "mood"),
    ],
)
def test_a_rule_that_cannot_be_says_why(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=r".*") as refused:
        read_rule("r", body)
    assert said in str(refused.value)


def test_rules_of_the_file_are_read_told_apart_and_not_changed_over_the_api(store: Store) -> None:
    (made,) = parse_rules([{"name": "a", "kind": "spend_usd", "threshold": "5", "window": "7d"}])
    assert (made.window_hours, made.threshold, made.configured) == (168, Decimal(5), True)
    with pytest.raises(BadRequest, match=r"rule 'a' is written in outlay.toml; change it there"):
        put_rule(store, store.writer(), "default", "a", {"kind": "spend_usd", "threshold": "1"}, NOW, (made,))
    with pytest.raises(ConfigError, match=r"\[\[rules\]\] 'a' is given twice"):
        parse_rules([{"name": "a", "kind": "spend_usd", "threshold": "5"}] * 2)
