"""What calls inherit from the spans around them: of many at once the same as of one after the other."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.inherited import GROUPS, OUTERMOST
from outlay_collector.settle.arrays import NO
from outlay_collector.settle.contexts import contexts_of, inherited_by
from outlay_collector.settle.resolve import Contexts

MAPS = pa.map_(pa.binary(), pa.binary())
NAMES = ("user", "tag.x", *sorted(OUTERMOST)[:2], *(name for names in GROUPS.values() for name in names[:2]))
Context = dict[str, str]


def test_of_several_requests_each_has_its_own_chain() -> None:
    spans: list[Context] = [{"user": "u", "tag.x": "1"}, {"tag.x": "2"}, {"session": "s"}]
    above = [NO, 0, NO]
    found = contexts_by({0: [1], 1: [2, 1], 3: [0]}, spans, above, requests=4)
    assert found == [{"user": "u", "tag.x": "2"}, {"session": "s", "user": "u", "tag.x": "2"}, None, spans[0]]


def test_one_name_of_a_group_hides_the_others_further_up_but_not_what_other_spans_inherit() -> None:
    spans: list[Context] = [{"experiment": "old", "arm": "b"}, {"experiment": "new"}, {"arm": "c"}]
    assert contexts_by({0: [1]}, spans, [NO, 0, NO], requests=1) == [{"experiment": "new"}]
    assert contexts_by({0: [1, 2]}, spans, [NO, 0, NO], requests=1) == [{"experiment": "new", "arm": "c"}]


def test_random_worlds_have_the_contexts_of_spans_taken_one_by_one() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        size = rng.randrange(1, 14)
        spans = [dict.fromkeys(rng.sample(NAMES, rng.randrange(1, 5)), str(n)) for n in range(size)]
        above = [rng.choice([NO, rng.randrange(n)]) if n else NO for n in range(size)]
        wanted = {n: rng.sample(range(size), rng.randrange(0, min(size, 3) + 1)) for n in range(8)}
        expected = [
            {name: word for near in reversed(rows) for name, word in inherited(near, spans, above).items()} or None
            for rows in wanted.values()
        ]
        assert contexts_by(wanted, spans, above, requests=8) == expected, seed
        nearest = [NO, *range(size)]
        by_span = inherited_by(_column(spans), np.array(nearest), np.array(above))
        assert _plain(by_span) == [None, *(inherited(n, spans, above) for n in range(size))], seed


def inherited(near: int, spans: list[Context], above: list[int]) -> Context:
    """The rule span by span, from the outermost in."""
    chain = []
    while near != NO:
        chain.append(spans[near])
        near = above[near]
    found: Context = {}
    for said in reversed(chain):
        hidden = {name for names in GROUPS.values() if set(names) & said.keys() for name in names}
        stays = {name: word for name, word in found.items() if name in OUTERMOST}
        found = {name: word for name, word in found.items() if name not in hidden} | said | stays
    return found


def contexts_by(
    wanted: dict[int, list[int]], spans: list[Context], above: list[int], *, requests: int
) -> list[Context | None]:
    """The contexts of requests, by the spans whose words hold for each."""
    pairs = [(request, near) for request, rows in wanted.items() for near in rows]
    request, near = (np.array([pair[n] for pair in pairs], np.int64) for n in range(2))
    return _plain(contexts_of(_column(spans), Contexts(request, near), np.array(above, np.int64), requests))


def _column(spans: list[Context]) -> Any:
    return pa.array([[(name.encode(), word.encode()) for name, word in span.items()] for span in spans], MAPS)


def _plain(column: Any) -> list[Context | None]:
    return [
        None if entries is None else {name.decode(): word.decode() for name, word in entries}
        for entries in column.to_pylist()
    ]
