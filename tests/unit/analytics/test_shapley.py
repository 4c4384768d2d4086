"""The decomposition adds up for every input, and blames what moved."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay_analytics.explain import decompose
from outlay_analytics.explain.shapley import PICODOLLARS, apportion

amounts = st.floats(0, 1e9, allow_nan=False) | st.just(0.0)
prices = st.floats(0, 1e-3, allow_nan=False) | st.just(0.0)
cell = st.fixed_dictionaries(
    {
        "requests": amounts,
        "calls": amounts,
        "in_tok": amounts,
        "cached_tok": st.just(0.0),
        "out_tok": amounts,
        "p_in": prices,
        "p_cached": prices,
        "p_out": prices,
    }
)
keys = st.tuples(
    st.sampled_from(["search", "triage"]),
    st.sampled_from(["primary", "escalation", "retry"]),
    st.sampled_from(["small", "large", "new"]),
)
tables = st.dictionaries(keys, cell, max_size=8)


def usd(table: dict[Any, Any]) -> float:
    return math.fsum(
        (c["in_tok"] - c["cached_tok"]) * c["p_in"] + c["cached_tok"] * c["p_cached"] + c["out_tok"] * c["p_out"]
        for c in table.values()
    )


@given(tables, tables)
@settings(max_examples=100, deadline=None)
def test_the_parts_add_up_for_every_input(c0: dict[Any, Any], c1: dict[Any, Any]) -> None:
    parts = decompose(c0, c1)
    change = usd(c1) - usd(c0)
    digits = 1e-14 * max(usd(c0), usd(c1), *map(abs, parts.values()), 1e-12)
    assert math.fsum(parts.values()) == pytest.approx(change, rel=1e-9, abs=digits)


@given(tables)
@settings(max_examples=50, deadline=None)
def test_nothing_changed_means_nothing_to_explain(table: dict[Any, Any]) -> None:
    assert all(abs(part) <= 1e-9 * max(usd(table), 1e-9) for part in decompose(table, table).values())


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8), st.integers(-5, 5))
def test_rounding_adds_up_to_the_total_asked_for(values: list[float], off: int) -> None:
    total = round(math.fsum(values) * PICODOLLARS) + off
    units = apportion(values, total)
    assert sum(units) == total
    if any(values) and abs(off) <= 1:
        assert all(abs(u - v * PICODOLLARS) <= 1e4 for u, v in zip(units, values, strict=True))


def test_cents_add_up_too() -> None:
    assert apportion([1 / 3, 1 / 3, 1 / 3], 100, scale=100) == [34, 33, 33]


def one(**changes: float) -> dict[tuple[str, str, str], dict[str, float]]:
    return {
        ("search", "primary", "small"): {
            "requests": 100.0,
            "calls": 100.0,
            "in_tok": 1000.0,
            "cached_tok": 500.0,
            "out_tok": 200.0,
            "p_in": 2e-6,
            "p_cached": 1e-6,
            "p_out": 8e-6,
        }
        | changes
    }


@pytest.mark.parametrize(
    ("driver", "changes"),
    [
        ("volume", {"requests": 200.0, "calls": 200.0, "in_tok": 2000.0, "cached_tok": 1000.0, "out_tok": 400.0}),
        ("in_tok", {"in_tok": 2000.0, "cached_tok": 1000.0}),
        ("out_tok", {"out_tok": 800.0}),
        ("cache", {"cached_tok": 0.0}),
        ("price", {"p_in": 4e-6, "p_cached": 2e-6, "p_out": 16e-6}),
    ],
)
def test_a_single_cause_gets_the_whole_change(driver: str, changes: dict[str, float]) -> None:
    base, current = one(), one(**changes)
    parts = decompose(base, current)
    assert parts[("search", driver)] == pytest.approx(usd(current) - usd(base))
    assert all(abs(v) < 1e-12 for (_, d), v in parts.items() if d != driver)


def test_a_new_feature_is_all_requests_and_a_removed_one_too() -> None:
    for c0, c1, sign in (({}, one(), 1), (one(), {}, -1)):
        parts = decompose(c0, c1)
        assert parts[("search", "volume")] == pytest.approx(sign * usd(one()))


def test_ten_thousand_cells_add_up() -> None:
    table = {
        (f"feature-{f}", kind, f"model-{m}"): one()["search", "primary", "small"] | {"calls": 10.0 + m}
        for f in range(334)
        for kind in ("primary", "escalation", "retry")
        for m in range(10)
    }
    grown = {key: c | {"in_tok": c["in_tok"] * 1.1} for key, c in table.items()}
    parts = decompose(table, grown)
    assert sum(parts.values()) == pytest.approx(usd(grown) - usd(table))
