"""How a cascade ends: with what it has in hand, within its limits, and scored where the answer was given."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay.testing import Capture, SentSpan, capture


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


def call(model: str = "gpt-4o-mini", tokens: int = 10) -> None:
    outlay.record(usage={"input_tokens": tokens, "output_tokens": 2}, model=model, provider="openai")


def attempts(sent: Capture) -> list[SentSpan]:
    return [span for span in sent.spans if "outlay.cascade.outcome" in span.attributes]


def ends(sent: Capture) -> list[tuple[str, bool]]:
    return [
        (span.attributes["outlay.cascade.outcome"], span.attributes.get("outlay.cascade.forced", False))
        for span in attempts(sent)
    ]


def tier(confidence: Any, tokens: int = 10) -> Callable[[str], Any]:
    """Answers with its confidence, or raises it."""

    def ask(question: str) -> Any:
        call(tokens=tokens)
        if isinstance(confidence, Exception):
            raise confidence
        return confidence

    return ask


def in_dress(function: Callable[[str], Any], dress: str) -> Callable[[str], Any]:
    async def later(question: str) -> Any:
        await asyncio.sleep(0)
        return function(question)

    class Asks:
        async def __call__(self, question: str) -> Any:
            return await later(question)

    dresses: dict[str, Callable[[str], Any]] = {
        "sync": function,
        "sync partial": functools.partial(function),
        "async": later,
        "async partial": functools.partial(later),
        "lambda": lambda question: later(question),
        "callable object": Asks(),
        "task": lambda question: asyncio.ensure_future(later(question)),
    }
    return dresses[dress]


DRESSES = ["sync", "sync partial", "async", "async partial", "lambda", "callable object", "task"]
DOWN = TimeoutError("the strong model is down")


def result(cascade: outlay.Cascade[..., Any], **kwargs: Any) -> Any:
    async def main() -> Any:
        found = cascade("q", **kwargs)
        return await found if inspect.isawaitable(found) else found

    return asyncio.run(main())


@pytest.mark.parametrize("dress", DRESSES)
def test_a_failed_last_tier_gives_the_best_answer_in_hand(dress: str, sent: Capture) -> None:
    def cascade(*confidences: Any, **kwargs: Any) -> outlay.Cascade[..., Any]:
        tiers = [in_dress(tier(confidence), dress) for confidence in confidences]
        return outlay.Cascade("c", tiers, accept=lambda answer: answer, threshold=0.9, **kwargs)

    assert result(cascade(0.5, DOWN)) == 0.5
    assert ends(sent) == [("escalated", False), ("failed", True)]
    assert result(cascade(0.6, 0.2, DOWN)) == 0.6
    assert result(cascade(0.6, 0.2, DOWN, fallback="last")) == 0.2
    with pytest.raises(TimeoutError):
        result(cascade(0.6, DOWN, fallback="raise"))
    with pytest.raises(TimeoutError):
        result(cascade(DOWN, DOWN))  # nobody answered
    assert result(cascade(DOWN, 0.1)) == 0.1


@settings(max_examples=60, deadline=None)
@given(
    confidences=st.lists(
        st.one_of(st.floats(0, 1), st.sampled_from([None, False, float("nan"), "fails"])), min_size=1, max_size=4
    ),
    fallback=st.sampled_from(["best", "last", "raise"]),
    threshold=st.floats(0, 1),
)
def test_a_run_ends_as_its_tiers_say(confidences: list[Any], fallback: Any, threshold: float) -> None:
    tiers = [tier(DOWN if one == "fails" else (place, one)) for place, one in enumerate(confidences)]
    with capture(raise_errors=False) as sent:
        cascade = outlay.Cascade("c", tiers, accept=lambda answer: answer[1], threshold=threshold, fallback=fallback)
        try:
            found = cascade("q")
        except TimeoutError:
            found = None
    answers = [(place, one) for place, one in enumerate(confidences) if one != "fails"]
    numbers = [(place, one) for place, one in answers if isinstance(one, float) and one == one]
    good = [(place, one) for place, one in numbers if one >= threshold]
    said = [outcome for outcome, _ in ends(sent)]
    if good:
        assert found == good[0]
    elif confidences[-1] != "fails":
        assert found is not None
        assert found[0] == len(confidences) - 1
    elif not answers or fallback == "raise":
        assert found is None
    elif fallback == "last" or not numbers:
        assert found == answers[-1] or repr(found) == repr(answers[-1])
    else:
        assert found is not None
        assert found[1] == max(one for _, one in numbers)
    assert said.count("accepted") == (1 if good or confidences[-1] != "fails" else 0)
    assert said.count("failed") == confidences[: len(said)].count("fails")


def test_a_forced_attempt_is_told_from_one_that_was_passed_on(sent: Capture) -> None:
    cascade = outlay.Cascade(
        "c",
        [tier(0.5), tier(0.4, 1_000_000), tier(1)],
        accept=lambda confidence: confidence,
        threshold=0.9,
        max_cost_usd=0.1,
    )
    run = cascade.run_detailed("q")
    assert (run.answer, run.is_forced) == (0.4, True)
    assert [one.outcome for one in run.attempts] == ["escalated", "forced"]


def test_a_judge_of_a_cascade_written_by_hand_is_marked(sent: Capture) -> None:
    run = outlay.CascadeRun("by hand")
    with run.attempt() as attempt:
        call("small")
        with attempt.judging():
            call("judge")
        attempt.accept(0.9)
        outlay.score("right", True, call=attempt.call)
    assert [span.attributes.get("outlay.cascade.judge") for span in sent.calls] == [None, True]
    assert [score.span_id for score in sent.scores] == [sent.calls[0].span_id]


def test_the_limit_of_money_counts_failed_tiers(sent: Capture) -> None:
    dear = tier(DOWN, 1_000_000)  # fifteen cents at gpt-4o-mini's list price

    def cascade(*tiers: Any, **kwargs: Any) -> outlay.Cascade[..., Any]:
        return outlay.Cascade("c", tiers, accept=lambda answer: False, max_cost_usd=0.1, **kwargs)

    assert cascade(dear, tier(1), tier(2))("q") == 1
    assert ends(sent) == [("failed", False), ("escalated", True)]
    assert cascade(tier(1), dear, tier(2))("q") == 1
    assert ends(sent)[2:] == [("escalated", False), ("failed", True)]
    with pytest.raises(TimeoutError):
        cascade(tier(1), dear, tier(2), fallback="raise")("q")
    assert cascade(dear, tier(2))("q") == 2  # as long as nobody has answered it goes on


def test_a_limit_that_cannot_count_says_so(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    def unknown(question: str) -> str:
        call("no-such-model")
        return "x"

    outlay.Cascade("unpriced", [unknown, unknown], accept=lambda answer: False, max_cost_usd=1)("q")
    assert "max_cost_usd of cascade unpriced leaves out calls without a known price" in caplog.text


@pytest.mark.parametrize("limit", ["max_cost_usd", "max_latency_s"])
def test_a_limit_is_a_number_of_at_least_zero(limit: str, sent: Capture) -> None:
    def cascade(number: Any) -> outlay.Cascade[..., Any]:
        limits: dict[str, Any] = {limit: number}
        return outlay.Cascade("c", [tier(1), tier(2)], accept=lambda answer: False, **limits)

    for wrong in (float("nan"), -1, "soon"):
        with pytest.raises(ValueError, match=f"{limit} must be a number of at least 0"):
            cascade(wrong)
    assert [cascade(number)("q") for number in (0, Decimal(0), float("inf"))] == [1, 1, 2]


def test_a_confidence_that_is_no_number_is_unknown(sent: Capture) -> None:
    run = outlay.CascadeRun("by hand")
    for number in (float("nan"), float("inf"), 0.5):
        with run.attempt() as attempt:
            attempt.escalate(number)
    said = [span.attributes.get("outlay.cascade.confidence") for span in sent.spans]
    assert said == [None, None, 0.5]
    assert {span.attributes["outlay.cascade.outcome"] for span in sent.spans} == {"escalated"}


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a tracked function"])
@pytest.mark.parametrize("dress", DRESSES)
def test_a_score_is_about_the_answer_and_not_about_the_judge(dress: str, inside: bool, sent: Capture) -> None:
    def judge(answer: Any) -> Any:
        call("judge")
        return answer

    async def judge_async(answer: Any) -> Any:
        return judge(answer)

    accept = judge if dress.startswith("sync") else judge_async
    accepted = outlay.Cascade(
        "a", [in_dress(tier(0.1), dress), in_dress(tier(0.95), dress)], accept=accept, threshold=0.9
    )
    rescued = outlay.Cascade(
        "r",
        [in_dress(tier(0.4), dress), in_dress(tier(0.2), dress), in_dress(tier(DOWN), dress)],
        accept=accept,
        threshold=0.9,
    )

    async def main() -> None:
        for cascade in (accepted, rescued):
            found = cascade("q")
            if inspect.isawaitable(found):
                await found
            outlay.score("right", True)

    with outlay.track("outer") if inside else outlay.tags():
        asyncio.run(main())
    spans = {span.span_id: span for span in sent.spans}
    about = [spans[score.span_id] for score in sent.scores]
    assert [span.attributes["gen_ai.request.model"] for span in about] == ["gpt-4o-mini"] * 2
    judges = [call for call in sent.calls if call.attributes["gen_ai.request.model"] == "judge"]
    assert [call.attributes.get("outlay.cascade.judge") for call in judges] == [True] * 4
    assert not any("outlay.cascade.judge" in span.attributes for span in sent.spans if span not in judges)
    of = [spans[span.parent_span_id].attributes for span in about]
    assert [(one["outlay.cascade.name"], one["outlay.cascade.tier"]) for one in of] == [("a", 1), ("r", 0)]


@pytest.mark.parametrize("dress", DRESSES)
def test_the_task_is_recorded(dress: str, sent: Capture) -> None:
    cascade = outlay.Cascade(
        "c",
        [in_dress(tier(0.5), dress), in_dress(tier(0.9), dress)],
        accept=lambda one: one,
        threshold={"legal": 0.8, "default": 0.1},
    )
    assert result(cascade, task="legal") == 0.9
    assert result(cascade) == 0.5
    said = [
        (span.attributes.get("outlay.task"), span.attributes["outlay.cascade.threshold"]) for span in attempts(sent)
    ]
    assert said == [("legal", 0.8), ("legal", 0.8), (None, 0.1)]
    assert [span.attributes.get("outlay.task") for span in sent.calls] == ["legal", "legal", None]


@pytest.mark.parametrize("dress", DRESSES)
def test_a_judge_in_every_dress_judges(dress: str, sent: Capture) -> None:
    def judge(answer: Any) -> Any:
        return answer

    tiers = [in_dress(tier(0.5), dress), in_dress(tier(0.9), dress)]
    cascade = outlay.Cascade("c", tiers, accept=in_dress(judge, dress), threshold=0.4)
    assert [result(cascade), result(cascade)] == [0.5, 0.5]
    assert ends(sent) == [("accepted", False)] * 2
    spans = {span.span_id: span for span in sent.spans}
    for span in sent.calls:
        assert "outlay.cascade.tier" in spans[span.parent_span_id].attributes


def test_run_refuses_tiers_that_turn_out_async(sent: Capture) -> None:
    cascade = outlay.Cascade("c", [in_dress(tier(0.5), "lambda")], accept=bool)
    for _ in range(2):
        with pytest.raises(TypeError, match="arun"):
            cascade.run("q")
    assert asyncio.run(cascade.arun("q")) == 0.5


def test_a_cancelled_run_is_a_failed_attempt_and_leaves_its_context(sent: Capture) -> None:
    async def main() -> None:
        inside = asyncio.Event()

        async def hang(question: str) -> str:
            inside.set()
            await asyncio.Event().wait()
            return question

        cascade = outlay.Cascade("c", [lambda question: hang(question)], accept=bool)
        task = asyncio.ensure_future(cascade("q"))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        call("after")

    asyncio.run(main())
    assert ends(sent) == [("failed", False)]
    assert next(span for span in sent.calls if span.attributes["gen_ai.request.model"] == "after").parent_span_id == ""


def test_a_router_chooses_no_model_in_silence() -> None:
    with pytest.raises(ValueError, match=r"default=.*cheap, dear"):
        outlay.Router({"cheap": 1, "dear": 2})
    assert outlay.Router({"only": 1}).choose("anything").tier == "only"
    assert outlay.Router({"cheap": 1, "dear": 2}, default="cheap").choose("unheard of").tier == "cheap"


@pytest.mark.parametrize("timeout_s", [math.inf, 1e300, Decimal("1e400")])
def test_a_timeout_longer_than_anything_can_wait_is_none(timeout_s: Any) -> None:
    cascade = outlay.Cascade("c", [lambda: "answer"], accept=bool, timeout_s=timeout_s)
    assert list(cascade._limits.timeouts_s) == [None]  # the tier is asked in the caller's thread
    with capture():
        assert cascade() == "answer"


@pytest.mark.parametrize("kind", [bool, np.bool_])
def test_no_said_by_numpy_is_no_and_not_a_confidence_of_zero(kind: Any) -> None:
    with capture():
        cascade: Any = outlay.Cascade("c", [lambda: "no", lambda: "yes"], lambda said: kind(said == "yes"), threshold=0)
        result = cascade.run_detailed()
    assert [(one.outcome, one.confidence) for one in result.attempts] == [("escalated", None), ("accepted", None)]


def test_a_task_that_is_no_text_is_known_by_its_text() -> None:
    task: Any = ["x"]
    router = outlay.Router({"cheap": "m"}, [outlay.Rule("cheap", task="['x']")])
    assert router.choose(task=task).reason == "task ['x']"
    assert outlay.Router({"cheap": "m"}).choose(task=task).tier == "cheap"
    with capture():
        assert outlay.Cascade("c", [lambda: "answer"], accept=bool)(task=task) == "answer"
