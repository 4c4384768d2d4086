"""Quality, computed by hand from a small world: what a score is about, intervals, cost per success."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put, roll_up

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions import scored_source, scored_sums
from outlay_analytics.questions.quality import quality
from outlay_analytics.questions.tradeoff import tradeoff
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
D = Decimal


def score(store: Store, row: dict[str, Any], name: str, value: float | None, label: str = "", of: str = "call") -> None:
    """Score a call, the span above it or its trace; given a month later."""
    span = {"call": row["span_id"], "parent": row["parent_span_id"], "trace": ""}[of]
    writer = store.writer()
    about = {"project": row["project"], "trace_id": row["trace_id"], "span_id": span}
    writer.insert("scores", [{**about, "name": name, "value": value, "label": label, "at": DAY + timedelta(days=30)}])
    writer.close()


def by(answer: dict[str, Any], name: str = "model") -> dict[Any, dict[str, Any]]:
    return {"rest" if row.get("remainder") else row[name]: row for row in answer["rows"]}


def test_a_share_has_wilsons_interval_and_a_success_its_price(store: Store) -> None:
    calls = [call(n * HOUR, "0.02", model="small", status="error" if n == 9 else "ok") for n in range(10)]
    put(store, *calls, call(HOUR, "0.5", model="large"), call(HOUR, None, model="small"))
    for n, row in enumerate(calls[:8]):
        score(store, row, "correct", float(n < 6))
    for _ in range(2):
        found = quality(store, WEEK)
        row = by(found)["small"]
        assert (found["score"], found["success"]) == ("correct", 0.5)
        assert found["scores"] == [{"name": "correct", "n": 8, "kind": "share"}]
        assert (row["n"], row["mean"]) == (8, 0.75)
        assert (round(row["ci_low"], 4), round(row["ci_high"], 4)) == (0.4093, 0.9285)
        assert row["cost_per_success_usd"] == D("0.026666666667")  # eight scored answers of 2 cents, six of them right
        assert row["cost_per_call_usd"] == D("0.02")
        assert row["error_rate"] == pytest.approx(1 / 11)
        assert row["scored_ratio"] == pytest.approx(8 / 11)
        large = by(found)["large"]
        assert (large["n"], large["mean"], large["ci_low"], large["cost_per_success_usd"]) == (0, None, None, None)
        assert (found["total"]["n"], found["total"]["mean"], found["total"]["calls"]) == (8, 0.75, 12)
        roll_up(store)


def test_numbers_have_students_interval(store: Store) -> None:
    calls = [call(n * HOUR, "1") for n in range(4)]
    put(store, *calls)
    for row, value in zip(calls, (2.0, 4.0, 4.0, 6.0), strict=True):
        score(store, row, "stars", value)
    [row] = quality(store, WEEK)["rows"]
    assert row["mean"] == 4.0
    half = 3.182446 * (8 / 3) ** 0.5 / 2  # t of three degrees of freedom
    assert row["ci_high"] - row["mean"] == pytest.approx(half, rel=0.01)
    assert row["success_ratio"] is None  # stars say nothing about success until somebody says from where on
    [row] = quality(store, WEEK, success="4")["rows"]
    assert (row["success_ratio"], row["cost_per_success_usd"]) == (0.75, D("1.333333333333"))


def test_one_value_has_no_interval(store: Store) -> None:
    put(store, one := call(HOUR, "1"))
    score(store, one, "stars", 3.5)
    [row] = quality(store, WEEK)["rows"]
    assert (row["n"], row["mean"], row["ci_low"], row["ci_high"]) == (1, 3.5, None, None)


def test_a_score_of_a_trace_is_about_its_answer_and_costs_what_the_trace_cost(store: Store) -> None:
    run = {"cascade_name": "c", "cascade_run_id": "r1", "trace_id": "a" * 32}
    put(
        store,
        call(HOUR, "0.01", model="small", cascade_tier=0, cascade_outcome="escalated", **run),
        answer := call(2 * HOUR, "0.10", model="large", cascade_tier=1, cascade_outcome="accepted", **run),
        call(3 * HOUR, "0.05", model="judge", trace_id="a" * 32, status="error"),
    )
    score(store, answer, "good", 1.0, of="trace")
    rows = by(quality(store, WEEK))
    assert [name for name, row in rows.items() if row["n"]] == ["large"]
    assert rows["large"]["cost_per_success_usd"] == D("0.16")
    score(store, answer, "good", 1.0)  # of the call itself: what its run cost
    assert by(quality(store, WEEK))["large"]["cost_per_success_usd"] == (D("0.16") + D("0.11")) / 2


@pytest.mark.parametrize("of", ["trace", "parent"])
def test_a_judge_inside_the_attempt_is_not_the_answer(store: Store, of: str) -> None:
    run = {"cascade_name": "c", "cascade_run_id": "r1", "trace_id": "a" * 32, "cascade_tier": 0}
    run |= {"cascade_outcome": "escalated", "cascade_forced": 1, "parent_span_id": "b" * 16}
    put(
        store,
        answer := call(HOUR, "0.10", model="small", **run),
        call(2 * HOUR, "0.05", model="judge", cascade_judge=1, **run),
    )
    score(store, answer, "good", 1.0, of=of)
    rows = by(quality(store, WEEK))
    assert [name for name, row in rows.items() if row["n"]] == ["small"]
    assert rows["small"]["cost_per_success_usd"] == D("0.15")


def test_a_run_whose_attempts_are_scored_each_is_paid_once(store: Store) -> None:
    run = {"cascade_name": "c", "cascade_run_id": "r1", "trace_id": "a" * 32, "feature": "f"}
    put(
        store,
        first := call(HOUR, "0.01", model="small", cascade_tier=0, cascade_outcome="escalated", **run),
        last := call(2 * HOUR, "0.10", model="large", cascade_tier=1, cascade_outcome="accepted", **run),
    )
    score(store, first, "good", 0.0)
    score(store, last, "good", 1.0)
    found = quality(store, WEEK, ("feature",))
    assert [row["cost_per_success_usd"] for row in (found["total"], *found["rows"])] == [D("0.11"), D("0.11")]
    found = quality(store, WEEK)
    assert (found["total"]["n"], found["total"]["cost_per_success_usd"]) == (2, D("0.11"))


def test_absurd_values_are_no_values(store: Store) -> None:
    put(store, one := call(HOUR, "1"), other := call(HOUR, "1"))
    score(store, one, "stars", 1.7e308)
    score(store, other, "stars", 4.0)
    [row] = quality(store, WEEK)["rows"]
    assert (row["n"], row["mean"]) == (1, 4.0)


def test_a_score_of_the_span_above_is_about_the_call_below(store: Store) -> None:
    put(
        store,
        one := call(HOUR, "0.01", model="small", parent_span_id="f" * 16),
        other := call(HOUR, "1", model="large"),
    )
    score(store, one, "good", 0.0, of="parent")
    score(store, other, "good", 1.0)
    rows = by(quality(store, WEEK))
    assert (rows["small"]["mean"], rows["large"]["mean"]) == (0.0, 1.0)


def test_labels_are_counted_and_one_may_say_success(store: Store) -> None:
    calls = [call(n * HOUR, "0.3") for n in range(3)]
    put(store, *calls)
    for row, label in zip(calls, ("pass", "fail", "pass"), strict=True):
        score(store, row, "judge", None, label)
    found = quality(store, WEEK)
    assert found["scores"] == [{"name": "judge", "n": 3, "kind": "label"}]
    [row] = found["rows"]
    assert (row["n"], row["mean"]) == (3, None)
    assert row["labels"] == [{"label": "pass", "n": 2}, {"label": "fail", "n": 1}]
    [row] = quality(store, WEEK, success="pass")["rows"]
    assert (row["n"], row["mean"]) == (3, pytest.approx(2 / 3))
    assert row["success_ratio"] == pytest.approx(2 / 3)
    assert row["cost_per_success_usd"] == D("0.45")


def test_filters_and_windows_are_of_the_answer_not_of_the_score(store: Store) -> None:
    put(store, one := call(HOUR, "1", feature="a"), other := call(30 * HOUR, "1", feature="b"))
    score(store, one, "good", 1.0)
    score(store, other, "good", 0.0)
    rows = quality(store, WEEK, ("feature",), "day")["rows"]
    assert {(row["time"], row["feature"], row["mean"]) for row in rows} == {
        (DAY, "a", 1.0),
        (DAY + timedelta(days=1), "b", 0.0),
    }
    only = Scope(WEEK.window, {"feature": ("b",)})
    assert [row["mean"] for row in quality(store, only)["rows"]] == [0.0]
    assert quality(store, Scope(Window(DAY + timedelta(days=20), DAY + timedelta(days=40))))["score"] is None


def test_what_has_no_row_of_its_own_is_in_the_remainder(store: Store) -> None:
    calls = [call(n * HOUR, str(5 - n), model=f"m{n}") for n in range(4)]
    put(store, *calls)
    for n, row in enumerate(calls):
        score(store, row, "good", float(n % 2))
    rows = by(quality(store, WEEK, limit=2))
    assert [rows[name]["n"] for name in ("m0", "m1", "rest")] == [1, 1, 2]
    assert rows["rest"]["mean"] == 0.5


def test_an_answer_of_unknown_cost_makes_no_success_cheap(store: Store) -> None:
    put(store, one := call(HOUR, None), other := call(HOUR, "0.4"))
    score(store, one, "good", 1.0)
    score(store, other, "good", 1.0)
    [row] = quality(store, WEEK)["rows"]
    assert row["cost_per_success_usd"] == D("0.4")


def test_what_cannot_be_asked_is_refused_by_name(store: Store) -> None:
    put(store, one := call(HOUR, "1"))
    score(store, one, "good", 1.0)
    with pytest.raises(BadRequest, match="scored 'god'; there: 'good'"):
        quality(store, WEEK, score="god")
    with pytest.raises(BadRequest, match="success 'maybe' is neither a number nor a label of 'good'"):
        quality(store, WEEK, success="maybe")
    assert quality(store, Scope(WEEK.window, project="empty"))["rows"] == []


def test_a_score_of_a_trace_counts_once_at_the_time_of_its_answer(store: Store) -> None:
    about = {"trace_id": "a" * 32}
    put(store, first := call(HOUR, "1", model="early", **about), call(30 * HOUR, "1", model="late", **about))
    score(store, first, "good", 1.0, of="trace")
    days = [Scope(Window(DAY + timedelta(days=n), DAY + timedelta(days=n + 1))) for n in range(2)]
    counted = [by(quality(store, day)) for day in days]
    assert [{name: row["n"] for name, row in rows.items()} for rows in counted] == [{}, {"late": 1}]
    [row] = quality(store, days[1], ())["rows"]
    assert row["cost_per_success_usd"] == D("2")  # all calls of the trace, also those before the window


@pytest.mark.parametrize("batches", [[(0, 5)], [(0, 0), (5, 5)]])
def test_the_hours_of_a_long_trace_are_known_from_its_spans(store: Store, batches: list[tuple[int, int]]) -> None:
    about = {"trace_id": "a" * 32}
    put(store, first := call(HOUR, "1", **about), call(timedelta(days=5), "1", **about))
    writer = store.writer()
    for begun, ended in batches:
        hours = {"first_hour": DAY + timedelta(days=begun), "last_hour": DAY + timedelta(days=ended), "spans": 1}
        writer.insert("trace_hours", [{"project": "default", "trace_id": "a" * 32, **hours}])
    writer.close()
    score(store, first, "good", 1.0, of="trace")
    assert quality(store, Scope(Window(DAY, DAY + timedelta(days=1))))["rows"] == []


def test_whether_a_score_is_a_share_is_the_same_in_every_window(store: Store) -> None:
    put(store, one := call(HOUR, "1"), other := call(30 * HOUR, "1"))
    score(store, one, "stars", 1.0)
    score(store, other, "stars", 5.0)
    found = quality(store, Scope(Window(DAY, DAY + timedelta(days=1))))
    assert found["scores"] == [{"name": "stars", "n": 1, "kind": "number"}]
    assert found["success"] is None  # 1 of 5 stars is no success because a day has no other


def test_labels_beyond_the_commonest_are_counted_together_and_can_be_asked_for(store: Store) -> None:
    calls = [call(HOUR, "1") for _ in range(27)]
    put(store, *calls)
    for n, row in enumerate(calls):
        score(store, row, "judge", None, f"label-{max(0, n - 2):02}")
    [row] = quality(store, WEEK)["rows"]
    assert [one["n"] for one in row["labels"]] == [3, *[1] * 19, 5]
    assert row["labels"][-1] == {"label": None, "n": 5, "remainder": True}
    [row] = quality(store, WEEK, success="label-24")["rows"]
    assert row["mean"] == pytest.approx(1 / 27)


def test_the_p95_has_an_interval_once_there_are_calls_enough(store: Store) -> None:
    calls = [call(HOUR, "1", duration_ns=(n + 1) * 10_000_000) for n in range(100)]
    put(store, *calls)
    score(store, calls[0], "good", 1.0)
    for _ in range(2):
        [row] = quality(store, WEEK)["rows"]
        # of 100 durations the 90th and the 99th, to the edges of their buckets
        assert 900 / 1.045 <= row["p95_ci_low_ms"] <= 900
        assert 990 <= row["p95_ci_high_ms"] <= 990 * 1.045
        roll_up(store)
    assert quality(store, Scope(WEEK.window, {"trace_id": (calls[0]["trace_id"],)}))["rows"][0]["p95_ci_low_ms"] is None


def test_scores_of_other_times_are_not_read(store: Store) -> None:
    calls = [call(timedelta(days=n % 6, minutes=n), "1") for n in range(60)]
    put(store, *calls)
    for row in calls:
        score(store, row, "good", 1.0)
    params = {"project": "default", "start": "2026-03-10 00:00:00", "end": "2026-03-11 00:00:00"}
    given = scored_source._given(store, params, "1", "1")
    assert store.query(f"SELECT count() AS n FROM scores WHERE {given}", params)[0]["n"] == 10
    assert by(quality(store, Scope(Window(DAY, DAY + timedelta(days=1)))))["gpt-5"]["n"] == 10


def test_a_few_names_that_are_read_in_one_go_give_what_many_give_one_by_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {"cascade_name": "c", "cascade_run_id": "r", "trace_id": "aa" * 16}
    calls = [
        call(HOUR, "0.01", model="gpt-5", feature="a", **run),
        call(2 * HOUR, "0.03", model="gpt-4o", feature="a", **run),
        *(call(timedelta(hours=30 + n), "0.02", model="gpt-5", feature="ab"[n % 2]) for n in range(6)),
    ]
    put(store, *calls)
    for number, row in enumerate(calls):
        score(store, row, "good", number % 3 / 2)
        score(store, row, "kind", None, label=["yes", "no"][number % 2], of="trace")
        if number > 3:
            score(store, row, "stars", float(number))
    asked: list[Callable[[], dict[str, Any]]] = [
        lambda: quality(store, WEEK, ["feature", "model"], "day"),
        lambda: quality(store, WEEK, score="kind"),
        lambda: quality(store, WEEK, ["user"], score="stars", limit=1),
        lambda: tradeoff(store, WEEK),
    ]
    together = [ask() for ask in asked]
    assert together[0]["total"]["n"] == 8
    assert together[0]["total"]["cost_per_success_usd"] is not None
    monkeypatch.setattr(scored_sums, "MAX_SCORES", 0)
    assert [ask() for ask in asked] == together
