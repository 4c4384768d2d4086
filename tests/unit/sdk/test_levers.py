"""Cascades, caches, routes, experiments, evaluations, estimates: each says what it did."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import outlay
from outlay.errors import PriceNotFound
from outlay.optimizations.cache import MemoryStore
from outlay.optimizations.evaluation import interval
from outlay.optimizations.intervals import student_t_975
from outlay.optimizations.router import MATRIX
from outlay.testing import Capture, SentSpan, capture

WHEN = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture() as captured:
        yield captured


def call(model: str = "gpt-4o", tokens: int = 10) -> None:
    """A call of a made-up client."""
    outlay.record(usage={"input_tokens": tokens, "output_tokens": 2}, model=model, provider="openai")


def attempts(sent: Capture) -> list[dict[str, Any]]:
    """Cascade facts of every span that has an outcome."""
    return [
        {key.rsplit(".", 1)[-1]: value for key, value in span.attributes.items() if "cascade" in key}
        for span in sent.spans
        if "outlay.cascade.outcome" in span.attributes
    ]


# --- cascades


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


# --- caches


def lookups(sent: Capture) -> list[SentSpan]:
    return [span for span in sent.spans if "outlay.cache.kind" in span.attributes]


def test_an_exact_hit_says_what_it_avoided(sent: Capture) -> None:
    @outlay.cached(ttl_s=60)
    def answer(question: str, *, style: str = "short") -> str:
        call(tokens=1200)
        return question.upper()

    assert [answer("a"), answer("a"), answer("a", style="short"), answer("b")] == ["A", "A", "A", "B"]
    assert len(sent.calls) == 4  # two calls, and two answers from the cache
    miss, hit, same, other = lookups(sent)
    assert [span.attributes["outlay.cache.hit"] for span in (miss, hit, same, other)] == [False, True, True, False]
    assert hit.attributes["outlay.cache.kind"] == "exact"
    assert hit.attributes["outlay.cache.avoided.input_tokens"] == 1200
    assert hit.attributes["outlay.cache.avoided.output_tokens"] == 2
    assert (hit.attributes["gen_ai.request.model"], hit.attributes["gen_ai.provider.name"]) == ("gpt-4o", "openai")
    assert "outlay.cost.usd" not in hit.attributes
    assert not any(key.startswith("gen_ai.") for key in miss.attributes)


def test_the_store_is_any_mapping_and_entries_expire(sent: Capture) -> None:
    store: dict[str, Any] = {}
    calls = []

    @outlay.cached(store=store, ttl_s=1, key=lambda question: question.strip())
    def answer(question: str) -> str:
        calls.append(question)
        return question

    answer("a")
    answer(" a ")
    assert len(store) == len(calls) == 1
    time.sleep(1.05)
    answer("a")
    assert len(calls) == 2


def test_a_redis_client_keeps_json(sent: Capture) -> None:
    class Redis:
        """What `cached` uses of a Redis client."""

        def __init__(self) -> None:
            self.kept: dict[str, str] = {}

        def get(self, key: str) -> str | None:
            return self.kept.get(key)

        def setex(self, key: str, seconds: int, value: str) -> None:
            assert seconds == 60
            self.kept[key] = value

        def set(self, key: str, value: str) -> None:
            self.kept[key] = value

    redis = Redis()

    @outlay.cached(store=redis, ttl_s=60)
    def answer(question: str) -> dict[str, str]:
        call()
        return {"answer": question}

    assert answer("a") == answer("a") == {"answer": "a"}
    assert [span.attributes["outlay.cache.hit"] for span in lookups(sent)] == [False, True]
    assert lookups(sent)[1].attributes["outlay.cache.avoided.input_tokens"] == 10


def test_many_at_once_make_one_call(sent: Capture) -> None:
    made = []

    @outlay.cached()
    def slow(question: str) -> str:
        made.append(question)
        time.sleep(0.05)
        return question

    threads = [threading.Thread(target=slow, args=("q",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["q"]

    @outlay.cached()
    async def slow_async(question: str) -> str:
        made.append(question)
        await asyncio.sleep(0.02)
        return question

    async def main() -> None:
        await asyncio.gather(*(slow_async("r") for _ in range(8)))

    asyncio.run(main())
    assert made == ["q", "r"]


def test_a_failed_call_is_not_cached(sent: Capture) -> None:
    results = iter([ValueError("no"), "yes"])

    @outlay.cached()
    def answer(question: str) -> str:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return str(result)

    with pytest.raises(ValueError, match="no"):
        answer("q")
    assert answer("q") == "yes"


def test_arguments_without_a_key_are_simply_not_cached() -> None:
    with capture(raise_errors=False):
        made = []

        @outlay.cached()
        def answer(thing: object) -> int:
            made.append(thing)
            return len(made)

        marker = object()
        assert (answer(marker), answer(marker)) == (1, 2)


def test_the_default_store_forgets_the_oldest() -> None:
    from outlay.optimizations.cache import Entry

    store = MemoryStore(2)
    for key in "abc":
        store[key] = Entry(key)
    assert list(store) == ["b", "c"]


def test_a_semantic_hit_reports_its_similarity(sent: Capture) -> None:
    vectors = {"What is up?": [1.0, 0.0], "What's up?": [0.98, 0.199], "Price?": [0.0, 1.0]}
    cache = outlay.SemanticCache(lambda text: vectors[text], threshold=0.9)

    @cache
    def answer(question: str) -> str:
        call(tokens=300)
        return question

    assert [answer(text) for text in vectors] == ["What is up?", "What is up?", "Price?"]
    first, hit, other = lookups(sent)
    assert [span.attributes["outlay.cache.hit"] for span in (first, hit, other)] == [False, True, False]
    assert hit.attributes["outlay.cache.similarity"] == pytest.approx(0.98, abs=0.001)
    assert hit.attributes["outlay.cache.avoided.input_tokens"] == 300
    assert other.attributes["outlay.cache.similarity"] == 0.0


def test_a_broken_embedding_means_no_cache_but_an_answer() -> None:
    def broken(text: str) -> list[float]:
        raise RuntimeError("embedding service is down")

    with capture(raise_errors=False):
        cache = outlay.SemanticCache(broken)
        assert cache(lambda question: question + "!")("hi") == "hi!"


# --- routes and experiments


def test_rules_decide_before_the_matrix_and_the_default(sent: Capture) -> None:
    router = outlay.Router(
        {"cheap": "m-nano", "mid": "m-small", "frontier": "m-large"},
        [
            outlay.Rule("frontier", min_complexity=0.8),
            outlay.Rule("cheap", when=lambda facts: facts.get("length", 99) < 10),
        ],
        default="mid",
    )
    assert router.choose("classification", complexity=0.9).target == "m-large"
    assert router.choose("code", length=5).target == "m-nano"
    assert router.choose("extraction").tier == "mid"
    assert router.choose().reason == "default"
    with router.choose("classification") as route:
        assert route.target == "m-nano"
        call()
    attributes = sent.calls[0].attributes
    assert (attributes["outlay.route.tier"], attributes["outlay.route.reason"]) == ("cheap", "matrix: classification")
    assert len(MATRIX) == 6


@pytest.mark.parametrize(
    ("task", "complexity", "problem"),
    [
        ("poetry", None, "nothing is known of task 'poetry'"),
        ("code", "hard", "complexity is a number of 0–1, not 'hard'"),
        ("code", float("nan"), "complexity is a number of 0–1, not nan"),
        ("code", 7, "complexity is a number of 0–1, not 7"),
    ],
)
def test_what_a_router_does_not_know_is_refused_when_strict_and_else_told(
    caplog: pytest.LogCaptureFixture, task: str, complexity: Any, problem: str
) -> None:
    tiers = {"cheap": "small-model", "dear": "large-model"}
    route = outlay.Router(tiers, default="cheap").choose(task, complexity)
    assert (route.target, route.reason) == ("small-model", f"default: {problem}")
    assert problem in caplog.text
    with pytest.raises(ValueError, match=re.escape(problem)):
        outlay.Router(tiers, default="cheap", strict=True).choose(task, complexity)
    sure = outlay.Rule("dear", when=lambda facts: facts.get("plan") == "pro")
    if complexity is None:
        assert outlay.Router(tiers, [sure], default="cheap", strict=True).choose(task, plan="pro").tier == "dear"


def test_assignment_is_stable_over_processes_and_follows_the_weights(sent: Capture) -> None:
    arms = {"control": 0.9, "new": 0.1}
    here = [str(outlay.assign("prompt-14", number, arms)) for number in range(2000)]
    assert Counter(here)["new"] == pytest.approx(200, abs=50)
    code = (
        "import outlay; print(','.join(outlay.assign('prompt-14', n, {'control': .9, 'new': .1}) for n in range(200)))"
    )
    import os

    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=300,
    )
    assert done.stdout.strip().split(",") == here[:200]
    other = [str(outlay.assign("prompt-15", number, arms)) for number in range(2000)]
    assert sum(a == b == "new" for a, b in zip(here, other, strict=True)) < 60
    with outlay.assign("prompt-14", 1, ["only"]) as arm:
        assert arm == "only"
        call()
    assert sent.calls[0].attributes["outlay.experiment.arm"] == "only"


def test_prompt_parts_are_carried(sent: Capture) -> None:
    with outlay.prompt_parts(system=400, user="x" * 40, history=["y" * 8, "z" * 8]):
        call()
    attributes = sent.calls[0].attributes
    parts = {key: value for key, value in attributes.items() if "prompt.part" in key}
    assert parts == {
        "outlay.prompt.part.system.tokens": 400,
        "outlay.prompt.part.user.tokens": 10,
        "outlay.prompt.part.history.tokens": 4,
    }


# --- evaluations and estimates


def test_an_evaluation_compares_on_the_same_examples_and_sends_its_scores(sent: Capture) -> None:
    dataset = [{"input": number, "expected": number % 2} for number in range(40)]

    def good(number: int) -> int:
        call("gpt-4o", 1000)
        return number % 2

    async def bad(number: int) -> int:
        call("gpt-4o-mini", 1000)
        return 0

    def correct(output: int, example: dict[str, int]) -> bool:
        return output == example["expected"]

    result = outlay.evaluate(dataset, {"good": good, "bad": bad}, [correct], name="parity", concurrency=4)
    better, worse = result.summaries["good"], result.summaries["bad"]
    assert better.scores["correct"].mean == 1.0
    assert worse.scores["correct"].mean == 0.5
    assert worse.verdict == {"correct": "worse"}
    assert result.regressed
    assert better.cost_usd > worse.cost_usd > 0
    assert len(sent.scores) == 80
    assert {score.span_id for score in sent.scores} <= {span.span_id for span in sent.calls}
    assert {span.attributes["outlay.experiment.arm"] for span in sent.calls} == {"good", "bad"}
    assert "good" in str(result)


def test_an_evaluation_counts_errors_and_goes_on(sent: Capture) -> None:
    def fragile(number: int) -> int:
        if number == 1:
            raise ValueError("no")
        return number

    result = outlay.evaluate([0, 1, 2], {"fragile": fragile}, {"same": lambda output, example: output == example})
    assert (result.summaries["fragile"].errors, result.summaries["fragile"].scores["same"].n) == (1, 3)
    assert result.summaries["fragile"].scores["same"].mean == pytest.approx(2 / 3)


def test_the_t_quantile_is_the_tables() -> None:
    assert [student_t_975(n) for n in (1, 2)] == [12.7062, 4.3027]
    assert [round(student_t_975(n), 2) for n in (3, 5, 10, 30, 100)] == [3.18, 2.57, 2.23, 2.04, 1.98]
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, round(found.low or 0, 3), round(found.high or 0, 3)) == (3.0, 1.037, 4.963)
    assert interval([]).mean is None
    assert interval([1.0]).low is None


def test_an_estimate_counts_the_cheap_attempt_of_escalated_requests() -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000}
    alone = outlay.estimate("openai", "gpt-4o", usage, at=WHEN)
    assert alone.cost_per_request_usd == Decimal("3.5")
    found = outlay.estimate(
        "openai",
        "gpt-4o-mini",
        usage,
        requests_per_month=1000,
        cascade={"model": "gpt-4o", "escalation_rate": 0.2},
        at=WHEN,
    )
    assert (found.cheap_usd, found.expensive_usd) == (Decimal("0.21"), Decimal("3.5"))
    assert found.cost_per_request_usd == Decimal("0.21") + Decimal("0.2") * Decimal("3.5")
    assert found.cost_per_month_usd == Decimal("910")
    assert found.break_even_escalation_rate == pytest.approx(0.94)
    cached = outlay.estimate("openai", "gpt-4o", usage, cache_hit_ratio=0.25, at=WHEN)
    assert cached.cost_per_request_usd == Decimal("2.625")
    batched = outlay.estimate("openai", "gpt-4o", usage, batch_share=1, at=WHEN)
    assert batched.cost_per_request_usd == Decimal("1.75")


def test_an_estimate_refuses_what_it_does_not_know() -> None:
    with pytest.raises(PriceNotFound, match="no-such"):
        outlay.estimate("openai", "no-such-model", {"input_tokens": 1})
    with pytest.raises(ValueError, match="cache_hit_ratio"):
        outlay.estimate("openai", "gpt-4o", {"input_tokens": 1}, cache_hit_ratio=2)


@pytest.mark.parametrize(
    ("usage", "more", "says"),
    [
        ({"input_tokens": 9, "output_tokens": 1, "cache_raed_tokens": 5}, {}, "did you mean 'cache_read_tokens'"),
        ({"input_tokens": 9, "output_tokens": -1}, {}, "whole number of at least 0, not -1"),
        ({"input_tokens": 9, "output_tokens": 1}, {"requests_per_month": -1}, "requests_per_month"),
        ({"input_tokens": 9, "output_tokens": 1}, {"cache_hit_ratio": float("nan")}, "between 0 and 1, not nan"),
        (
            {"input_tokens": 9, "output_tokens": 1},
            {"cascade": {"model": "gpt-4o", "escalation_rate": 0.1, "usages": {}}},
            "did you mean 'usage'",
        ),
    ],
)
def test_an_estimate_refuses_what_would_make_it_wrong(usage: dict[str, int], more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        outlay.estimate("openai", "gpt-4o-mini", usage, at=WHEN, **more)


def test_an_estimate_says_what_is_saved_against_standard_prices_of_the_top_tier() -> None:
    usage = {"input_tokens": 1200, "output_tokens": 300}  # mini 0.00036, gpt-4o 0.006
    cascade = {"model": "gpt-4o", "escalation_rate": 0.2}
    found = outlay.estimate("openai", "gpt-4o-mini", usage, cascade=cascade, cache_hit_ratio=0.5, at=WHEN)
    assert found.cost_per_request_usd == (Decimal("0.00036") + Decimal("0.0012")) / 2
    assert found.saving_usd == Decimal("0.006") - Decimal("0.00078")
    worse = outlay.estimate("openai", "gpt-4o-mini", usage, cascade={**cascade, "escalation_rate": 1}, at=WHEN)
    assert worse.saving_usd == -Decimal("0.00036")
    assert outlay.estimate("openai", "gpt-4o", usage, at=WHEN).saving_usd == 0
