"""assign(): shares, ramps that move only who must move, arms that a test forces."""

from __future__ import annotations

from collections import Counter

import pytest

import outlay
from outlay.optimizations.experiment import Arms
from outlay.testing import forced_arms

UNITS = range(8_000)


def assigned(arms: Arms, *before: Arms) -> list[str]:
    return [str(outlay.assign("ramp", unit, arms, before=before)) for unit in UNITS]


@pytest.mark.parametrize(
    "arms",
    [{"a": 1, "b": 1}, {"a": 0.8, "b": 0.1, "c": 0.1}, {"a": 50, "b": 20, "c": 10, "d": 10, "e": 5, "f": 5}],
    ids=["two", "three", "six"],
)
def test_every_arm_gets_its_share(arms: dict[str, float]) -> None:
    total = sum(arms.values())
    found = Counter(assigned(arms))
    for arm, weight in arms.items():
        assert found[arm] / len(UNITS) == pytest.approx(weight / total, abs=0.02)  # over three standard deviations


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"control": 0.8, "x": 0.1, "y": 0.1}, {"control": 0.6, "x": 0.2, "y": 0.2}),
        ({"control": 0.9, "x": 0.1}, {"control": 0.5, "x": 0.5}),
        ({"control": 80, "x": 10, "y": 10}, {"x": 10, "y": 10, "z": 10, "control": 80}),
        ({"control": 80, "x": 10, "y": 10}, {"control": 90, "x": 0, "y": 10}),
    ],
    ids=["wider", "half", "an arm more, in another order", "an arm less"],
)
def test_a_ramp_moves_nobody_between_arms_that_did_not_lose_to_each_other(
    old: dict[str, float], new: dict[str, float]
) -> None:
    def gain(arm: str) -> float:
        was, now = old.get(arm, 0) / sum(old.values()), new.get(arm, 0) / sum(new.values())
        return now / was if was else float("inf")

    moved = Counter((a, b) for a, b in zip(assigned(old), assigned(new), strict=True) if a != b)
    assert moved
    assert all(gain(b) > gain(a) + 1e-9 for a, b in moved), moved


def test_with_the_arms_before_any_change_moves_as_few_as_can_be() -> None:
    stages = [{"a": 50, "b": 30, "c": 20}, {"a": 40, "b": 50, "c": 10}, {"a": 10, "b": 50, "c": 40}]
    now = assigned(stages[0])
    for number in (1, 2):
        old, new = stages[number - 1], stages[number]
        then, now = now, assigned(new, *stages[:number])
        lost = {arm for arm in old if new[arm] < old[arm]}
        moved = Counter((a, b) for a, b in zip(then, now, strict=True) if a != b)
        assert {a for a, _ in moved} == lost
        assert not {b for _, b in moved} & lost
        needed = sum(old[arm] - new[arm] for arm in lost) / 100
        assert moved.total() / len(UNITS) == pytest.approx(needed, abs=0.02)
        for arm, weight in new.items():
            assert now.count(arm) / len(UNITS) == pytest.approx(weight / 100, abs=0.02)


@pytest.mark.parametrize("unit", [None, ""])
def test_no_unit_is_refused_since_all_would_share_an_arm(unit: object) -> None:
    with pytest.raises(ValueError, match="no unit"):
        outlay.assign("prompt-14", unit)


def test_a_test_forces_an_arm() -> None:
    with forced_arms({"prompt-14": "treatment"}):
        assert {str(outlay.assign("prompt-14", unit)) for unit in range(20)} == {"treatment"}
        assert len({str(outlay.assign("prompt-15", unit)) for unit in range(20)}) == 2
        with pytest.raises(ValueError, match="no arm 'treatment'"):
            outlay.assign("prompt-14", 1, ["a", "b"])
    assert len({str(outlay.assign("prompt-14", unit)) for unit in range(20)}) == 2
