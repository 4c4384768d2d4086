"""The trade-off, computed by hand from small worlds: the frontier, what is dominated, what is recommended and why."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.tradeoff import rule_of_thumb, tradeoff
from outlay_collector.store import Store

WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
MINUTE = timedelta(minutes=1)
D = Decimal


def answers(
    store: Store,
    model: str,
    n: int,
    right: int,
    cost: str,
    seconds: float = 1.0,
    task: str = "triage",
    score: str = "good",
) -> None:
    rows = [call(k * MINUTE, cost, model=model, task=task, duration_ns=int(seconds * 1e9)) for k in range(n)]
    put(store, *rows)
    writer = store.writer()
    about = [
        {"project": "default", "trace_id": row["trace_id"], "span_id": row["span_id"], "label": ""} for row in rows
    ]
    at = DAY + timedelta(days=9)
    writer.insert(
        "scores", [{**one, "name": score, "value": float(k < right), "at": at} for k, one in enumerate(about)]
    )
    writer.close()


def rows_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in found["rows"]}


def test_the_frontier_and_what_a_dominated_choice_costs_a_month(store: Store) -> None:
    answers(store, "small", 40, 36, "0.01")
    answers(store, "large", 40, 38, "0.10", seconds=2)
    answers(store, "odd", 40, 30, "0.05", seconds=3)
    found = tradeoff(store, WEEK)
    rows = rows_of(found)
    assert {name: (row["on_frontier"], row["dominated_by"]) for name, row in rows.items()} == {
        "small": (True, None),
        "large": (True, None),
        "odd": (False, "small"),
    }
    a_month = 365.25 / 12  # forty minutes count as a day
    assert float(rows["odd"]["monthly_excess_usd"]) == pytest.approx(40 * 0.04 * a_month)
    assert (rows["small"]["cost_per_call_usd"], rows["small"]["cost_per_success_usd"]) == (
        D("0.01"),
        D("0.011111111111"),
    )
    assert (rows["small"]["mean"], rows["small"]["p95_ms"]) == (0.9, 1000.0)


def test_a_cheap_model_that_is_as_good_is_recommended_with_what_it_saves(store: Store) -> None:
    answers(store, "small", 600, 570, "0.01")
    answers(store, "large", 600, 572, "0.10")
    found = tradeoff(store, WEEK, margin=0.05)
    [task] = found["tasks"]
    assert (task["task"], task["best"], task["recommended"]) == ("triage", "large", "small")
    assert float(task["monthly_saving_usd"]) == pytest.approx(600 * 0.09 * 365.25 / 12)
    assert "below large (95 %), at 10% of its cost" in task["reason"]
    assert "like those" in task["assumption"]
    assert task["rule_of_thumb"]["tier"] == "cheap"


def test_a_cheap_model_that_is_not_as_good_is_not(store: Store) -> None:
    answers(store, "small", 200, 120, "0.01", task="code")
    answers(store, "large", 200, 190, "0.10", task="code")
    [task] = tradeoff(store, WEEK)["tasks"]
    assert (task["recommended"], task["reason"]) == (
        "large",
        "the best; no cheaper model is within 0.02 of it (95 %)",
    )


def test_what_the_scores_do_not_tell_apart_is_not_recommended_but_how_many_more_would(store: Store) -> None:
    answers(store, "small", 100, 85, "0.01")
    answers(store, "large", 100, 90, "0.10")
    answers(store, "alike", 100, 86, "0.01", task="other")
    answers(store, "large", 100, 88, "0.10", task="other")
    found = {task["task"]: task for task in tradeoff(store, WEEK)["tasks"]}
    assert {(task["best"], task["recommended"], task["monthly_saving_usd"]) for task in found.values()} == {
        ("large", None, None)
    }
    told = re.fullmatch(
        r"about (\d+) more scored answers of each would tell whether small is within 0.02 of large, the best",
        found["triage"]["reason"],
    )
    assert told
    more = 100 + int(told[1])
    answers(store, "small", more, round(0.85 * more), "0.01", task="later")
    answers(store, "large", more, round(0.9 * more), "0.10", task="later")
    later = {task["task"]: task for task in tradeoff(store, WEEK)["tasks"]}["later"]
    assert (later["recommended"], later["reason"][:8]) == ("large", "the best")
    assert found["other"]["reason"].startswith("not even 100,000 more scored answers of each would tell whether alike")


def test_thin_evidence_recommends_nothing_and_says_what_is_missing(store: Store) -> None:
    answers(store, "small", 12, 12, "0.01")
    answers(store, "large", 40, 38, "0.10")
    [task] = tradeoff(store, WEEK)["tasks"]
    assert (task["recommended"], task["monthly_saving_usd"]) == (None, None)
    assert task["reason"] == "1 of 2 models have the 30 scored answers it takes; the next has 12"


def test_without_a_task_the_feature_is_one_and_unscored_models_are_not_judged(store: Store) -> None:
    put(store, call(MINUTE, "1", model="small", feature="chat"), call(MINUTE, None, model="odd", feature="chat"))
    found = tradeoff(store, WEEK)
    assert [(row["task"], row["model"], row["on_frontier"], row["mean"]) for row in found["rows"]] == [
        ("chat", "odd", None, None),
        ("chat", "small", None, None),
    ]
    assert found["score"] is None
    assert rows_of(found)["odd"]["cost_per_call_usd"] is None


def test_each_task_is_judged_by_its_own_score(store: Store) -> None:
    answers(store, "small", 40, 36, "0.01")
    answers(store, "small", 30, 15, "0.01", task="code", score="passes")
    found = tradeoff(store, WEEK)
    assert {row["task"]: (row["score"], row["mean"]) for row in found["rows"]} == {
        "triage": ("good", 0.9),
        "code": ("passes", 0.5),
    }
    assert found["score"] is None
    one = tradeoff(store, WEEK, score="passes")
    assert {row["task"]: row["mean"] for row in one["rows"]} == {"triage": None, "code": 0.5}


def test_calls_without_a_price_are_not_taken_for_free(store: Store) -> None:
    answers(store, "small", 600, 570, "0.01")
    answers(store, "large", 600, 572, "0.10")
    put(store, *(call(MINUTE, None, model="large", task="triage") for _ in range(300)))
    [task] = tradeoff(store, WEEK, margin=0.05)["tasks"]
    assert float(task["monthly_saving_usd"]) == pytest.approx(600 * 0.09 * 365.25 / 12)


def test_few_scores_dominate_nobody(store: Store) -> None:
    answers(store, "small", 2, 2, "0.01")
    answers(store, "large", 2, 1, "0.10")
    assert {row["on_frontier"] for row in tradeoff(store, WEEK)["rows"]} == {None}


def test_one_model_is_no_choice(store: Store) -> None:
    answers(store, "small", 40, 36, "0.01")
    assert tradeoff(store, WEEK)["tasks"][0]["reason"] == "only one model was used"


def test_what_embeds_is_no_choice_for_an_answer(store: Store) -> None:
    put(store, call(MINUTE, "1", task="rag"), call(MINUTE, "1", task="rag", model="ada", operation="embeddings"))
    assert [row["model"] for row in tradeoff(store, WEEK)["rows"]] == ["gpt-5"]


def test_what_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="margin must be a number of at least 0"):
        tradeoff(store, WEEK, margin=-1)
    with pytest.raises(BadRequest, match="success is about one score"):
        tradeoff(store, WEEK, success="1")


def test_rules_of_thumb_go_by_the_words_of_a_task() -> None:
    for task, row in {"ticket-triage": "classification", "Summarize calls": "summarization", "sql": "code"}.items():
        assert (rule_of_thumb(task) or {})["task"] == row
    for task in ("xyz", "partner-banners", "storage-fragments", "barcode"):
        assert rule_of_thumb(task) is None


def test_more_choices_than_are_shown_are_told(store: Store) -> None:
    put(store, *(call(MINUTE, "1", task=f"t{n}") for n in range(1001)))
    found = tradeoff(store, WEEK)
    assert (len(found["rows"]), found["rows_left_out"]) == (1000, True)
