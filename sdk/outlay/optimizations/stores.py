"""Where `cached` keeps its answers: memory, any mapping, a Redis client."""

from __future__ import annotations

import inspect
import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from outlay import _fork, _safely
from outlay.optimizations.pause import Pause
from outlay.optimizations.sealing import Seal


@dataclass(slots=True)
class Entry:
    """An answer and what it took to get it."""

    value: Any
    facts: dict[str, Any] = field(default_factory=dict)
    expires_at: float | None = None

    @property
    def is_stale(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and time.time() >= self.expires_at

    def is_over(self, stale_s: float) -> bool:
        """Whether it is of no use any more, not even where nothing newer can be had."""
        return self.expires_at is not None and time.time() >= self.expires_at + stale_s

    def expires_in(self, seconds: float | None) -> None:
        """Say how long it stays good; None means for ever."""
        self.expires_at = None if seconds is None else time.time() + seconds


class MemoryStore(_fork.Renewed, MutableMapping[str, Entry]):
    """A dict that forgets what was used longest ago. Safe for threads."""

    def __init__(self, max_entries: int = 1024) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._max_entries = max_entries
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds."""
        self._lock = threading.Lock()

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


class Keeper:
    """Reads and writes entries in a mapping, or in a Redis client, sync or async, or what has its methods: as JSON.

    A store that fails costs a lookup, never an answer; one that fails slowly is left alone for a while.
    """

    def __init__(
        self,
        store: Any,
        ttl_s: float | None,
        dumps: Callable[[Any], Any],
        loads: Callable[[Any], Any],
        stale_s: float = 0.0,
        seal: Seal | None = None,
    ) -> None:
        self._store = store
        self._pause = Pause("cache store")
        self._seal = seal
        self.is_sealed = seal is not None
        self._ttl_s = ttl_s
        self._stale_s = stale_s
        self.is_remote = hasattr(store, "setex")
        self.is_ours = type(store) is MemoryStore  # so that a look at it runs nothing of the application's
        self._dumps = dumps
        self._loads = loads
        if seal is not None and not self.is_remote:
            raise ValueError("encryption_key is for a store beyond this process: Redis, SqliteStore")
        needed = ("get", "set") if self.is_remote else ("get", "pop", "__setitem__")
        missing = [name for name in needed if not callable(getattr(store, name, None))]
        if missing:
            raise TypeError(f"a store is a mutable mapping or a Redis client; {store!r} has no {', '.join(missing)}")
        self.is_async = self.is_remote and inspect.iscoroutinefunction(getattr(store, "execute_command", store.get))

    def get(self, key: str) -> Entry | None:
        """The entry, unless there is none or its time is over; one that may be given where nothing newer is, too."""
        if self._pause.is_on:
            return None
        found: Any = None
        with self._pause.watching():
            found = self._store.get(key)
            if not self.is_remote and found is not None and found.is_over(self._stale_s):
                self._store.pop(key, None)
                found = None
        return self._read(key, found) if self.is_remote else found

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry."""
        if self._pause.is_on:
            return
        with self._pause.watching():
            if self.is_remote:
                self._write(key, entry)
            else:
                entry.expires_in(self._ttl_s)
                self._store[key] = entry

    async def aget(self, key: str) -> Entry | None:
        """As `get`; waits for an async client."""
        if not self.is_async:
            return self.get(key)
        found: Any = None
        if not self._pause.is_on:
            with self._pause.watching():
                found = await self._store.get(key)
        return self._read(key, found)

    async def aput(self, key: str, entry: Entry) -> None:
        """As `put`; waits for an async client."""
        if not self.is_async:
            self.put(key, entry)
        elif not self._pause.is_on:
            with self._pause.watching():
                await self._write(key, entry)

    def _read(self, key: str, raw: Any) -> Entry | None:
        if raw is None:
            return None
        try:
            stored = json.loads(raw if self._seal is None else self._seal.open(raw))
            if self._seal is not None and stored.get("key") != key:
                raise ValueError("an answer in the store lies under another one's key")
            entry = Entry(self._loads(stored["value"]), stored["facts"], stored.get("expires_at"))
        except Exception:
            _safely.report("cache store")
            return None
        return None if entry.is_over(self._stale_s) else entry

    def _write(self, key: str, entry: Entry) -> Any:
        entry.expires_in(self._ttl_s)
        stored = {"value": self._dumps(entry.value), "facts": entry.facts, "expires_at": entry.expires_at}
        raw: str | bytes = json.dumps(stored)
        if self._seal is not None:
            raw = self._seal.close(json.dumps({**stored, "key": key}))
        if self._ttl_s is None:
            return self._store.set(key, raw)
        kept_s = self._ttl_s + self._stale_s
        if callable(getattr(self._store, "execute_command", None)):  # setex() is deprecated there
            return self._store.execute_command("SET", key, raw, "PX", max(int(kept_s * 1000), 1))
        return self._store.setex(key, max(math.ceil(kept_s), 1), raw)

    def forget(self, key: str) -> Any:
        """Drop an entry; whether there was one. An awaitable with an async client."""
        if not self.is_remote:
            return self._store.pop(key, None) is not None
        deleted = self._store.delete(key)
        return _any(deleted) if self.is_async else bool(deleted)


async def _any(count: Any) -> bool:
    return bool(await count)
