"""What both caches do around a function: look, join whoever makes the same call, make it, keep what it brings.

It is said once, as a generator, for functions and coroutine functions: what has to be awaited is handed out, and its
value or exception sent back (`walk.driven`). A function may turn out to return awaitables only when it is called.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from outlay import _safely
from outlay._kinds import is_async, is_read_once, name_of, title_of
from outlay.optimizations.checks import identity_of
from outlay.optimizations.copies import copied
from outlay.optimizations.epochs import epochs
from outlay.optimizations.lookup import Found, Lookup, Place, hit, miss, used
from outlay.optimizations.parameters import Parameters
from outlay.optimizations.rules import Rules, is_bypassed
from outlay.optimizations.single_flight import Flight, Flights
from outlay.optimizations.stores import Entry
from outlay.optimizations.walk import begun, called, driven, drop, ready
from outlay.tracing.call import Call

# Not kept on the functions: what a function has tells it apart in a cache around this one.
_of_wrapper: WeakKeyDictionary[Any, Wrapped] = WeakKeyDictionary()


def cache_of(function: Any) -> Wrapped | None:
    """The cache around a function, if it is one that a cache made."""
    try:
        return _of_wrapper.get(function)
    except TypeError:  # nothing that can be pointed at weakly
        return None


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a function gave that was not known to be async: it has to be awaited."""

    awaitable: Any


class Wrapped:
    """One function and its cache.

    Args:
        function: The function.
        what: Who asks, for messages: `cached` or `SemanticCache`.
        flights: The calls on their way.
        is_lasting: Whether the store outlasts this process.
        name: As in `cached`.
        is_keyed: Whether the caller makes keys of calls.
        rules: What is kept, and whose answers are told apart.
    """

    kind: str  # exact or semantic
    same: float | None  # the similarity of what a leader brings to those who asked for the same
    looks_first: bool  # before joining a flight: where looking is cheap
    joins = True  # who asks for the same at the same time shares one call

    def __init__(
        self,
        function: Any,
        what: str,
        flights: Flights,
        is_lasting: bool,
        name: str | None,
        rules: Rules,
        is_keyed: bool = False,
    ) -> None:
        self._function = function
        self._flights = flights
        self._rules = rules
        self._name = name or name_of(function)
        self._title = f"cache {title_of(function)}"
        self._identity = identity_of(function, what, is_lasting, name, is_keyed)
        self._parameters = Parameters(function)
        self._is_async = is_async(function)

    def place_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Place:
        """Where the answer to a call with these arguments belongs."""
        raise NotImplementedError

    def find(self, place: Any, awaits: bool) -> Generator[Any, Any, tuple[Found | None, float | None]]:
        """The answer that is there, and else how similar the most similar one was."""
        raise NotImplementedError

    def ready(self, place: Any, awaits: bool) -> Generator[Any, Any, None]:
        """Find out what `keep` needs, for a place that is not looked at."""
        return
        yield  # nothing to await, but a walk all the same

    def compare(self, place: Any, value: Any, call: Call, awaits: bool) -> Generator[Any, Any, None]:
        """Look at the answer that was made, beside the one that was there."""
        return
        yield  # nothing to await

    def keep(self, place: Any, entry: Entry, awaits: bool) -> Generator[Any, Any, None]:
        """Store an answer."""
        raise NotImplementedError

    def wrapper(self) -> Callable[..., Any]:
        """What takes the function's place."""
        if self._is_async:

            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                return await self._answer_async(args, kwargs)

            return self._like(answer_async)

        def answer(*args: Any, **kwargs: Any) -> Any:
            # what returns awaitables shows it with the first one
            return self._answer_async(args, kwargs) if self._is_async else self._answer(args, kwargs)

        return self._like(answer)

    def _like(self, wrapper: Any) -> Callable[..., Any]:
        """The wrapper with the function's name and signature; an object's attributes stay its own."""
        updated = functools.WRAPPER_UPDATES if isinstance(self._function, types.FunctionType) else ()
        functools.update_wrapper(wrapper, self._function, updated=updated)
        _of_wrapper[wrapper] = self
        return cast(Callable[..., Any], wrapper)

    def _place(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Place | None:
        """The place; None, and a warning, where the call has no key: then there is no cache, but an answer."""
        try:
            return self.place_of(args, kwargs)
        except Exception as problem:
            hint = "; give cached(key=…)" if self.kind == "exact" else ""
            _safely.warn(
                f"cache key of {self._name}",
                "no %s cache for a call of %s (%s)%s",
                self.kind,
                self._name,
                problem,
                hint,
            )
            return None

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        place = self._place(args, kwargs)
        if place is None:
            return self._function(*args, **kwargs)
        with epochs.under_way(place.holdings, lambda: place.touches), Lookup(self._title) as lookup:
            walk = self._walk(lookup, place, None, args, kwargs, awaits=False)
            value, _ = begun(walk)
            if type(value) is _Begun:
                self._is_async = True
                lookup.pause()
                return self._go_on(lookup, place, value.awaitable, args, kwargs)
            return value

    async def _go_on(
        self, lookup: Lookup, place: Place, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        with epochs.under_way(place.holdings, lambda: place.touches), lookup.resumed():
            return await driven(self._walk(lookup, place, made, args, kwargs, awaits=True))

    async def _answer_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        place = self._place(args, kwargs)
        if place is None:
            value = self._function(*args, **kwargs)
            return await value if inspect.isawaitable(value) else value
        with epochs.under_way(place.holdings, lambda: place.touches), Lookup(self._title) as lookup:
            return await driven(self._walk(lookup, place, None, args, kwargs, awaits=True))

    def _walk(
        self, lookup: Lookup, place: Place, made: Any, args: tuple[Any, ...], kwargs: dict[str, Any], awaits: bool
    ) -> Generator[Any, Any, Any]:
        """The answer, from the cache, from whoever makes the same call, or from the function.

        Args:
            made: What the function gave already; None if it was not called.
            awaits: Whether what is handed out will be awaited; without, nothing is.
        """
        if is_bypassed():
            miss(lookup.frame, self.kind)
            yield from self.ready(place, awaits)
            return (yield from self._make(lookup, place, None, made, args, kwargs, awaits))
        if self.looks_first:
            found, _ = yield from self.find(place, awaits)
            if found is not None:
                return self._hit(lookup, found, made, awaits)
        miss(lookup.frame, self.kind)
        if not self.joins:
            return (yield from self._look(lookup, place, None, made, args, kwargs, awaits))
        flights = self._flights
        flight, leads = (yield flights.aenter(place.key)) if awaits else flights.enter(place.key)
        if flight is None:
            return (yield from self._look(lookup, place, None, made, args, kwargs, awaits))
        if leads:
            with flights.lead(place.key, flight):
                return (yield from self._look(lookup, place, flight, made, args, kwargs, awaits))
        drop(made)
        return self._hit(lookup, flight.answer(), None, awaits)

    def _look(
        self,
        lookup: Lookup,
        place: Place,
        flight: Flight | None,
        made: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        awaits: bool,
    ) -> Generator[Any, Any, Any]:
        """As one who leads: what came in meanwhile, or what the function gives."""
        found, similarity = yield from self.find(place, awaits)
        if found is not None:
            if flight is not None:
                flight.land(found)
            return self._hit(lookup, found, made, awaits)
        miss(lookup.frame, self.kind, similarity)
        return (yield from self._make(lookup, place, flight, made, args, kwargs, awaits))

    def _make(
        self,
        lookup: Lookup,
        place: Place,
        flight: Flight | None,
        made: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        awaits: bool,
    ) -> Generator[Any, Any, Any]:
        """What the function gives; it is kept, and those who wait for the flight have it, too."""
        place.touches = True
        try:
            value = called(self._function, args, kwargs) if made is None else made
            if inspect.isawaitable(value):
                if not awaits:
                    return _Begun(value)
                value = yield value
        except Exception:
            if place.stale is None:
                raise
            _safely.report(f"refresh of {self._name}", message="failed; the answer before is given again")
            stale = Found(place.stale, None)
            if flight is not None:
                flight.land(stale)
            return self._hit(lookup, stale, None, awaits)
        entry = self._entry(value, lookup, awaits)
        if entry is not None:
            yield from self.compare(place, entry.value, lookup.frame.call, awaits)
            if flight is not None:
                flight.land(Found(entry, self.same))
            if self._is_kept(value, lookup):
                yield from self.keep(place, entry, awaits)
        return value

    def _is_kept(self, value: Any, lookup: Lookup) -> bool:
        try:
            reason = self._rules.against(value, getattr(lookup.frame, "used", None) or ())
        except Exception:
            _safely.report(f"when of {self._name}", message="failed; the answer is not kept")
            return False
        if reason and reason != "when":
            _safely.warn(
                f"cache {self._name} {reason}",
                "an answer of %s is not kept, since %s; when= says otherwise",
                self._name,
                reason,
            )
        return not reason

    def _entry(self, value: Any, lookup: Lookup, awaits: bool) -> Entry | None:
        """What is kept of an answer; None where it is gone once read."""
        if is_read_once(value):
            _safely.warn(
                f"cache {self._name}", "%s gives what can be read only once, which a cache cannot keep", self._name
            )
            return None
        entry = Entry(copied(value, self._name), used(lookup.frame))
        if awaits:
            entry.facts["awaited"] = True
        return entry

    def _hit(self, lookup: Lookup, found: Found, made: Any, awaits: bool) -> Any:
        drop(made)
        entry = found.entry
        hit(lookup.frame, self.kind, entry, found.similarity)
        value = copied(entry.value, self._name)
        if entry.facts.get("awaited") and not awaits:
            self._is_async = True
            return ready(value)
        return value
