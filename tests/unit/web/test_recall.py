"""Answers kept between requests: computed once, shown a little old, never an error kept."""

from __future__ import annotations

import threading

from outlay_web.pages.recall import FRESH_S, SHOWN_S, Recall


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_computed_once_while_it_is_fresh() -> None:
    calls: list[int] = []
    recall = Recall()

    def compute() -> int:
        calls.append(1)
        return 7

    assert [recall.get("key", compute, 5) for _ in range(3)] == [7, 7, 7]
    assert len(calls) == 1


def test_a_reader_does_not_wait_longer_than_asked() -> None:
    go = threading.Event()
    recall = Recall()
    assert recall.get("key", lambda: go.wait(10), 0.01) is None
    go.set()
    assert recall.get("key", lambda: False, 5) is True


def test_an_old_answer_is_given_while_a_new_one_is_found() -> None:
    clock = Clock()
    recall = Recall(clock)
    assert recall.get("key", lambda: "old", 5) == "old"
    clock.now = FRESH_S + 1
    go, done = threading.Event(), threading.Event()

    def compute() -> str:
        go.wait(10)
        done.set()
        return "new"

    assert recall.get("key", compute, 5) == "old"
    go.set()
    assert done.wait(5)
    clock.now = 2 * FRESH_S + SHOWN_S
    assert recall.get("key", compute, 5) == "new"


def test_an_error_is_not_kept() -> None:
    recall = Recall()

    def fail() -> int:
        raise ValueError("no")

    assert recall.get("key", fail, 5) is None
    assert recall.get("key", lambda: 1, 5) == 1
