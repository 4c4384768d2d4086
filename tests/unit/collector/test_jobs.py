"""Workers on a thread: order, waking, failures, stopping."""

from __future__ import annotations

import threading
import time

from outlay_collector.jobs import Workers, WorkerThread


def test_jobs_run_in_the_order_they_were_added_and_again_when_woken() -> None:
    ran: list[str] = []
    done = threading.Event()
    thread = WorkerThread("test")

    def rollup() -> None:
        ran.append("rollup")
        done.set()

    thread.add("settle", 3600, lambda: bool(ran.append("settle")))  # type: ignore[func-returns-value]
    roll_up = thread.add("rollup", 3600, rollup)
    thread.start()
    assert done.wait(60)
    done.clear()
    roll_up.wake()
    assert done.wait(60)
    assert thread.stop(60)
    assert ran == ["settle", "rollup", "rollup"]


def test_a_job_with_more_work_runs_again_after_the_others_had_their_turn() -> None:
    ran: list[str] = []
    done = threading.Event()
    thread = WorkerThread("test")

    def settle() -> bool:
        ran.append("settle")
        return ran.count("settle") < 3

    def rollup() -> None:
        ran.append("rollup")
        if ran.count("settle") == 3:
            done.set()

    thread.add("settle", 3600, settle)
    thread.add("rollup", 0.0, rollup)
    thread.start()
    assert done.wait(60)
    assert thread.stop(60)
    assert ran[:5] == ["settle", "rollup", "settle", "rollup", "settle"]


def test_a_job_that_fails_is_counted_and_tried_again() -> None:
    healed = threading.Event()
    thread = WorkerThread("test")

    def flaky() -> None:
        if worker.failures < 2:
            raise RuntimeError("not yet")
        healed.set()

    worker = thread.add("flaky", 0.01, flaky)
    thread.start()
    assert healed.wait(60)
    assert thread.stop(60)
    assert worker.failures == 2
    assert worker.last_error == ""


def test_all_workers_of_a_program_are_woken_and_shown_by_name() -> None:
    ran = threading.Event()
    times: list[float] = []

    def keys() -> None:
        times.append(time.monotonic())
        ran.set()

    workers = Workers()
    pipeline, watch = workers.thread("pipeline"), workers.thread("watch")
    pipeline.add("settle", 3600, lambda: None)
    watch.add("keys", 3600, keys)
    pipeline.start()
    watch.start()
    assert ran.wait(60)
    ran.clear()
    workers.wake("keys")
    workers.wake("somebody else's")
    assert ran.wait(60)
    assert watch.stop(60)
    assert pipeline.stop(60)
    assert [(job["name"], job["failures"], job["last_error"]) for job in workers.jobs()] == [
        ("settle", 0, None),
        ("keys", 0, None),
    ]
    assert workers.jobs()[1]["runs"] == len(times)


def test_an_interval_that_a_run_changes_holds_from_then_on() -> None:
    done = threading.Event()
    runs: list[float] = []

    def look() -> None:
        runs.append(worker.interval_s)
        worker.interval_s = 3600 if len(runs) == 3 else 0.01
        if len(runs) == 3:
            done.set()

    thread = WorkerThread("test")
    worker = thread.add("look", 3600, look)
    thread.start()
    assert done.wait(60)
    assert thread.stop(60)
    assert len(runs) == 3


def test_stopping_twice_or_before_the_start_is_fine() -> None:
    thread = WorkerThread("test")
    assert thread.stop()
    thread.start()
    assert thread.stop()
    assert thread.stop()


def test_many_wakes_while_a_job_runs_make_one_more_run_after_a_rest() -> None:
    started = threading.Event()
    release = threading.Event()
    times: list[float] = []
    thread = WorkerThread("test")

    def settle() -> None:
        times.append(time.monotonic())
        started.set()
        release.wait(60)

    worker = thread.add("settle", 3600, settle)
    thread.start()
    assert started.wait(60)
    started.clear()
    for _ in range(50):
        worker.wake()
    time.sleep(0.05)
    release.set()
    assert started.wait(60)
    for _ in range(3):
        worker.wake()
    assert thread.stop(60)
    assert times[1] - times[0] >= 0.07, "the rest is half as long as the run was"
    assert 2 <= len(times) <= 3
