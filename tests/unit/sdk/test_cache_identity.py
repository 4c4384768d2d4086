"""Never one function's answer to another: what a cache tells apart, over the shapes that a call can have."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from tests.cached_functions import (
    SHAPES,
    Bot,
    Client,
    Remote,
    caches,
    closure,
    decorated,
    of_two,
    tenants,
    with_client,
    with_lambda,
)

import outlay
from outlay.optimizations.identity import Identity
from outlay.testing import Capture, capture


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
