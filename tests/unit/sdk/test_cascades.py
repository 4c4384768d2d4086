"""Cascades: the first tier whose answer is accepted, and what each attempt says."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from tests.lever_calls import attempts, call

import outlay
from outlay.testing import Capture


def cheap(question: str) -> tuple[str, float]:
    call("gpt-4o-mini")
    return "maybe", 0.4 if "hard" in question else 0.9


def strong(question: str) -> tuple[str, float]:
    call("gpt-4o")
    return "surely", 0.99


def test_an_accepted_answer_stops_the_cascade(sent: Capture) -> None:
    cascade = outlay.Cascade("answer", [cheap, strong], accept=lambda answer: answer[1], threshold=0.8)
    assert cascade("easy") == ("maybe", 0.9)
    (attempt,) = attempts(sent)
    run_id = attempt.pop("run_id")
    assert len(run_id) == 32
    assert attempt == {"name": "answer", "tier": 0, "outcome": "accepted", "confidence": 0.9, "threshold": 0.8}


def test_an_unconvincing_answer_escalates_and_both_attempts_share_the_run(sent: Capture) -> None:
    cascade = outlay.Cascade(
        "answer", [cheap, strong], accept=lambda answer: answer[1], threshold={"default": 0.8, "lax": 0.3}
    )
    assert cascade("hard") == ("surely", 0.99)
    assert cascade("hard", task="lax") == ("maybe", 0.4)
    first, second, lax = attempts(sent)
    assert (first["outcome"], second["outcome"], lax["outcome"]) == ("escalated", "accepted", "accepted")
    assert first["run_id"] == second["run_id"] != lax["run_id"]
    assert (first["tier"], second["tier"], lax["threshold"]) == (0, 1, 0.3)
    spans = {span.span_id: span for span in sent.spans}
    parents = [spans[span.parent_span_id].attributes["outlay.cascade.tier"] for span in sent.calls]
    assert parents == [0, 1, 0]
    assert not any("cascade" in key for span in sent.calls for key in span.attributes)


def test_a_failing_tier_hands_over_and_the_last_ones_exception_is_the_callers(sent: Capture) -> None:
    def broken(question: str) -> str:
        raise TimeoutError("slow")

    steady = outlay.Cascade("a", [broken, strong], accept=bool)
    assert steady("x")[0] == "surely"
    hopeless = outlay.Cascade("b", [strong, broken], accept=lambda answer: False, fallback="raise")
    with pytest.raises(TimeoutError):
        hopeless("x")
    outcomes = [(attempt["name"], attempt["tier"], attempt["outcome"]) for attempt in attempts(sent)]
    assert outcomes == [("a", 0, "failed"), ("a", 1, "accepted"), ("b", 0, "escalated"), ("b", 1, "failed")]


def test_limits_of_time_and_money_take_the_answer_at_hand(sent: Capture) -> None:
    def costly(question: str) -> str:
        call("gpt-4o", 1_000_000)
        return "dear"

    def slow(question: str) -> str:
        time.sleep(0.02)
        return "slow"

    def never(answer: Any) -> bool:
        return False

    assert outlay.Cascade("m", [costly, strong], accept=never, max_cost_usd=1)("x") == "dear"
    assert outlay.Cascade("t", [slow, strong], accept=never, max_latency_s=0.01)("x") == "slow"
    assert outlay.Cascade("n", [cheap, strong], accept=never, max_cost_usd=1)("x") == ("surely", 0.99)
    found = [(attempt["outcome"], attempt.get("forced")) for attempt in attempts(sent)]
    assert found == [("escalated", True), ("escalated", True), ("escalated", None), ("accepted", None)]


def test_async_tiers(sent: Capture) -> None:
    async def small(question: str) -> int:
        await asyncio.sleep(0)
        return 1

    async def large(question: str) -> int:
        return 2

    async def judge(answer: int) -> bool:
        return answer > 1

    cascade = outlay.Cascade("async", [small, large], accept=judge)
    assert asyncio.run(cascade.arun("x")) == 2
    assert [attempt["outcome"] for attempt in attempts(sent)] == ["escalated", "accepted"]


def test_a_cascade_written_by_hand(sent: Capture) -> None:
    run = outlay.CascadeRun("by-hand")
    with run.attempt(threshold=0.8) as attempt:
        call()
        attempt.escalate(0.5)
    with run.attempt() as attempt:
        call()
        assert attempt.call is not None
    with pytest.raises(KeyError), run.attempt():
        raise KeyError
    found = attempts(sent)
    assert [(entry["tier"], entry["outcome"], entry.get("confidence")) for entry in found] == [
        (0, "escalated", 0.5),
        (1, "accepted", None),
        (2, "failed", None),
    ]
