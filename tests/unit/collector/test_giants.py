"""Oversized traces: what of them a change touches, by pointers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from tests.settle_facts import Given, facts_of

from outlay_collector.settle.arrays import NO
from outlay_collector.settle.facts import Bools, Role
from outlay_collector.settle.giants import Skeleton


def skeleton(*parents: int, times: Sequence[tuple[int, int]] = ()) -> Skeleton:
    """Spans by number, from 1, each with its parent's number, 0 for none; from when to when each was."""
    n = len(parents)
    ids = np.arange(1, n + 1, dtype=np.uint64)
    parent = np.array(parents) - 1
    started, ended = np.array(times or [(0, 1)] * n, np.int64).T
    return Skeleton(
        ids,
        np.ones(n, np.uint64),
        np.array(parents, np.uint64),
        np.where(parent < 0, NO, parent),
        started,
        ended,
        np.zeros(n, bool),
        pa.table({"n": ids}),
    )


def only(size: int, *numbers: int) -> Bools:
    return np.isin(np.arange(1, size + 1), numbers)


def numbers(rows: Bools) -> list[int]:
    return [int(n) + 1 for n in np.flatnonzero(rows)]


# 1 above 2 and 5; 2 above 3 above 4; 6 another root
TREE = skeleton(0, 1, 2, 3, 1, 0)


def test_up_from_a_span_is_all_above_it() -> None:
    assert numbers(TREE.upwards(only(6, 4))) == [1, 2, 3, 4]


def test_down_from_a_span_is_all_below_it_without_it() -> None:
    assert numbers(TREE.downwards(only(6, 2))) == [3, 4]
    assert numbers(TREE.downwards(only(6, 6))) == []


def test_a_ring_is_gone_round_once() -> None:
    ring = skeleton(2, 1, 1)
    assert numbers(ring.upwards(only(3, 3))) == [1, 2, 3]
    assert numbers(ring.downwards(only(3, 1))) == [1, 2, 3]


def test_it_goes_down_from_what_counts_and_from_what_is_new_where_something_is_inherited() -> None:
    new = only(6, 4)
    silent = [Given(str(n), role=Role.NONE) for n in (1, 2, 3, 4)]
    assert numbers(TREE.heads(facts_of(*silent), new)) == []
    silent[0] = Given("1", role=Role.NONE, says=frozenset({"context"}))
    assert numbers(TREE.heads(facts_of(*silent), new)) == [4]
    silent[1] = Given("2", (100, 10))
    assert numbers(TREE.heads(facts_of(*silent), new)) == [2, 4]


def test_beside_a_span_is_what_goes_on_at_its_time_below_the_same_parent() -> None:
    times = [(0, 99), (10, 20), (0, 10), (20, 30), (0, 50), (21, 30), (0, 9), (15, 15), (0, 99)]
    tree = skeleton(0, 1, 1, 1, 1, 1, 1, 1, 0, times=times)
    assert numbers(tree.beside(only(9, 2))) == [2, 3, 4, 5, 8]
    assert numbers(tree.beside(only(9, 3, 6))) == [2, 3, 4, 5, 6, 7]
    assert numbers(tree.beside(only(9, 1))) == [1]


def test_skeletons_of_two_traces_keep_their_pointers() -> None:
    both = skeleton(0, 1).with_rows(skeleton(0, 1))
    assert both.parent.tolist() == [NO, 0, NO, 2]
