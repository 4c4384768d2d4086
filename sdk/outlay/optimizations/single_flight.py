"""One call for all who want the same answer at the same time.

The first caller of a key leads and makes the call; the others wait and share what it brings, an answer or an
exception, whether or not it is stored. Where the leader is cancelled, one of them leads in its place. They wait for a
bounded time, and never for one who waits for them: then they make the call themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from outlay import _fork


class Flight:
    """A call on its way. `waits_for` are flights that its leader, or a task of it, waits for now."""

    __slots__ = ("_traceback", "error", "has_followers", "is_abandoned", "landed", "shared", "value", "waits_for")

    def __init__(self) -> None:
        self.landed: Future[None] = Future()
        self.shared = False  # whether others may have what it brought
        self.has_followers = False
        self.is_abandoned = False  # its leader was cancelled, or ended otherwise without an answer or an exception
        self.value: Any = None
        self.error: Exception | None = None
        self._traceback: TracebackType | None = None
        self.waits_for: list[Flight] = []

    def land(self, value: Any) -> None:
        """Let the others have this answer."""
        self.shared, self.value = True, value

    def fail(self, error: Exception) -> None:
        """Let the others have this exception."""
        self.shared, self.error, self._traceback = True, error, error.__traceback__

    def answer(self) -> Any:
        """What it brought.

        Raises:
            Exception: The leader's.
        """
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)  # not also that of all who raised it before
        return self.value


_leading: ContextVar[tuple[Flight, ...]] = ContextVar("outlay-flights", default=())


class Flights(_fork.Renewed):
    """The calls on their way, by key.

    Args:
        max_wait_s: How long the others wait for a leader.
    """

    def __init__(self, max_wait_s: float) -> None:
        self._max_wait_s = max_wait_s
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """What a thread of the parent has begun will never land in the child."""
        self._guard = threading.Lock()
        self._flights: dict[str, Flight] = {}

    def join(self, key: str) -> tuple[Flight, bool]:
        """The key's flight, and whether the caller leads it: then it must be put into `lead`."""
        with self._guard:
            flight = self._flights.get(key)
            if flight is not None:
                flight.has_followers = True
                return flight, False
            flight = self._flights[key] = Flight()
            return flight, True

    def enter(self, key: str) -> tuple[Flight | None, bool]:
        """The key's flight, once it has brought what is ours, too, and whether the caller leads it, as in `join`.

        None where it brought nothing in time: then everybody makes the call.
        """
        ends = time.monotonic() + self._max_wait_s
        while True:
            flight, leads = self.join(key)
            if leads or self.wait(flight):
                return flight, leads
            if not flight.is_abandoned or time.monotonic() >= ends:
                return None, False

    async def aenter(self, key: str) -> tuple[Flight | None, bool]:
        """As `enter`, in a task."""
        ends = time.monotonic() + self._max_wait_s
        while True:
            flight, leads = self.join(key)
            if leads or await self.await_(flight):
                return flight, leads
            if not flight.is_abandoned or time.monotonic() >= ends:
                return None, False

    @contextmanager
    def lead(self, key: str, flight: Flight) -> Iterator[None]:
        """The leader's block: it ends with `flight.land` or an exception, else the others are left to themselves."""
        token = _leading.set((*_leading.get(), flight))
        try:
            yield
        except Exception as error:
            flight.fail(error)
            raise
        except BaseException:
            flight.is_abandoned = True
            raise
        finally:
            try:
                _leading.reset(token)
            except ValueError:  # closed by another task
                pass
            self.end(key, flight)

    def end(self, key: str, flight: Flight) -> None:
        """The flight is over."""
        with self._guard:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not flight.has_followers:  # nobody asks for it: an exception is not kept alive by its own traceback
                flight.error = flight._traceback = None
        if not flight.landed.done():
            flight.landed.set_result(None)

    def wait(self, flight: Flight) -> bool:
        """Whether the leader has brought something that is ours, too."""
        with _graph.waiting(flight) as may:
            if may:
                try:
                    flight.landed.result(self._max_wait_s)
                except FutureTimeout:
                    return False
        return flight.shared

    async def await_(self, flight: Flight) -> bool:
        """As `wait`, in a task; one of another library than asyncio does not wait."""
        import asyncio  # loaded wherever somebody awaits; a fifth of what importing this package would cost

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        landed = loop.create_future()

        def wake(_: Any) -> None:
            try:
                loop.call_soon_threadsafe(lambda: None if landed.done() else landed.set_result(None))
            except RuntimeError:  # the waiter's loop is closed
                pass

        with _graph.waiting(flight) as may:
            if may:
                flight.landed.add_done_callback(wake)
                try:
                    async with asyncio.timeout(self._max_wait_s):
                        await landed
                except TimeoutError:
                    return False
        return flight.shared


class _Graph:
    """Who waits for whom, over all keys of all caches."""

    def __init__(self) -> None:
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self, flight: Flight) -> Iterator[bool]:
        """Note that we wait; False when the flight waits for one of our own: nobody would ever move."""
        own = _leading.get()
        with self._lock:
            may = not any(_reaches(flight, leading) for leading in own)
            if may:
                for leading in own:
                    leading.waits_for.append(flight)
        try:
            yield may
        finally:
            if may:
                with self._lock:
                    for leading in own:
                        leading.waits_for.remove(flight)


def _reaches(flight: Flight, wanted: Flight) -> bool:
    seen: set[int] = set()
    left = [flight]
    while left:
        one = left.pop()
        if one is wanted:
            return True
        if id(one) not in seen:
            seen.add(id(one))
            left.extend(one.waits_for)
    return False


_graph = _Graph()
