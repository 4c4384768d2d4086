"""The slice search finds the slice that moved, no wider and no narrower."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from outlay_analytics.explain import drill

DIMS = ["feature", "model", "region"]
ROWS = list(itertools.product("abcd", "xyz", "mn"))


def moved(**where: str) -> tuple[dict[str, str], float]:
    r = np.random.default_rng(len(where))
    expected = np.exp(r.normal(3, 1, len(ROWS)))
    inside = np.array([all(row[DIMS.index(dim)] == value for dim, value in where.items()) for row in ROWS])
    actual = expected * np.exp(r.normal(0, 0.05, len(ROWS))) * np.where(inside, 3.0, 1.0)
    return drill(ROWS, DIMS, expected, actual)


@pytest.mark.parametrize(
    "where", [{"feature": "b"}, {"feature": "b", "model": "y"}, {"feature": "c", "model": "x", "region": "n"}]
)
def test_the_slice_that_moved_is_found(where: dict[str, str]) -> None:
    found, score = moved(**where)
    assert found == where
    assert score > 0.5


def test_a_slice_that_vanished_is_found_too() -> None:
    expected = np.full(len(ROWS), 10.0)
    actual = np.array([0.0 if row[0] == "a" and row[1] == "z" else 10.0 for row in ROWS])
    assert drill(ROWS, DIMS, expected, actual)[0] == {"feature": "a", "model": "z"}


def test_no_change_and_no_rows_have_no_slice() -> None:
    assert drill([], DIMS, [], []) == ({}, 0.0)
    assert drill(ROWS, DIMS, np.ones(len(ROWS)), np.ones(len(ROWS))) == ({}, 0.0)


def test_a_change_of_everything_alike_stands_out_nowhere() -> None:
    expected = np.arange(1.0, len(ROWS) + 1)
    assert drill(ROWS, DIMS, expected, 2 * expected)[1] < 0.15
