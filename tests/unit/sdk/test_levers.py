"""Routes, experiments, evaluations: each says what it did."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from tests.lever_calls import call

import outlay
from outlay.optimizations.evaluation import interval
from outlay.optimizations.intervals import student_t_975
from outlay.optimizations.router import MATRIX
from outlay.testing import Capture

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


# --- evaluations


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
