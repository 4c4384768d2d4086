"""What spans say, a line of values per name: only names that some span says have a line of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay_collector.settle.facts import Ints
from outlay_collector.settle.reading.texts import distinct


class Lines:
    """By name and span a number; spans that do not say it have the one for nothing."""

    def __init__(self, spans: int, nothing: int, dtype: npt.DTypeLike = np.int64) -> None:
        self._nothing = np.full(spans, nothing, dtype)
        self._nothing.flags.writeable = False
        self._lines: dict[str, npt.NDArray[Any]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether any span may say it."""
        return name in self._lines

    def of(self, name: str) -> npt.NDArray[Any]:
        """The numbers of one name, by span; to be read only."""
        return self._lines.get(name, self._nothing)

    def put(self, name: str, spans: int | Ints, numbers: int | Ints) -> None:
        """Set what some spans say."""
        if name not in self._lines:
            self._lines[name] = self._nothing.copy()
        self._lines[name][spans] = numbers

    def put_all(self, names: Sequence[str], name: Ints, spans: Ints, numbers: Ints) -> None:
        """Set what entries say, each with its name's place among `names`: of one name and span the last holds."""
        each, line = distinct(name)
        block = np.repeat(self._nothing[None], len(each), axis=0)
        block[line, spans] = numbers
        self._lines |= {names[place]: block[n] for n, place in enumerate(each)}
