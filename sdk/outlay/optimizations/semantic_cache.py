"""SemanticCache: answers texts that mean the same, and says how similar they were and what that saved.

The texts are compared by the cosine of their embeddings. Which similarity still means the same answer depends on the
embedding model and on the texts, so the threshold is worth measuring: every lookup reports the best similarity seen.
Only answers of the same function to the same other arguments are compared: a cache may serve several functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ParamSpec, TypeVar, cast, overload

from outlay import _safely
from outlay._kinds import is_async, name_of, title_of
from outlay.optimizations.cache import (
    check_function,
    check_limits,
    check_name,
    defaults_of,
    drop,
    entry_of,
    finished,
    identity_of,
    like,
    ready,
)
from outlay.optimizations.lookup import Lookup, hit, miss
from outlay.optimizations.single_flight import Flight, Flights
from outlay.optimizations.stores import Entry
from outlay.optimizations.vectors import Vectors, VectorStore, unit
from outlay.tracing.frame import Frame

P = ParamSpec("P")
R = TypeVar("R")

Vector = Any  # what an embedder gives: a list, a tuple, an array of numpy or torch, a batch of one


class SemanticCache:
    """Answers texts that mean the same. For functions and coroutine functions whose first argument is the text.

    An answer belongs to the function that gave it, with what its closure and its instance hold, as in `cached`; other
    arguments must be equal for it to be shared.

    Args:
        embed: Text → vector: a list, a tuple, an array of numpy, torch or the like, or a batch with one of these. May
            be async for coroutine functions. A model call inside is metered like any other.
        threshold: Cosine similarity from which two texts mean the same. Measure it: too low answers wrongly.
        ttl_s: Seconds an answer stays good.
        max_entries: Answers that are kept; the oldest go first. A lookup compares with each: some 50 µs for a vector
            of 1,536 numbers. For many more, give a store of yours.
        store: Where they are kept: any mutable mapping, or something in front of a vector database with
            `add(vector, scope, entry)` and `nearest(vector, scope)`, which returns (entry, cosine) or None; default is
            memory of this process.
        max_wait_s: How long a caller waits for another one's call with the same text before it makes its own.

    Example:
        cache = outlay.SemanticCache(embed, threshold=0.93)

        @cache
        def answer(question: str) -> str: ...
    """

    def __init__(
        self,
        embed: Callable[[str], Vector] | Callable[[str], Awaitable[Vector]],
        *,
        threshold: float = 0.92,
        ttl_s: float | None = None,
        max_entries: int = 1_000,
        store: MutableMapping[str, Any] | VectorStore | None = None,
        max_wait_s: float = 30.0,
    ) -> None:
        if not callable(embed):
            raise TypeError(f"embed must be a function from text to vector, not {embed!r}")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {threshold!r}")
        check_limits(ttl_s, max_entries, max_wait_s)
        self._embed: Callable[[str], Any] = embed
        self._threshold = threshold
        self._ttl_s = ttl_s
        if store is None or hasattr(store, "__setitem__"):
            if hasattr(store, "setex"):
                raise TypeError(
                    "a Redis client finds no nearest vector; give a mapping, or an object with nearest() and add()"
                )
            store = Vectors(cast("MutableMapping[str, Any] | None", store), max_entries)
        elif not (hasattr(store, "nearest") and hasattr(store, "add")):
            raise TypeError(f"a store is a mutable mapping, or has nearest() and add(), unlike {store!r}")
        self._store: VectorStore = store
        self._flights = Flights(max_wait_s)

    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def __call__(self, /, *, name: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def __call__(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Decorate a function whose first argument is the text.

        Args:
            function: The function, when used without brackets.
            name: As in `cached`: functions of this name may share answers.

        Raises:
            TypeError: If the function has no argument, or is a generator, or is not async while `embed` is; or if it
                holds an object that cannot be told from others in a vector database.
        """
        check_name(name, "SemanticCache")

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            if isinstance(function, (classmethod, staticmethod)):
                return cast(Callable[P, R], type(function)(decorate(function.__func__)))
            check_function(function, "SemanticCache")
            return cast(Callable[P, R], _Semantic(self, function, name).wrapper())

        return decorate if function is None else decorate(function)

    def _vector(self, text: str) -> list[float] | None:
        """The text's vector; None when embedding failed: then there is no cache, but an answer."""
        try:
            raw = self._embed(text)
            if inspect.isawaitable(raw):
                drop(raw)
                raise TypeError("embed is async, but the function is not: make both the same")
            return unit(raw)
        except Exception:
            _safely.report("embedding for the semantic cache")
            return None

    async def _vector_async(self, text: str) -> list[float] | None:
        try:
            raw = self._embed(text)
            return unit(await raw if inspect.isawaitable(raw) else raw)
        except Exception:
            _safely.report("embedding for the semantic cache")
            return None

    def _look(self, frame: Frame, vector: list[float] | None, scope: str) -> tuple[Entry | None, float | None]:
        """The entry that is similar enough, and how similar; says on the span what was found."""
        entry, similarity = None, None
        if vector is not None:
            try:
                nearest = self._store.nearest(vector, scope)
                if nearest is not None:
                    entry, similarity = nearest[0], min(float(nearest[1]), 1.0)
            except Exception:
                _safely.report("semantic cache store")
        if entry is not None and similarity is not None and similarity >= self._threshold:
            hit(frame, "semantic", entry, similarity)
            return entry, similarity
        miss(frame, "semantic", similarity)
        return None, similarity

    def _add(self, vector: list[float] | None, scope: str, entry: Entry) -> None:
        if vector is None:
            return
        try:
            entry.expires_in(self._ttl_s)
            self._store.add(vector, scope, entry)
        except Exception:
            _safely.report("semantic cache store")


class _Semantic:
    """One function and its cache."""

    def __init__(self, cache: SemanticCache, function: Any, name: str | None) -> None:
        self._cache = cache
        self._function = function
        self._name = name or name_of(function)
        self._title = f"cache {title_of(function)}"
        self._signature = inspect.signature(function)
        self._defaults = defaults_of(self._signature)
        names = [name for name in self._signature.parameters if name not in ("self", "cls")]
        if not names:
            raise TypeError(f"{self._name} has no argument that could be the text")
        self._text = names[0]
        self._identity = identity_of(function, "SemanticCache", not isinstance(cache._store, Vectors), name)
        self._is_async = is_async(function)
        if not self._is_async and is_async(cache._embed):
            raise TypeError(f"{self._name} is not async, but embed is: make both the same")

    def wrapper(self) -> Callable[..., Any]:
        """What takes the function's place."""
        if self._is_async:

            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                return await self._answer_async(args, kwargs)

            return like(answer_async, self._function)

        def answer(*args: Any, **kwargs: Any) -> Any:
            return self._answer_async(args, kwargs) if self._is_async else self._answer(args, kwargs)

        return like(answer, self._function)

    def _asked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str] | None:
        """The text, and what must be equal."""
        try:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            rest = dict(bound.arguments)
            text = rest.pop(self._text)
            asked = self._identity.of_arguments(rest, self._defaults)
            scope = f"{self._name}:{self._identity.of_function()}:{asked}"
            return (text if isinstance(text, str) else str(text)), scope
        except Exception as problem:
            _safely.warn(f"cache key of {self._name}", "no semantic cache for a call of %s (%s)", self._name, problem)
            return None

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._asked(args, kwargs)
        if found is None:
            return self._function(*args, **kwargs)
        text, scope = found
        flights, place = self._cache._flights, f"{scope} {text}"
        with Lookup(self._title) as lookup:
            miss(lookup.frame, "semantic")
            flight, leads = flights.enter(place)
            if flight is None:
                return self._look(lookup, text, scope, None, args, kwargs)
            if leads:
                with flights.lead(place, flight):
                    return self._look(lookup, text, scope, flight, args, kwargs)
            return self._shared(lookup, flight)

    def _look(
        self,
        lookup: Lookup,
        text: str,
        scope: str,
        flight: Flight | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        vector = self._cache._vector(text)
        entry, similarity = self._cache._look(lookup.frame, vector, scope)
        if entry is None:
            value = self._function(*args, **kwargs)
            if inspect.isawaitable(value):
                self._is_async = True
                lookup.pause()
                return self._go_on(lookup, text, scope, value, args, kwargs)
            self._keep(lookup, vector, scope, value, flight)
            return value
        if flight is not None:
            flight.land((entry, similarity))
        if entry.facts.get("awaited"):
            self._is_async = True
            return ready(entry.value)
        return entry.value

    async def _go_on(
        self, lookup: Lookup, text: str, scope: str, begun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        with lookup.resumed():
            return await self._join_async(lookup, text, scope, begun, args, kwargs)

    async def _answer_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = self._asked(args, kwargs)
        if found is None:
            return await finished(self._function(*args, **kwargs))
        with Lookup(self._title) as lookup:
            return await self._join_async(lookup, *found, None, args, kwargs)

    async def _join_async(
        self, lookup: Lookup, text: str, scope: str, begun: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The answer from the cache or from the function, whose awaitable may be there already."""
        flights, place = self._cache._flights, f"{scope} {text}"
        miss(lookup.frame, "semantic")
        flight, leads = await flights.aenter(place)
        if flight is None:
            return await self._look_async(lookup, text, scope, None, begun, args, kwargs)
        if leads:
            with flights.lead(place, flight):
                return await self._look_async(lookup, text, scope, flight, begun, args, kwargs)
        drop(begun)
        return self._shared(lookup, flight)

    async def _look_async(
        self,
        lookup: Lookup,
        text: str,
        scope: str,
        flight: Flight | None,
        begun: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        vector = await self._cache._vector_async(text)
        entry, similarity = self._cache._look(lookup.frame, vector, scope)
        if entry is None:
            value = await finished(self._function(*args, **kwargs) if begun is None else begun)
            self._keep(lookup, vector, scope, value, flight, awaited=True)
            return value
        drop(begun)
        if flight is not None:
            flight.land((entry, similarity))
        return entry.value

    def _shared(self, lookup: Lookup, flight: Flight) -> Any:
        """What the leader of the same text brought."""
        entry, similarity = flight.answer()
        hit(lookup.frame, "semantic", entry, similarity)
        return ready(entry.value) if entry.facts.get("awaited") and not self._is_async else entry.value

    def _keep(
        self,
        lookup: Lookup,
        vector: list[float] | None,
        scope: str,
        value: Any,
        flight: Flight | None,
        awaited: bool = False,
    ) -> None:
        entry = entry_of(value, lookup, self._name)
        if entry is None:
            return
        if awaited:
            entry.facts["awaited"] = True
        if flight is not None:
            flight.land((entry, 1.0))  # the very same text
        self._cache._add(vector, scope, entry)
