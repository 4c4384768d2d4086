"""A semantic cache takes what embedders give."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay.optimizations import vector_rows
from outlay.optimizations.stores import Entry
from outlay.optimizations.vector_graph import Graph
from outlay.optimizations.vector_rows import MemoryVectors
from outlay.optimizations.vectors import unit
from outlay.testing import capture

VECTOR = [3.0, 0.0, 4.0]


class Tensor:
    """What a tensor of torch is to a guest: on a device, with a graph, no truth value."""

    def __init__(self, numbers: list[Any], steps: tuple[str, ...] = ()) -> None:
        self.numbers, self.steps = numbers, steps

    def __bool__(self) -> bool:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def __len__(self) -> int:
        return len(self.numbers)

    def detach(self) -> Tensor:
        return Tensor(self.numbers, (*self.steps, "detach"))

    def cpu(self) -> Tensor:
        return Tensor(self.numbers, (*self.steps, "cpu"))

    def numpy(self) -> Any:
        raise TypeError("can't convert a BFloat16 tensor")

    def tolist(self) -> list[Any]:
        assert self.steps == ("detach", "cpu"), "a tensor on a device, or with a graph, gives no numbers"
        return self.numbers


class Eager:
    """A tensor of TensorFlow: only numpy() leads out."""

    def numpy(self) -> Any:
        return np.array(VECTOR)


class Sparse:
    """A matrix of SciPy, one row."""

    def toarray(self) -> Any:
        return np.array([VECTOR])


GIVEN: dict[str, Callable[[], Any]] = {
    "list": lambda: VECTOR,
    "tuple": lambda: tuple(VECTOR),
    "integers": lambda: [3, 0, 4],
    "array": lambda: array.array("d", VECTOR),
    "numpy": lambda: np.array(VECTOR),
    "numpy float32": lambda: np.array(VECTOR, dtype=np.float32),
    "numpy float16": lambda: np.array(VECTOR, dtype=np.float16),
    "numpy scalars": lambda: list(np.array(VECTOR)),
    "numpy batch": lambda: np.array([VECTOR]),
    "list batch": lambda: [VECTOR],
    "tuple batch of numpy": lambda: (np.array(VECTOR),),
    "batch of a batch": lambda: np.array([[VECTOR]]),
    "generator": lambda: (number for number in VECTOR),
    "generator of numpy": lambda: iter([np.array(VECTOR)]),
    "torch": lambda: Tensor(VECTOR),
    "torch batch": lambda: Tensor([VECTOR]),
    "list of torch": lambda: [Tensor(VECTOR)],
    "tensorflow": Eager,
    "scipy": Sparse,
}
WRONG: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "text": lambda: "0.1 0.2",
    "bytes": lambda: b"ab",
    "response": lambda: {"data": [VECTOR]},
    "number": lambda: 0.5,
    "numpy number": lambda: np.float32(0.5),
    "two vectors": lambda: [VECTOR, VECTOR],
    "not finite": lambda: np.array([1.0, np.nan]),
    "endless": lambda: [float("inf"), 1.0],
}


@pytest.mark.parametrize("kind", GIVEN)
def test_every_embedder_caches(kind: str) -> None:
    assert unit(GIVEN[kind]()) == pytest.approx([0.6, 0.0, 0.8])
    made = []
    with capture():
        cache = outlay.SemanticCache(lambda text: GIVEN[kind]())

        @cache
        def answer(question: str) -> str:
            made.append(question)
            return question

        assert [answer("a"), answer("b"), answer("a")] == ["a", "a", "a"]
    assert made == ["a"]


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_vector_means_no_cache_an_answer_and_a_word(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    from outlay import _safely

    _safely._last.clear()
    with capture(raise_errors=False):
        cache = outlay.SemanticCache(lambda text: WRONG[kind]())
        ask = cache(lambda question: question + "!")
        assert [ask("a"), ask("b")] == ["a!", "b!"]
    assert "embedding for the semantic cache" in caplog.text


@settings(deadline=None)
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_vector_has_length_one_whatever_its_numbers(numbers: list[float]) -> None:
    try:
        found = unit(np.array(numbers))
    except ValueError:  # its length is beyond what a float holds
        return
    assert found is None or sum(number * number for number in found) == pytest.approx(1)
    assert (found is None) == (not any(numbers))


class Message:
    """A question whose text says neither who asks nor what."""

    def __init__(self, customer: Any) -> None:
        self.customer = customer

    def __str__(self) -> str:
        return "<Msg>"


@pytest.mark.parametrize("asked", [Message, lambda customer: {"customer": Message(customer)}])
def test_a_question_that_is_no_text_is_told_apart_by_what_it_is(asked: Callable[[Any], Any]) -> None:
    made: list[Any] = []

    @outlay.SemanticCache(lambda text: [1.0])
    def answer(message: Any) -> int:
        made.append(message)
        return len(made)

    with capture(raise_errors=False):
        first, second = asked("a"), asked("b")
        assert [answer(first), answer(second), answer(first), answer(message=second)] == [1, 2, 1, 2]


def test_a_question_that_nothing_tells_apart_has_no_cache_beyond_the_process(caplog: pytest.LogCaptureFixture) -> None:
    class Database:
        def __init__(self) -> None:
            self.kept: list[Any] = []

        def nearest(self, vector: Any, scope: str) -> Any:
            return next(((entry, 1.0) for kept, entry in self.kept if kept == scope), None)

        def add(self, vector: Any, scope: str, entry: Any) -> None:
            self.kept.append((scope, entry))

    database = Database()
    with capture(raise_errors=False):
        ask = outlay.SemanticCache(lambda text: [1.0], store=database)(name="ask")(lambda message: message.customer)
        assert [ask(Message(object())) is ask(Message(object())), len(database.kept)] == [False, 0]
    assert "no semantic cache for a call of ask" in caplog.text


def test_a_look_up_ends_while_others_fill_a_full_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each product finds what a writer has moved meanwhile; the last one is made with the lock held."""
    vectors = MemoryVectors(300)
    for n in range(300):
        vectors.add([1.0, 0.0], "scope", Entry(n))
    best, products = vector_rows._best, []

    def best_moved(matrix: Any, vector: list[float], count: int) -> tuple[int, float]:
        products.append(count)
        assert len(products) < 9
        if vectors._lock.acquire(blocking=False):
            vectors._lock.release()
            for n in range(300):
                vectors.add([1.0, 0.0], "scope", Entry(n))
        return best(matrix, vector, count)

    monkeypatch.setattr(vector_rows, "_best", best_moved)
    assert vectors.nearest([1.0, 0.0], "scope") is not None
    assert len(products) == 4


def test_what_moves_elsewhere_disturbs_no_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = MemoryVectors(300)
    for n in range(299):
        vectors.add([0.0, 1.0], "scope", Entry(n))
    vectors.add([1.0, 0.0], "scope", Entry("mine"))
    best, products = vector_rows._best, []

    def best_moved(matrix: Any, vector: list[float], count: int) -> tuple[int, float]:
        products.append(count)
        found = best(matrix, vector, count)
        vectors.add([0.0, 1.0], "other", Entry(0))  # the oldest of the scope goes, the last one takes its place
        vectors.add([0.0, 1.0], "scope", Entry(0))
        return found

    monkeypatch.setattr(vector_rows, "_best", best_moved)
    found = vectors.nearest([1.0, 0.0], "scope")
    assert found is not None
    assert (found[0].value, found[1]) == ("mine", 1.0)
    assert len(products) <= 2


def test_very_many_vectors_are_found_by_a_graph_and_forgotten_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_rows, "VERY_MANY", 500)
    draws = np.random.default_rng(0)
    rows = draws.standard_normal((1_200, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = MemoryVectors(600)
    monkeypatch.setattr(vector_rows, "MANY", 300)
    for n, row in enumerate(rows):
        vectors.add([*map(float, row)], "scope", Entry(n))
        vectors.add([1.0, 0.0], "other", Entry("other"))
    assert {type(found) for found in vectors._rows.values()} == {Graph}
    assert len(vectors) == 600
    found = [vectors.nearest([*map(float, row)], "scope") for row in rows]
    assert all(one is not None and one[0].value >= 900 for one in found)  # the older half is forgotten
    for n in range(900, 1_200):
        one = found[n]
        assert one is not None
        assert one[0].value == n
        assert one[1] == pytest.approx(1, abs=1e-6)
    other = vectors.nearest([0.6, 0.8], "other")
    assert other is not None
    assert other[1] == pytest.approx(0.6, abs=1e-6)
    assert vectors.nearest([1.0, 0.0], "strange") is None
    for entry in [*next(iter(vectors._rows.values())).entries.values()]:  # type: ignore[union-attr]
        entry.expires_at = 0
    assert vectors.nearest([*map(float, rows[0])], "scope") is None


def test_without_an_index_very_many_are_compared_one_by_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vector_rows, "VERY_MANY", 5)
    monkeypatch.setattr(vector_rows, "MANY", 5)
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    vectors = MemoryVectors(50)
    for n in range(20):
        vectors.add([1.0, float(n)], "scope", Entry(n))
    found = vectors.nearest([0.0, 1.0], "scope")
    assert found is not None
    assert found[0].value == 19
    assert caplog.text.count("pip install 'outlay[semantic]'") == 1
