"""SemanticCache: answers texts that mean the same, and says how similar they were and what that saved.

The texts are compared by the cosine of their embeddings. Which similarity still means the same answer depends on the
embedding model and on the texts, so the threshold is worth measuring: every lookup reports the best similarity seen.
Only answers of the same function to the same other arguments are compared: a cache may serve several functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, MutableMapping
from operator import eq
from typing import Any, ParamSpec, TypeVar, cast, overload

from outlay import _safely
from outlay._kinds import is_async
from outlay.optimizations.checks import check_function, check_limits, check_name
from outlay.optimizations.copies import copied
from outlay.optimizations.epochs import Holdings
from outlay.optimizations.given import share_of
from outlay.optimizations.learning import Judged, LearnedThreshold
from outlay.optimizations.lookup import Found, Place
from outlay.optimizations.pause import Pause
from outlay.optimizations.rules import Rules
from outlay.optimizations.single_flight import Flights
from outlay.optimizations.stores import Entry
from outlay.optimizations.vector_rows import MemoryVectors
from outlay.optimizations.vectors import Vectors, VectorStore, unit
from outlay.optimizations.walk import drop
from outlay.optimizations.wrapping import Wrapped
from outlay.tracing.call import Call
from outlay.tracing.recording import score as send_score

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
        max_entries: Answers that are kept; the oldest go first. A lookup compares with each, exactly: with numpy
            (`outlay[semantic]`) up to a hundred thousand in some ten milliseconds. Where more are to be kept, a graph
            finds one of the nearest in a millisecond or so.
        store: Where they are kept: any mutable mapping, or something in front of a vector database with
            `add(vector, scope, entry)` and `nearest(vector, scope)`, which returns (entry, cosine) or None; default is
            memory of this process.
        max_wait_s: How long a caller waits for another one's call with the same text before it makes its own.
        when, version, scope: As in `cached`: what is kept, and whose answers are told apart.
        shadow: Never give a kept answer, but say how similar it was, make the call, and judge whether the kept one
            would have been right: `learned` then names a threshold, and each verdict is a score, `same_answer`.
        same: Judges in shadow mode: (kept answer, new answer) → bool; may be async for coroutine functions. Default is
            whether they are equal.

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
        when: Callable[[Any], bool] | None = None,
        version: str | int | None = None,
        scope: str | Iterable[str] = (),
        shadow: bool = False,
        same: Callable[[Any, Any], Any] = eq,
    ) -> None:
        if not callable(embed):
            raise TypeError(f"embed must be a function from text to vector, not {embed!r}")
        least = share_of(threshold)
        if not least:
            raise ValueError(f"threshold must be a number above 0 and at most 1, not {threshold!r}")
        check_limits(ttl_s, max_entries, max_wait_s)
        self._embed: Callable[[str], Any] = embed
        self._threshold = least
        self._ttl_s = ttl_s
        if not callable(same):
            raise TypeError(f"same must be a function of two answers, not {same!r}")
        self._shadow = shadow
        self._same = same
        self._judged = Judged()
        if store is None:
            store = MemoryVectors(max_entries)
        elif hasattr(store, "__setitem__"):
            if hasattr(store, "setex"):
                raise TypeError(
                    "a Redis client finds no nearest vector; give a mapping, or an object with nearest() and add()"
                )
            store = Vectors(cast("MutableMapping[str, Any] | None", store), max_entries)
        elif not (hasattr(store, "nearest") and hasattr(store, "add")):
            raise TypeError(f"a store is a mutable mapping, or has nearest() and add(), unlike {store!r}")
        self._store: VectorStore = store
        self._pause = Pause("semantic cache store")
        self._embedder = Pause("embedding for the semantic cache")
        self._flights = Flights(max_wait_s)
        self._rules = Rules.of("SemanticCache", when, version, scope)

    def learn(self, similarity: float, is_right: bool) -> None:
        """Say of a hit, or of a pair of texts, whether the one's answer was right for the other.

        Raises:
            ValueError: If the similarity is none.
        """
        if not -1 <= similarity <= 1:
            raise ValueError(f"a similarity is a number of -1 to 1, not {similarity!r}")
        self._judged.add(float(similarity), bool(is_right))

    def learned(self, error: float = 0.02, confidence: float = 0.95) -> LearnedThreshold:
        """The lowest threshold above which at most `error` of the kept answers are wrong, as sure as `confidence`.

        From the pairs of shadow mode and of `learn`, the latest 10,000. It holds for texts like those.

        Raises:
            ValueError: If either is not between 0 and 1.
        """
        return self._judged.threshold(error, confidence)

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


class _Question(Place):
    """A text among others whose arguments are equal."""

    __slots__ = ("scope", "shadowed", "text", "vector")

    def __init__(self, text: str, scope: str, holdings: Holdings) -> None:
        super().__init__(f"{scope} {text}", holdings)
        self.text = text
        self.scope = scope
        self.vector: list[float] | None = None
        self.shadowed: Found | None = None  # what would have been given


class _Semantic(Wrapped):
    """One function and its semantic cache."""

    kind = "semantic"
    same = 1.0  # the very same text
    looks_first = False  # an embedding is a call, too

    def __init__(self, cache: SemanticCache, function: Any, name: str | None) -> None:
        is_lasting = not isinstance(cache._store, (MemoryVectors, Vectors))
        super().__init__(function, "SemanticCache", cache._flights, is_lasting, name, cache._rules)
        self._cache = cache
        self.joins = not cache._shadow
        names = [name for name in self._parameters.names if name not in ("self", "cls")]
        if not names:
            raise TypeError(f"{self._name} has no argument that could be the text")
        self._text = names[0]
        for what, given in (("embed", cache._embed), ("same", cache._same)):
            if not self._is_async and is_async(given):
                raise TypeError(f"{self._name} is not async, but {what} is: make both the same")

    def place_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Question:
        rest = self._parameters.bind(args, kwargs)
        text = rest[self._text]
        if isinstance(text, str):
            del rest[self._text]  # else what its text does not say tells it apart, too
        holdings: Holdings = []
        asked = self._identity.of_arguments(rest, self._parameters.defaults, holdings)
        scope = f"{self._name}:{self._identity.of_function(holdings)}:{self._rules.prefix()}{asked}"
        return _Question(text if isinstance(text, str) else str(text), scope, holdings)

    def ready(self, place: _Question, awaits: bool) -> Generator[Any, Any, None]:
        if place.vector is not None or self._cache._embedder.is_on:
            return
        with self._cache._embedder.watching():
            raw = self._cache._embed(place.text)
            if inspect.isawaitable(raw):
                if not awaits:
                    drop(raw)
                    raise TypeError("embed is async, but the function is not: make both the same")
                raw = yield raw
            place.vector = unit(raw)

    def find(self, place: _Question, awaits: bool) -> Generator[Any, Any, tuple[Found | None, float | None]]:
        yield from self.ready(place, awaits)
        if place.vector is None:
            return None, None
        nearest: tuple[Entry, float] | None = None
        if not self._cache._pause.is_on:
            with self._cache._pause.watching():
                nearest = self._cache._store.nearest(place.vector, place.scope)
                similarity = 0.0 if nearest is None else min(float(nearest[1]), 1.0)
        if nearest is None:
            return None, None
        if self._cache._shadow:
            place.shadowed = Found(nearest[0], similarity)
            return None, similarity
        found = Found(nearest[0], similarity) if similarity >= self._cache._threshold else None
        return found, similarity

    def compare(self, place: _Question, value: Any, call: Call, awaits: bool) -> Generator[Any, Any, None]:
        """Judge the answer that would have been given by the one that was made."""
        if place.shadowed is None or place.shadowed.similarity is None:
            return
        try:
            verdict = self._cache._same(copied(place.shadowed.entry.value, self._name), value)
            if inspect.isawaitable(verdict):
                if not awaits:
                    drop(verdict)
                    raise TypeError("same is async, but the function is not: make both the same")
                verdict = yield verdict
            self._cache.learn(place.shadowed.similarity, bool(verdict))
            send_score("same_answer", bool(verdict), call=call)
        except Exception:
            _safely.report("same of the semantic cache")

    def keep(self, place: _Question, entry: Entry, awaits: bool) -> Generator[Any, Any, None]:
        if place.vector is not None and not self._cache._pause.is_on:
            with self._cache._pause.watching():
                entry.expires_in(self._cache._ttl_s)
                self._cache._store.add(place.vector, place.scope, entry)
        return
        yield  # nothing to await, but a walk all the same
