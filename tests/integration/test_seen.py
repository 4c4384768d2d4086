"""The filter of known keys never misses one, rules nearly all new ones out, and is the same after a restart."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from tests.landing import collector
from tests.otlp_bodies import body, span

from outlay_collector.load import key_filter as seen_module
from outlay_collector.load.key_filter import Seen
from outlay_collector.otlp.validate import HOUR_NS, KEY
from outlay_collector.store import Store

HOUR = time.time_ns() // HOUR_NS


def keys(count: int, hour: int = HOUR) -> bytes:
    return b"".join(KEY.pack(hour, os.urandom(16), os.urandom(8)) for _ in range(count))


def test_added_keys_are_always_found_and_new_ones_hardly_ever(store: Store) -> None:
    seen = Seen(store)
    old = keys(5_000) + keys(5_000, HOUR - 7)
    seen.maybe("p", old)
    for at in range(0, len(old), 28 * 1_000):
        seen.add("p", old[at : at + 28 * 1_000])
    assert seen.maybe("p", old) == old
    assert len(seen.maybe("p", keys(20_000))) // 28 < 60
    assert seen.maybe("other", old) == b""


def test_ids_that_count_up_are_ruled_out_as_well_as_random_ones(store: Store) -> None:
    counted = [KEY.pack(HOUR, number.to_bytes(16, "big"), number.to_bytes(8, "big")) for number in range(6_000)]
    seen = Seen(store)
    seen.maybe("p", counted[0])
    seen.add("p", b"".join(counted[:3_000]))
    assert len(seen.maybe("p", b"".join(counted[3_000:]))) // 28 < 20


@pytest.mark.parametrize("slices", [False, True])
def test_what_is_stored_is_found_after_a_restart(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slices: bool
) -> None:
    if slices:
        monkeypatch.setattr(seen_module, "ONE_SLICE_KEYS", 0)
    rng = random.Random(1)
    spans = [span(rng) for _ in range(300)]
    with collector(store, tmp_path / "spool") as made:
        made.send(body(spans))
        made.load()
    stored = b"".join(KEY.pack(s.start_time_unix_nano // HOUR_NS, s.trace_id, s.span_id) for s in spans)
    assert Seen(store).maybe("default", stored + keys(10))[: len(stored)] == stored
    with collector(store, tmp_path / "spool") as made:
        made.send(body([*spans, span(rng)]))
        made.load()
        ledger = made.ledger()
    assert (ledger["stored"], ledger["duplicate"]) == (301, 300)


def test_memory_is_bounded_by_forgetting_the_oldest_hours(store: Store) -> None:
    seen = Seen(store, memory_bytes=100_000)
    for hour in range(HOUR - 200, HOUR):
        some = keys(600, hour)
        seen.maybe("p", some)
        seen.add("p", some)
        assert sum(one.size_bytes for one in seen._filters.values()) <= 100_000
    assert seen.maybe("p", some) == some
