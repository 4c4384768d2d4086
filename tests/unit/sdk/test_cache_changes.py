"""What is changed between two calls tells them apart; what the calls change themselves does not."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import outlay
from outlay.optimizations import epochs as module
from outlay.optimizations.epochs import Epochs
from outlay.testing import Capture


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


def test_what_grows_too_large_under_calls_keeps_the_epoch_that_it_had(sent: Capture) -> None:
    made: list[str] = []

    @outlay.cached
    def ask(question: str) -> str:
        made.append(question)
        return question

    for number in range(600):
        ask(str(number))
    grown = len(made)
    assert [ask(str(number)) for number in range(600)] == [str(number) for number in range(600)]
    assert (grown, len(made)) == (600, 600)


def test_a_call_that_ends_while_another_looks_has_changed_what_it_changed() -> None:
    every, holdings, log = Epochs(), list[Any](), ["a"]
    before = every.of("log", lambda: log, holdings)
    [(epoch, _)] = holdings
    call = every.under_way(list(holdings))
    call.__enter__()
    log.append("b")
    lock = epoch.lock

    class EndsFirst:
        def __enter__(self) -> None:
            epoch.lock = lock
            call.__exit__(None, None, None)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    epoch.lock = EndsFirst()
    assert every.of("log", lambda: log, holdings) == before
    log.append("c")  # by nobody's call
    assert every.of("log", lambda: log, holdings) != before


def test_a_hit_reads_what_the_instance_holds_once(monkeypatch: pytest.MonkeyPatch, sent: Capture) -> None:
    desk = in_instance(Settings(), lambda held: "answer")
    desk("question")
    read: list[object] = []
    reading = module._read

    def watched(epoch: Any, value: Any) -> bytes | None:
        read.append(value)
        return reading(epoch, value)

    monkeypatch.setattr(module, "_read", watched)
    assert desk("question") == "answer"
    assert len(read) == 1
    assert [lookup.attributes["outlay.cache.hit"] for lookup in sent.spans] == [False, True]


def test_what_a_call_changed_is_its_own_doing_though_a_hit_outlives_it() -> None:
    every, holdings, filled = Epochs(), list[Any](), ["seen"]
    first = every.of("list", lambda: filled, holdings)
    hit = every.under_way(holdings, lambda: False)
    hit.__enter__()
    with every.under_way(list(holdings)):
        filled.append("by the call")
    hit.__exit__(None, None, None)
    assert every.of("list", lambda: filled, []) == first
    filled.append("by somebody else")
    assert every.of("list", lambda: filled, []) != first


def test_what_somebody_changes_while_a_hit_is_given_tells_the_next_call_apart() -> None:
    every, holdings, settings = Epochs(), list[Any](), {"model": "small"}
    first = every.of("dict", lambda: settings, holdings)
    with every.under_way(holdings, lambda: False):
        settings["model"] = "large"
    assert every.of("dict", lambda: settings, []) != first
