"""Sorting a residual: whatever the evidence, the reasons add up to it and none takes more than it can come to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_analytics.reconcile.reasons import (
    REASONS,
    Open,
    constant_ratio,
    reason_of,
    sort_residual,
    tier_fitting,
    tier_stated,
)

USD = st.decimals(min_value=-1000, max_value=1000, places=12)
LIMIT = st.decimals(min_value=0, max_value=100, places=12)


@given(
    residual=USD,
    discount=USD,
    tier=USD,
    unpriced=st.sampled_from([None, Decimal(0)]),
    no_usage=st.none() | LIMIT,
    estimated=LIMIT,
    failed=LIMIT,
)
def test_reasons_add_up_to_the_residual_exactly(
    residual: Decimal,
    discount: Decimal,
    tier: Decimal,
    unpriced: Decimal | None,
    no_usage: Decimal | None,
    estimated: Decimal,
    failed: Decimal,
) -> None:
    known = {"discount": discount, "tier_mismatch": tier}
    found = sort_residual(residual, known, Open(unpriced, no_usage, estimated, failed))
    assert tuple(found) == REASONS
    assert sum(found.values()) == residual
    assert abs(found["estimated"]) <= estimated + Decimal("1e-11")
    assert 0 <= found["failed_but_billed"] <= failed + Decimal("1e-11")
    if unpriced is None or no_usage is None:
        assert found["unknown"] <= 0  # calls of any cost account for what is billed beyond the rest


def test_a_share_is_named_where_it_is_the_same_on_every_day() -> None:
    same = [(Decimal(85), Decimal(100)), (Decimal("4.25"), Decimal(5)), (Decimal("0.0085"), Decimal("0.01"))]
    assert constant_ratio(same) == Decimal("0.85")
    assert constant_ratio(same[:2]) is None
    assert constant_ratio([*same, (Decimal(90), Decimal(100))]) is None
    assert constant_ratio([(Decimal(110), Decimal(100))] * 5) == Decimal("1.1")
    assert constant_ratio([(Decimal(100), Decimal(100))] * 5) is None
    assert constant_ratio([(Decimal(200), Decimal(100))] * 5) is None  # as well half of the calls not recorded


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [("0.9", "discount"), ("0.85", "discount"), ("1.1", "region"), ("0.909091", "region"), ("1.05", "premium")],
)
def test_a_tenth_on_top_is_a_region_and_a_tenth_off_a_discount(ratio: str, reason: str) -> None:
    assert reason_of(Decimal(ratio)) == reason


def test_a_tier_is_a_mismatch_as_far_as_the_bill_lacks_it() -> None:
    at = {("standard", "batch"): Decimal(5)}
    half = tier_stated({"standard": Decimal(5), "batch": Decimal("2.5")}, {"standard": Decimal(10)}, at)
    assert half == Decimal("-2.5")
    assert tier_stated({"standard": Decimal(10)}, {"standard": Decimal(10)}, at) == 0
    computed = {"standard": Decimal(10)}
    assert tier_fitting(Decimal(-5), computed, at) == Decimal(-5)
    assert tier_fitting(Decimal(-4), computed, at) is None
