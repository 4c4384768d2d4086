"""assign() over 100,000 units: every arm has its share to half a percent before and after a ramp; few move.

The hash of each unit and arm is made once, 600,000 of them; what follows from them is computed for all units at once,
and compared with what `assign` says of some.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import outlay
from outlay.optimizations.experiment import _place

UNITS = 100_000
ARMS = "abcdef"
SHARE = 0.005  # over three standard deviations of a half

# Before and after: control gives to the others, by number of arms.
RAMPS = {
    2: ([0.9, 0.1], [0.5, 0.5]),
    3: ([0.8, 0.1, 0.1], [0.6, 0.2, 0.2]),
    4: ([0.7, 0.1, 0.1, 0.1], [0.4, 0.2, 0.2, 0.2]),
    5: ([0.8, 0.05, 0.05, 0.05, 0.05], [0.2, 0.2, 0.2, 0.2, 0.2]),
    6: ([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.25, 0.15, 0.15, 0.15, 0.15, 0.15]),
}


@pytest.fixture(scope="module")
def waits() -> Any:
    """Unit × arm → how long it waits in the race, at a share of 1."""
    places = [_place(f"ramp\0{unit}\0{arm}") for arm in ARMS for unit in range(UNITS)]
    return -np.log(np.array(places)).reshape(len(ARMS), UNITS).T


def assigned(waits: Any, shares: list[float]) -> Any:
    """Unit → number of its arm."""
    found = np.argmin(waits[:, : len(shares)] / np.array(shares), axis=1)
    arms = dict(zip(ARMS, shares, strict=False))
    for unit in range(0, UNITS, UNITS // 200):
        assert outlay.assign("ramp", unit, arms) == ARMS[found[unit]]
    return found


@pytest.mark.parametrize("arms", RAMPS)
def test_shares_hold_and_a_ramp_moves_only_who_must_move(waits: Any, arms: int) -> None:
    old, new = RAMPS[arms]
    before, after = assigned(waits, old), assigned(waits, new)
    for shares, found in ((old, before), (new, after)):
        assert np.abs(np.bincount(found, minlength=arms) / UNITS - shares).max() < SHARE
    moved = before != after
    assert set(before[moved]) == {0}  # the arm that lost, and none of those that grew in proportion
    assert abs(moved.mean() - (old[0] - new[0])) < SHARE


@pytest.mark.parametrize("arms", RAMPS)
def test_with_the_arms_before_any_change_moves_only_who_must_move(arms: int) -> None:
    old, new = RAMPS[arms][0], RAMPS[arms][1][::-1]
    given = [dict(zip(ARMS, shares, strict=False)) for shares in (old, new)]
    units = range(1_500)
    before = [str(outlay.assign("ramp", unit, given[0])) for unit in units]
    after = [str(outlay.assign("ramp", unit, given[1], before=given[:1])) for unit in units]
    lost = {arm for arm in given[0] if given[1][arm] < given[0][arm]}
    moved = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert moved
    assert {one for one, _ in moved} <= lost
    assert not {other for _, other in moved} & lost
