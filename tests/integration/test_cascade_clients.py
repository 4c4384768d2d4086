"""Cascades over real clients: mixed tiers, time limits, thresholds by task, and what a run says it cost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay.testing import Capture, capture

SMALL, LARGE = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-11-20"
SMALL_USD, LARGE_USD = Decimal("0.000075"), Decimal("0.00125")  # 300 in, 50 out: 0.15 and 0.60, 2.50 and 10 per million


def answer(model: str, text: str = "yes") -> Answer:
    return Answer(text=text, input_tokens=300, output_tokens=50, model=model)


@pytest.fixture
def ask(provider: FakeProvider) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:

        def ask(model: str, question: str) -> str:
            said = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
            return said.choices[0].message.content or ""

        yield ask


def outcomes(sent: Capture) -> list[tuple[int, str]]:
    found = [span.attributes for span in sent.spans if "outlay.cascade.outcome" in span.attributes]
    return [(one["outlay.cascade.tier"], one["outlay.cascade.outcome"]) for one in found]


def test_a_detailed_run_says_what_every_attempt_cost_to_the_last_digit(
    sent: Capture, provider: FakeProvider, ask: Any
) -> None:
    provider.queue(answer(SMALL, "maybe"), answer(LARGE, "surely"))
    cascade = outlay.Cascade(
        "answer",
        [lambda question: ask("gpt-4o-mini", question), lambda question: ask("gpt-4o", question)],
        accept=lambda said: 0.2 if said == "maybe" else 0.95,
        threshold=0.8,
    )
    run = cascade.run_detailed("Is it?")
    assert (run.answer, run.tier, run.confidence, run.is_forced) == ("surely", 1, 0.95, False)
    assert [(one.tier, one.outcome, one.confidence, one.cost_usd, one.error) for one in run.attempts] == [
        (0, "escalated", 0.2, SMALL_USD, None),
        (1, "accepted", 0.95, LARGE_USD, None),
    ]
    assert run.cost_usd == SMALL_USD + LARGE_USD
    spans = [span for span in sent.spans if "outlay.cascade.outcome" in span.attributes]
    assert {span.attributes["outlay.cascade.run_id"] for span in spans} == {run.run_id}


def test_a_run_whose_price_nobody_knows_costs_none_and_never_zero(provider: FakeProvider, ask: Any) -> None:
    with capture():
        provider.queue(answer("a-model-of-our-own"), Answer(status=500))
        cascade = outlay.Cascade("answer", [lambda question: ask("own", question)], accept=bool)
        assert cascade.run_detailed("?").cost_usd is None
        plain = outlay.Cascade("plain", [str], accept=bool)
        assert plain.run_detailed(1).cost_usd is None


def test_what_a_failed_attempt_was_not_charged_does_not_hide_the_rest(provider: FakeProvider, ask: Any) -> None:
    with capture():
        provider.queue(Answer(status=500), answer(LARGE))
        tiers = [lambda question: ask("gpt-4o-mini", question), lambda question: ask("gpt-4o", question)]
        cascade = outlay.Cascade("answer", tiers, accept=bool)
        run = cascade.run_detailed("?")
        assert [(one.outcome, one.cost_usd) for one in run.attempts] == [("failed", 0), ("accepted", LARGE_USD)]
        assert "InternalServerError" in str(run.attempts[0].error)
        assert run.cost_usd == LARGE_USD


@pytest.mark.parametrize("sync_first", [True, False])
def test_sync_and_async_tiers_mix(sent: Capture, provider: FakeProvider, ask: Any, sync_first: bool) -> None:
    provider.queue(answer(SMALL, "maybe"), answer(LARGE, "surely"))

    async def main() -> outlay.CascadeResult[Any]:
        async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:

            async def aask(question: str) -> str:
                said = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
                return said.choices[0].message.content or ""

            def tier(question: str) -> str:
                return str(ask("m", question))

            tiers: list[Any] = [tier, aask] if sync_first else [aask, tier]
            return await outlay.Cascade("mix", tiers, accept=lambda said: said == "surely").arun_detailed("?")

    run = asyncio.run(main())
    assert (run.answer, run.tier, run.cost_usd) == ("surely", 1, SMALL_USD + LARGE_USD)
    assert outcomes(sent) == [(0, "escalated"), (1, "accepted")]
    assert [call.attributes["gen_ai.response.model"] for call in sent.calls] == [SMALL, LARGE]


def test_an_async_judge_of_sync_tiers_makes_the_cascade_async(sent: Capture) -> None:
    async def judge(said: str) -> float:
        await asyncio.sleep(0)
        return 0.9

    cascade = outlay.Cascade("c", [str, str], accept=judge, threshold=0.8)
    assert asyncio.run(cascade(7)) == "7"
    with pytest.raises(TypeError, match="arun_detailed"):
        cascade.run_detailed(7)


def test_a_threshold_by_task_and_the_top_tier_alone(sent: Capture, provider: FakeProvider, ask: Any) -> None:
    cascade = outlay.Cascade(
        "review",
        [lambda question: ask("gpt-4o-mini", question), lambda question: ask("gpt-4o", question)],
        accept=lambda said: 0.87,
        threshold={"legal": outlay.TOP, "spam": 0.85, "*": 0.9},
    )
    provider.queue(*[answer(model) for model in (LARGE, SMALL, SMALL, LARGE)])
    assert [cascade.run_detailed("?", task=task).tier for task in ("legal", "spam", "news")] == [1, 0, 1]
    assert outcomes(sent) == [(1, "accepted"), (0, "accepted"), (0, "escalated"), (1, "accepted")]
    assert [call.attributes["outlay.task"] for call in sent.calls] == ["legal", "spam", "news", "news"]
    thresholds = [
        span.attributes.get("outlay.cascade.threshold")
        for span in sent.spans
        if "outlay.cascade.tier" in span.attributes
    ]
    assert thresholds == [None, 0.85, 0.9, 0.9]


@pytest.mark.parametrize("dress", ["sync", "async", "lambda"])
def test_a_tier_that_hangs_is_left_in_time_and_the_next_one_answers(sent: Capture, dress: str) -> None:
    released = threading.Event()

    def hang(question: str) -> str:
        released.wait(60)
        return "late"

    async def ahang(question: str) -> str:
        await asyncio.sleep(60)
        return "late"

    def quick(question: str) -> str:
        return "quick"

    hanging: dict[str, Any] = {"sync": hang, "async": ahang, "lambda": lambda question: ahang(question)}
    tiers: list[Any] = [hanging[dress], quick]
    cascade = outlay.Cascade("c", tiers, accept=bool, timeout_s=[0.05, None])
    started = time.monotonic()
    try:
        if dress == "sync":
            run = cascade.run_detailed("?")
        else:
            run = asyncio.run(cascade.arun_detailed("?"))
    finally:
        released.set()
    assert time.monotonic() - started < 50
    assert (run.answer, run.tier) == ("quick", 1)
    assert "took longer than 0.05 s" in str(run.attempts[0].error)
    assert run.attempts[0].cost_usd is None  # cut off: what the provider charges is not known
    assert outcomes(sent)[0] == (0, "failed")


def test_a_tier_that_keeps_failing_rests_and_comes_back(sent: Capture) -> None:
    asked: list[str] = []

    def down(question: str) -> str:
        asked.append("down")
        raise ConnectionError("away")

    def up(question: str) -> str:
        asked.append("up")
        return "yes"

    cascade = outlay.Cascade("c", [down, up], accept=bool, rest_s=3600)
    for _ in range(5):
        assert cascade("?") == "yes"
    assert asked.count("down") == 3
    alone = outlay.Cascade("alone", [down], accept=bool, rest_s=3600)
    for _ in range(5):
        with pytest.raises(ConnectionError):
            alone("?")
    assert asked.count("down") == 8  # the last tier never rests


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"threshold": 1.2}, "a threshold is a number of 0–1, not 1.2"),
        ({"threshold": {"legal": -0.1}}, "a threshold is a number of 0–1, not -0.1"),
        ({"timeout_s": 0}, "timeout_s must be above 0"),
        ({"timeout_s": [1.0]}, "one for each of 2 tiers"),
        ({"rest_s": float("nan")}, "rest_s must be a number of at least 0"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        outlay.Cascade("c", [str, str], accept=bool, **wrong)
