"""A lease: one holder at a time on any clocks, a number is given once, another takes over when the holder is silent."""

from __future__ import annotations

import pytest

from outlay.errors import StoreError
from outlay_collector.store.lease import LEASE_S, NOBODY, Claim, Lease


class Clock:
    """Seconds as a test sets them."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Kept:
    """Claims in memory, as the store keeps them: a number is given once."""

    def __init__(self) -> None:
        self.given: dict[int, str] = {}
        self.fails = ""
        self.caught_up = 0

    def last(self) -> Claim:
        self._may("last")
        number = max(self.given, default=0)
        return Claim(number, self.given.get(number, NOBODY))

    def claim(self, number: int, holder: str) -> Claim:
        self._may("claim")
        self.given.setdefault(number, holder)
        self._may("answer")
        return self.last()

    def catch_up(self) -> None:
        self._may("catch_up")
        self.caught_up += 1

    def close(self) -> None:
        """Nothing to let go of."""

    def _may(self, what: str) -> None:
        if self.fails == what:
            raise StoreError("no answer", retryable=True)


def two() -> tuple[Kept, Clock, Lease, Clock, Lease]:
    """Two processes, on machines whose clocks have nothing in common."""
    kept, here, there = Kept(), Clock(5.0), Clock(90_000.0)
    return kept, here, Lease("jobs", kept, clock=here), there, Lease("jobs", kept, clock=there)


def test_who_comes_first_holds_it_and_the_other_does_not() -> None:
    _, _, first, _, second = two()
    assert first.take()
    assert not second.take()
    assert first.held()
    assert not second.held()
    first.check()
    with pytest.raises(StoreError, match=r"the lease of jobs has ended; .* may hold it") as caught:
        second.check()
    assert caught.value.retryable


def test_a_holder_that_claims_again_keeps_it_for_ever() -> None:
    _, here, first, there, second = two()
    first.take()
    term = first.term
    for _ in range(20):
        here.now += LEASE_S * 0.6
        there.now += LEASE_S * 0.6
        assert first.take()
        assert not second.take()
    assert first.term == term


def test_a_standby_takes_over_when_the_holder_was_silent_for_the_whole_time() -> None:
    _, here, first, there, second = two()
    first.take()
    second.take()
    for clock in (here, there):
        clock.now += LEASE_S - 0.1
    assert not second.take()
    for clock in (here, there):
        clock.now += 0.2
    assert second.take()
    assert not first.held()
    assert not first.take()


def test_the_holder_stops_before_a_standby_can_begin() -> None:
    kept, here, first, there, second = two()
    first.take()
    here.now += 7.0  # the claim was seen late, so the standby counts from later
    there.now += 7.0
    second.take()
    here.now += LEASE_S - 7.0
    there.now += LEASE_S - 7.0
    assert not first.held()
    assert not second.take()
    assert kept.last().holder == first.holder


def test_a_process_that_slept_knows_at_once_and_writes_no_more() -> None:
    _, here, first, there, second = two()
    first.take()
    second.take()
    there.now += LEASE_S
    assert second.take()
    here.now += LEASE_S
    with pytest.raises(StoreError):
        first.check()


def test_of_two_standbys_that_claim_the_same_number_one_has_it() -> None:
    kept, clock = Kept(), Clock()
    first, second = Lease("jobs", kept, clock=clock), Lease("jobs", kept, clock=clock)
    claim = kept.claim

    def meanwhile(number: int, holder: str) -> Claim:
        kept.given[number] = first.holder
        return claim(number, holder)

    kept.claim = meanwhile  # type: ignore[method-assign]
    assert not second.take()
    kept.claim = claim  # type: ignore[method-assign]
    assert first.take()


def test_a_claim_whose_answer_was_lost_is_claimed_again_before_it_counts() -> None:
    kept, here, first, _, second = two()
    kept.fails = "answer"
    with pytest.raises(StoreError):
        first.take()
    assert not first.held()
    kept.fails = ""
    here.now += LEASE_S * 2
    assert first.take()
    here.now += LEASE_S - 0.1
    assert first.held()
    assert not second.take()


def test_while_the_store_is_silent_the_lease_is_held_until_its_time_is_over() -> None:
    kept, here, first, _, _ = two()
    first.take()
    kept.fails = "last"
    here.now += LEASE_S - 1.0
    with pytest.raises(StoreError):
        first.take()
    assert first.held()
    here.now += 1.0
    assert not first.held()


def test_nothing_is_begun_before_what_others_wrote_is_seen() -> None:
    kept, _, first, _, _ = two()
    kept.fails = "catch_up"
    with pytest.raises(StoreError):
        first.take()
    assert not first.held()
    assert kept.given == {}
    kept.fails = ""
    assert first.take()
    assert kept.caught_up == 1
    first.take()
    assert kept.caught_up == 1


def test_however_long_the_look_at_what_others_wrote_takes_the_lease_begins_after_it() -> None:
    kept, here, first, _, _ = two()

    def slowly() -> None:
        here.now += LEASE_S * 3

    kept.catch_up = slowly  # type: ignore[method-assign]
    assert first.take()
    assert first.held()


def test_a_new_holder_has_a_term_of_its_own() -> None:
    _, _, first, there, second = two()
    first.take()
    before = first.term
    second.take()
    there.now += LEASE_S
    second.take()
    there.now += LEASE_S
    assert second.term > before


def test_a_lease_that_is_given_back_is_free_at_once() -> None:
    _, _, first, _, second = two()
    first.take()
    assert not second.take()
    first.release()
    first.release()
    assert not first.held()
    assert second.take()


def test_who_waits_in_vain_is_told_who_holds_it() -> None:
    _, _, first, _, second = two()
    first.take()
    with pytest.raises(StoreError, match=r"\(pid \d+\) holds the lease of jobs; ask it, or stop it first"):
        second.wait(0.2)
    second.release()
    first.release()
