"""What levers are given: what is wrong is refused where it is written, and numbers of any library are numbers."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outlay
from outlay.testing import Capture, capture

TIERS = {"cheap": "gpt-4o-mini", "frontier": "gpt-4o"}
USAGE = {"input_tokens": 1, "output_tokens": 1}
EXAMPLES = [{"input": "1"}, {"input": "2"}]


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


async def _later(*_: Any) -> bool:
    return False


later: Any = _later


def pieces(*_: Any) -> Iterator[bool]:
    yield False


def plain(*_: Any) -> Any:
    return "x"


def echo(question: str) -> str:
    return question


def vector(text: str) -> list[float]:
    return [1.0, 0.0]


def cascade(**options: Any) -> Any:
    return outlay.Cascade("c", [plain, plain], **{"accept": lambda answer: 0.95, **options})


def router(*rules: Any, **options: Any) -> Any:
    return outlay.Router(TIERS, rules, **{"default": "cheap", **options})


def evaluate(*given: Any, **options: Any) -> Any:
    return outlay.evaluate(*given, progress=False, **options)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "an async when= of a cache": (lambda: outlay.cached(when=later), "when .* not async"),
    "a when= that yields": (lambda: outlay.SemanticCache(plain, when=pieces), "when .* plain function"),  # type: ignore[arg-type]
    "an async key=": (lambda: outlay.cached(key=later), "key .* not async"),
    "a key= that is no function": (lambda: outlay.cached(key=3), "key must be a function"),  # type: ignore[call-overload]
    "dumps= that is no function": (lambda: outlay.cached(dumps=3), "dumps must be a function"),  # type: ignore[call-overload]
    "a time that is a text": (lambda: outlay.cached(ttl_s="5"), "ttl_s must be a number"),  # type: ignore[call-overload]
    "a timedelta": (lambda: outlay.cached(ttl_s=timedelta(1)), "ttl_s must be a number"),  # type: ignore[call-overload]
    "half an entry": (lambda: outlay.cached(max_entries=1.5), "whole number"),  # type: ignore[call-overload]
    "a scope that is no name": (lambda: outlay.cached(scope=3), "names of tags"),  # type: ignore[call-overload]
    "a version without a text": (lambda: outlay.cached(version=object()), "version must be"),  # type: ignore[call-overload]
    "a threshold that is a text": (lambda: outlay.SemanticCache(plain, threshold="1"), "must be a number"),  # type: ignore[arg-type]
    "an async rule": (lambda: outlay.Rule("cheap", when=later), "when of a rule .* not async"),
    "a complexity above 1": (lambda: outlay.Rule("cheap", min_complexity=1.5), "number of 0–1, not 1.5"),
    "a complexity that is NaN": (lambda: outlay.Rule("cheap", min_complexity=float("nan")), "0–1, not nan"),
    "a complexity that is a text": (lambda: outlay.Rule("cheap", min_complexity="0.8"), "number of 0–1"),  # type: ignore[arg-type]
    "a rule that is none": (lambda: router(("cheap",)), "list of outlay.Rule"),
    "tiers without names": (lambda: outlay.Router(["cheap"]), "are a mapping"),  # type: ignore[arg-type]
    "a matrix that is a mapping": (lambda: router(matrix={"x": "cheap"}), "list of MatrixRow"),
    "an async matrix": (lambda: router(matrix=later), "not async"),
    "a matrix function that gives no rows": (lambda: router(matrix=lambda: 3), "no list of MatrixRow"),
    "one tier that is no list": (lambda: outlay.Cascade("c", plain, accept=plain), "tiers are a list"),  # type: ignore[call-overload]
    "a cascade without a name": (lambda: outlay.Cascade(None, [plain], accept=plain), "name of a cascade"),  # type: ignore[call-overload]
    "no threshold at all": (lambda: cascade(threshold={}), "names no task"),
    "weights that are texts": (lambda: outlay.assign("e", "u", {"a": "1"}), "weights of at least 0"),  # type: ignore[dict-item]
    "two arms of one name": (lambda: outlay.assign("e", "u", ["a", "a"]), "each another one"),
    "a unit that is missing in a table": (lambda: outlay.assign("e", float("nan")), "no unit"),
    "a unit of blanks": (lambda: outlay.assign("e", "  "), "no unit"),
    "a unit told by its address": (lambda: outlay.assign("e", object()), "another one in each process"),
    "a unit in no order": (lambda: outlay.assign("e", {"a", "b"}), "another one in each process"),
    "an experiment without a name": (lambda: outlay.assign("", "u"), "has a name"),
    "shares that are texts": (lambda: outlay.Layer("l", {"a": "x"}), "shares of at most 1"),  # type: ignore[dict-item]
    "no examples": (lambda: evaluate([], {"a": plain}, {"s": len}), "at least one example"),
    "examples that are a mapping": (lambda: evaluate({"a": 1}, {"a": plain}, {"s": len}), "list of examples"),
    "a candidate alone": (lambda: evaluate(EXAMPLES, plain, {"s": len}), "candidates are a list"),
    "a candidate that yields": (lambda: evaluate(EXAMPLES, {"a": pieces}, {"s": len}), "'a' yields"),
    "a scorer that yields": (lambda: evaluate(EXAMPLES, {"a": plain}, {"s": pieces}), "'s' yields"),
    "nobody who asks": (lambda: evaluate(EXAMPLES, {"a": plain}, {"s": len}, concurrency=0), "concurrency must be"),
    "a run id that is a number": (lambda: evaluate(EXAMPLES, {"a": plain}, {"s": len}, run_id=3), "run_id is a text"),
    "requests that are a text": (
        lambda: outlay.estimate("openai", "gpt-4o", USAGE, requests_per_month="9"),  # type: ignore[arg-type]
        "requests_per_month must be a number",
    ),
    "a cascade that is a number": (
        lambda: outlay.estimate("openai", "gpt-4o", USAGE, cascade=3),  # type: ignore[arg-type]
        "cascade is a mapping",
    ),
    "a service tier without a price": (
        lambda: outlay.estimate("openai", "gpt-4o", USAGE, service_tier="gold"),
        "no price for openai gpt-4o gold",
    ),
    "a class": (lambda: outlay.track(feature="x")(Fraction), "not the class Fraction: decorate its methods"),
    "a property": (lambda: outlay.track(cached_property(plain)), "track takes a function"),  # type: ignore[call-overload]
    "a partial method": (lambda: outlay.track(feature="x")(partialmethod(plain)), "the function inside"),  # type: ignore[arg-type]
    "an async on_over": (lambda: outlay.budget_guard("b", later), "plain function"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_work_is_refused_where_it_is_written(sent: Capture, what: str) -> None:
    make, message = REFUSED[what]
    with pytest.raises((TypeError, ValueError, outlay.errors.PriceNotFound)) as refused:
        make()
    assert re.search(message, str(refused.value)), refused.value


NUMBERS: list[Any] = [0.9, np.float32(0.9), np.float64(0.9), np.array([0.9]), Decimal("0.9"), Fraction(9, 10)]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers_of_any_library_are_numbers(sent: Capture, number: Any) -> None:
    assert router(outlay.Rule("frontier", min_complexity=number)).choose(complexity=0.95).tier == "frontier"
    assert router(outlay.Rule("frontier", min_complexity=0.8)).choose(complexity=number).tier == "frontier"
    assert router(explore=number)
    run = cascade(threshold=number).run_detailed("q")
    assert (run.tier, run.confidence) == (0, 0.95)
    run = cascade(accept=lambda answer: number, threshold=0.8).run_detailed("q")
    assert (run.tier, run.confidence) == (0, pytest.approx(0.9))
    assert outlay.SemanticCache(plain, threshold=number)
    assert outlay.assign("e", "u", {"a": number, "b": 0}).propensity == 1
    found = evaluate(EXAMPLES, {"a": plain}, {"s": lambda output, example: number})
    assert found.rows[0].scores["s"] == pytest.approx(0.9)


@pytest.mark.parametrize("confidence", [95, -0.2, float("inf")])
def test_a_confidence_outside_0_and_1_is_none_and_told_once(
    sent: Capture, caplog: pytest.LogCaptureFixture, confidence: float
) -> None:
    judged = cascade(accept=lambda answer: confidence, threshold=0.9)
    for _ in range(2):
        run = judged.run_detailed("q")
        assert (run.tier, run.confidence, run.attempts[0].outcome) == (1, None, "escalated")
    assert [record.getMessage().count("a confidence is a number of 0–1") for record in caplog.records] == [1]


def test_a_confidence_that_rounding_puts_a_little_above_1_is_1(sent: Capture) -> None:
    assert cascade(accept=lambda answer: 1.0000001, threshold=1).run_detailed("q").confidence == 1


def test_what_turns_out_to_be_awaited_is_no_answer_and_is_told(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    @outlay.cached(when=lambda answer: later())
    def answer(question: str) -> str:
        calls.append(question)
        return question

    assert [answer("a"), answer("a")] == ["a", "a"]
    assert calls == ["a", "a"]  # not kept: nobody said that it may be
    assert router(outlay.Rule("frontier", when=lambda facts: later())).choose().tier == "cheap"
    said = " ".join(str(record.exc_info) for record in caplog.records)
    assert "when gave something to be awaited" in said
    assert "when of a rule gave something to be awaited" in said


def test_a_candidate_whose_answer_is_a_stream_has_failed(sent: Capture) -> None:
    found = evaluate(EXAMPLES, {"a": lambda question: iter(question)}, {"s": lambda output, example: 1})
    assert [row.failed for row in found.rows] == [True, True]
    assert "can be read once" in str(found.rows[0].error)


def test_callables_in_a_list_are_named_by_what_they_are(sent: Capture) -> None:
    class Small:
        def __call__(self, question: str) -> str:
            return question

    assert list(evaluate(EXAMPLES, [Small(), plain], {"s": lambda output, example: 1}).summaries) == ["Small", "plain"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_score_that_says_nothing_is_told_and_not_sent(
    sent: Capture, caplog: pytest.LogCaptureFixture, value: float | None
) -> None:
    with outlay.track("x"):
        outlay.score("correct", value)
        outlay.score("correct", None, label="pass")
    assert [score.label for score in sent.scores] == ["pass"]
    assert "score 'correct'" in str(caplog.records[0].exc_info)


def test_a_count_that_otlp_cannot_say_is_refused(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    outlay.record(usage={"input_tokens": 2**63}, model="gpt-4o", provider="openai")
    assert sent.calls == []
    assert "usage input_tokens" in str(caplog.records[0].exc_info)


def test_a_stop_iteration_is_the_callers_through_caches_and_cascades(sent: Capture) -> None:
    def ends(question: str) -> str:
        raise StopIteration(question)

    for lever in (
        outlay.cached(ends),
        outlay.SemanticCache(lambda text: [1.0])(ends),
        outlay.Cascade("c", [ends], accept=plain),
        outlay.Cascade("c", [ends], accept=plain, timeout_s=60),
    ):
        with pytest.raises(StopIteration) as ended:
            lever("over")
        assert ended.value.value == "over"
    assert {span.attributes.get("error.type") for span in sent.spans} == {"StopIteration"}
    assert cascade(accept=lambda answer: 1).run_detailed("q").answer == "x"


@pytest.mark.parametrize(("function", "arguments"), [(max, (1, 2)), (int, ("3",)), (str.upper, ("a",)), (len, ("a",))])
def test_functions_written_in_c_are_cached_as_others_are(
    sent: Capture, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    cached = outlay.cached(function)
    assert [cached(*arguments), cached(*arguments)] == [function(*arguments)] * 2
    hits = [span.attributes["outlay.cache.hit"] for span in sent.spans]
    assert hits == [False, True]


def test_arrays_with_other_names_of_fields_are_others(sent: Capture) -> None:
    names = outlay.cached(lambda table: table.dtype.names)
    assert [names(np.zeros(1, dtype=[(name, "i4")])) for name in "ab"] == [("a",), ("b",)]


def test_what_holds_levers_can_be_sent_to_a_spawned_process(sent: Capture, tmp_path: Path) -> None:
    def sent_away(lever: Any) -> Any:
        return pickle.loads(pickle.dumps(lever))

    assert sent_away(router(outlay.Rule("frontier", task="legal"))).choose("legal").tier == "frontier"
    store = outlay.SqliteStore(tmp_path / "answers.db")
    store.set("key", b"kept")
    assert sent_away(store).get("key") == b"kept"
    cache = outlay.SemanticCache(vector)
    assert cache(echo)("a") == "a"
    assert sent_away(cache)(echo)("b") == "a"  # with what it has kept
    hits = [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]
    assert hits == [False, True]
    arm = sent_away(outlay.assign("prompt-14", "user-7"))
    with arm:
        assert (arm.experiment, arm.propensity) == ("prompt-14", 0.5)


def test_a_method_forgets_an_answer_by_its_instance_or_its_class(sent: Capture) -> None:
    made: list[str] = []

    class Desk:
        @outlay.cached
        def ask(self, question: str) -> str:
            made.append(question)
            return question

        @outlay.cached
        @classmethod
        def all(cls, question: str) -> str:
            made.append(question)
            return question

    desk = Desk()
    for ask in (desk.ask, Desk.all):
        assert (ask("q"), outlay.invalidate(ask, "q"), outlay.invalidate(ask, question="q")) == ("q", True, False)
        assert (ask("q"), ask("q")) == ("q", "q")
    assert outlay.invalidate(Desk.ask, desk, "q") is True
    assert made == ["q"] * 4
