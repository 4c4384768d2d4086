"""Answers kept between requests: computed once for a state of the data, shown a little old, a failure told."""

from __future__ import annotations

import threading

import pytest

from outlay_web.cache import LONGEST_PAUSE_S, PAUSE_S, REST, Cache

KEY = ("sum", "default")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_computed_once_for_each_version() -> None:
    calls: list[int] = []
    cache = Cache()

    def compute() -> int:
        calls.append(1)
        return len(calls)

    assert [cache.get(KEY, version, compute, 60) for version in (1, 1, 1, 2)] == [1, 1, 1, 2]


def test_a_reader_does_not_wait_longer_than_asked() -> None:
    go = threading.Event()
    cache = Cache()
    assert cache.get(KEY, 1, lambda: go.wait(60), 0.01) is None
    go.set()
    assert cache.get(KEY, 1, lambda: False, 60) is True


def test_an_old_answer_is_given_while_a_new_one_is_found_to_those_who_will_not_wait() -> None:
    cache = Cache()
    assert cache.get(KEY, 1, lambda: "old", 60) == "old"
    go = threading.Event()

    def compute() -> str:
        go.wait(60)
        return "new"

    assert cache.renewal(KEY, 1) is None
    assert cache.renewal(KEY, 2) == "waiting"
    assert cache.get(KEY, 2, compute, 60, old=True) == "old"
    assert cache.renewal(KEY, 2) == "under way"
    go.set()
    assert cache.get(KEY, 2, compute, 60) == "new"
    assert cache.renewal(KEY, 2) is None


def test_what_took_long_rests_before_it_is_looked_for_again() -> None:
    clock = Clock()
    cache = Cache(clock)

    def slow(value: str) -> str:
        clock.now += 2
        return value

    assert cache.get(KEY, 1, lambda: slow("first"), 60) == "first"
    clock.now += 2 * REST - 1
    assert cache.get(KEY, 2, lambda: slow("second"), 60) == "first"
    clock.now += 1
    assert cache.get(KEY, 2, lambda: slow("second"), 60) == "second"


def fail() -> int:
    raise ValueError("no")


def test_an_error_is_told_and_tried_again_after_a_pause_that_grows() -> None:
    clock = Clock()
    cache = Cache(clock)
    pauses = []
    for _ in range(8):
        assert cache.get(KEY, 1, fail, 60) is None
        failure = cache.failure(KEY)
        assert failure is not None
        assert (failure.kind, failure.error) == ("ValueError", "ValueError: no")
        pauses.append(failure.retry_s)
        clock.now += failure.retry_s - 1
        assert cache.get(KEY, 2, lambda: 1, 60) is None  # not yet, whatever has changed
        clock.now += 1
    assert pauses[0] == PAUSE_S
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
    assert cache.get(KEY, 1, lambda: 1, 60) == 1
    assert cache.failure(KEY) is None


def test_what_was_known_stays_when_the_next_attempt_fails() -> None:
    clock = Clock()
    cache = Cache(clock)
    assert cache.get(KEY, 1, lambda: "old", 60) == "old"
    assert cache.get(KEY, 2, fail, 60) == "old"
    assert cache.failure(KEY) is not None
    clock.now += PAUSE_S
    assert cache.get(KEY, 2, lambda: "new", 60) == "new"


def test_answers_are_listed_as_jobs_with_the_error_that_holds() -> None:
    clock = Clock()
    cache = Cache(clock)
    assert cache.jobs() == []
    cache.get(KEY, 1, fail, 60)
    cache.get(("sum", "other"), 1, lambda: 1, 60)  # another project's success does not hide it
    (job,) = cache.jobs()
    assert (job["name"], job["runs"], job["failures"]) == ("find sum", 2, 1)
    assert job["last_error"] == "ValueError: no"
    clock.now += PAUSE_S
    cache.get(KEY, 1, lambda: 1, 60)
    assert cache.jobs()[0]["last_error"] is None


def test_an_answer_for_which_no_thread_starts_has_failed_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock = Clock()
    cache = Cache(clock)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert cache.get(KEY, 1, lambda: "found", 0.01) is None
    failure = cache.failure(KEY)
    assert failure is not None
    assert failure.error == "RuntimeError: can't start new thread"
    clock.now = PAUSE_S
    assert cache.get(KEY, 1, lambda: "found", 60) == "found"
