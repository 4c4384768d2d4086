"""Which spans may be in the store already, without asking it: a Bloom filter per project and hour.

Asking ClickHouse for the keys of a batch reads the keys of the whole hour, so its cost would grow with what is stored.
Nearly every span is new, and a filter says so for the price of hashing it; only what it does not rule out (repeats, and
one new span in thousands) is looked up. A filter is built from the store when an hour is first touched, kept up
to date by the only writer there is, and forgotten when memory runs short.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from outlay_collector.bloom import Filter, Hashes
from outlay_collector.store import Store, load_sql

KEY_TYPE = np.dtype([("hour", "<u4"), ("a", "<u8"), ("b", "<u8"), ("c", "<u8")])
MEMORY_BYTES = 64 << 20
ONE_SLICE_KEYS = 500_000
SLICES = "0123456789abcdef"

Keys = NDArray[np.void]


class Seen:
    """The filters of one store with a single writer."""

    def __init__(self, store: Store, memory_bytes: int = MEMORY_BYTES) -> None:
        self.store = store
        self.memory_bytes = memory_bytes
        self._filters: OrderedDict[tuple[str, int], Filter] = OrderedDict()

    def maybe(self, project: str, packed: bytes) -> bytes:
        """Of these keys (28 bytes each, see `otlp_read.KEY`), those that may be in the store; never one too few.

        Raises:
            StoreError: If the store cannot be read.
        """
        keys, hashes = _hashed(packed)
        hours = [int(hour) for hour in np.unique(keys["hour"])]
        self._build(project, [hour for hour in hours if (project, hour) not in self._filters])
        chosen = np.zeros(len(keys), dtype=np.bool_)
        for hour in hours:
            mine = keys["hour"] == hour
            self._filters.move_to_end((project, hour))
            chosen[mine] = self._filters[project, hour].may_have(hashes[mine])
        return keys[chosen].tobytes()

    def add(self, project: str, packed: bytes) -> None:
        """Remember keys that are in the store now."""
        keys, hashes = _hashed(packed)
        for hour in np.unique(keys["hour"]):
            held = self._filters.get((project, int(hour)))
            if held is not None:
                held.add(hashes[keys["hour"] == hour])
        size = sum(one.size_bytes for one in self._filters.values())
        while size > self.memory_bytes and self._filters:
            _, dropped = self._filters.popitem(last=False)
            size -= dropped.size_bytes

    def _build(self, project: str, hours: list[int]) -> None:
        """Read the keys of these hours, in slices that stay within a reader's limits."""
        if not hours:
            return
        sql = load_sql("outlay_collector.load.sql", "loader_keys")
        parameters = {"project": project, "hours": hours, "first_hour": min(hours), "last_hour": max(hours)}
        counts = load_sql("outlay_collector.load.sql", "loader_key_counts")
        sizes = {int(row["hour"]): int(row["spans"]) for row in self.store.query(counts, parameters)}
        for hour in hours:
            self._filters[project, hour] = Filter(2 * sizes.get(hour, 0))
        slices = ("",) if sum(sizes.values()) < ONE_SLICE_KEYS else SLICES
        for start in slices if sizes else ():
            keys, hashes = _hashed(self.store.raw(sql, {**parameters, "start": start}, fmt="RowBinary"))
            for hour in np.unique(keys["hour"]):
                self._filters[project, int(hour)].add(hashes[keys["hour"] == hour])


def _hashed(packed: bytes) -> tuple[Keys, Hashes]:
    """Keys and a hash of each, in which every bit of the ids tells: they may be numbers that count up.

    Source: G. Steele et al., "Fast splittable pseudorandom number generators", 2014 (the finalizer of SplitMix64).
    """
    keys = np.frombuffer(packed, dtype=KEY_TYPE)
    mixed: Hashes = np.zeros(len(keys), dtype=np.uint64)
    for word in ("a", "b", "c"):
        mixed = (mixed ^ keys[word]) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return keys, mixed
