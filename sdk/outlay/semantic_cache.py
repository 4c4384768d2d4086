"""SemanticCache: answers texts that mean the same, and says how similar they were and what that saved.

The texts are compared by the cosine of their embeddings. Which similarity still means the same answer depends on the
embedding model and on the texts, so the threshold is worth measuring: every lookup reports the best similarity seen.
Only answers of the same function to the same other arguments are compared: a cache may serve several functions.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from outlay import _safely
from outlay._locks import Locks
from outlay._stores import Entry
from outlay._vectors import Vectors, VectorStore
from outlay.cache import check_function, check_limits, digest, hit, miss, name_of, used
from outlay.frame import Frame
from outlay.track import track

P = ParamSpec("P")
R = TypeVar("R")

Vector = Sequence[float]


class SemanticCache:
    """Answers texts that mean the same. For functions and coroutine functions whose first argument is the text.

    Other arguments must be equal for an answer to be shared. A method's object is no argument here.

    Args:
        embed: Text → vector; may be async for coroutine functions. A model call inside is metered like any other.
        threshold: Cosine similarity from which two texts mean the same. Measure it: too low answers wrongly.
        ttl_s: Seconds an answer stays good.
        max_entries: Answers that are kept; the oldest go first. A lookup compares with each: some 50 µs for a vector
            of 1,536 numbers. For many more, give a store of yours.
        store: Where they are kept: any mutable mapping, or something in front of a vector database with
            `add(vector, scope, entry)` and `nearest(vector, scope)`, which returns (entry, cosine) or None; default is
            memory of this process.

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
    ) -> None:
        if not callable(embed):
            raise TypeError(f"embed must be a function from text to vector, not {embed!r}")
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, not {threshold!r}")
        check_limits(ttl_s, max_entries)
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
        self._flights = Locks()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function whose first argument is the text.

        Raises:
            TypeError: If the function has no argument, or is a generator, or is not async while `embed` is.
        """
        check_function(function, "SemanticCache")
        signature = inspect.signature(function)
        names = [name for name in signature.parameters if name not in ("self", "cls")]
        if not names:
            raise TypeError(f"{name_of(function)} has no argument that could be the text")
        name, title = name_of(function), f"cache {function.__name__}"

        def asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str] | None:
            """The text, and what must be equal."""
            try:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                rest = dict(bound.arguments)
                text = rest.pop(names[0])
                for own in ("self", "cls"):
                    rest.pop(own, None)
                return (text if isinstance(text, str) else str(text)), f"{name}:{digest(rest)}"
            except Exception:
                _safely.warn(f"cache key of {name}", "no semantic cache for these arguments of %s", name)
                return None

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                found = asked(args, kwargs)
                if found is None:
                    return await cast(Any, function)(*args, **kwargs)
                text, scope = found
                with track(title) as frame:
                    async with self._flights.of_task(f"{scope} {text}"):
                        vector = _unit(await self._vector_async(text))
                        entry = self._look(frame, vector, scope)
                        if entry is not None:
                            return entry.value
                        value = await cast(Any, function)(*args, **kwargs)
                        self._keep(vector, scope, value, frame)
                        return value

            return cast(Callable[P, R], answer_async)
        if inspect.iscoroutinefunction(self._embed):
            raise TypeError(f"{name} is not async, but embed is: make both the same")

        @functools.wraps(function)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            found = asked(args, kwargs)
            if found is None:
                return function(*args, **kwargs)
            text, scope = found
            with track(title) as frame, self._flights.of_thread(f"{scope} {text}"):
                vector = _unit(self._vector(text))
                entry = self._look(frame, vector, scope)
                if entry is not None:
                    return cast(R, entry.value)
                value = function(*args, **kwargs)
                self._keep(vector, scope, value, frame)
                return value

        return answer

    def _vector(self, text: str) -> Vector | None:
        """The text's vector; None when embedding failed: then there is no cache, but an answer."""
        try:
            return cast(Vector, self._embed(text))
        except Exception:
            _safely.report("embedding for the semantic cache")
            return None

    async def _vector_async(self, text: str) -> Vector | None:
        try:
            found = self._embed(text)
            return cast(Vector, await found if inspect.isawaitable(found) else found)
        except Exception:
            _safely.report("embedding for the semantic cache")
            return None

    def _look(self, frame: Frame, vector: list[float] | None, scope: str) -> Entry | None:
        """The entry that is similar enough; says on the span what was found."""
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
            return entry
        miss(frame, "semantic", similarity)
        return None

    def _keep(self, vector: list[float] | None, scope: str, value: Any, frame: Frame) -> None:
        if vector is None:
            return
        try:
            entry = Entry(value, used(frame))
            entry.expires_in(self._ttl_s)
            self._store.add(vector, scope, entry)
        except Exception:
            _safely.report("semantic cache store")


def _unit(raw: Vector | None) -> list[float] | None:
    """The vector, of length 1."""
    try:
        numbers = [float(number) for number in raw or ()]
        norm = math.sqrt(sum(number * number for number in numbers))
        return [number / norm for number in numbers] if norm else None
    except Exception:
        _safely.report("embedding for the semantic cache")
        return None
