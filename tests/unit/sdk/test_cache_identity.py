"""Never one function's answer to another: what a cache tells apart, over the shapes that a call can have."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import gc
import json
import os
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay.optimizations.copies import copied
from outlay.optimizations.identity import Identity
from outlay.testing import Capture, capture


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


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


@pytest.mark.parametrize("kind", ["mapping", "named mapping", "remote", "semantic"])
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=12, deadline=None)
@given(one=tenants, other=tenants)
def test_no_answer_goes_to_another_tenant(kind: str, shape: str, one: Any, other: Any) -> None:
    with capture(raise_errors=False):
        decorate = caches(kind)
        for tenant in (one, other, one):
            function = SHAPES[shape](tenant)
            ask = decorated(decorate, function)
            if ask is not None:
                assert ask("q") == function("q")


@pytest.mark.parametrize("one", SHAPES)
def test_no_answer_goes_to_another_shape_of_function(one: str) -> None:
    with capture(raise_errors=False):
        decorate, seen = outlay.cached(store={}), outlay.cached(store={})
        first, second = SHAPES[one]("A"), SHAPES[one]("B")
        for function in (first, second, with_lambda("C"), closure("D")):
            assert decorate(function)("q") == seen(function)("q") == function("q")


def test_two_lambdas_of_one_line_are_two_functions(sent: Capture) -> None:
    decorate = outlay.cached(store=Remote())
    upper, lower = decorate(lambda text: text.upper()), decorate(lambda text: text.lower())
    assert (upper("aB"), lower("aB"), upper("aB")) == ("AB", "ab", "AB")
    shouts = [decorate(lambda text, mark=mark: text + mark) for mark in "!?"]
    assert [shout("a") for shout in shouts] == ["a!", "a?"]


@pytest.mark.parametrize("kind", ["mapping", "remote", "semantic"])
def test_what_an_instance_or_a_closure_holds_counts_as_it_is_at_the_call(kind: str, sent: Capture) -> None:
    decorate = caches(kind)
    bot, tenant = Bot("A"), "A"

    def ask(question: str) -> str:
        return f"{tenant}: {question}"

    ask_bot, ask_closure = decorate(bot.ask), decorate(ask)
    assert (ask_bot("q"), ask_closure("q")) == ("'A': q", "A: q")
    bot.tenant = tenant = "B"
    assert (ask_bot("q"), ask_closure("q")) == ("'B': q", "B: q")


def test_methods_decorated_in_their_class_know_their_instances(sent: Capture) -> None:
    made: list[str] = []
    semantic = outlay.SemanticCache(lambda text: [1.0])

    class Desk:
        def __init__(self, tenant: str, client: Any = None) -> None:
            self.tenant, self.client = tenant, client

        @outlay.cached
        def exact(self, question: str) -> str:
            made.append(question)
            return f"{self.tenant}: {question}"

        @semantic
        def similar(self, question: str) -> str:
            made.append(question)
            return f"{self.tenant}: {question}"

        @outlay.cached
        @classmethod
        def whole(cls, question: str) -> str:
            return f"{cls.__name__}: {question}"

    class Other(Desk):
        pass

    for client in (None, Client("any")):
        one, two, three = Desk("A", client), Desk("B", client), Other("A", client)
        for _ in range(2):
            assert [desk.exact("q") for desk in (one, two)] == ["A: q", "B: q"]
            assert [desk.similar("q") for desk in (one, two)] == ["A: q", "B: q"]
        assert three.exact("q") == "A: q"
    assert len(made) == 10  # each instance made its own call, and the second time none
    assert (Desk.whole("q"), Other.whole("q")) == ("Desk: q", "Other: q")


def test_a_client_in_the_closure_is_refused_in_a_store_that_outlives_the_process(sent: Capture) -> None:
    class Database:
        def nearest(self, vector: list[float], scope: str) -> None:
            return None

        def add(self, vector: list[float], scope: str, entry: Any) -> None: ...

    for function in (
        with_client("A"),
        Bot("A", Client("A")).ask,
        Bot("A", Client("A")),
        functools.partial(of_two, Client("A")),
    ):
        with pytest.raises(TypeError, match=r"[Cc]lient.*name="):
            outlay.cached(store=Remote())(function)
        with pytest.raises(TypeError, match=r"[Cc]lient.*name="):
            outlay.SemanticCache(lambda text: [1.0], store=Database())(function)
    assert outlay.cached(store=Remote(), name="ask")(with_client("A"))("q") == "'A': q"
    assert outlay.SemanticCache(lambda text: [1.0], store=Database())(name="ask")(with_client("A"))("q") == "'A': q"


def test_a_name_shares_answers_over_code_and_clients_but_not_over_plain_data(sent: Capture) -> None:
    store = Remote()

    def release(tenant: str, text: str) -> Callable[[str], str]:
        client = Client(tenant)
        if text == "old":
            return lambda question: f"{tenant} {client.tenant} old"
        return lambda question: f"{tenant} {client.tenant} new"

    answers = [
        outlay.cached(store=store, name="faq")(release(tenant, text))("q")
        for tenant, text in (("A", "old"), ("A", "new"), ("B", "new"), ("B", "old"))
    ]
    assert answers == ["A A old", "A A old", "B B new", "B B new"]
    assert outlay.cached(store=store, name="other")(release("A", "new"))("q") == "A A new"
    with_bot = [outlay.cached(store=store, name="bot")(Bot(tenant, Client("x")).ask)("q") for tenant in "AB"]
    assert with_bot == ["'A': q", "'B': q"]
    for wrong in ("", 5):
        with pytest.raises(TypeError, match="name"):
            outlay.cached(name=wrong)(closure("A"))  # type: ignore[arg-type]


def test_an_object_that_is_gone_lends_nobody_its_answers(sent: Capture) -> None:
    decorate = outlay.cached(store={})
    for number in range(200):
        function = with_client(number)
        assert decorate(function)("q") == f"{number!r}: q"
        del function
        gc.collect() if number % 50 == 0 else None


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Plan(enum.StrEnum):
    FREE = "free"


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2), st.floats(-2, 2), st.text(max_size=3), st.binary(max_size=3),
        st.sampled_from([Color.RED, Color.BLUE, Plan.FREE, "free", date(2026, 1, 1), datetime(2026, 1, 1),
                         datetime(2026, 1, 1, tzinfo=UTC), Decimal("1"), Decimal("1.0"), UUID(int=1), Path("a"), "a",
                         Frozen("A"), Frozen("B"), Pair("A", 1), ("A", 1), Slotted("A"), Slotted("B"), bytearray(b"a"),
                         range(2), closure("A"), closure("B")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.integers(0, 2), st.sampled_from(["0", "1"]), st.booleans()), inner, max_size=2),
    ),
    max_leaves=5,
)  # fmt: skip


def seen(value: Any) -> Any:
    """A description of a value that is equal for values which are alike in type and content."""
    if isinstance(value, (Frozen, Slotted)):
        return (type(value), seen(value.tenant))
    if isinstance(value, (list, tuple)):
        return (type(value), [seen(part) for part in value])
    if isinstance(value, dict):
        return (dict, sorted((repr((type(key), key)), seen(part)) for key, part in value.items()))
    if callable(value):
        return value("q")
    return (type(value), repr(value))


@settings(max_examples=150, deadline=None)
@given(one=values, other=values)
def test_equal_arguments_share_an_answer_and_others_none(one: Any, other: Any) -> None:
    made = []

    with capture(raise_errors=False):

        @outlay.cached
        def ask(thing: Any) -> int:
            made.append(thing)
            return len(made)

        first, second, again = ask(one), ask(other), ask(one)
    assert first == again
    assert (first == second) == (repr(seen(one)) == repr(seen(other)))


def test_arguments_with_a_life_of_their_own_are_not_cached(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    made = []

    @outlay.cached
    def ask(client: Client, question: str) -> int:
        made.append(question)
        return len(made)

    client = Client("A")
    assert (ask(client, "q"), ask(client, "q")) == (1, 2)
    assert "client (Client" in caplog.text
    assert "key=" in caplog.text


def test_a_list_that_a_closure_fills_does_not_empty_a_shared_cache(sent: Capture) -> None:
    made: list[str] = []

    @outlay.cached(store=Remote())
    def ask(question: str) -> str:
        made.append(question)
        return question

    assert [ask("q"), ask("q")] == ["q", "q"]
    assert made == ["q"]


def counting(function: Callable[[str], str]) -> Callable[[str], str]:
    """A decorator with statistics, as tenacity's `retry` has them: a new dict at each call."""

    @functools.wraps(function)
    def counted(question: str) -> str:
        counted.count += 1  # type: ignore[attr-defined]
        counted.statistics = {"count": counted.count}  # type: ignore[attr-defined]
        return function(question)

    counted.count, counted.statistics = 0, {}  # type: ignore[attr-defined]
    return counted


def shout(question: str) -> str:
    return question.upper()


@pytest.mark.parametrize(
    "cache",
    [
        lambda: outlay.cached,
        lambda: outlay.cached(store=Remote()),
        lambda: outlay.cached(store=Remote(), name="faq"),
        lambda: outlay.SemanticCache(lambda text: [1.0]),
    ],
    ids=["memory", "remote", "remote by name", "semantic"],
)
def test_the_statistics_of_a_decorator_do_not_empty_a_cache(cache: Any, sent: Capture) -> None:
    asked: Any = counting(shout)
    answer = cache()(asked)
    assert [answer("q") for _ in range(3)] == ["Q", "Q", "Q"]
    assert asked.count == 1


@pytest.mark.parametrize("name", [None, "faq"])
@pytest.mark.parametrize("shared", [dict, Remote])
def test_a_setting_that_is_a_functions_attribute_tells_it_apart(shared: Any, name: Any, sent: Capture) -> None:
    store = shared()

    def of_tenant(tenant: Any) -> Callable[[str], str]:
        def ask(question: str) -> str:
            return repr(ask.tenant)  # type: ignore[attr-defined]

        ask.tenant = tenant  # type: ignore[attr-defined]
        return ask

    for one, other in (("A", "B"), (1, 2), ({"id": "A"}, {"id": "B"})):
        answers = [outlay.cached(store=store, name=name)(of_tenant(tenant))("q") for tenant in (one, other)]
        assert answers == [repr(one), repr(other)]


def test_what_stands_behind_a_wrapper_alone_tells_it_apart(sent: Capture) -> None:
    def dressed(function: Callable[[str], str]) -> Callable[[str], str]:
        def dress(question: str) -> str:
            return str(dress.__wrapped__(question))  # type: ignore[attr-defined]

        dress.__wrapped__ = function  # type: ignore[attr-defined]
        return dress

    store: dict[str, Any] = {}
    answers = [outlay.cached(store=store)(dressed(one))("q") for one in (lambda question: "A", lambda question: "B")]
    assert answers == ["A", "B"]


def test_what_plain_data_tells_is_told_alike_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "shapes_here.py").write_text(
        "import functools, json, sys, outlay\n"
        "from decimal import Decimal\n"
        "class Bot:\n"
        "    def __init__(self, tenant): self.tenant = tenant\n"
        "    def ask(self, question): return question\n"
        "def closure(tenant, kinds):\n"
        "    def ask(question, *, style=Decimal('1.5')): return [tenant, len(kinds), question]\n"
        "    return ask\n"
        "class Store:\n"
        "    def __init__(self): self.kept = {}\n"
        "    def get(self, key): return None\n"
        "    def set(self, key, value): self.kept[key] = value\n"
        "    setex = None\n"
        "def keys(tenant):\n"
        "    store = Store()\n"
        "    for function in (closure(tenant, frozenset('abcdef')), Bot(tenant).ask, lambda question: 1,\n"
        "                     functools.partial(closure(tenant, ()), style=2)):\n"
        "        outlay.cached(store=store)(function)('q')\n"
        "    return list(store.kept)\n"
    )
    code = "import json, shapes_here; print(json.dumps([shapes_here.keys('A'), shapes_here.keys('B')]))"
    found = []
    for seed in ("1", "2"):
        path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0] == found[1]
    of_a, of_b = found[0]
    assert len(set(of_a)) == 4
    assert set(of_a) & set(of_b) == {of_a[2]}  # the lambda holds nothing


def test_async_functions_are_told_apart_as_well(sent: Capture) -> None:
    def make(tenant: str) -> Any:
        async def ask(question: str) -> str:
            return f"{tenant}: {question}"

        return ask

    async def main() -> list[str]:
        exact, similar = outlay.cached(store={}), outlay.SemanticCache(lambda text: [1.0])
        return [await decorate(make(tenant))("q") for decorate in (exact, similar) for tenant in "AB"]

    assert asyncio.run(main()) == ["A: q", "B: q"] * 2


def test_a_value_that_a_function_holds_is_looked_at_at_each_call_also_where_the_last_one_was_remembered() -> None:
    model = "small"

    def ask(question: str, limit: int = 5) -> str:
        return f"{model} {limit}"

    cached = outlay.cached(ask)
    assert [cached("q"), cached("q")] == ["small 5", "small 5"]
    model = "large"
    assert cached("q") == "large 5"
    ask.__defaults__ = (7,)
    assert cached("q") == "large 7"
    model = "small"
    ask.__defaults__ = (5,)
    assert cached("q") == "small 5"


def test_threads_that_change_what_a_function_holds_never_have_each_others_key() -> None:
    """Another thread comes in before each line of `of_function`, asks for its tenant, and puts ours back."""
    tenant = "a"

    def ask(question: str) -> str:
        return f"{tenant}: {question}"

    def told(name: str) -> str:
        nonlocal tenant
        tenant = name
        return Identity(ask, False, None).of_function()

    keys = {name: told(name) for name in "abc"}

    def asked(line: int, back: bool) -> tuple[str, bool]:
        """The key of `a`, and whether the other thread came."""
        nonlocal tenant
        left = line

        def trace(frame: Any, event: str, argument: Any) -> Any:
            nonlocal tenant, left
            if frame.f_code is not Identity.of_function.__code__ or event not in ("line", "call"):
                return trace if event == "call" else None
            if event == "line":
                left -= 1
                if left == 0:
                    sys.settrace(None)
                    tenant = "b"
                    assert identity.of_function() == keys["b"]
                    tenant = "a" if back else "b"
            return trace

        tenant = "a"
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return identity.of_function(), left <= 0
        finally:
            sys.settrace(before)

    for back in (True, False):
        for start in "abc":
            line, came = 0, True
            while came:
                line += 1
                tenant = start
                identity = Identity(ask, False, None)
                key, came = asked(line, back)
                assert key == keys["a"] or not back
                for name in (tenant, "a", "b", "c"):
                    tenant = name
                    assert identity.of_function() == keys[name], f"another came before line {line}"
            assert line > 4


@pytest.mark.parametrize("is_exact", [True, False])
def test_arguments_are_told_however_they_are_passed_and_wrong_ones_are_the_functions_error(is_exact: bool) -> None:
    made: list[tuple[Any, ...]] = []

    def plain(a: str, b: int = 2, c: Any = None) -> tuple[Any, ...]:
        made.append((a, b, c))
        return a, b, c

    def odd(a: str, /, *rest: int, b: int = 2, **more: Any) -> tuple[Any, ...]:
        made.append((a, *rest, b, more))
        return a, rest, b

    cache: Any = outlay.cached if is_exact else outlay.SemanticCache(lambda text: [1.0, 0.0])
    ask: Any = cache(plain)
    for args, kwargs in ((("x",), {}), (("x", 2), {}), (("x",), {"b": 2}), ((), {"c": None, "a": "x"})):
        assert ask(*args, **kwargs) == ("x", 2, None)
    assert len(made) == 1
    assert ask("x", c=3) == ("x", 2, 3)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), (("x",), {"a": "y"}), (("x",), {"z": 1})]
    for some, named in [*wrong, ((1, 2, 3, 4), {})]:
        with pytest.raises(TypeError, match="argument"):
            ask(*some, **named)
    made.clear()
    strange: Any = cache(odd)
    assert [strange("x", 1, b=2), strange("x", 1), strange("x", 1, d=3)] == [("x", (1,), 2)] * 3
    assert len(made) == 2


def test_a_copy_of_an_answer_has_its_shape() -> None:
    shared: list[Any] = [1, Decimal("2")]
    value: dict[str, Any] = {"a": shared, "b": shared, "c": (shared, {1, 2}), "d": [[]]}
    value["self"] = value
    found = copied(value, "name")
    assert found["a"] is found["b"]
    assert found["a"] is found["c"][0]
    assert found["a"] is not shared
    assert found["self"] is found
    assert (found["a"], found["c"][1], found["d"]) == ([1, Decimal("2")], {1, 2}, [[]])


# --- what is changed between two calls, and what the calls change themselves


class Settings:
    """A plain object with numbers and containers, beside something that no value tells."""

    def __init__(self) -> None:
        self.temperature = 0.0
        self.tools: list[str] = []
        self.lock = threading.Lock()


def in_closure(settings: Any, read: Callable[[Any], str]) -> Callable[[str], str]:
    return outlay.cached(lambda question: read(settings))


def in_default(settings: Any, read: Callable[[Any], str]) -> Callable[[str], str]:
    return outlay.cached(lambda question, held=settings: read(held))


def in_partial(settings: Any, read: Callable[[Any], str]) -> Callable[[str], str]:
    return outlay.cached(functools.partial(lambda held, question: read(held), settings))


def in_instance(settings: Any, read: Callable[[Any], str]) -> Callable[[str], str]:
    class Agent:
        def __init__(self) -> None:
            self.held = settings

        @outlay.cached
        def ask(self, question: str) -> str:
            return read(self.held)

    return Agent().ask


@pytest.mark.parametrize("holder", [in_closure, in_default, in_partial, in_instance])
@pytest.mark.parametrize("kind", ["dict", "list", "object"])
def test_what_somebody_changes_between_two_calls_tells_them_apart(kind: str, holder: Any, sent: Capture) -> None:
    settings: Any = {"dict": {"model": "small"}, "list": ["small"], "object": Settings()}[kind]

    def change(value: float) -> None:
        if kind == "object":
            settings.temperature = value
            settings.tools[:] = ["search"] * int(value)
        else:
            settings["model" if kind == "dict" else 0] = value

    def read(held: Any) -> str:
        return repr((held.temperature, held.tools) if kind == "object" else held)

    change(0)
    ask = holder(settings, read)
    first = ask("q")
    assert ask("q") == first
    change(1)
    second = ask("q")
    assert second == read(settings) != first
    change(0)
    assert ask("q") == first
    hits = [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]
    assert hits == [False, True, False, True]


def test_what_calls_count_and_note_themselves_is_their_own_doing(sent: Capture) -> None:
    class Client:
        def __init__(self) -> None:
            self.calls, self.log = 0, dict[int, str]()

        def ask(self, question: str) -> str:
            self.calls += 1
            self.log[self.calls] = question
            return question

    client, made = Client(), list[str]()

    @outlay.cached
    def one(question: str) -> str:
        made.append(question)
        return client.ask(question)

    @outlay.cached
    def other(question: str) -> str:
        made.append(question)
        return client.ask(question)

    for _ in range(3):
        assert [ask(question) for question in "ab" for ask in (one, other)] == ["a", "a", "b", "b"]
    assert (client.calls, made) == (4, ["a", "a", "b", "b"])
    made.clear()  # as a test does between two parts
    assert (one("a"), made) == ("a", [])


def test_what_is_too_large_to_be_read_at_each_call_is_told_by_which_one_it_is(sent: Capture) -> None:
    rows = list(range(100_000))
    count = outlay.cached(lambda question: len(rows))
    assert [count("q"), count("q")] == [100_000, 100_000]
    rows.append(0)
    assert count("q") == 100_000
