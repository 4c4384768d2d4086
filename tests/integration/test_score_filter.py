"""Scores as a filter, computed by hand: one small world, asked by every question that can be filtered."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, lookup, put, roll_up
from tests.integration.test_quality import HOUR, WEEK, score

from outlay_analytics.explain.change import explain
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.caching import caching
from outlay_analytics.questions.calls import list_calls
from outlay_analytics.questions.quality import quality
from outlay_analytics.questions.spend import spend
from outlay_analytics.questions.trace import get_trace
from outlay_analytics.questions.traces import list_traces
from outlay_analytics.questions.unit_costs import unit_costs
from outlay_collector.store import Store


def scope(*values: str, name: str = "score.good", **filters: str) -> Scope:
    return Scope(WEEK.window, {name: values, **{key: (value,) for key, value in filters.items()}})


def total(store: Store, *values: str, name: str = "score.good") -> Any:
    return spend(store, scope(*values, name=name), ("feature",))["total"]["cost_usd"]


@pytest.fixture
def world(store: Store) -> dict[str, dict[str, Any]]:
    """Calls that cost 1, 2, 4, 8 and 16 dollars: right, wrong, below a scored span, in a scored trace, not scored."""
    rows = {
        "right": call(HOUR, "1", feature="chat", user="a"),
        "wrong": call(2 * HOUR, "2", feature="chat", user="b"),
        "below": call(3 * HOUR, "4", feature="search", user="b", parent_span_id="f" * 16),
        "traced": call(26 * HOUR, "8", feature="search", user="c"),
        "silent": call(27 * HOUR, "16", feature="chat", user="c"),
    }
    put(store, *rows.values())
    score(store, rows["right"], "good", 1.0)
    score(store, rows["wrong"], "good", 0.0, "poor")
    score(store, rows["below"], "good", 0.25, of="parent")
    score(store, rows["traced"], "good", 0.5, "fair", of="trace")
    score(store, rows["silent"], "other", 0.0)
    return rows


def test_scores_choose_the_calls_of_spend_rolled_up_or_not(store: Store, world: dict[str, dict[str, Any]]) -> None:
    for _ in range(2):
        assert total(store, "1") == Decimal(1)
        assert total(store, "0", "1.0") == Decimal(3)
        assert total(store, "<0.5") == Decimal(6)
        assert total(store, "<=0.5", "1") == Decimal(15)
        assert total(store, ">0.5") == Decimal(1)
        assert total(store, ">=0.5") == Decimal(9)
        assert total(store, "poor", "fair") == Decimal(10)
        assert total(store, "*") == Decimal(15)
        assert total(store, "") == Decimal(16)
        assert total(store, "", "1") == Decimal(17)
        assert total(store, "0", name="score.nothing") == Decimal(0)
        assert total(store, "0", name="score.other") == Decimal(16)
        roll_up(store)
    assert spend(store, scope("<0.5", feature="chat"))["total"]["cost_usd"] == Decimal(2)
    assert spend(store, Scope(WEEK.window, {"score.good": ("1",)}, project="other"))["total"]["calls"] == 0


def test_every_question_about_calls_takes_them(store: Store, world: dict[str, dict[str, Any]]) -> None:
    wrong = scope("<0.5")
    assert [one["span_id"] for one in list_calls(store, wrong)["calls"]] == [
        world[name]["span_id"] for name in ("below", "wrong")
    ]
    assert [one["trace_id"] for one in list_traces(store, scope(">=0.5"))["traces"]] == [
        world[name]["trace_id"] for name in ("traced", "right")
    ]
    assert unit_costs(store, wrong, "user")["total"]["units"] == 1
    [row] = quality(store, wrong, ())["rows"]
    assert (row["n"], row["mean"]) == (2, 0.125)
    day = timedelta(days=1)
    window = Window(WEEK.window.start + day, WEEK.window.start + 2 * day)
    change = explain(store, Scope(window, {"score.good": ("*",)}), Window(window.start - day, window.start))
    assert change["change_usd"] == Decimal(1)
    put(store, lookup(HOUR, trace_id=world["traced"]["trace_id"]), lookup(HOUR))
    assert caching(store, scope("0.5"))["total"]["exact"]["lookups"] == 1


def test_a_comparison_with_no_number_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match=r"score.good: '<bad' compares with no number"):
        scope("<bad")
    with pytest.raises(BadRequest, match=r"'score\.' is not a dimension"):
        scope("1", name="score.")
    with pytest.raises(BadRequest, match=r"group_by: 'score\.good' is not a dimension"):
        spend(store, WEEK, ("score.good",))


def test_a_trace_says_what_was_scored_in_it(store: Store, world: dict[str, dict[str, Any]]) -> None:
    found = get_trace(store, "default", world["below"]["trace_id"])
    assert found is not None
    assert found["scores"] == [{"span_id": "f" * 16, "name": "good", "value": 0.25, "label": None}]
    found = get_trace(store, "default", world["traced"]["trace_id"])
    assert found is not None
    assert found["scores"] == [{"span_id": None, "name": "good", "value": 0.5, "label": "fair"}]
