"""Cascades and their thresholds, computed by hand from a small world."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.cascades import cascades, thresholds, whole_and_timed
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
D = Decimal
# USD per million tokens: input, output.
RATES = {"gpt-5-mini": (D("0.25"), D("2")), "gpt-5": (D("1.25"), D("10"))}


def attempt(
    hours: float,
    run: str,
    tier: int,
    outcome: str,
    confidence: float | None = None,
    *,
    tokens: int = 1000,
    **fields: Any,
) -> dict[str, Any]:
    """An attempt of cascade `triage`: `tokens` in, a tenth of it out; 0.00045 USD at tier 0, 0.00225 at tier 1."""
    model = fields.pop("model", ("gpt-5-mini", "gpt-5")[tier])
    given, made = (count * rate / 1_000_000 for count, rate in zip((tokens, tokens // 10), RATES[model], strict=True))
    return call(
        timedelta(hours=hours, seconds=tier),
        str(given + made),
        **{
            "model": model, "cascade_name": "triage", "cascade_run_id": run, "cascade_tier": tier,
            "cascade_outcome": outcome, "cascade_confidence": confidence, "cascade_threshold": 0.7,
            "input_tokens": tokens, "output_tokens": tokens // 10,
            "cost_lines": {"input": str(given), "output": str(made)}, **fields,
        },
    )  # fmt: skip


def world() -> list[dict[str, Any]]:
    """Four runs: two accepted at once, one escalated and accepted, one escalated in vain."""
    return [
        attempt(1, "r1", 0, "accepted", 0.9, duration_ns=100 * 10**6),
        attempt(2, "r2", 0, "accepted", 0.8, duration_ns=200 * 10**6),
        attempt(3, "r3", 0, "escalated", 0.4, duration_ns=300 * 10**6),
        attempt(3, "r3", 1, "accepted", duration_ns=10**9),
        attempt(4, "r4", 0, "escalated", 0.3, duration_ns=400 * 10**6),
        attempt(4, "r4", 1, "failed", duration_ns=2 * 10**9, status="error"),
    ]


def score(store: Store, rows: list[dict[str, Any]], values: list[float | None], name: str = "correct") -> None:
    given = [
        {
            "project": "default",
            "trace_id": r["trace_id"],
            "span_id": r["span_id"],
            "name": name,
            "value": v,
            "label": "",
            "at": DAY,
        }
        for r, v in zip(rows, values, strict=False)
        if v is not None
    ]  # fmt: skip
    writer = store.writer()
    writer.insert("scores", given)
    writer.close()


def swept(store: Store) -> list[dict[str, Any]]:
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    rows: list[dict[str, Any]] = answer["rows"]
    return rows


def only(answer: dict[str, Any]) -> dict[str, Any]:
    [one] = answer["cascades"]
    assert isinstance(one, dict)
    return one


def test_every_figure_of_a_cascade(store: Store) -> None:
    put(store, *world(), call(HOUR, "5"))
    one = only(cascades(store, WEEK))
    assert (one["name"], one["runs"], one["escalated_runs"], one["escalation_rate"]) == ("triage", 4, 2, 0.5)
    assert one["cost_usd"] == 4 * D("0.00045") + 2 * D("0.00225") == D("0.0063")
    assert one["wasted_usd"] == 2 * D("0.00045") + D("0.00225") == D("0.00315")
    assert one["cost_per_accepted_usd"] == D("0.0021")
    assert one["top_tier_only_usd"] == 4 * D("0.00225")
    assert one["saving_usd"] == D("0.0027")
    assert one["break_even_escalation_rate"] == 0.8
    first, second = one["tiers"]
    assert first.pop("p95_ms") == pytest.approx(385)
    assert first == {
        "tier": 0, "model": "gpt-5-mini", "attempts": 4, "accepted": 2, "acceptance_rate": 0.5, "cost_usd": D("0.0018")
    }  # fmt: skip
    assert (second["tier"], second["attempts"], second["accepted"], second["cost_usd"]) == (1, 2, 1, D("0.0045"))


def test_a_forced_answer_counts_as_forced_and_not_as_accepted(store: Store) -> None:
    put(
        store,
        *world(),
        attempt(5, "r5", 0, "escalated", 0.5, cascade_forced=1),  # a limit was reached
        attempt(6, "r6", 0, "escalated", 0.6),
        attempt(6, "r6", 1, "failed", status="error", cascade_forced=1),  # the answer before is taken
    )
    one = only(cascades(store, WEEK))
    assert (one["runs"], one["accepted_runs"], one["forced_runs"]) == (6, 3, 2)
    assert [tier["accepted"] for tier in one["tiers"]] == [2, 1]
    assert one["wasted_usd"] == 4 * D("0.00045") + 2 * D("0.00225")


def test_a_judge_costs_but_is_no_part_of_what_the_top_tier_alone_would_cost(store: Store) -> None:
    judged = [{**attempt(n + 0.1, f"r{n}", 0, "accepted", 1 - n / 10), "cascade_judge": 1} for n in (1, 2)]
    judged = [{**one, "model": "judge", "matched_model": "openai:judge"} for one in judged]
    put(store, *world(), *judged)
    one = only(cascades(store, WEEK))
    assert [tier["model"] for tier in one["tiers"]] == ["gpt-5-mini", "gpt-5"]
    assert one["cost_usd"] == D("0.0063") + 2 * D("0.00045")
    assert one["top_tier_only_usd"] == 4 * D("0.00225")
    assert one["saving_usd"] == D("0.0027") - 2 * D("0.00045")


def test_runs_that_stayed_cheap_are_repriced_by_their_own_tokens(store: Store) -> None:
    put(store, *world(), attempt(5, "r5", 0, "accepted", 0.95, tokens=3000))
    assert only(cascades(store, WEEK))["top_tier_only_usd"] == 7 * D("0.00225")


def test_the_price_list_tells_what_the_top_tier_has_not_been_charged_for(store: Store) -> None:
    cheap = attempt(5, "r5", 0, "accepted", 0.9, cache_read_tokens=400)
    put(store, *world()[2:4], cheap)
    writer = store.writer()
    price = {"price_version": "v1", "provider": "openai", "model": "gpt-5", "service_tier": "standard", "row": 1}
    mtok = {"input_usd_per_mtok": D("1.25"), "cache_read_usd_per_mtok": D("0.125"), "output_usd_per_mtok": D(10)}
    writer.insert("prices", [{**price, "valid_from": DAY - timedelta(days=99), **mtok}])
    writer.close()
    repriced = (600 * D("1.25") + 400 * D("0.125") + 100 * D(10)) / 1_000_000
    assert only(cascades(store, WEEK))["top_tier_only_usd"] == D("0.00225") + repriced


def test_a_cascade_that_never_escalated_knows_nothing_of_its_top_tier(store: Store) -> None:
    put(store, *world()[:2])
    one = only(cascades(store, WEEK))
    assert (one["escalation_rate"], one["wasted_usd"], one["cost_per_accepted_usd"]) == (0.0, 0, D("0.00045"))
    assert [one[name] for name in ("top_tier_only_usd", "saving_usd", "break_even_escalation_rate")] == [None] * 3


def test_the_calls_of_one_attempt_count_as_one(store: Store) -> None:
    """The attributes sat on a span around two calls: both belong to the attempt."""
    put(store, attempt(1, "r1", 0, "accepted", 0.9), attempt(1.001, "r1", 0, "accepted", 0.9))
    one = only(cascades(store, WEEK))
    assert (one["runs"], one["tiers"][0]["attempts"], one["tiers"][0]["accepted"]) == (1, 1, 1)
    assert one["cost_usd"] == D("0.0009")
    assert one["tiers"][0]["p95_ms"] == pytest.approx(4600)


def test_a_second_try_at_the_same_tier_is_an_attempt_of_its_own(store: Store) -> None:
    put(store, attempt(1, "r1", 0, "failed", status="error"), attempt(1.01, "r1", 0, "accepted", 0.9))
    one = only(cascades(store, WEEK))
    assert (one["runs"], one["escalated_runs"], one["tiers"][0]["attempts"]) == (1, 0, 2)
    assert one["wasted_usd"] == D("0.00045")


def test_without_an_outcome_the_last_attempt_counts_as_accepted_unless_it_failed(store: Store) -> None:
    put(
        store,
        attempt(1, "r1", 0, ""),
        attempt(1, "r1", 1, ""),
        attempt(2, "r2", 0, ""),
        attempt(3, "r3", 0, "", status="error"),
    )
    tiers = only(cascades(store, WEEK))["tiers"]
    assert [(one["attempts"], one["accepted"]) for one in tiers] == [(3, 1), (1, 1)]


def test_without_an_accepted_run_there_is_no_cost_per_accepted_one(store: Store) -> None:
    put(store, *world()[4:])
    one = only(cascades(store, WEEK))
    assert (one["cost_per_accepted_usd"], one["wasted_usd"]) == (None, one["cost_usd"])


def test_unpriced_attempts_leave_costs_unknown(store: Store) -> None:
    put(store, attempt(1, "r1", 0, "accepted", cost_usd=None, cost_state="unpriced", cost_lines={}))
    one = only(cascades(store, WEEK))
    assert [one[name] for name in ("cost_usd", "wasted_usd", "cost_per_accepted_usd")] == [None] * 3
    assert (one["tiers"][0]["cost_usd"], one["priced_ratio"], one["runs"]) == (None, 0.0, 1)


def test_the_saving_is_over_the_runs_whose_cost_is_known_on_both_sides(store: Store) -> None:
    unpriced: dict[str, Any] = {"cost_usd": None, "cost_state": "unpriced", "cost_lines": {}}
    put(
        store,
        *world(),
        attempt(5, "r5", 0, "accepted", 0.95, **unpriced),  # cheap, but nobody knows how cheap
        attempt(6, "r6", 0, "escalated", 0.1, **unpriced),
        attempt(6.1, "r6", 1, "accepted"),
        attempt(7, "r7", 0, "accepted", 0.9, input_tokens=None, output_tokens=None),  # priced, no tokens to reprice
    )
    one = only(cascades(store, WEEK))
    assert (one["runs"], one["compared_runs"]) == (7, 4)
    assert one["top_tier_only_usd"] == 4 * D("0.00225")
    assert one["saving_usd"] == 4 * D("0.00225") - D("0.0063")


def test_by_interval_a_run_belongs_to_its_first_attempt(store: Store) -> None:
    late = [attempt(23.9999, "r9", 0, "escalated", 0.1), attempt(24.5, "r9", 1, "accepted")]
    put(store, *world(), *late, attempt(30, "r10", 0, "accepted", 0.9))
    second, first = cascades(store, WEEK, "day")["cascades"]
    assert (first["time"], second["time"]) == (DAY, DAY + timedelta(days=1))
    assert (first["runs"], first["escalated_runs"], second["runs"], second["escalated_runs"]) == (5, 3, 1, 0)
    assert second["top_tier_only_usd"] == D("0.00225")
    assert sum(one["cost_usd"] for one in (first, second)) == only(cascades(store, WEEK))["cost_usd"]


def test_the_whole_window_and_its_days_are_what_either_question_answers(store: Store) -> None:
    put(store, *world(), attempt(30, "r6", 0, "accepted", 0.7), attempt(30.5, "r6", 1, "accepted"))
    whole, timed = whole_and_timed(store, WEEK, "day")
    assert whole == cascades(store, WEEK)["cascades"]
    assert timed == cascades(store, WEEK, "day")["cascades"]
    assert [one["runs"] for one in timed] == [1, 4]


def test_cascades_stay_apart_the_most_expensive_first_and_filters_hold(store: Store) -> None:
    put(store, *world(), attempt(1, "r1", 1, "accepted", cascade_name="other", feature="f", tokens=9000))
    assert [one["name"] for one in cascades(store, WEEK)["cascades"]] == ["other", "triage"]
    assert only(cascades(store, Scope(WEEK.window, {"feature": ("f",)})))["name"] == "other"
    assert only(cascades(store, Scope(WEEK.window, {"cascade": ("triage",)})))["runs"] == 4
    assert cascades(store, Scope(WEEK.window, project="none"))["cascades"] == []


def test_thresholds_tell_rate_cost_and_quality(store: Store) -> None:
    rows = world()
    put(store, *rows)
    score(store, rows, [1.0, 0.5, 0.1, 1.0, 0.0, 0.6])
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert (answer["score"], answer["runs"], answer["in_use"]) == ("correct", 4, [0.7])
    found = {row["threshold"]: row for row in answer["rows"]}
    assert sorted(found) == [row["threshold"] for row in answer["rows"]]
    assert {0.0, 0.3, 0.4, 0.7, 0.8, 0.9, 1.0} <= set(found)
    rates = {at: (row["escalation_rate"], row["cost_per_run_usd"]) for at, row in found.items()}
    assert rates[0.3] == (0.0, D("0.00045"))
    assert rates[0.7] == (0.5, D("0.00045") + D("0.00225") / 2)
    assert rates[1.0] == (1.0, D("0.0027"))
    assert found[0.7]["quality"] == pytest.approx(0.5 * 0.75 + 0.5 * 0.8)
    assert found[1.0]["quality"] == pytest.approx(0.8)
    assert found[0.0]["quality"] == pytest.approx((1 + 0.5 + 0.1 + 0) / 4)
    # 0.85: one of four stays (scored 1.0), three escalate at 0.8: the best there is, and cheaper than 1.0
    assert (answer["recommended"], answer["reason"]) == (0.85, "quality")


def test_the_threshold_with_a_guarantee_is_the_lowest_that_the_scores_prove(store: Store) -> None:
    rows = [attempt(n / 10, f"r{n}", 0, "accepted", 0.6 if n % 2 else 0.9) for n in range(600)]
    put(store, *rows)
    score(store, rows, [0.0 if n % 2 and n % 10 == 1 else 1.0 for n in range(600)])  # one of five is wrong at 0.6
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    found = answer["guaranteed"]
    assert (found["threshold"], found["confidence"], found["runs"], found["runs_missing"]) == (0.65, 0.95, 300, 0)
    assert 0.01 < found["error_bound"] < 0.02
    assert found["saving_usd"] is None  # nothing ever escalated: what that costs is unknown
    easy = thresholds(store, WEEK, "triage", error=0.2)
    assert easy is not None
    assert easy["guaranteed"]["threshold"] == 0.6


def test_a_score_around_several_attempts_is_about_the_accepted_answer_alone(store: Store) -> None:
    rows = []
    for n in range(4):
        around = f"{n + 1:016x}"[::-1]
        rows += [
            attempt(n, f"r{n}", 0, "escalated", 0.3, parent_span_id=around),
            attempt(n, f"r{n}", 1, "accepted", parent_span_id=around),
        ]
    for first, last in zip(rows[::2], rows[1::2], strict=True):
        last["trace_id"] = first["trace_id"]
    put(store, *rows)
    score(store, [{**row, "span_id": row["parent_span_id"]} for row in rows[1::2]], [1.0] * 4)
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert answer["guaranteed_reason"] == "no first answer of this cascade is scored"
    assert answer["rows"][0]["quality"] is None
    assert answer["rows"][-1]["quality"] == 1.0


def test_too_few_scores_prove_nothing_and_the_answer_says_how_many_are_missing(store: Store) -> None:
    rows = world()
    put(store, *rows)
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert (answer["guaranteed"], answer["guaranteed_reason"]) == (None, "no first answer of this cascade is scored")
    score(store, rows, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert (answer["guaranteed"], answer["runs_missing"]) == (None, 156)
    for error in (0.0, 1e-320, 1.0, float("nan")):
        with pytest.raises(BadRequest, match="error must lie between 0 and 1"):
            thresholds(store, WEEK, "triage", error=error)


def test_quality_is_unknown_where_no_answer_so_unsure_was_ever_scored(store: Store) -> None:
    rows = world()
    put(store, *rows)
    score(store, rows, [1.0, 0.5, None, 1.0])
    found = {row["threshold"]: row["quality"] for row in swept(store)}
    assert found[0.3] is None
    assert found[0.7] == pytest.approx(0.5 * 0.75 + 0.5 * 1.0)


def test_quality_is_known_at_the_threshold_in_use_where_some_answers_are_scored(store: Store) -> None:
    sure = [0.62 + n * 0.38 / 400 for n in range(1, 401)]  # accepted, the least sure just above the threshold
    rows = [attempt(n / 10, f"r{n}", 0, "accepted", at, cascade_threshold=0.62) for n, at in enumerate(sure)]
    rows += [attempt(50 + n / 10, f"e{n}", 0, "escalated", 0.62 * n / 100, cascade_threshold=0.62) for n in range(100)]
    rows += [attempt(50 + n / 10, f"e{n}", 1, "accepted", cascade_threshold=0.62) for n in range(100)]
    put(store, *rows)
    few: list[float | None] = [None if n % 7 != 3 else 1.0 for n in range(400)]  # one of seven, not the first three
    score(store, rows, [*few, *[None] * 100, *[1.0] * 100])
    found = {row["threshold"]: row["quality"] for row in swept(store)}
    assert found[0.62] is not None
    assert (found[0.5], found[0.3]) == (None, None)  # nobody knows how the escalated would have been


def test_a_score_of_the_span_around_or_of_the_trace_judges_the_answer(store: Store) -> None:
    inner = attempt(1, "r1", 0, "accepted", 0.9, parent_span_id="aa" * 8)
    whole = attempt(2, "r2", 0, "accepted", 0.8)
    put(store, inner, whole)
    score(store, [{**inner, "span_id": "aa" * 8}, {**whole, "span_id": ""}], [0.25, 0.75])
    found = {row["threshold"]: row["quality"] for row in swept(store)}
    assert found[0.8] == pytest.approx(0.5)


def test_without_scores_the_most_careful_threshold_that_pays_is_recommended(store: Store) -> None:
    put(store, *world())
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert {row["quality"] for row in answer["rows"]} == {None}
    # 0.9 escalates three of four: 0.00045 + 0.75 × 0.00225 = 0.0021375; all of them would cost 0.0027 > 0.00225
    assert (answer["recommended"], answer["reason"]) == (0.9, "cost")


def test_an_unknown_cascade_has_no_thresholds(store: Store) -> None:
    put(store, *world())
    for name in ("none", "", "'; DROP TABLE calls --"):
        assert thresholds(store, WEEK, name) is None
    put(store, attempt(1, "r1", 1, "accepted", cascade_name="unsure"))
    answer = thresholds(store, WEEK, "unsure")
    assert answer is not None
    assert (answer["rows"], answer["recommended"], answer["runs"]) == ([], None, 0)


def test_many_confidences_are_swept_on_a_grid(store: Store) -> None:
    put(store, *(attempt(1 + n / 100, f"r{n}", 0, "accepted", n / 1000) for n in range(300)))
    answer = thresholds(store, WEEK, "triage")
    assert answer is not None
    assert [row["threshold"] for row in answer["rows"]] == [round(step / 20, 2) for step in range(21)]
    assert {row["threshold"]: row["escalation_rate"] for row in answer["rows"]}[0.15] == 0.5


def test_an_unknown_interval_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="interval"):
        cascades(store, WEEK, "minute")


def test_many_confidences_stay_exact(store: Store) -> None:
    """Two hundred of them around the threshold in use: a rounded one would fall on its other side."""
    at = [0.7 + (number - 100) / 100_000 for number in range(200)]
    put(store, *(attempt(1 + n / 100, f"r{n}", 0, "accepted", one) for n, one in enumerate(at)))
    [used] = [row for row in swept(store) if row["threshold"] == 0.7]
    assert used["escalation_rate"] == sum(one < 0.7 for one in at) / 200 == 0.5
