"""ClickHouse's `sipHash64` of numbers, over arrays: keys that are stored must be the same whoever works them out.

SipHash-2-4 with a key of zeros; of several arguments ClickHouse hashes the hash of those before with that of the next.
Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, section 2.
"""

from __future__ import annotations

import numpy as np

from outlay_collector.settle.facts import Ids

_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def sip_hash(*arguments: Ids) -> Ids:
    """sipHash64(a, b …) of columns of UInt64 or Int64, row by row."""
    found = _hash_words(arguments[0])
    for argument in arguments[1:]:
        found = _hash_words(found, _hash_words(argument))
    return found


def _hash_words(*words: Ids) -> Ids:
    """SipHash-2-4 of messages of a few 64-bit words."""
    state = [np.full(len(words[0]), initial, np.uint64) for initial in _INITIAL]
    length = np.full(len(words[0]), (8 * len(words)) << 56, np.uint64)
    for word in (*(word.astype(np.uint64, copy=False) for word in words), length):
        state[3] ^= word
        _round(state)
        _round(state)
        state[0] ^= word
    state[2] ^= np.uint64(0xFF)
    for _ in range(4):
        _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _round(v: list[Ids]) -> None:
    v[0] += v[1]
    v[1] = _turned(v[1], 13) ^ v[0]
    v[0] = _turned(v[0], 32)
    v[2] += v[3]
    v[3] = _turned(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3] = _turned(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1] = _turned(v[1], 17) ^ v[2]
    v[2] = _turned(v[2], 32)


def _turned(word: Ids, bits: int) -> Ids:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))
