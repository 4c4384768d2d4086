"""A set that forgets what is in it but not whether: it may say yes wrongly, never no.

Source: B. H. Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 1970; two hashes stand for six
(Kirsch and Mitzenmacher, 2006).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BITS_PER_KEY = 24
PROBES = 6
LEAST_KEYS = 512

Hashes = NDArray[np.uint64]


class Filter:
    """A set that may say yes wrongly (about once in 3,000), never no. Grows by adding a larger layer."""

    def __init__(self, expected: int) -> None:
        self._layers: list[NDArray[np.uint8]] = []
        self._room = 0
        self._grow(expected)

    @property
    def size_bytes(self) -> int:
        return sum(layer.nbytes for layer in self._layers)

    def add(self, hashes: Hashes) -> None:
        if len(hashes) > self._room:
            self._grow(max(len(hashes), 2 * 8 * self._layers[-1].nbytes // BITS_PER_KEY))
        self._room -= len(hashes)
        layer = self._layers[-1]
        for byte, bit in _probes(hashes, layer.nbytes):
            np.bitwise_or.at(layer, byte, bit)

    def may_have(self, hashes: Hashes) -> NDArray[np.bool_]:
        found = np.zeros(len(hashes), dtype=np.bool_)
        for layer in self._layers:
            here = np.ones(len(hashes), dtype=np.bool_)
            for byte, bit in _probes(hashes, layer.nbytes):
                here &= (layer[byte] & bit) != 0
            found |= here
        return found

    def _grow(self, keys: int) -> None:
        size = 1 << (max(keys, LEAST_KEYS) * BITS_PER_KEY // 8 - 1).bit_length()
        self._layers.append(np.zeros(size, dtype=np.uint8))
        self._room = 8 * size // BITS_PER_KEY


def _probes(hashes: Hashes, size_bytes: int) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint8]]]:
    """For each probe the byte and the bit in it, for every hash."""
    mask = np.uint64(8 * size_bytes - 1)
    step = (hashes >> np.uint64(32)) | np.uint64(1)
    for number in range(PROBES):
        at = (hashes + np.uint64(number) * step) & mask
        yield at >> np.uint64(3), np.uint8(1) << (at & np.uint64(7)).astype(np.uint8)
