"""cached(): an exact response cache that says what it saved.

A lookup is a span with `outlay.cache.kind` and `.hit`. On a miss the call is made inside it; what the calls inside
used is stored beside the answer, so that a later hit can say which tokens it avoided. Concurrent lookups of the same
key make one call; the others share what it brings.
"""

from __future__ import annotations

import functools
import inspect
import threading
import types
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast, overload

from outlay import _safely
from outlay._kinds import is_async, is_generator, is_read_once, name_of, title_of
from outlay.optimizations.identity import Identity, Untold
from outlay.optimizations.lookup import Lookup, hit, miss, used
from outlay.optimizations.single_flight import Flight, Flights
from outlay.optimizations.stores import Entry, Keeper, MemoryStore

__all__ = ["Entry", "MemoryStore", "cached"]

P = ParamSpec("P")
R = TypeVar("R")


def _same(value: Any) -> Any:
    return value


@overload
def cached(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def cached(
    *,
    name: str | None = None,
    ttl_s: float | None = None,
    store: Any = None,
    key: Callable[..., Any] | None = None,
    max_entries: int = 1024,
    max_wait_s: float = 30.0,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def cached(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    ttl_s: float | None = None,
    store: Any = None,
    key: Callable[..., Any] | None = None,
    max_entries: int = 1024,
    max_wait_s: float = 30.0,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer equal calls from a cache. For whatever can be called, sync or async: functions, methods, cascades.

    An answer belongs to the function that gave it, with what its closure, defaults, partial and instance hold: two
    tenants' functions share a store and no answer. Plain data is told apart by its value; an object, such as a client,
    by which one it is, so that a store beyond this process needs a `name` for a function that holds one. What it reads
    from globals is not looked at.

    Args:
        function: The function, when used without brackets.
        name: Says that all functions of this name may share answers, whatever their code and the objects they hold;
            plain data that they hold still tells them apart, unless there is a `key`, too: then name and key are all
            that counts. Keeps answers good over releases.
        ttl_s: Seconds an answer stays good; None means as long as the store keeps it.
        store: Any mutable mapping, or a Redis client (for coroutine functions also an async one); default is memory of
            this process. A store that fails costs a lookup, never an answer.
        key: Makes the key from the call's arguments; default are all of them, by value. Arguments without a value, such
            as a client or a method's object that holds one, need a key of yours; without one the call is made and a
            warning logged.
        max_entries: Size of the default store.
        max_wait_s: How long a caller waits for another one's call of the same key before it makes its own.
        dumps: Turns an answer into what JSON can express, for Redis.
        loads: The way back.

    Answers that can be read only once, such as streams and generators, are passed on and not kept.

    Raises:
        TypeError, ValueError: While decorating, for a function or an argument that cannot work.

    Example:
        @outlay.cached(ttl_s=3600)
        def answer(question: str) -> str: ...
    """
    check_limits(ttl_s, max_entries, max_wait_s)
    check_name(name, "cached")
    keeper = Keeper(store if store is not None else MemoryStore(max_entries), ttl_s, dumps, loads)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (classmethod, staticmethod)):
            return cast(Callable[P, R], type(function)(decorate(function.__func__)))
        check_function(function, "cached")
        return cast(Callable[P, R], _Exact(function, keeper, key, name, max_wait_s).wrapper())

    return decorate if function is None else decorate(function)


class _Exact:
    """One function and its cache."""

    def __init__(
        self, function: Any, keeper: Keeper, key: Callable[..., Any] | None, name: str | None, max_wait_s: float
    ) -> None:
        self._function = function
        self._keeper = keeper
        self._key = key
        self._name = name or name_of(function)
        self._title = f"cache {title_of(function)}"
        self._identity = identity_of(function, "cached", keeper.is_remote, name, key is not None)
        self._signature = inspect.signature(function)
        self._defaults = defaults_of(self._signature)
        self._flights = Flights(max_wait_s)
        self._is_async = is_async(function)
        if keeper.is_async and not self._is_async:
            raise TypeError(f"{self._name} is not async, but its store is: use the sync client, or make it `async def`")

    def wrapper(self) -> Callable[..., Any]:
        """What takes the function's place."""
        if self._is_async:

            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                return await self._answer_async(args, kwargs)

            return like(answer_async, self._function)

        def answer(*args: Any, **kwargs: Any) -> Any:
            # what returns awaitables shows it with the first one
            return self._answer_async(args, kwargs) if self._is_async else self._answer(args, kwargs)

        return like(answer, self._function)

    def _key_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        try:
            if self._key is not None:
                asked = self._identity.of_value(self._key(*args, **kwargs))
            else:
                bound = self._signature.bind(*args, **kwargs)
                bound.apply_defaults()
                asked = self._identity.of_arguments(bound.arguments, self._defaults)
            return f"{self._name}:{self._identity.of_function()}:{asked}"
        except Exception as problem:
            _safely.warn(
                f"cache key of {self._name}",
                "no cache key for a call of %s (%s); give cached(key=…)",
                self._name,
                problem,
            )
            return None

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._key_of(args, kwargs)
        if found is None:
            return self._function(*args, **kwargs)
        with Lookup(self._title) as lookup:
            entry = self._keeper.get(found)
            if entry is None:
                miss(lookup.frame, "exact")
                flight, leads = self._flights.enter(found)
                if flight is None:
                    return self._fetch(lookup, found, None, args, kwargs)
                if leads:
                    with self._flights.lead(found, flight):
                        entry = self._keeper.get(found)  # it may have come in between
                        if entry is None:
                            return self._fetch(lookup, found, flight, args, kwargs)
                        flight.land(entry)
                else:
                    entry = flight.answer()
            hit(lookup.frame, "exact", entry)
            if entry.facts.get("awaited"):
                self._is_async = True
                return ready(entry.value)
            return entry.value

    def _fetch(
        self, lookup: Lookup, found: str, flight: Flight | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Make the call, and keep its answer."""
        value = self._function(*args, **kwargs)
        if inspect.isawaitable(value):
            self._is_async = True
            lookup.pause()
            return self._go_on(lookup, found, value, args, kwargs)
        entry = entry_of(value, lookup, self._name)
        if entry is not None:
            if flight is not None:
                flight.land(entry)
            self._keeper.put(found, entry)
        return value

    async def _go_on(
        self, lookup: Lookup, found: str, begun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        with lookup.resumed():
            return await self._look_async(lookup, found, begun, args, kwargs)

    async def _answer_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._key_of(args, kwargs)
        if found is None:
            return await finished(self._function(*args, **kwargs))
        with Lookup(self._title) as lookup:
            return await self._look_async(lookup, found, None, args, kwargs)

    async def _look_async(
        self, lookup: Lookup, found: str, begun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The answer from the cache or from the function, whose awaitable may be there already."""
        entry = await self._keeper.aget(found)
        if entry is None:
            miss(lookup.frame, "exact")
            flight, leads = await self._flights.aenter(found)
            if flight is None:
                return await self._fetch_async(lookup, found, None, begun, args, kwargs)
            if leads:
                with self._flights.lead(found, flight):
                    entry = await self._keeper.aget(found)
                    if entry is None:
                        return await self._fetch_async(lookup, found, flight, begun, args, kwargs)
                    flight.land(entry)
            else:
                drop(begun)
                entry = flight.answer()
        drop(begun)
        hit(lookup.frame, "exact", entry)
        return entry.value

    async def _fetch_async(
        self,
        lookup: Lookup,
        found: str,
        flight: Flight | None,
        begun: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        value = await finished(self._function(*args, **kwargs) if begun is None else begun)
        entry = entry_of(value, lookup, self._name)
        if entry is not None:
            entry.facts["awaited"] = True
            if flight is not None:
                flight.land(entry)
            await self._keeper.aput(found, entry)
        return value


def entry_of(value: Any, lookup: Lookup, name: str) -> Entry | None:
    """What is kept of an answer; None where it is gone once read."""
    if is_read_once(value):
        _safely.warn(f"cache {name}", "%s gives what can be read only once, which a cache cannot keep", name)
        return None
    return Entry(value, used(lookup.frame))


async def finished(value: Any) -> Any:
    """The value, or what awaiting it gives."""
    return await value if inspect.isawaitable(value) else value


async def ready(value: Any) -> Any:
    """For a function that returns awaitables: its answer, found at once."""
    return value


def drop(begun: Any) -> None:
    """A coroutine that nobody needs to run."""
    if inspect.iscoroutine(begun):
        begun.close()


def like(wrapper: Callable[..., Any], function: Any) -> Callable[..., Any]:
    """The wrapper with the function's name and signature; an object's attributes stay its own."""
    updated = functools.WRAPPER_UPDATES if isinstance(function, types.FunctionType) else ()
    return functools.update_wrapper(wrapper, function, updated=updated)


def check_limits(ttl_s: float | None, max_entries: int, max_wait_s: float) -> None:
    """What a cache cannot work with.

    Raises:
        ValueError: Naming it.
    """
    if ttl_s is not None and not ttl_s > 0:
        raise ValueError(f"ttl_s must be above 0, not {ttl_s!r}; None keeps answers for good")
    if max_entries < 1:
        raise ValueError(f"max_entries must be at least 1, not {max_entries!r}")
    if not 0 <= max_wait_s < threading.TIMEOUT_MAX:
        raise ValueError(f"max_wait_s must be at least 0 and finite, not {max_wait_s!r}")


def check_name(name: Any, what: str) -> None:
    """A name is a word.

    Raises:
        TypeError: If it is none.
    """
    if name is not None and not (isinstance(name, str) and name):
        raise TypeError(f"{what}: name must be a text, not {name!r}")


def check_function(function: Any, what: str) -> None:
    """Refuse what has no answer to keep.

    Raises:
        TypeError: If it is no function, or a generator, whose items can be had only once.
    """
    if not callable(function):
        raise TypeError(f"{what} decorates a function, not {function!r}")
    if is_generator(function):
        raise TypeError(f"{what} cannot keep what {name_of(function)} yields: its items can be read only once")


def identity_of(function: Any, what: str, is_lasting: bool, name: str | None, is_keyed: bool = False) -> Identity:
    """What tells the function apart.

    Raises:
        TypeError: If nothing does, in a store that lasts.
    """
    try:
        return Identity(function, is_lasting, name, is_keyed)
    except Untold as held:
        raise TypeError(
            f"{what}: {name_of(function)} holds {held}, which nothing tells apart in a store that other processes "
            "share; give name=… if all functions of that name may share answers, or pass what matters as an argument"
        ) from None


def defaults_of(signature: inspect.Signature) -> dict[str, Any]:
    """Name → default, of the parameters that have one."""
    return {name: one.default for name, one in signature.parameters.items() if one.default is not one.empty}
