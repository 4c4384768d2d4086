"""Answers kept between requests: computed once for a state of the data, shown a little old, never an error kept."""

from __future__ import annotations

import threading

from outlay_web.recall import REST, Recall


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_computed_once_for_each_version() -> None:
    calls: list[int] = []
    recall = Recall()

    def compute() -> int:
        calls.append(1)
        return len(calls)

    assert [recall.get("key", version, compute, 5) for version in (1, 1, 1, 2)] == [1, 1, 1, 2]


def test_a_reader_does_not_wait_longer_than_asked() -> None:
    go = threading.Event()
    recall = Recall()
    assert recall.get("key", 1, lambda: go.wait(60), 0.01) is None
    go.set()
    assert recall.get("key", 1, lambda: False, 5) is True


def test_an_old_answer_is_given_while_a_new_one_is_found_to_those_who_will_not_wait() -> None:
    recall = Recall()
    assert recall.get("key", 1, lambda: "old", 5) == "old"
    go = threading.Event()

    def compute() -> str:
        go.wait(60)
        return "new"

    assert recall.get("key", 2, compute, 5, old=True) == "old"
    go.set()
    assert recall.get("key", 2, compute, 5) == "new"


def test_what_took_long_rests_before_it_is_looked_for_again() -> None:
    clock = Clock()
    recall = Recall(clock)

    def slow(value: str) -> str:
        clock.now += 2
        return value

    assert recall.get("key", 1, lambda: slow("first"), 5) == "first"
    clock.now += 2 * REST - 1
    assert recall.get("key", 2, lambda: slow("second"), 5) == "first"
    clock.now += 1
    assert recall.get("key", 2, lambda: slow("second"), 5) == "second"


def test_an_error_is_not_kept() -> None:
    recall = Recall()

    def fail() -> int:
        raise ValueError("no")

    assert recall.get("key", 1, fail, 5) is None
    assert recall.get("key", 1, lambda: 1, 5) == 1
