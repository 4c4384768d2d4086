"""What stands beside a call, such as a cache's store, and fails slowly is left alone for a while.

A client may try a server that is gone for seconds before it gives up. Ten times as long as such a failure took nobody
asks again, so that a store that is away costs callers a tenth of their time at most; one that fails within half a
second is asked each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outlay import _safely

_SLOW_S = 0.5
_TIMES = 10
_MOST_S = 60.0


class Pause:
    """Of one store or embedder. Safe for threads.

    Args:
        what: Its name, for messages.
        clock: Seconds, of a clock that never goes back.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._ends = 0.0

    @property
    def is_on(self) -> bool:
        """Whether it is to be left alone."""
        return self._ends > 0 and self._clock() < self._ends

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A block in which it is asked: what fails there is told, and does not leave the block."""
        began = self._clock()
        try:
            yield
        except Exception:
            ended = self._clock()
            took_s = ended - began
            if took_s >= _SLOW_S:
                self._ends = ended + min(_TIMES * took_s, _MOST_S)
            _safely.report(self._what)
        else:
            self._ends = 0.0
