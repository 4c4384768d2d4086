"""What a decorator hangs on a function neither empties a cache nor mixes two functions up."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from tests.cached_functions import (
    Remote,
)

import outlay
from outlay.testing import Capture


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
