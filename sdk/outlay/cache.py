"""cached(): an exact response cache that says what it saved.

A lookup is a span with `outlay.cache.kind` and `.hit`. On a miss the call is made inside it; what the calls inside
used is stored beside the answer, so that a later hit can say which tokens it avoided. Concurrent lookups of the same
key make one call; the others wait for it and hit.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast, overload

from outlay import _safely, semconv
from outlay._locks import Locks
from outlay._stores import Entry, Keeper, MemoryStore
from outlay.frame import Frame
from outlay.track import track

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
    ttl_s: float | None = None,
    store: Any = None,
    key: Callable[..., Any] | None = None,
    max_entries: int = 1024,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def cached(
    function: Callable[P, R] | None = None,
    /,
    *,
    ttl_s: float | None = None,
    store: Any = None,
    key: Callable[..., Any] | None = None,
    max_entries: int = 1024,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer equal calls from a cache. For functions and coroutine functions.

    Args:
        function: The function, when used without brackets.
        ttl_s: Seconds an answer stays good; None means as long as the store keeps it.
        store: Any mutable mapping, or a Redis client (for coroutine functions also an async one); default is memory of
            this process. A store that fails costs a lookup, never an answer.
        key: Makes the key from the call's arguments; default is a hash of the function's name and all its arguments
            in a canonical order. Arguments that JSON cannot express, such as a method's object, need a key of yours;
            without one the call is made and a warning logged.
        max_entries: Size of the default store.
        dumps: Turns an answer into what JSON can express, for Redis.
        loads: The way back.

    Raises:
        TypeError, ValueError: While decorating, for a function or an argument that cannot work.

    Example:
        @outlay.cached(ttl_s=3600)
        def answer(question: str) -> str: ...
    """
    check_limits(ttl_s, max_entries)
    keeper = Keeper(store if store is not None else MemoryStore(max_entries), ttl_s, dumps, loads)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (classmethod, staticmethod)):
            return cast(Callable[P, R], type(function)(decorate(function.__func__)))
        check_function(function, "cached")
        signature = inspect.signature(function)
        name = name_of(function)
        title = f"cache {function.__name__}"
        locks = Locks()

        def key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
            try:
                if key is not None:
                    return f"{name}:{key(*args, **kwargs)}"
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                return f"{name}:{digest(bound.arguments)}"
            except Exception:
                _safely.warn(f"cache key of {name}", "no cache key for these arguments of %s; give cached(key=…)", name)
                return None

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                found = key_of(args, kwargs)
                if found is None:
                    return await cast(Any, function)(*args, **kwargs)
                with track(title) as frame:
                    entry = await keeper.aget(found)
                    if entry is None:
                        async with locks.of_task(found):
                            entry = await keeper.aget(found)
                            if entry is None:
                                miss(frame, "exact")
                                value = await cast(Any, function)(*args, **kwargs)
                                await keeper.aput(found, Entry(value, used(frame)))
                                return value
                    hit(frame, "exact", entry)
                    return entry.value

            return cast(Callable[P, R], answer_async)
        if keeper.is_async:
            raise TypeError(f"{name} is not async, but its store is: use the sync client, or make the function async")

        @functools.wraps(function)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            found = key_of(args, kwargs)
            if found is None:
                return function(*args, **kwargs)
            with track(title) as frame:
                entry = keeper.get(found)
                if entry is None:
                    with locks.of_thread(found):
                        entry = keeper.get(found)
                        if entry is None:
                            miss(frame, "exact")
                            value = function(*args, **kwargs)
                            keeper.put(found, Entry(value, used(frame)))
                            return value
                hit(frame, "exact", entry)
                return cast(R, entry.value)

        return answer

    return decorate if function is None else decorate(function)


def check_limits(ttl_s: float | None, max_entries: int) -> None:
    """What a cache cannot work with.

    Raises:
        ValueError: Naming it.
    """
    if ttl_s is not None and not ttl_s > 0:
        raise ValueError(f"ttl_s must be above 0, not {ttl_s!r}; None keeps answers for good")
    if max_entries < 1:
        raise ValueError(f"max_entries must be at least 1, not {max_entries!r}")


def check_function(function: Any, what: str) -> None:
    """Refuse what has no answer to keep.

    Raises:
        TypeError: If it is no function, or a generator, whose items can be had only once.
    """
    if not callable(function):
        raise TypeError(f"{what} decorates a function, not {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} cannot keep what {name_of(function)} yields: its items can be read only once")


def name_of(function: Any) -> str:
    """Module and name, which tell functions apart in a store that they share."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def digest(arguments: Mapping[str, Any]) -> str:
    """The same for equal arguments, however they were passed.

    Raises:
        TypeError, ValueError: If JSON cannot express them.
    """
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def miss(frame: Frame, kind: str, similarity: float | None = None) -> None:
    frame.set(cache={"kind": kind, "hit": False, "similarity": similarity})
    frame.used = []


def hit(frame: Frame, kind: str, entry: Entry, similarity: float | None = None) -> None:
    facts = entry.facts
    frame.set(
        cache={
            "kind": kind,
            "hit": True,
            "similarity": similarity,
            "avoided_input_tokens": facts.get("input_tokens"),
            "avoided_output_tokens": facts.get("output_tokens"),
        },
        model=facts.get("model"),
        provider=facts.get("provider"),
        attributes={semconv.OPERATION: facts.get("operation") or "chat"},
    )


def used(frame: Frame) -> dict[str, Any]:
    """Model and tokens of the calls inside, to be named when a hit avoids them.

    One lookup names one model: where several worked on the answer it is the one that wrote, or else read, the most.
    """
    by_model: dict[tuple[Any, Any], dict[str, Any]] = {}
    for attributes in getattr(frame, "used", None) or ():
        provider = attributes.get(semconv.PROVIDER)
        model = attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL)
        facts = by_model.setdefault((provider, model), {"provider": provider, "model": model})
        facts["operation"] = attributes.get(semconv.OPERATION)
        for name, key in (("input_tokens", semconv.INPUT_TOKENS), ("output_tokens", semconv.OUTPUT_TOKENS)):
            if key in attributes:
                facts[name] = facts.get(name, 0) + attributes[key]
    return max(
        by_model.values(), key=lambda facts: (facts.get("output_tokens", 0), facts.get("input_tokens", 0)), default={}
    )
