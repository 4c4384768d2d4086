"""A store that fails slowly is left alone ten times as long; one that fails at once is asked each time."""

from __future__ import annotations

import pytest

from outlay.optimizations.pause import Pause


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(("took_s", "left_alone_s"), [(0.0, 0.0), (0.4, 0.0), (0.5, 5.0), (3.0, 30.0), (900.0, 60.0)])
def test_it_is_left_alone_as_long_as_its_failure_is_worth(took_s: float, left_alone_s: float) -> None:
    clock = Clock()
    pause = Pause("store", clock)
    assert not pause.is_on
    with pause.watching():
        clock.now_s += took_s
        raise ConnectionError("away")
    assert pause.is_on == (left_alone_s > 0)
    clock.now_s += left_alone_s * 0.99
    assert pause.is_on == (left_alone_s > 0)
    clock.now_s += left_alone_s * 0.02
    assert not pause.is_on


def test_what_is_slow_and_answers_is_asked_each_time() -> None:
    clock = Clock()
    pause = Pause("store", clock)
    with pause.watching():
        clock.now_s += 30
    assert not pause.is_on
