"""Who spent what: a small world of calls whose answers are computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put, roll_up

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend, spend_page
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
WEEK = Window(DAY, DAY + timedelta(days=7))
SEVEN = Scope(WEEK)

NO_DOUBTS = {"estimated_calls": 0, "assumed_calls": 0, "cached_input_unknown_calls": 0}


def by(answer: dict[str, Any], *names: str) -> dict[Any, Any]:
    """Costs of the rows by the values of some of their columns."""
    keys = [tuple(row[name] for name in names) for row in answer["rows"]]
    assert len(set(keys)) == len(keys)
    return {key[0] if len(key) == 1 else key: row["cost_usd"] for key, row in zip(keys, answer["rows"], strict=True)}


def world(store: Store) -> None:
    put(
        store,
        call(1 * HOUR, "0.10", feature="search", team="a", input_tokens=1000, cache_read_tokens=400, output_tokens=50),
        call(2 * HOUR, "0.20", feature="search", team="b", input_tokens=500, reasoning_tokens=7, tags={"plan": "pro"}),
        call(26 * HOUR, "0.40", feature="chat", status="error", error_type="timeout", user="u1", duration_ns=3 * 10**9),
        call(27 * HOUR, None, feature="chat", model="unheard-of", response_model="unheard-of"),
        call(28 * HOUR, "0", feature="chat", cost_state="not_billed", status="error"),
        call(50 * HOUR, None, cost_state="no_usage"),
    )


def test_the_total_adds_what_is_known_and_says_how_much_that_is(store: Store) -> None:
    world(store)
    answer = spend(store, SEVEN)
    total = answer["total"]
    assert (total["cost_usd"], total["calls"], total["errors"]) == (Decimal("0.7"), 6, 2)
    assert (total["input_tokens"], total["cache_read_tokens"], total["output_tokens"]) == (1500, 400, 50)
    assert total["reasoning_tokens"] == 7
    assert answer["coverage"] == {"calls": 6, "priced_calls": 4, "priced_ratio": 4 / 6, **NO_DOUBTS}
    assert answer["currency"] == "USD"
    assert answer["window"] == {"start": WEEK.start, "end": WEEK.end}


def test_rows_have_every_measure_and_nothing_else(store: Store) -> None:
    world(store)
    [row] = [row for row in spend(store, SEVEN, ["feature"], "day")["rows"] if row["feature"] == "search"]
    assert set(row) == {
        "time", "feature", "cost_usd", "calls", "errors", "input_tokens", "cache_read_tokens", "cache_write_tokens",
        "output_tokens", "reasoning_tokens", "uncached_cost_usd", "p50_ms", "p95_ms", "priced_ratio",
    }  # fmt: skip
    assert row["time"] == DAY


def test_each_group_has_its_own_sum_and_priced_ratio_largest_first(store: Store) -> None:
    world(store)
    rows = spend(store, SEVEN, ["feature"])["rows"]
    assert [(row["feature"], row["cost_usd"], row["priced_ratio"]) for row in rows] == [
        ("chat", Decimal("0.4"), 2 / 3),
        ("search", Decimal("0.3"), 1.0),
        (None, None, 0.0),
    ]


def test_without_calls_costs_are_zero_and_ratios_unknown(store: Store) -> None:
    answer = spend(store, SEVEN, ["feature"], "day")
    assert answer["rows"] == []
    assert answer["total"]["cost_usd"] == 0
    assert answer["total"]["uncached_cost_usd"] == 0
    assert answer["total"]["input_tokens"] == 0
    assert [answer["total"][name] for name in ("priced_ratio", "p50_ms", "p95_ms")] == [None, None, None]
    assert answer["coverage"] == {"calls": 0, "priced_calls": 0, "priced_ratio": None, **NO_DOUBTS}


def test_where_no_call_is_priced_the_cost_is_unknown_not_zero(store: Store) -> None:
    put(store, call(cost=None), call(cost=None))
    total = spend(store, SEVEN)["total"]
    assert (total["cost_usd"], total["uncached_cost_usd"], total["priced_ratio"]) == (None, None, 0.0)


def test_a_failure_that_is_not_billed_costs_zero_and_counts_as_priced(store: Store) -> None:
    put(store, call(cost="0", cost_state="not_billed", status="error"))
    total = spend(store, SEVEN)["total"]
    assert (total["cost_usd"], total["calls"], total["errors"], total["priced_ratio"]) == (0, 1, 1, 1.0)


def test_tokens_that_nobody_told_are_unknown_not_zero(store: Store) -> None:
    put(store, call(cost=None, cost_state="no_usage"))
    assert spend(store, SEVEN)["total"]["input_tokens"] is None


def test_the_window_includes_its_start_and_excludes_its_end(store: Store) -> None:
    put(store, call(1 * HOUR, "1"), call(2 * HOUR, "10"), call(3 * HOUR, "100"))
    inner = Scope(Window(DAY + HOUR, DAY + 3 * HOUR))
    assert spend(store, inner)["total"]["cost_usd"] == 11
    roll_up(store)
    assert spend(store, inner)["total"]["cost_usd"] == 11


def test_projects_stay_apart(store: Store) -> None:
    put(store, call(cost="1"), call(cost="2", project="other"))
    roll_up(store)
    put(store, call(HOUR, "4"), call(HOUR, "8", project="other"))
    assert spend(store, SEVEN)["total"]["cost_usd"] == 5
    assert spend(store, Scope(WEEK, project="other"))["total"]["cost_usd"] == 10
    assert spend(store, Scope(WEEK, project="none"))["total"]["calls"] == 0


def test_a_tombstone_takes_a_call_away(store: Store) -> None:
    one = call(cost="1")
    put(store, one, call(cost="2"))
    put(store, {**one, "version": 2, "is_deleted": 1})
    assert spend(store, SEVEN)["total"] | {} == spend(store, SEVEN)["total"]
    assert spend(store, SEVEN)["total"]["cost_usd"] == 2


def test_the_newest_settling_of_a_call_wins(store: Store) -> None:
    one = call(cost="1", model="old")
    put(store, one)
    put(store, {**one, "version": 2, "model": "new", "cost_usd": Decimal(3)})
    assert by(spend(store, SEVEN, ["model"]), "model") == {"new": 3}


def test_filters_combine_and_their_values_are_alternatives(store: Store) -> None:
    world(store)
    searches = Scope(WEEK, {"feature": ("search", "nothing"), "team": ("a", "b")})
    assert spend(store, searches)["total"]["cost_usd"] == Decimal("0.3")
    assert spend(store, Scope(WEEK, {"feature": ("search",), "team": ("a",)}))["total"]["cost_usd"] == Decimal("0.1")
    assert spend(store, Scope(WEEK, {"feature": ("",)}))["total"]["calls"] == 1


def test_every_dimension_groups_and_filters_alike(store: Store) -> None:
    values: dict[str, Any] = {
        "feature": "f", "team": "t", "customer": "c", "user": "u", "session": "s", "environment": "e", "service": "v",
        "provider": "anthropic", "model": "claude-opus-4-1", "request_model": "claude-opus", "service_tier": "flex",
        "operation": "chat", "task": "k", "prompt": "p", "prompt_version": "14", "route_tier": "cheap",
        "experiment": "x", "arm": "b", "cost_state": "estimated", "status": "error", "dialect": "vercel",
    }  # fmt: skip
    put(
        store,
        call(cost="1", **values, cascade_name="n", cascade_tier=1, cache_kind="exact", tags={"plan": "it's \\ 5%"}),
        call(cost="2", service="", environment="", provider="", model="", request_model="", operation="", dialect=""),
    )
    expected: dict[str, Any] = {
        **values, "model_tier": "frontier", "cascade": "n", "cascade_tier": 1, "cache": "exact",
        "tag.plan": "it's \\ 5%",
    }  # fmt: skip
    assert set(expected) == {*DIMENSIONS, "tag.plan"}
    for name, value in expected.items():
        groups = by(spend(store, SEVEN, [name]), name)
        assert groups[value] == 1, name
        assert spend(store, Scope(WEEK, {name: (str(value),)}))["total"]["cost_usd"] == 1, name
        if name not in ("cost_state", "status"):
            assert groups[None] == 2, name
            assert spend(store, Scope(WEEK, {name: ("",)}))["total"]["cost_usd"] == 2, name


def test_rows_by_day_come_newest_first(store: Store) -> None:
    world(store)
    rows = spend(store, SEVEN, [], "day")["rows"]
    assert [(row["time"] - DAY).days for row in rows] == [2, 1, 0]
    assert [row["cost_usd"] for row in rows] == [None, Decimal("0.4"), Decimal("0.3")]


@pytest.mark.parametrize(
    ("interval", "zone", "starts"),
    [
        ("hour", "Asia/Kolkata", ["2026-03-28T22:30Z", "2026-03-29T21:30Z", "2026-03-29T22:30Z"]),
        ("day", "UTC", ["2026-03-28T00:00Z", "2026-03-29T00:00Z"]),
        ("day", "Europe/Berlin", ["2026-03-27T23:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z"]),
        ("day", "Asia/Kolkata", ["2026-03-28T18:30Z", "2026-03-29T18:30Z"]),
        ("week", "UTC", ["2026-03-23T00:00Z"]),
        ("week", "Europe/Berlin", ["2026-03-22T23:00Z", "2026-03-29T22:00Z"]),
        ("month", "UTC", ["2026-03-01T00:00Z"]),
        ("month", "America/New_York", ["2026-03-01T05:00Z"]),
        ("month", "Asia/Kolkata", ["2026-02-28T18:30Z"]),
    ],
)
def test_days_weeks_and_months_begin_at_local_midnight(
    store: Store, interval: str, zone: str, starts: list[str]
) -> None:
    """29 March 2026 has 23 hours in Berlin: summer time begins; it is a Sunday."""
    moments = [datetime(2026, 3, 28, 22, 30, tzinfo=UTC), datetime(2026, 3, 29, 21, 30, tzinfo=UTC)]
    put(store, *(call(at, "1") for at in (*moments, moments[1] + HOUR)))
    scope = Scope(Window(DAY, DAY + timedelta(days=30)), timezone=zone)
    expected = [datetime.fromisoformat(text) for text in starts]
    assert sorted(row["time"] for row in spend(store, scope, [], interval)["rows"]) == expected
    roll_up(store)
    assert sorted(row["time"] for row in spend(store, scope, [], interval)["rows"]) == expected


def test_percentiles_are_within_three_percent(store: Store) -> None:
    put(store, *(call(timedelta(minutes=n), "1", duration_ns=(n + 1) * 10**7) for n in range(200)))
    for _ in range(2):
        total = spend(store, SEVEN)["total"]
        assert total["p50_ms"] == pytest.approx(1005, rel=0.03)
        assert total["p95_ms"] == pytest.approx(1900.5, rel=0.03)
        roll_up(store)


def test_the_window_before_stands_beside_the_total_and_each_row(store: Store) -> None:
    put(
        store,
        call(-20 * HOUR, "1", feature="a"),
        call(-2 * HOUR, "4", feature="gone"),
        call(4 * HOUR, "2", feature="a"),
        call(5 * HOUR, "8", feature="new"),
    )
    scope = Scope(Window(DAY, DAY + timedelta(days=1)))
    answer = spend(store, scope, ["feature"], compare="previous")
    assert answer["total"]["cost_usd"] == 10
    assert answer["total"]["previous"]["cost_usd"] == 5
    rows = {row["feature"]: (row["cost_usd"], row["calls"], row["previous"]["cost_usd"]) for row in answer["rows"]}
    assert rows == {"a": (2, 1, 1), "new": (8, 1, 0), "gone": (0, 0, 4)}


def test_intervals_are_compared_with_the_same_place_of_the_window_before(store: Store) -> None:
    week = timedelta(days=7)
    put(store, call(-week + 3 * HOUR, "1"), call(-week + 30 * HOUR, "2"), call(2 * HOUR, "4"), call(50 * HOUR, "8"))
    for _ in range(2):
        rows = spend(store, SEVEN, [], "day", compare="previous")["rows"]
        days = {(row["time"] - DAY).days: (row["cost_usd"], row["previous"]["cost_usd"]) for row in rows}
        assert days == {0: (4, 1), 1: (0, 2), 2: (8, 0)}
        roll_up(store)


def test_a_limit_keeps_the_largest_groups_and_puts_the_others_into_one_row(store: Store) -> None:
    put(store, *(call(cost=str(n), user=f"u{n}") for n in range(1, 6)))
    answer = spend(store, SEVEN, ["user"], limit=2)
    assert [(row["user"], row["cost_usd"], row.get("remainder")) for row in answer["rows"]] == [
        ("u5", 5, None),
        ("u4", 4, None),
        (None, 6, True),
    ]
    assert (answer["rows_left_out"], answer["groups_left_out"]) == (True, 3)
    assert answer["total"]["cost_usd"] == 15


def crowd(store: Store) -> None:
    """Calls of many users and features in two weeks, some without a user, a price or a usage."""
    costs = {n: None if n % 11 == 0 else f"0.{n + 1:03d}000000{n % 10}" for n in range(60)}
    put(
        store,
        *(
            call(n * HOUR, usd, user=f"u{n % 13}", feature=f"f{n % 9}", duration_ns=(n + 1) * 10**8, input_tokens=n)
            for n, usd in costs.items()
        ),
        *(call(-5 * HOUR - n * HOUR, "1.5", user=f"old{n}", feature="f1") for n in range(6)),
        call(3 * HOUR, None, user="silent", cost_state="no_usage"),
        call(3 * HOUR, None, status="error"),
    )


def adds_up(answer: dict[str, Any]) -> None:
    """Rows add up to the total in every sum, and so does the window before."""
    sides = [(answer["rows"], answer["total"])]
    if "previous" in answer["total"]:
        sides.append(([row["previous"] for row in answer["rows"]], answer["total"]["previous"]))
    for rows, total in sides:
        for name in ("cost_usd", "uncached_cost_usd", "calls", "errors", "input_tokens", "output_tokens"):
            assert sum(row[name] or 0 for row in rows) == (total[name] or 0), name


@pytest.mark.parametrize("rolled_up", [False, True])
def test_rows_add_up_to_the_total_to_the_last_digit_whatever_the_limit(store: Store, rolled_up: bool) -> None:
    crowd(store)
    if rolled_up:
        roll_up(store)
    for names in (["user"], ["feature"], ["user", "feature"]):
        for interval in ("total", "day", "hour"):
            for compare in (None, "previous"):
                for limit in (1, 4, 1000):
                    answer = spend(store, SEVEN, names, interval, compare, limit)
                    adds_up(answer)
                    shown = {tuple(row[name] for name in names) for row in answer["rows"] if not row.get("remainder")}
                    assert len(shown) <= limit
                    assert any(row.get("remainder") for row in answer["rows"]) == (limit < 1000)


def test_percentiles_and_coverage_of_the_remainder_are_those_of_its_calls(store: Store) -> None:
    crowd(store)
    rows = spend(store, SEVEN, ["user"], limit=3)["rows"]
    shown = {row["user"] for row in rows[:3]}
    others = {f"u{n}" for n in range(13)} - shown | {"", "silent"}
    alone = spend(store, Scope(WEEK, {"user": tuple(others)}))["total"]
    for name, value in alone.items():
        assert rows[3][name] == value, name
    assert alone["priced_ratio"] < 1


@pytest.mark.parametrize("compare", [None, "previous"])
def test_pages_are_the_whole_list_and_each_adds_up_by_itself(store: Store, compare: str | None) -> None:
    crowd(store)
    for interval in ("total", "hour"):
        seen, after = [], None
        while True:
            page, after = spend_page(store, SEVEN, ["user"], interval, compare, limit=10, after=after)
            adds_up(page)
            own = [row for row in page["rows"] if not row.get("remainder")]
            assert len(own) <= 10
            assert len(page["rows"]) <= len(own) + 1
            seen += own
            if after is None:
                break
        assert seen == [row for row in spend(store, SEVEN, ["user"], interval, compare)["rows"] if row["calls"]]


def test_the_rank_says_which_groups_are_shown(store: Store) -> None:
    put(store, call(cost="9", user="dear"), *(call(cost="1", user="busy") for _ in range(3)), call(cost="2", user="x"))
    rows = spend(store, SEVEN, ["user"], limit=1, rank="calls")["rows"]
    assert [(row["user"], row["calls"]) for row in rows] == [("busy", 3), (None, 2)]
    with pytest.raises(BadRequest, match="rank"):
        spend(store, SEVEN, ["user"], rank="1; DROP TABLE calls")


def test_ten_decimals_of_many_calls_add_up_exactly(store: Store) -> None:
    put(store, *(call(timedelta(seconds=n), "0.000000000001") for n in range(999)))
    assert spend(store, SEVEN)["total"]["cost_usd"] == Decimal("0.000000000999")


def test_what_cannot_be_asked_is_refused(store: Store) -> None:
    for wrong in ({"group_by": ["nonsense"]}, {"interval": "minute"}, {"compare": "next"}):
        with pytest.raises(BadRequest):
            spend(store, SEVEN, **wrong)
