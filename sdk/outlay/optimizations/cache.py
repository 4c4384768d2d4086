"""cached(): an exact response cache that says what it saved.

A lookup is a span with `outlay.cache.kind` and `.hit`. On a miss the call is made inside it; what the calls inside
used is stored beside the answer, so that a later hit can say which tokens it avoided. Concurrent lookups of the same
key make one call; the others share what it brings.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Generator, Iterable
from typing import Any, ParamSpec, TypeVar, cast, overload

from outlay.optimizations.checks import check_function, check_limits, check_name
from outlay.optimizations.epochs import Holdings
from outlay.optimizations.given import check_plain_function, number_of, on_the_spot
from outlay.optimizations.lookup import Found, Place
from outlay.optimizations.rules import Rules
from outlay.optimizations.sealing import Keys, Seal
from outlay.optimizations.single_flight import Flights
from outlay.optimizations.stores import Entry, Keeper, MemoryStore
from outlay.optimizations.values import digest
from outlay.optimizations.wrapping import Wrapped, cache_of

__all__ = ["Entry", "MemoryStore", "cached", "invalidate"]

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
    when: Callable[[Any], bool] | None = None,
    version: str | int | None = None,
    scope: str | Iterable[str] = (),
    stale_s: float = 0.0,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
    encryption_key: Keys | None = None,
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
    when: Callable[[Any], bool] | None = None,
    version: str | int | None = None,
    scope: str | Iterable[str] = (),
    stale_s: float = 0.0,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
    encryption_key: Keys | None = None,
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
        store: Any mutable mapping, a Redis client (for coroutine functions also an async one), or `SqliteStore`;
            default is memory of this process. A store that fails costs a lookup, never an answer.
        key: Makes the key from the call's arguments; default are all of them, by value. Arguments without a value, such
            as a client or a method's object that holds one, need a key of yours; without one the call is made and a
            warning logged.
        max_entries: Size of the default store.
        max_wait_s: How long a caller waits for another one's call of the same key before it makes its own.
        when: Says of an answer whether it is kept. By default it is, unless one of the calls inside was drawn at random
            (a temperature above 0) or has no finished answer: cut off at its length, refused, filtered.
        version: Part of the key: a new one finds no old answers.
        scope: Tags, such as `customer`, whose values tell answers apart: one tenant's never reach another. Where one of
            them is not set, the call is made and a warning logged.
        stale_s: How long after `ttl_s` an answer may still be given where making a new one fails.
        dumps: Turns an answer into what JSON can express, for Redis.
        loads: The way back.
        encryption_key: Encrypts answers in a store beyond this process (`outlay[encryption]`): a Fernet key, or
            several, of which the first encrypts. Keys of calls stay readable: names, versions, scopes and hashes.

    Answers that can be read only once, such as streams and generators, are passed on and not kept. A hit is a copy, for
    its reader to change. `invalidate` forgets an answer, `bypass` makes it anew.

    Raises:
        TypeError, ValueError: While decorating, for a function or an argument that cannot work.

    Example:
        @outlay.cached(ttl_s=3600)
        def answer(question: str) -> str: ...
    """
    check_limits(ttl_s, max_entries, max_wait_s)
    check_name(name, "cached")
    old_s = number_of(stale_s)
    if old_s is None or not 0 <= old_s < math.inf or (old_s and ttl_s is None):
        raise ValueError(f"stale_s must be at least 0 and finite, and goes with ttl_s, not {stale_s!r}")
    for what, function_of in (("key", key), ("dumps", dumps), ("loads", loads)):
        if function_of is not None:
            check_plain_function(f"cached: {what}", function_of)
    rules = Rules.of("cached", when, version, scope)
    seal = None if encryption_key is None else Seal(encryption_key)
    keeper = Keeper(store if store is not None else MemoryStore(max_entries), ttl_s, dumps, loads, stale_s, seal)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (classmethod, staticmethod)):
            return cast(Callable[P, R], type(function)(decorate(function.__func__)))
        check_function(function, "cached")
        return cast(Callable[P, R], _Exact(function, keeper, key, name, max_wait_s, rules).wrapper())

    return decorate if function is None else decorate(function)


class _Exact(Wrapped):
    """One function and its exact cache."""

    kind = "exact"
    same = None
    looks_first = True

    def __init__(
        self,
        function: Any,
        keeper: Keeper,
        key: Callable[..., Any] | None,
        name: str | None,
        max_wait_s: float,
        rules: Rules,
    ) -> None:
        super().__init__(function, "cached", Flights(max_wait_s), keeper.is_remote, name, rules, key is not None)
        self._keeper = keeper
        self._key = key
        if keeper.is_async and not self._is_async:
            raise TypeError(f"{self._name} is not async, but its store is: use the sync client, or make it `async def`")

    def place_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Place:
        holdings: Holdings = []
        if self._key is not None:
            asked = self._identity.of_value(on_the_spot("key", self._key(*args, **kwargs)))
            if self._keeper.is_sealed:
                asked = digest(asked.encode("utf-8", "surrogatepass"))
        else:
            given = self._parameters.bind(args, kwargs)
            asked = self._identity.of_arguments(given, self._parameters.defaults, holdings)
        function = self._identity.of_function(holdings)
        key = f"{self._name}:{function}:{self._rules.prefix()}{asked}"
        return Place(key, holdings, touches=not self._keeper.is_ours)

    def find(self, place: Place, awaits: bool) -> Generator[Any, Any, tuple[Found | None, float | None]]:
        keeper = self._keeper
        entry = (yield keeper.aget(place.key)) if awaits and keeper.is_async else keeper.get(place.key)
        if entry is not None and entry.is_stale:
            place.stale, entry = entry, None
        return (None if entry is None else Found(entry, None)), None

    def forget(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Drop the answer to this call; an awaitable where the store is async."""
        return self._keeper.forget(self.place_of(args, kwargs).key)

    def keep(self, place: Place, entry: Entry, awaits: bool) -> Generator[Any, Any, None]:
        if awaits and self._keeper.is_async:
            yield self._keeper.aput(place.key, entry)
        else:
            self._keeper.put(place.key, entry)


def invalidate(function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
    """Forget the answer that a cached function gave to these arguments.

    Args:
        function: What `cached` made; a method of an instance, or that of the class with the instance as first argument.

    Returns:
        Whether there was one; to be awaited where the store is async.

    Raises:
        TypeError: If the function has no exact cache, or the arguments have no key.
    """
    given: tuple[Any, ...] = args
    if isinstance(function, types.MethodType):
        given, function = (function.__self__, *args), function.__func__
    cache = cache_of(function)
    if not isinstance(cache, _Exact):
        raise TypeError(f"invalidate takes a function that outlay.cached made, not {function!r}")
    return cache.forget(given, kwargs)
