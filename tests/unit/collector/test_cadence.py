"""When what waits is loaded and settled: a decision over a clock that only the test moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_collector.cadence import (
    ATTENTION_S,
    GATHER_S,
    LONGEST_REST_S,
    MANY_SPANS,
    VISIBLE_S,
    Cadence,
    Waiting,
)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def run(cadence: Cadence, clock: Clock, load_s: float = 0.2, settle_s: float = 0.3) -> None:
    with cadence.run("load"):
        clock.now += load_s
    with cadence.run("settle"):
        clock.now += settle_s


def tired() -> tuple[Cadence, Clock]:
    """A cadence whose allowance is used up, long after anybody looked."""
    clock = Clock()
    cadence = Cadence(clock=clock)
    for _ in range(20):
        run(cadence, clock)
    clock.now += 1.0
    return cadence, clock


def test_what_comes_after_a_pause_goes_at_once() -> None:
    assert Cadence(clock=Clock()).due_s(Waiting(1, 0.1)) == 0


def test_what_nobody_looks_at_is_gathered() -> None:
    cadence, _ = tired()
    assert cadence.due_s(Waiting(1, 0.0)) == GATHER_S
    assert cadence.due_s(Waiting(1, 5.0)) == GATHER_S - 5
    assert cadence.due_s(Waiting(1, GATHER_S)) == 0


def test_who_looks_sees_within_three_seconds() -> None:
    cadence, clock = tired()
    cadence.ask()
    assert cadence.due_s(Waiting(1, 0.0)) + cadence.cost_s < VISIBLE_S
    clock.now += ATTENTION_S
    assert cadence.due_s(Waiting(1, 0.0)) == GATHER_S


@pytest.mark.parametrize("period_s", [0.5, 1.0, 1.5, 2.0, 2.5])
def test_who_looks_regularly_sees_all_within_three_seconds(period_s: float) -> None:
    seen_after_s, runs = looked_at(period_s)
    assert max(seen_after_s) <= VISIBLE_S
    assert runs <= 31  # one in two seconds


def looked_at(period_s: float) -> tuple[list[float], int]:
    """A minute of a call a second and of looks: after what time each call was seen, and how many runs were made."""
    cadence, clock = tired()
    began, step_s = clock.now, 0.01
    waiting: list[float] = []
    settled: list[tuple[float, float]] = []  # when it came, when it was to be seen
    seen: list[float] = []
    runs, looks = 0, 0
    next_call, ends = began + 0.4, float("-inf")
    while clock.now < began + 60:
        if clock.now >= began + looks * period_s:
            looks += 1
            cadence.ask()
            visible = [came for came, at in settled if at <= clock.now]
            settled = [one for one in settled if one[1] > clock.now]
            seen += [clock.now - came for came in visible if came > began + 4 * period_s]  # until it is known
        if clock.now >= next_call:
            waiting.append(next_call)
            next_call += 1
        if waiting and clock.now >= ends and cadence.due_s(Waiting(len(waiting), clock.now - waiting[0])) <= 0:
            runs += 1
            settled += [(came, clock.now + 0.2) for came in waiting]
            waiting = []
            ends = clock.now + 0.2
            before = clock.now
            run(cadence, clock, 0.1, 0.1)
            clock.now = before
        clock.now += step_s
    return seen, runs


def test_a_long_run_begins_after_a_look_for_the_next() -> None:
    cadence, clock = tired()
    run(cadence, clock, 0.6, 0.6)
    for _ in range(4):
        clock.now += 2.0
        cadence.ask()
    clock.now += 1.5
    assert cadence.due_s(Waiting(1, 0.2)) == pytest.approx(0.5)  # it would not end before this one


def test_who_stops_looking_regularly_is_not_waited_for() -> None:
    cadence, clock = tired()
    for _ in range(4):
        cadence.ask()
        clock.now += 2.0
    clock.now += 0.5  # late
    assert cadence.due_s(Waiting(1, 1.0)) == pytest.approx(VISIBLE_S - 1 - 2 * cadence.cost_s)


def test_what_waits_is_worked_off_at_once_when_somebody_comes() -> None:
    cadence, _ = tired()
    assert not cadence.changed.is_set()
    cadence.ask()
    assert cadence.changed.is_set()
    assert cadence.due_s(Waiting(1, VISIBLE_S)) == 0


def test_enough_spans_are_a_reason_of_their_own() -> None:
    cadence, _ = tired()
    assert cadence.due_s(Waiting(MANY_SPANS, 0.0)) == 0
    assert cadence.due_s(Waiting(MANY_SPANS - 1, 0.0)) > 0


def test_between_runs_is_a_rest_whoever_looks_and_however_much_waits() -> None:
    clock = Clock()
    cadence = Cadence(attended=True, clock=clock)
    run(cadence, clock, 0.1, 0.2)
    assert cadence.due_s(Waiting(10 * MANY_SPANS, 60.0)) == pytest.approx(0.3)
    run(cadence, clock, 3.0, 9.0)
    assert cadence.due_s(Waiting(10 * MANY_SPANS, 60.0)) == pytest.approx(LONGEST_REST_S)


def test_the_first_slow_run_does_not_use_up_what_is_allowed() -> None:
    clock = Clock()
    cadence = Cadence(clock=clock)
    run(cadence, clock, 0.2, 4.0)
    clock.now += 1.0
    assert cadence.due_s(Waiting(1, 0.1)) == 0


def test_a_look_for_what_is_not_there_says_nothing_about_the_cost() -> None:
    cadence, clock = tired()
    before = cadence.cost_s
    with cadence.run("settle"):
        clock.now += 0.001
    assert cadence.cost_s == before


def test_a_failed_run_costs_nothing_and_settles_nothing() -> None:
    cadence, clock = tired()
    with cadence.run("load"):
        clock.now += 0.1
    with pytest.raises(RuntimeError), cadence.run("settle"):
        raise RuntimeError
    assert not cadence.catch_up(lambda: Waiting(0, 0.0), 0)
    with cadence.run("settle"):
        clock.now += 0.1
    assert cadence.catch_up(lambda: Waiting(0, 0.0), 0)


def test_what_an_alert_is_judged_by_is_settled_first() -> None:
    cadence, clock = tired()
    came = clock.now
    here = [1]

    def waiting() -> Waiting:
        return Waiting(here[0], clock.now - came)

    done: list[bool] = []
    judge = threading.Thread(target=lambda: done.append(cadence.catch_up(waiting, 30)))
    judge.start()
    assert cadence.changed.wait(30)
    assert cadence.due_s(waiting()) == 0
    with cadence.run("load"):
        here[0] = 0
    assert judge.is_alive()
    with cadence.run("settle"):
        pass
    judge.join(30)
    assert done == [True]


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 20), st.booleans()), max_size=30),
    st.integers(1, 100_000),
    st.floats(0, 100),
)
def test_nothing_waits_longer_than_it_may(history: list[tuple[float, float, bool]], spans: int, age_s: float) -> None:
    clock = Clock()
    cadence = Cadence(clock=clock)
    for cost_s, pause_s, asked in history:
        clock.now += pause_s
        if asked:
            cadence.ask()
        run(cadence, clock, cost_s, cost_s)
    patience_s = VISIBLE_S if cadence.attended else GATHER_S
    due_s = cadence.due_s(Waiting(spans, age_s))
    assert 0 <= due_s <= max(LONGEST_REST_S, patience_s - age_s) + 1e-6  # of the clock's rounding
