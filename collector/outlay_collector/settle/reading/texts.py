"""Texts of a batch by number: one pool of texts, and per value an array that says where in it each span's text stands.

Place 0 is the empty text. What is worked out from texts is worked out once per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.dialects.numbers import number_of
from outlay_collector.settle.facts import Bools, Ints

EMPTY = 0
FEW_CODES = 1_000_000
"""Up to it numbers are counted rather than sorted."""
WHOLE_DIGITS = 15
"""So many digits are exact as a float."""
_PLAIN_NUMBER = "^-?[0-9]{1,15}([.][0-9]{1,15})?$"
Floats = npt.NDArray[np.float64]


class Pool:
    """Texts, as Arrow's, the first of them empty."""

    def __init__(self, texts: Any) -> None:
        self.texts = pa.concat_arrays([pa.array([b""], pa.binary()), texts])
        self.length = _lengths(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, texts: Any) -> int:
        """Add texts; returns the place of the first."""
        first = len(self.texts)
        if len(texts):
            self.texts = pa.concat_arrays([self.texts, texts])
            self.length = np.append(self.length, _lengths(texts))
        return first

    def said(self, at: Ints) -> Bools:
        """Where a text is not empty."""
        found: Bools = self.length[at] > 0
        return found

    def first_of(self, *each: Ints) -> Ints:
        """Of several texts of each span the first that is not empty."""
        found = each[-1]
        for at in reversed(each[:-1]):
            found = np.where(self.said(at), at, found)
        return found

    def column(self, at: Ints) -> Any:
        """The texts at these places."""
        return self.texts.take(pa.array(at))

    def words(self, at: Ints) -> tuple[Ints, list[bytes]]:
        """The texts as numbers, and the text of each; the empty one is number 0."""
        codes = np.zeros(len(at), np.int64)
        rows = np.flatnonzero(at != EMPTY)
        if not len(rows):
            return codes, [b""]
        found = self.texts.take(pa.array(at[rows])).dictionary_encode()
        codes[rows] = found.indices.to_numpy().astype(np.int64) + 1
        return codes, [b"", *found.dictionary.to_pylist()]

    def judged(self, at: Ints, judge: Callable[[bytes], Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """What is said of each text, worked out once per distinct one."""
        codes, words = self.words(at)
        return np.array([judge(word) for word in words], dtype)[codes]


def _lengths(texts: Any) -> Ints:
    found: Ints = pc.binary_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def floats_of(texts: Any) -> Floats:
    """Texts as numbers; NaN where one is none."""
    as_text = texts.view(pa.string())
    # Most counts are nothing but digits, which is quicker to see than that a text is a plain number.
    digits = pc.and_(pc.ascii_is_decimal(as_text), pc.less_equal(pc.binary_length(texts), WHOLE_DIGITS))
    whole = digits.to_numpy(zero_copy_only=False)
    if whole.all():
        return _whole(as_text)
    found = np.empty(len(texts))
    found[whole] = _whole(as_text.filter(digits))
    found[~whole] = _others(texts.filter(pc.invert(digits)))
    return found


def _whole(as_text: Any) -> Floats:
    counts: Floats = pc.cast(as_text, pa.int64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return counts


def _others(texts: Any) -> Floats:
    """Texts that are not only digits as numbers."""
    as_text = texts.view(pa.string())
    plain = pc.match_substring_regex(as_text, _PLAIN_NUMBER)
    if pc.all(plain).as_py():
        found: Floats = pc.cast(as_text, pa.float64()).to_numpy(zero_copy_only=False)
        return found
    found = pc.cast(pc.if_else(plain, as_text, None), pa.float64()).to_numpy(zero_copy_only=False).copy()
    rest = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    encoded = texts.take(pa.array(rest)).dictionary_encode()
    numbers = [number_of(word) for word in encoded.dictionary.to_pylist()]
    own = np.array([np.nan if number is None else number for number in numbers])
    found[rest] = own[encoded.indices.to_numpy()]
    return found


def distinct(codes: Ints) -> tuple[list[int], Ints]:
    """The distinct ones of numbers from 0, ascending, and where among them each is."""
    if not len(codes) or int(codes.max()) > FEW_CODES:
        each, places = np.unique(codes, return_inverse=True)
        return each.tolist(), places
    found = np.flatnonzero(np.bincount(codes))
    place = np.zeros(int(codes.max()) + 1, np.int64)
    place[found] = np.arange(len(found))
    return found.tolist(), place[codes]


def binary(texts: Iterable[bytes]) -> Any:
    """Texts as an Arrow array."""
    return pa.array(list(texts), pa.binary())


def decoded(word: bytes) -> str:
    """A text of the store, which is bytes, as Python's; every byte is kept."""
    return word.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The inverse of `decoded`."""
    return text.encode("utf-8", "surrogateescape")
