"""Functions that answer for one tenant, in every shape that a cached function can have."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

import outlay


class Client:
    """Something with a life of its own, as an HTTP client has."""

    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant
        self.lock = threading.Lock()


class Remote:
    """The part of a Redis client that a cache needs, seen by all processes."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def setex(self, key: str, seconds: int, value: str) -> None:
        self.kept[key] = value


class Bot:
    def __init__(self, tenant: Any, client: Any = None) -> None:
        self.tenant = tenant
        self.client = client

    def ask(self, question: str) -> str:
        return f"{self.tenant!r}: {question}"

    def __call__(self, question: str) -> str:
        return self.ask(question)


class Slotted:
    __slots__ = ("tenant",)

    def __init__(self, tenant: Any) -> None:
        self.tenant = tenant

    def ask(self, question: str) -> str:
        return f"{self.tenant!r}: {question}"


@dataclasses.dataclass(frozen=True)
class Frozen:
    tenant: Any

    def ask(self, question: str) -> str:
        return f"{self.tenant!r}: {question}"


class Pair(namedtuple("Pair", "tenant other")):
    def ask(self, question: str) -> str:
        return f"{self.tenant!r}: {question}"


class Text(str):
    tenant: Any

    def ask(self, question: str) -> str:
        return f"{self.tenant!r}: {question}"


def of_two(tenant: Any, question: str) -> str:
    return f"{tenant!r}: {question}"


def closure(tenant: Any) -> Callable[[str], str]:
    def ask(question: str) -> str:
        return f"{tenant!r}: {question}"

    return ask


def text_with(tenant: Any) -> Any:
    text = Text("same")
    text.tenant = tenant
    return text.ask


def nested(inner: Callable[[str], str]) -> Callable[[str], str]:
    @functools.wraps(inner)
    def ask(question: str) -> str:
        return inner(question)

    return ask


def by_attribute(tenant: Any) -> Callable[[str], str]:
    def ask(question: str) -> str:
        return f"{ask.tenant!r}: {question}"  # type: ignore[attr-defined]

    ask.tenant = tenant  # type: ignore[attr-defined]
    return ask


def of_local_class(tenant: Any) -> Callable[[str], str]:
    class Local:
        def ask(self, question: str) -> str:
            return f"{tenant!r}: {question}"

    return Local().ask


def with_lambda(tenant: Any) -> Callable[[str], str]:
    return lambda question: f"{tenant!r}: {question}"


def with_default(tenant: Any) -> Callable[[str], str]:
    return lambda question, tenant=tenant: f"{tenant!r}: {question}"  # type: ignore[misc]


def with_keyword_default(tenant: Any) -> Callable[[str], str]:
    def ask(question: str, *, tenant: Any = tenant) -> str:
        return f"{tenant!r}: {question}"

    return ask


def with_client(tenant: Any) -> Callable[[str], str]:
    client = Client(tenant)

    def ask(question: str) -> str:
        return f"{client.tenant!r}: {question}"

    return ask


SHAPES: dict[str, Callable[[Any], Callable[..., str]]] = {
    "closure": closure,
    "lambda": with_lambda,
    "default": with_default,
    "keyword default": with_keyword_default,
    "nested closure": lambda tenant: nested(closure(tenant)),
    "tracked closure": lambda tenant: outlay.track(feature="x")(closure(tenant)),
    "function attribute": by_attribute,
    "partial": lambda tenant: functools.partial(of_two, tenant),
    "partial of keywords": lambda tenant: functools.partial(
        lambda question, tenant: f"{tenant!r}: {question}", tenant=tenant
    ),
    "partial of a closure": lambda tenant: functools.partial(closure(tenant)),
    "method": lambda tenant: Bot(tenant).ask,
    "callable instance": Bot,
    "method of slots": lambda tenant: Slotted(tenant).ask,
    "method of a dataclass": lambda tenant: Frozen(tenant).ask,
    "method of a named tuple": lambda tenant: Pair(tenant, 1).ask,
    "method of a text with attributes": text_with,
    "method of an instance of instances": lambda tenant: Bot(Frozen(tenant)).ask,
    "instance with a client": lambda tenant: Bot(tenant, Client("any")).ask,
    "closure over a client": with_client,
    "closure over a method": lambda tenant: nested(Bot(tenant).ask),
    "closure over a list": lambda tenant: closure([tenant]),
    "local class": of_local_class,
}

tenants = st.one_of(
    st.text(max_size=5), st.integers(-3, 3), st.booleans(), st.none(), st.floats(allow_nan=False),
    st.binary(max_size=3), st.decimals(allow_nan=False, places=2), st.dates(),
    st.tuples(st.integers(0, 2), st.text(max_size=2)),
    st.frozensets(st.integers(0, 3), max_size=3), st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.one_of(st.integers(0, 2), st.sampled_from(["0", "1"])), st.integers(0, 2), max_size=2),
)  # fmt: skip


def decorated(decorate: Callable[[Any], Any], function: Any) -> Callable[..., Any] | None:
    """The cached function; None where it is refused with a way out."""
    try:
        return decorate(function)  # type: ignore[no-any-return]
    except TypeError:
        return None


def caches(kind: str) -> Callable[[Any], Any]:
    """Something that decorates, whose answers all share one store."""
    if kind == "mapping":
        return outlay.cached(store={})
    if kind == "named mapping":
        return outlay.cached(store={}, key=lambda *args: args[-1])
    if kind == "remote":
        return outlay.cached(store=Remote())
    return outlay.SemanticCache(lambda text: [1.0, 2.0])
