"""Explain on hand-made worlds: every driver's figure is computed by hand, and everything adds up to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hand_calls import DAY, call, put, roll_up

from outlay_analytics.explain.change import changes, explain
from outlay_analytics.explain.contributions import contributions_of
from outlay_analytics.explain.segments import build
from outlay_analytics.explain.shapley import DRIVERS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
TODAY = Window(DAY, DAY + timedelta(days=1))
SCOPE = Scope(TODAY)
YESTERDAY = -timedelta(days=1)
ONE_MILLIONTH = Decimal("0.000001")


def billed(
    at: timedelta,
    *,
    uncached: int = 1000,
    read: int = 0,
    output: int = 100,
    prices: tuple[str, str, str] = ("2", "0.2", "8"),
    **fields: Any,
) -> dict[str, Any]:
    """A call with its lines, priced per million tokens."""
    lines = {
        name: Decimal(price) * tokens * ONE_MILLIONTH
        for name, price, tokens in zip(("input", "cache_read", "output"), prices, (uncached, read, output), strict=True)
        if tokens
    }
    tokens = {"input_tokens": uncached + read, "cache_read_tokens": read, "output_tokens": output}
    return call(at, str(sum(lines.values())), cost_lines=lines, **{"feature": "search", **tokens, **fields})


def driver(answer: dict[str, Any], name: str) -> Decimal:
    usd: Decimal = next(d["usd"] for d in answer["drivers"] if d["driver"] == name)
    return usd


def check_sums(answer: dict[str, Any]) -> None:
    change = (answer["current"]["cost_usd"] or 0) - (answer["base"]["cost_usd"] or 0)
    assert answer["change_usd"] == change
    assert sum(d["usd"] for d in answer["drivers"]) == change
    assert sum(c["usd"] for c in answer["cells"]) == change
    assert {d["driver"] for d in answer["drivers"]} - {"unexplained"} == set(DRIVERS)


def only(answer: dict[str, Any], name: str) -> None:
    """This driver holds the whole change."""
    check_sums(answer)
    assert driver(answer, name) == answer["change_usd"] != 0
    assert all(d["usd"] == 0 for d in answer["drivers"] if d["driver"] != name)


def test_twice_the_requests_is_all_requests(store: Store) -> None:
    put(store, *[billed(YESTERDAY + k * HOUR) for k in range(3)], *[billed(k * HOUR) for k in range(6)])
    answer = explain(store, SCOPE)
    only(answer, "requests")
    assert answer["change_usd"] == Decimal("0.0084")
    assert answer["cells"] == [{"feature": "search", "driver": "requests", "usd": Decimal("0.0084")}]
    assert answer["sentences"][0] == "Spend rose by $0.0084 (+100%), from $0.0084 in the 24 hours before to $0.0168."
    assert "6 requests after 3 (+100%)" in answer["sentences"][1]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("input_tokens", {"uncached": 1000}, {"uncached": 1500}),
        ("output_tokens", {"output": 100}, {"output": 150}),
        ("cache_share", {"uncached": 200, "read": 800}, {"uncached": 800, "read": 200}),
        ("unit_price", {}, {"prices": ("3", "0.3", "12")}),
        ("model_mix", {}, {"model": "gpt-5-pro", "prices": ("15", "1.5", "120")}),
    ],
)
def test_one_cause_is_one_driver(store: Store, name: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    put(
        store,
        *[billed(YESTERDAY + k * HOUR, **before) for k in range(4)],
        *[billed(k * HOUR, **after) for k in range(4)],
    )
    only(explain(store, SCOPE), name)


def test_escalation_and_retries_are_counted_apart_from_requests(store: Store) -> None:
    cascade: dict[str, Any] = {"cascade_name": "triage"}
    base = [billed(YESTERDAY + k * HOUR, cascade_tier=0, **cascade) for k in range(10)]
    now = [billed(k * HOUR, cascade_tier=0, **cascade) for k in range(10)]
    now += [billed(k * HOUR, cascade_tier=1, model="gpt-5-pro", prices=("20", "2", "80"), **cascade) for k in range(2)]
    now += [billed(k * HOUR, attempt=2, cascade_tier=0, **cascade) for k in range(3)]
    put(store, *base, *now)
    answer = explain(store, SCOPE)
    check_sums(answer)
    assert driver(answer, "escalation") == Decimal("0.056")  # two calls of $0.028
    assert driver(answer, "retries") == Decimal("0.0084")  # three more of $0.0028
    assert driver(answer, "requests") == driver(answer, "model_mix") == 0


def test_a_failed_first_attempt_and_its_billed_retry_cost_what_one_call_costs(store: Store) -> None:
    base = [billed(YESTERDAY + k * HOUR) for k in range(4)]
    failed = [
        call(k * HOUR, "0", cost_state="not_billed", status="error", feature="search", input_tokens=None)
        for k in range(2)
    ]
    put(store, *base, *failed, *[billed(k * HOUR, attempt=2) for k in range(2)], *[billed(k * HOUR) for k in range(2)])
    answer = explain(store, SCOPE)
    check_sums(answer)
    assert answer["change_usd"] == 0
    assert all(d["usd"] == 0 for d in answer["drivers"])


def test_an_outage_of_the_applications_cache_is_cache_share(store: Store) -> None:
    base = [call(YESTERDAY + k * HOUR, "0", cost_state="cached", cache_hit=True, feature="search") for k in range(3)]
    put(store, *base, billed(YESTERDAY), *[billed(k * HOUR) for k in range(4)])
    only(explain(store, SCOPE), "cache_share")


def test_cost_without_tokens_is_unexplained_and_only_that(store: Store) -> None:
    put(store, billed(YESTERDAY), billed(timedelta(0)), call(HOUR, "0.5", feature="images"))
    answer = explain(store, SCOPE)
    check_sums(answer)
    assert driver(answer, "unexplained") == Decimal("0.5")
    assert all(d["usd"] == 0 for d in answer["drivers"] if d["driver"] != "unexplained")


def test_calls_without_usage_move_nothing_and_are_mentioned(store: Store) -> None:
    put(store, billed(YESTERDAY), billed(timedelta(0)), call(HOUR, None, cost_state="no_usage", feature="search"))
    answer = explain(store, SCOPE)
    check_sums(answer)
    assert all(d["usd"] == 0 for d in answer["drivers"])
    assert answer["sentences"][-1] == "1 of 2 calls (50%) has no known cost and is not in these figures."


def test_a_base_without_known_cost_is_said_to_be_unknown(store: Store) -> None:
    mystery = {"cost_state": "unpriced", "feature": "search", "model": "mystery", "input_tokens": 5, "output_tokens": 5}
    put(store, call(YESTERDAY, None, **mystery), billed(HOUR))
    answer = explain(store, SCOPE)
    assert answer["base"]["cost_usd"] is None
    assert answer["change_usd"] is None
    assert [answer[name] for name in ("drivers", "cells", "slices", "examples")] == [[], [], [], []]
    assert changes(store, SCOPE, SCOPE.window.previous()) == ([], answer["sentences"])  # as alerts tell it
    begin = "Spend was an unknown amount in the 24 hours before and is $0.0028; the change is not known."
    assert answer["sentences"][0] == begin
    said = "1 of 1 earlier call (100%) has no known cost and is not in these figures."
    assert answer["sentences"][-1] == said


def test_traffic_that_moves_to_an_unpriced_model_is_a_change_of_mix(store: Store) -> None:
    mystery = {"cost_state": "unpriced", "feature": "search", "model": "mystery", "input_tokens": 5, "output_tokens": 5}
    put(store, billed(YESTERDAY), billed(YESTERDAY), billed(timedelta(0)), call(HOUR, None, **mystery))
    answer = explain(store, SCOPE)
    only(answer, "model_mix")
    assert answer["change_usd"] == Decimal("-0.0028")


def test_new_and_removed_features_and_an_empty_base(store: Store) -> None:
    put(store, *[billed(k * HOUR, feature="new") for k in range(3)])
    only(explain(store, SCOPE), "requests")
    nothing = explain(store, replace(SCOPE, window=Window(DAY + timedelta(days=5), DAY + timedelta(days=6))))
    check_sums(nothing)
    assert nothing["change_usd"] == 0
    assert nothing["examples"] == []
    gone = explain(store, replace(SCOPE, window=Window(DAY + timedelta(days=1), DAY + timedelta(days=2))))
    only(gone, "requests")
    assert gone["change_usd"] < 0
    assert len(gone["examples"]) == 3


def test_by_model_cells_carry_the_model_and_the_drivers_stay_the_same(store: Store) -> None:
    put(store, billed(YESTERDAY), billed(YESTERDAY), billed(timedelta(0)))
    put(store, billed(timedelta(0), model="gpt-5-pro", prices=("15", "1.5", "120")))
    plain, by_model = explain(store, SCOPE), explain(store, SCOPE, by="model")
    check_sums(by_model)
    assert by_model["drivers"] == plain["drivers"]
    assert {(c["model"], c["driver"]) for c in by_model["cells"]} == {
        ("gpt-5-pro", "model_mix"),
        ("gpt-5", "model_mix"),
    }


@pytest.mark.parametrize("by", ["cascade", "customer", "prompt_version", "service_tier"])
def test_the_drivers_do_not_depend_on_how_the_change_is_broken_down(store: Store, by: str) -> None:
    def named(value: str) -> dict[str, Any]:
        return {{"cascade": "cascade_name"}.get(by, by): value}

    put(store, *[billed(YESTERDAY + k * HOUR, **named("a" if k % 3 else "b")) for k in range(9)])
    put(store, *[billed(k * HOUR, uncached=700 * k, **named("b" if k % 3 else "")) for k in range(8)])
    put(store, *[billed(k * HOUR, attempt=2, **named("a")) for k in range(3)])
    plain, broken_down = explain(store, SCOPE), explain(store, SCOPE, by=by)
    assert broken_down["drivers"] == plain["drivers"]
    for found in plain["drivers"]:
        mine = [cell["usd"] for cell in broken_down["cells"] if cell["driver"] == found["driver"]]
        assert sum(mine, Decimal(0)) == found["usd"]
    for value in ("a", "b", None):
        mine = [cell["usd"] for cell in broken_down["cells"] if cell[by] == value]
        where = replace(SCOPE, filters={by: (value or "",)})
        assert sum(mine, Decimal(0)) == explain(store, where)["change_usd"]


@pytest.mark.parametrize("by", ["customer", "user", "tag.plan", "cascade_tier", "cost_state", "model_tier", "cache"])
def test_every_dimension_can_be_asked_for(store: Store, by: str) -> None:
    put(store, billed(YESTERDAY), billed(timedelta(0), customer="acme", user="u1", tags={"plan": "pro"}, output=500))
    answer = explain(store, SCOPE, by=by)
    check_sums(answer)
    assert all(set(cell) == {by, "driver", "usd"} for cell in answer["cells"])


def test_filters_apply_to_both_windows(store: Store) -> None:
    put(
        store,
        billed(YESTERDAY),
        billed(YESTERDAY, feature="other"),
        billed(timedelta(0)),
        billed(HOUR, feature="other"),
    )
    put(store, billed(HOUR, feature="other"))
    answer = explain(store, replace(SCOPE, filters={"feature": ("search",)}))
    assert answer["change_usd"] == 0
    assert explain(store, replace(SCOPE, filters={"feature": ("other",)}))["change_usd"] == Decimal("0.0028")


def test_the_slice_names_who_it_was_and_the_examples_come_from_it(store: Store) -> None:
    people = ("acme", "bolt", "core", "dyne")
    rows = [
        billed(day + k * HOUR, customer=customer, model=model, feature=feature)
        for day in (YESTERDAY, timedelta(0))
        for customer in people
        for model in ("gpt-5", "gpt-5-mini")
        for feature in ("search", "triage")
        for k in range(3)
    ]
    runaway = [billed(k * HOUR, customer="bolt", model="gpt-5", feature="triage") for k in range(12)]
    put(store, *rows, *runaway)
    answer = explain(store, SCOPE)
    check_sums(answer)
    assert answer["slices"][0]["where"] == {"feature": "triage", "model": "gpt-5", "customer": "bolt"}
    assert answer["slices"][0]["change_usd"] == answer["change_usd"]
    assert answer["slices"][0]["share"] == 1
    known = {row["trace_id"] for row in rows + runaway if row["customer"] == "bolt" and row["model"] == "gpt-5"}
    assert len(answer["examples"]) == 5
    assert set(answer["examples"]) <= known


def test_a_part_larger_than_the_change_has_no_share_of_it(store: Store) -> None:
    put(
        store,
        *[billed(YESTERDAY + k * HOUR, feature=name) for k in range(4) for name in ("up", "down")],
        *[billed(k * HOUR, feature="up") for k in range(8)],
        *[billed(k * HOUR, feature="down") for k in range(1)],
    )
    told = explain(store, SCOPE)["sentences"]
    said = next(line for line in told if line.startswith("up:"))
    assert said == "up: more requests came (+$0.0112); 8 requests after 4 (+100%)."


def test_examples_of_retries_are_retries(store: Store) -> None:
    again = [billed(k * HOUR, attempt=2) for k in range(2)]
    put(store, *[billed(YESTERDAY + k * HOUR) for k in range(4)], *[billed(k * HOUR) for k in range(4)], *again)
    assert set(explain(store, SCOPE)["examples"]) == {row["trace_id"] for row in again}


def test_more_repeats_than_requests_are_told_as_times(store: Store) -> None:
    put(store, *(billed(YESTERDAY + HOUR, attempt=attempt) for attempt in (1, 1, 2)))
    put(store, *(billed(HOUR, attempt=attempt) for attempt in (1, 1, 2, 2, 3, 3, 4)))
    told = " ".join(explain(store, SCOPE)["sentences"])
    assert "a request was billed 2.5 times more, 0.5 before" in told


def test_the_answer_is_the_same_before_and_after_the_roll_up(store: Store) -> None:
    put(
        store,
        *[billed(YESTERDAY + k * HOUR, read=50 * k) for k in range(20)],
        *[billed(k * HOUR, read=400) for k in range(20)],
    )
    before = explain(store, SCOPE)
    roll_up(store)
    assert explain(store, SCOPE) == before


def test_windows_may_differ_in_length_and_overlap(store: Store) -> None:
    put(store, *[billed(k * HOUR) for k in range(10)])
    answer = explain(store, SCOPE, base=Window(DAY + 2 * HOUR, DAY + 5 * HOUR))
    check_sums(answer)
    assert answer["change_usd"] == 7 * Decimal("0.0028")


def test_bad_questions_are_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="nonsense"):
        explain(store, SCOPE, by="nonsense")
    with pytest.raises(BadRequest, match="empty"):
        explain(store, replace(SCOPE, window=Window(DAY, DAY)))


money = st.decimals(0, 100_000, places=12, allow_nan=False)
count = st.integers(0, 10**6)
leaf = st.fixed_dictionaries(
    {
        "part": st.sampled_from(["acme", "bolt"]),
        "feature": st.sampled_from(["search", "triage"]),
        "embeds": st.just(0),
        "kind": st.sampled_from([0, 1, 2]),
        "provider": st.just("openai"),
        "model": st.sampled_from(["a", "b"]),
        **dict.fromkeys(("calls", "cached", "failed", "unknown", "billed", "unpriced"), count),
        **dict.fromkeys(("input", "cache_read", "cache_write", "cache_write_1h", "output"), count),
        **{f"usd_{name}": money for name in ("input", "read", "write", "write_1h", "output")},
        "usd": money,
    }
)


@given(st.lists(leaf, max_size=6), st.lists(leaf, max_size=6))
@settings(max_examples=60, deadline=None)
def test_drivers_add_up_exactly_for_every_input(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    def distinct(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return list({(r["part"], r["feature"], r["kind"], r["model"]): r for r in rows}.values())

    def cost(rows: list[dict[str, Any]]) -> Decimal:
        return sum((r["usd"] for r in rows), Decimal(0))

    for by in ("customer", "feature"):
        sides = (before, after)
        if by == "feature":
            sides = ([r | {"part": r["feature"]} for r in before], [r | {"part": r["feature"]} for r in after])
        first, second = map(distinct, sides)
        cells, drivers = contributions_of(build(first, second, by), by)
        assert sum((c["usd"] for c in cells), Decimal(0)) == cost(second) - cost(first)
        for found in drivers:
            assert sum((c["usd"] for c in cells if c["driver"] == found["driver"]), Decimal(0)) == found["usd"]
