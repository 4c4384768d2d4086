"""An evaluation loses no row that was paid for, and says "no worse" only where it is so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay.optimizations.evaluation import _bounded, _verdict, interval
from outlay.optimizations.intervals import mean_interval, share_interval
from outlay.testing import Capture, capture

MARGIN = 0.05


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


def exact(output: Any, example: Any) -> bool:
    return bool(output == example)


def right(example: int) -> int:
    outlay.record(usage={"input_tokens": 1000, "output_tokens": 10}, model="gpt-4o", provider="openai")
    return example


def gives(value: Any) -> Callable[[Any, Any], Any]:
    def scorer(output: Any, example: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value if example == 1 else 1.0

    return scorer


BAD = [
    None,
    float("nan"),
    float("inf"),
    "good",
    1j,
    [1.0],
    10**400,
    ValueError("no"),
    SystemExit(3),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_no_row_is_lost_to_a_score_that_is_none(bad: Any, sent: Capture) -> None:
    found = outlay.evaluate(range(4), {"a": right, "b": right}, {"odd": gives(bad), "exact": exact}, progress=False)
    assert len(found.rows) == 8
    assert [row.output for row in found.rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert all(row.cost_usd for row in found.rows)
    (one, other) = [row for row in found.rows if row.index == 1]
    assert one.error is not None
    assert one.error == other.error
    assert one.error.startswith("scorer odd: ")
    assert one.scores == {"exact": 1.0}
    assert found.summaries["a"].scores["exact"].mean == 1.0
    lost = 4 if isinstance(bad, BaseException) else 1
    assert (found.summaries["a"].errors, found.summaries["a"].scores["odd"].mean) == (lost, 1 - lost / 4)
    assert "exact" in str(found)


@pytest.mark.parametrize("error", [TimeoutError("slow"), SystemExit(1), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("is_async", [False, True])
def test_a_candidate_that_times_out_is_worse(error: BaseException, is_async: bool, sent: Capture) -> None:
    def flaky(example: int) -> int:
        if example < 60:
            raise error
        return example

    async def flaky_async(example: int) -> int:
        return flaky(example)

    candidate: Any = flaky_async if is_async else flaky
    found = outlay.evaluate(range(100), {"steady": right, "flaky": candidate}, [exact], progress=False)
    summary = found.summaries["flaky"]
    assert (summary.errors, summary.scores["exact"].n) == (60, 100)
    assert summary.scores["exact"].mean == pytest.approx(0.4)
    assert summary.verdict == {"exact": "worse"}
    assert found.regressed
    generous = outlay.evaluate(range(100), {"steady": right, "flaky": candidate}, [exact], on_error=1, progress=False)
    assert generous.summaries["flaky"].scores["exact"].mean == 1.0
    turned = outlay.evaluate(range(100), {"flaky": candidate, "steady": right}, [exact], progress=False)
    assert turned.summaries["steady"].verdict == {"exact": "better"}


def test_a_scorer_that_fails_on_the_baseline_makes_nobody_better(sent: Capture) -> None:
    def base(example: int) -> str:
        return "base"

    def other(example: int) -> str:
        return "other"

    def fussy(output: str, example: int) -> float:
        if output == "base" and example % 2:
            raise ValueError("cannot read it")
        return 0.5

    found = outlay.evaluate(range(100), {"base": base, "other": other}, [fussy], progress=False)
    assert found.summaries["other"].versus_baseline["fussy"].n == 50
    assert found.summaries["other"].verdict == {"fussy": "not enough data"}


def test_two_equal_rows_show_nothing_and_many_do(sent: Capture) -> None:
    for scorer in (exact, lambda output, example: 0.7, lambda output, example: 5):
        few = outlay.evaluate(range(2), {"a": right, "b": right}, {"s": scorer}, progress=False)
        assert few.summaries["b"].verdict == {"s": "not enough data"}
        assert few.undecided
    many = outlay.evaluate(range(120), {"a": right, "b": right}, [exact], margin=MARGIN, progress=False)
    assert many.summaries["b"].verdict == {"exact": "no worse"}
    assert not many.undecided


def binary(source: random.Random) -> float:
    """Two candidates of which one is right five in a hundred times less often."""
    return (source.random() < 0.85) - (source.random() < 0.9)


def rare(source: random.Random) -> float:
    """Equal but for a rare failure."""
    return -1.0 if source.random() < MARGIN else 0.0


def noisy(source: random.Random) -> float:
    """A judge's numbers, with a rare failure."""
    return source.choice((-0.02, -0.01, 0.0, 0.01, 0.02)) - (0.5 if source.random() < 2 * MARGIN else 0.0)


@pytest.mark.parametrize("truth", [binary, rare, noisy])
@pytest.mark.parametrize("n", [2, 3, 5, 10, 30, 60, 100, 200, 500])
def test_no_worse_is_wrong_at_most_one_time_in_twenty(n: int, truth: Callable[[random.Random], float]) -> None:
    source, runs = random.Random(n), 120
    wrong = 0
    for _ in range(runs):
        difference = _bounded([truth(source) for _ in range(n)], -1.0, 1.0)
        wrong += _verdict(difference, MARGIN - 1e-9) in ("no worse", "better")
    assert wrong <= runs / 20


@pytest.mark.parametrize("n", [2, 3, 10, 100])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_intervals_cover_the_truth(n: int, share: float) -> None:
    source, runs = random.Random(n), 200
    missed = 0
    for _ in range(runs):
        found = interval([float(source.random() < share) for _ in range(n)])
        assert found.low is not None
        assert found.high is not None
        missed += not found.low <= share <= found.high
    assert missed <= runs / 20 + 6


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    # R: binom.test(0, 10), binom.test(5, 10), binom.test(99, 100)
    published = {(0, 10): (0.0, 0.3084971), (5, 10): (0.187086, 0.812914), (99, 100): (0.9455406, 0.9997468)}
    for (successes, n), (low, high) in published.items():
        assert share_interval(successes, n) == pytest.approx((low, high), abs=2e-7)


@settings(deadline=None)
@given(st.lists(st.floats(-1e308, 1e308), min_size=2, max_size=30))
def test_no_interval_is_of_zero_width_or_breaks(values: list[float]) -> None:
    for found in (interval(values), interval([abs(value) / 1e308 for value in values])):
        assert found.mean is not None
        assert (found.low is None) == (found.high is None)
        assert found.low is None or found.high is None or found.low < found.high
    low, high = mean_interval([abs(value) / 1e308 for value in values], 0.0, 1.0)
    assert 0 <= low < high <= 1


@pytest.mark.parametrize("wrong", [{"margin": -1}, {"margin": float("nan")}, {"on_error": float("nan")}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        outlay.evaluate([1], [right], [exact], progress=False, **wrong)  # type: ignore[arg-type]
