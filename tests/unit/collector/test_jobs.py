"""The scheduler: order, waking, failures, stopping."""

from __future__ import annotations

import threading
import time

from outlay_collector.jobs import Scheduler


def test_jobs_run_in_the_order_they_were_added_and_again_when_woken() -> None:
    ran: list[str] = []
    done = threading.Event()
    scheduler = Scheduler("test")

    def rollup() -> None:
        ran.append("rollup")
        done.set()

    scheduler.add("settle", 3600, lambda: bool(ran.append("settle")))  # type: ignore[func-returns-value]
    scheduler.add("rollup", 3600, rollup)
    scheduler.start()
    assert done.wait(60)
    done.clear()
    scheduler.wake("rollup")
    assert done.wait(60)
    assert scheduler.stop(60)
    assert ran == ["settle", "rollup", "rollup"]


def test_a_job_with_more_work_runs_again_after_the_others_had_their_turn() -> None:
    ran: list[str] = []
    done = threading.Event()
    scheduler = Scheduler("test")

    def settle() -> bool:
        ran.append("settle")
        return ran.count("settle") < 3

    def rollup() -> None:
        ran.append("rollup")
        if ran.count("settle") == 3:
            done.set()

    scheduler.add("settle", 3600, settle)
    scheduler.add("rollup", 0.0, rollup)
    scheduler.start()
    assert done.wait(60)
    assert scheduler.stop(60)
    assert ran[:5] == ["settle", "rollup", "settle", "rollup", "settle"]


def test_a_job_that_fails_is_counted_and_tried_again() -> None:
    healed = threading.Event()
    scheduler = Scheduler("test")

    def flaky() -> None:
        if scheduler.jobs["flaky"].failures < 2:
            raise RuntimeError("not yet")
        healed.set()

    scheduler.add("flaky", 0.01, flaky)
    scheduler.start()
    assert healed.wait(60)
    assert scheduler.stop(60)
    assert scheduler.jobs["flaky"].failures == 2
    assert scheduler.jobs["flaky"].last_error == ""


def test_stopping_twice_or_before_the_start_is_fine() -> None:
    scheduler = Scheduler("test")
    assert scheduler.stop()
    scheduler.start()
    assert scheduler.stop()
    assert scheduler.stop()


def test_many_wakes_while_a_job_runs_make_one_more_run_after_a_rest() -> None:
    started = threading.Event()
    release = threading.Event()
    times: list[float] = []
    scheduler = Scheduler("test")

    def settle() -> None:
        times.append(time.monotonic())
        started.set()
        release.wait(60)

    scheduler.add("settle", 3600, settle)
    scheduler.start()
    assert started.wait(60)
    started.clear()
    for _ in range(50):
        scheduler.wake("settle")
    time.sleep(0.05)
    release.set()
    assert started.wait(60)
    for _ in range(3):
        scheduler.wake("settle")
    assert scheduler.stop(60)
    assert times[1] - times[0] >= 0.07, "the rest is half as long as the run was"
    assert 2 <= len(times) <= 3
