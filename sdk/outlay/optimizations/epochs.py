"""What a function holds and others may change: a setting, or a counter and a log of its own.

An instance's temperature, a dict of settings in a closure: where somebody changes them between two calls, the answers
from before are for the old ones. A counter of calls, a list that is filled: they change with each call, and must not
empty the cache. So each such thing has an epoch, its value when somebody last changed it while no call was under way
that holds it. What changes meanwhile is the calls' own doing. What is too large to be
read at each call has none: it is told by which one it is, alone.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from outlay import _fork
from outlay.optimizations.layout import state
from outlay.optimizations.values import Values, text_of
from outlay.optimizations.which import Untold, join

MAX_PARTS = 500  # that are read at each call
MAX_DEPTH = 3  # objects in objects: an agent's client's options are settings, its connections are not
_PLAIN = (str, int, float, bytes, tuple, list, dict, set, frozenset)
_SIZED = frozenset({list, tuple, dict, set, frozenset, bytearray, memoryview})
_MAX_EPOCHS = 16_384


class _Epoch:
    """Of one thing.

    Attributes:
        told: Its value when it was last changed by somebody else.
        latest: Its value after the latest call that may have changed it.
        under_way: Calls that hold it, and may change it.
        is_readable: Whether it is small enough to be read at each call.
        is_touched: A call that may have changed it has ended while others were under way.
    """

    __slots__ = ("is_readable", "is_touched", "latest", "lock", "told", "under_way")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.told = self.latest = b""
        self.under_way = 0
        self.is_readable = True
        self.is_touched = False


Holdings = list[tuple[_Epoch, Callable[[], Any]]]  # what a call holds


class Epochs:
    """Of all things that functions with caches hold."""

    def __init__(self) -> None:
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds; and no call of the parent will end here."""
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, _Epoch] = OrderedDict()

    def of(self, place: Hashable, get: Callable[[], Any], holdings: Holdings) -> bytes:
        """The epoch that a thing is in.

        Args:
            place: Where it is in memory: functions that hold the same thing see the same epoch. One that comes to lie
                where another one was only begins a new one.
            get: Gives the thing.
            holdings: Gets it, for `under_way`.
        """
        with self._lock:
            epoch = self._known.get(place)
            if epoch is None:
                epoch = self._known[place] = _Epoch()
                while len(self._known) > _MAX_EPOCHS:
                    self._known.popitem(last=False)
        if not epoch.is_readable:
            return epoch.told  # the last one, if it has grown too large: to have none now would be another one
        holdings.append((epoch, get))
        if _read(epoch, get()) != epoch.latest:
            with epoch.lock:
                value = _read(epoch, get()) or epoch.latest
                if not epoch.under_way and value != epoch.latest:  # a call that ended meanwhile knows what it changed
                    epoch.told = epoch.latest = value
        return epoch.told

    @contextmanager
    def under_way(self, holdings: Holdings, touches: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """A call that holds these: what changes in it is its own doing.

        Args:
            holdings: What it holds.
            touches: Asked at the end: whether anything of the application's ran, so that something may have changed.
        """
        if not holdings:
            yield
            return
        for epoch, _ in holdings:
            with epoch.lock:
                epoch.under_way += 1
        try:
            yield
        finally:
            is_touched = touches()
            for epoch, get in holdings:
                with epoch.lock:
                    epoch.under_way -= 1
                    epoch.is_touched |= is_touched
                    if epoch.is_touched and not epoch.under_way:
                        epoch.latest, epoch.is_touched = _read(epoch, get()) or epoch.latest, False


def _read(epoch: _Epoch, value: Any) -> bytes | None:
    """The value; None where it is too large to be read at each call, or is being changed just now."""
    if not epoch.is_readable:
        return None
    try:
        return hashlib.blake2b(_Readable().value(value, "it"), digest_size=16).digest()
    except OverflowError:
        epoch.is_readable = False
    except RuntimeError:  # another thread changes it
        pass
    return None


class _Readable(Values):
    """What can be read of a thing: parts that have no value count for nothing."""

    def __init__(self) -> None:
        super().__init__(lasting=False)
        self._parts_left = MAX_PARTS
        self._depth = 0

    def value(self, value: Any, where: str) -> bytes:
        if type(value) is str:  # most parts are
            return text_of(value)
        try:
            return super().value(value, where)
        except Untold:
            return b"?"

    def _part(self, value: Any, kind: type, where: str) -> bytes:
        self._parts_left -= len(value) if kind in _SIZED else 1
        if self._parts_left < 0:
            raise OverflowError
        return super()._part(value, kind, where)

    def _instance(self, value: Any, kind: type, where: str) -> bytes:
        if isinstance(value, _PLAIN):
            return super()._instance(value, kind, where)
        if self._depth == MAX_DEPTH:
            return b"?"
        self._depth += 1
        try:
            return join(b"%d" % id(kind), self._attributes(state(value, kind), kind, where))
        finally:
            self._depth -= 1

    def _attributes(self, state: Mapping[str, Any], kind: type, where: str) -> list[bytes]:
        return [b"%b=%b" % (name.encode(), self.value(part, name)) for name, part in state.items()]

    def function(self, function: Any, where: str) -> bytes:
        return b"?"  # what it holds is its own


epochs = Epochs()
