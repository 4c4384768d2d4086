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
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, cast

from outlay import _safely, semconv
from outlay.frame import Frame
from outlay.track import track

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class Entry:
    """An answer and what it took to get it."""

    value: Any
    facts: dict[str, Any] = field(default_factory=dict)
    expires_at: float | None = None


class MemoryStore(MutableMapping[str, Entry]):
    """A dict that forgets what was used longest ago. Safe for threads."""

    def __init__(self, max_entries: int = 1024) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._max_entries = max_entries

    def __getitem__(self, key: str) -> Entry:
        with self._lock:
            entry = self._entries[key]
            self._entries.move_to_end(key)
            return entry

    def __setitem__(self, key: str, entry: Entry) -> None:
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._entries[key]

    def __iter__(self) -> Any:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


class _Keeper:
    """Reads and writes entries in a mapping, or in a Redis client, which keeps JSON."""

    def __init__(
        self, store: Any, ttl_s: float | None, dumps: Callable[[Any], Any], loads: Callable[[Any], Any]
    ) -> None:
        self._store = store
        self._ttl_s = ttl_s
        self._remote = hasattr(store, "setex")
        self._dumps = dumps
        self._loads = loads

    def get(self, key: str) -> Entry | None:
        try:
            if self._remote:
                raw = self._store.get(key)
                if raw is None:
                    return None
                stored = json.loads(raw)
                return Entry(self._loads(stored["value"]), stored["facts"])
            entry = self._store.get(key)
            if entry is not None and entry.expires_at is not None and time.time() >= entry.expires_at:
                self._store.pop(key, None)
                return None
            return cast("Entry | None", entry)
        except Exception:
            _safely.report("cache store")
            return None

    def put(self, key: str, entry: Entry) -> None:
        try:
            if self._remote:
                raw = json.dumps({"value": self._dumps(entry.value), "facts": entry.facts})
                if self._ttl_s is None:
                    self._store.set(key, raw)
                else:
                    self._store.setex(key, max(int(self._ttl_s), 1), raw)
                return
            entry.expires_at = None if self._ttl_s is None else time.time() + self._ttl_s
            self._store[key] = entry
        except Exception:
            _safely.report("cache store")


def _same(value: Any) -> Any:
    return value


def cached(
    *,
    ttl_s: float | None = None,
    store: Any = None,
    key: Callable[..., Any] | None = None,
    max_entries: int = 1024,
    dumps: Callable[[Any], Any] = _same,
    loads: Callable[[Any], Any] = _same,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Answer equal calls from a cache. For functions and coroutine functions.

    Args:
        ttl_s: Seconds an answer stays good; None means as long as the store keeps it.
        store: Any mutable mapping, or a Redis client; default is memory of this process.
        key: Makes the key from the call's arguments; default is a hash of the function's name and all its arguments
            in a canonical order. Arguments that JSON cannot express need a key of yours.
        max_entries: Size of the default store.
        dumps: Turns an answer into what JSON can express, for Redis.
        loads: The way back.

    Example:
        @outlay.cached(ttl_s=3600)
        def answer(question: str) -> str: ...
    """
    keeper = _Keeper(store if store is not None else MemoryStore(max_entries), ttl_s, dumps, loads)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        name = f"{function.__module__}.{function.__qualname__}"
        locks = Locks()

        def key_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
            try:
                if key is not None:
                    return f"{name}:{key(*args, **kwargs)}"
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                text = json.dumps(bound.arguments, sort_keys=True, ensure_ascii=False)
                return f"{name}:{hashlib.sha256(text.encode()).hexdigest()}"
            except (TypeError, ValueError):
                _safely.warn(f"cache key of {name}", "no cache key for these arguments of %s; give cached(key=…)", name)
                return None

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                found = key_of(args, kwargs)
                if found is None:
                    return await cast(Any, function)(*args, **kwargs)
                with track(f"cache {function.__name__}") as frame:
                    entry = keeper.get(found)
                    if entry is None:
                        async with locks.of_task(found):
                            entry = keeper.get(found)
                            if entry is None:
                                miss(frame, "exact")
                                value = await cast(Any, function)(*args, **kwargs)
                                keeper.put(found, Entry(value, used(frame)))
                                return value
                    hit(frame, "exact", entry)
                    return entry.value

            return cast(Callable[P, R], answer_async)

        @functools.wraps(function)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            found = key_of(args, kwargs)
            if found is None:
                return function(*args, **kwargs)
            with track(f"cache {function.__name__}") as frame:
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

    return decorate


class Locks:
    """One lock per key, while somebody needs it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._threads: dict[str, list[Any]] = {}
        self._tasks: dict[tuple[int, str], list[Any]] = {}

    def of_thread(self, key: str) -> Any:
        return _Held(self, self._threads, key, threading.Lock)

    def of_task(self, key: str) -> Any:
        import asyncio

        return _Held(self, self._tasks, (id(asyncio.get_running_loop()), key), asyncio.Lock)


class _Held:
    def __init__(self, locks: Locks, table: dict[Any, list[Any]], key: Any, make: Callable[[], Any]) -> None:
        self._locks = locks
        self._table = table
        self._key = key
        with locks._guard:
            entry = table.setdefault(key, [make(), 0])
            entry[1] += 1
        self._lock = entry[0]

    def _leave(self) -> None:
        with self._locks._guard:
            entry = self._table[self._key]
            entry[1] -= 1
            if not entry[1]:
                del self._table[self._key]

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        self._leave()

    async def __aenter__(self) -> None:
        try:
            await self._lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._lock.release()
        self._leave()


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
        attributes={semconv.OPERATION: "chat"},
    )


def used(frame: Frame) -> dict[str, Any]:
    """Model and tokens of the calls inside, to be named when a hit avoids them."""
    facts: dict[str, Any] = {}
    for attributes in getattr(frame, "used", None) or ():
        facts["provider"] = attributes.get(semconv.PROVIDER)
        facts["model"] = attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL)
        for name, key in (("input_tokens", semconv.INPUT_TOKENS), ("output_tokens", semconv.OUTPUT_TOKENS)):
            if key in attributes:
                facts[name] = facts.get(name, 0) + attributes[key]
    return facts
