"""ClickHouse's `sipHash64` of numbers and texts, over arrays: stored keys are the same whoever works them out.

SipHash-2-4 with a key of zeros; of several arguments ClickHouse hashes the hash of those before with that of the next.
A few rows are hashed one by one: an operation on an array costs as much for one row as for a hundred.
Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from outlay_collector.settle.facts import Ids, Ints

WORD = 8
FEW = 16
_ALL_BITS = (1 << 64) - 1
_LOW_BYTES = np.array([(1 << (8 * n)) - 1 for n in range(WORD)], np.uint64)
_INITIAL = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def sip_hash(*arguments: Ids) -> Ids:
    """sipHash64(a, b …) of columns of UInt64 or Int64, row by row."""
    found = _hash_words(arguments[0])
    for argument in arguments[1:]:
        found = sip_hash_on(found, _hash_words(argument))
    return found


def sip_hash_on(before: Ids, last: Ids) -> Ids:
    """sipHash64(a …, b) of sipHash64(a …) and sipHash64(b), where one of them is worked out once for many rows."""
    return _hash_words(before, last)


def _hash_words(*words: Ids) -> Ids:
    """SipHash-2-4 of messages of a few 64-bit words."""
    if len(words[0]) <= FEW:
        columns = [word.astype(np.uint64, copy=False).tolist() for word in words]
        length_word = 8 * len(words) << 56
        return np.array([_hash_one((*each, length_word)) for each in zip(*columns, strict=True)], np.uint64)
    state = [np.full(len(words[0]), initial, np.uint64) for initial in _INITIAL]
    length = np.full(len(words[0]), (8 * len(words)) << 56, np.uint64)
    for word in (*(word.astype(np.uint64, copy=False) for word in words), length):
        _absorb(state, word)
    return _digest(state)


def sip_hash_texts(texts: Any) -> Ids:
    """sipHash64(text) of an Arrow array of texts, row by row."""
    if len(texts) <= FEW:
        return np.array([_hash_one(_words_of(text or b"")) for text in texts.cast(pa.binary()).to_pylist()], np.uint64)
    _, offsets, letters = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    starts, lengths = ends[:-1], np.diff(ends)
    whole = lengths // WORD
    # The longest first, so that those that still have words are always the first rows.
    order = np.argsort(-whole, kind="stable")
    starts, lengths, whole = starts[order], lengths[order], whole[order]
    text = np.zeros(int(ends[-1]) + WORD, np.uint8)
    text[: int(ends[-1])] = np.frombuffer(letters, np.uint8, int(ends[-1])) if letters is not None else 0
    state = [np.full(len(texts), initial, np.uint64) for initial in _INITIAL]
    for n in range(int(whole[0])):
        still = int(np.searchsorted(-whole, -n, "left"))
        _absorb([each[:still] for each in state], _words_at(text, starts[:still] + n * WORD))
    rest = _words_at(text, starts + whole * WORD) & _LOW_BYTES[lengths % WORD]
    _absorb(state, rest | (lengths.astype(np.uint64) << np.uint64(56)))
    found = np.empty(len(texts), np.uint64)
    found[order] = _digest(state)
    return found


def _words_at(text: npt.NDArray[np.uint8], places: Ints) -> Ids:
    """Eight bytes each from these places, the first the lowest."""
    found: Ids = np.lib.stride_tricks.sliding_window_view(text, WORD)[places].view("<u8")[:, 0]
    return found


def _words_of(text: bytes) -> Sequence[int]:
    """A text as words, the first byte the lowest, with its length in the last one's highest."""
    padded = text + bytes(WORD - 1 - len(text) % WORD) + bytes([len(text) % 256])
    return struct.unpack(f"<{len(padded) // WORD}Q", padded)


def _hash_one(words: Sequence[int]) -> int:
    """SipHash-2-4 of one message, its length in the last word."""
    v = _INITIAL
    for word in words:
        v0, v1, v2, v3 = _round_of_one(*_round_of_one(v[0], v[1], v[2], v[3] ^ word))
        v = (v0 ^ word, v1, v2, v3)
    v = (v[0], v[1], v[2] ^ 0xFF, v[3])
    for _ in range(4):
        v = _round_of_one(*v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round_of_one(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    """As `_round`, of numbers."""
    v0 = v0 + v1 & _ALL_BITS
    v1 = (v1 << 13 & _ALL_BITS | v1 >> 51) ^ v0
    v0 = v0 << 32 & _ALL_BITS | v0 >> 32
    v2 = v2 + v3 & _ALL_BITS
    v3 = (v3 << 16 & _ALL_BITS | v3 >> 48) ^ v2
    v0 = v0 + v3 & _ALL_BITS
    v3 = (v3 << 21 & _ALL_BITS | v3 >> 43) ^ v0
    v2 = v2 + v1 & _ALL_BITS
    v1 = (v1 << 17 & _ALL_BITS | v1 >> 47) ^ v2
    v2 = v2 << 32 & _ALL_BITS | v2 >> 32
    return v0, v1, v2, v3


def _absorb(state: list[Ids], word: Ids) -> None:
    """Take one word into the state, in place."""
    state[3] ^= word
    _round(state)
    _round(state)
    state[0] ^= word


def _digest(state: list[Ids]) -> Ids:
    state[2] ^= np.uint64(0xFF)
    for _ in range(4):
        _round(state)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _round(v: list[Ids]) -> None:
    """One round, in place: the arrays may be parts of larger ones."""
    v[0] += v[1]
    v[1][:] = _turned(v[1], 13) ^ v[0]
    v[0][:] = _turned(v[0], 32)
    v[2] += v[3]
    v[3][:] = _turned(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3][:] = _turned(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1][:] = _turned(v[1], 17) ^ v[2]
    v[2][:] = _turned(v[2], 32)


def _turned(word: Ids, bits: int) -> Ids:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))
