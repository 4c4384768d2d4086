"""What is not known is said in words or is None; it is never a zero, nor the word None."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from outlay_analytics.bills.fetch import LONGEST_RETRY_S, _retry_after
from outlay_analytics.explain.expected import measures_of
from outlay_analytics.questions.decide import CHOICES, told, weigh
from outlay_analytics.questions.decide_thresholds import _differences
from outlay_analytics.questions.thresholds import Sweep
from outlay_analytics.statistics.intervals import Interval

SIDES = [Interval(None), Interval(0.0), *(Interval(x, x - 0.03, x + 0.03) for x in (-0.06, -0.01, 0.0, 0.01, 0.06))]


def test_every_verdict_has_a_reason_in_words() -> None:
    for score, cost in itertools.product(SIDES, SIDES):
        found = weigh([told("score", score, 0.05), told("cost_per_call_usd", cost, 0.0)], 0.05, True)
        assert found["verdict"] in CHOICES
        assert "None" not in found["reason"], (score, cost)
    dear = [told("score", Interval(0.02, -0.01, 0.06), 0.05), told("cost_per_call_usd", Interval(0.5, 0.4, 0.6), 0.0)]
    assert weigh(dear, 0.05, True)["reason"] == (
        "the second is dearer and no worse; whether it is better by 0.05 or more is not known"
    )


def test_an_expected_cost_that_no_week_knows_is_none() -> None:
    unknown = {"cost_usd": None, "calls": 5}
    assert measures_of([unknown, unknown], [{"usd": Decimal(0)}])["cost_usd"] is None
    assert measures_of([unknown, {"cost_usd": Decimal(2), "calls": 5}], [{"usd": Decimal(1)}])["cost_usd"] == 1


@pytest.mark.parametrize("said", ["1e12", "inf", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_provider_keeps_a_bill_from_being_asked_for_longer_than_a_week(said: str) -> None:
    assert _retry_after(said) == LONGEST_RETRY_S


def test_a_retry_after_that_says_nothing_is_none() -> None:
    assert [_retry_after(said) for said in ("nan", "soon", "", None)] == [None] * 4


def test_a_single_run_between_two_thresholds_has_no_bounds() -> None:
    def runs(confidence: float, count: int, escalated: int) -> dict[str, Any]:
        usd = Decimal("0.01") * escalated
        return {"confidence": confidence, "runs": count, "rest_usd": usd, "priced_escalations": escalated}

    def cost(between: int, escalated: int) -> dict[str, Any]:
        found = Sweep([runs(0.3, 100, escalated), runs(0.7, between, 0), runs(0.9, 100, 0)], [], [], None)
        return _differences(found, 0.6, 0.8, 0.02)[0]

    one = cost(1, 100)
    assert (one["ci_low"], one["ci_high"], one["verdict"]) == (None, None, "not enough data")
    assert one["why"] == "1 runs between both thresholds, of at least 30"
    assert one["difference"] is not None
    assert cost(100, 3)["why"] == "3 escalated runs with a known cost, of at least 30"
    assert cost(100, 100)["verdict"] == "worse"
    assert (cost(0, 100)["difference"], cost(0, 100)["why"]) == (None, "unknown on one side")
