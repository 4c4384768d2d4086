"""A semantic cache finds the nearest exactly, however many there are, and learns its threshold from what was right."""

from __future__ import annotations

import asyncio
import operator
import random
import sys
import threading
from typing import Any, cast

import numpy as np
import pytest

import outlay
from outlay.optimizations.learning import Judged
from outlay.optimizations.stores import Entry
from outlay.optimizations.vector_rows import FEW, MemoryVectors, _Rows
from outlay.testing import capture


def vectors(count: int, size: int = 24, seed: int = 0) -> Any:
    drawn = np.random.default_rng(seed).normal(size=(count, size))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("has_numpy", [True, False])
def test_the_nearest_is_found_exactly_before_and_after_rows_become_a_matrix(
    has_numpy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_numpy:
        monkeypatch.setitem(sys.modules, "numpy", None)
    kept, asked = vectors(3 * FEW), vectors(20, seed=1)
    store = MemoryVectors(2 * FEW)
    live: list[int] = []
    for number, vector in enumerate(kept):
        store.add(vector.tolist(), "s", Entry(number))
        store.add(vector.tolist(), "other", Entry("other")) if number % 50 == 0 else None
        live.append(number)
        if number in (10, FEW - 1, FEW, FEW + 1, 2 * FEW, 3 * FEW - 1):
            held = {entry.value for rows in store._rows.values() for entry in cast(_Rows, rows).entries} - {"other"}
            assert held == set(live[-len(held) :])  # the oldest went
            for vector in asked:
                found = store.nearest(vector.tolist(), "s")
                assert found is not None
                best = max(held, key=lambda one: float(kept[one] @ vector))
                assert found[0].value == best
                assert found[1] == pytest.approx(float(kept[best] @ vector), abs=2e-6)
    assert len(store) == 2 * FEW
    assert store.nearest(asked[0].tolist(), "nobody's") is None
    assert store.nearest([1.0, 0.0], "s") is None  # another embedder's


def test_an_entry_whose_time_is_over_is_not_found_and_frees_its_place() -> None:
    kept = vectors(2 * FEW)
    store = MemoryVectors(10 * FEW)
    for number, vector in enumerate(kept):
        entry = Entry(number)
        entry.expires_in(-1 if number < FEW + 50 else 3600)
        store.add(vector.tolist(), "s", entry)
    found = store.nearest(kept[0].tolist(), "s")
    assert found is not None
    assert found[0].value >= FEW + 50
    assert len(store) == FEW - 50
    nearest = store.nearest(kept[-1].tolist(), "s")
    assert nearest is not None
    assert (nearest[0].value, nearest[1]) == (2 * FEW - 1, 1.0)  # of itself, in spite of float32


def test_threads_that_add_and_look_at_once_never_get_an_entry_of_another_vector() -> None:
    kept = vectors(4 * FEW)
    store = MemoryVectors(FEW + FEW // 2)
    wrong: list[object] = []

    def look(seed: int) -> None:
        for vector in vectors(200, seed=seed):
            found = store.nearest(vector.tolist(), "s")
            if found is not None and abs(float(kept[found[0].value] @ vector) - found[1]) > 1e-5:
                wrong.append(found)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(1, 4)]
    for thread in threads:
        thread.start()
    for number, vector in enumerate(kept):
        store.add(vector.tolist(), "s", Entry(number))
    for thread in threads:
        thread.join()
    assert wrong == []


def test_many_vectors_are_searched_by_one_product() -> None:
    """No Python number is kept for each."""
    store = MemoryVectors(20_000)
    for number, vector in enumerate(vectors(5_000, size=8).tolist()):
        store.add(vector, "s", Entry(number))
    [rows] = store._rows.values()
    assert isinstance(rows, _Rows)
    assert rows.matrix.dtype == np.float32
    assert rows._plain == []


def test_a_learned_threshold_keeps_its_promise_and_too_few_pairs_make_none() -> None:
    cache = outlay.SemanticCache(lambda text: [1.0])
    assert cache.learned(0.1).threshold is None
    assert cache.learned(0.1).pairs_missing == 29  # 0.9 ** 29 < 0.05
    draws = random.Random(0)
    for _ in range(1000):
        similarity = draws.uniform(0.7, 1.0)
        cache.learn(similarity, similarity >= 0.85)
    found = cache.learned(0.05)
    assert found.threshold is not None
    assert 0.82 <= found.threshold <= 0.86
    assert found.error_bound <= 0.05
    for wrong in (float("nan"), 2.0):
        with pytest.raises(ValueError, match="a similarity is a number"):
            cache.learn(wrong, True)
    with pytest.raises(ValueError, match="error must be between 0 and 1"):
        cache.learned(0)


@pytest.mark.parametrize("n", [20, 60, 200])
def test_a_learned_threshold_promises_too_much_at_most_one_time_in_twenty(n: int) -> None:
    """Answers are right with a probability that grows with the similarity; the promise is 20 % wrong, 95 % sure."""
    draws, runs, broken = random.Random(n), 200, 0
    for _ in range(runs):
        judged = Judged()
        for _ in range(n):
            similarity = draws.uniform(0.5, 1.0)
            judged.add(similarity, draws.random() < similarity**2)
        found = judged.threshold(0.2, 0.95).threshold
        if found is not None:
            truly_right = (1 + found + found**2) / 3  # the mean of x² over [found, 1]
            broken += 1 - truly_right > 0.2
    assert broken <= runs / 20


WORDS = ("refund", "cancel", "price")


def embed(text: str) -> list[float]:
    return [float(word in text) + 0.05 for word in WORDS]


@pytest.mark.parametrize("is_async", [False, True])
def test_in_shadow_mode_every_call_is_made_and_judged(is_async: bool) -> None:
    made: list[str] = []

    async def same_async(kept: str, new: str) -> bool:
        await asyncio.sleep(0)
        return kept == new

    with capture() as sent:
        same: Any = same_async if is_async else operator.eq
        cache = outlay.SemanticCache(embed, threshold=0.9, shadow=True, same=same)

        def answer(question: str) -> str:
            made.append(question)
            return "yes" if "refund" in question else question

        async def later(question: str) -> str:
            return answer(question)

        questions = ["a refund", "my refund", "cancel it", "do cancel"]
        if is_async:
            ask_later = cache(later)

            async def main() -> list[str]:
                return [await ask_later(question) for question in questions]

            said = asyncio.run(main())
        else:
            ask = cache(answer)
            said = [ask(question) for question in questions]
        lookups = [span for span in sent.spans if "outlay.cache.hit" in span.attributes][-4:]
        scores = sent.scores[-3:]
    assert made == questions
    assert said == ["yes", "yes", "cancel it", "do cancel"]
    assert [span.attributes["outlay.cache.hit"] for span in lookups] == [False] * 4
    assert [round(span.attributes.get("outlay.cache.similarity", -1), 2) for span in lookups] == [-1, 1.0, 0.1, 1.0]
    assert [(score.name, score.value) for score in scores] == [
        ("same_answer", 1),
        ("same_answer", 0),
        ("same_answer", 0),
    ]
    assert {score.span_id for score in scores} == {span.span_id for span in lookups[1:]}
    assert [is_right for _, is_right in cache._judged._pairs] == [True, False, False]


def test_a_judge_that_fails_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def same(kept: str, new: str) -> bool:
        raise ValueError("cannot tell")

    with capture(raise_errors=False):
        ask = outlay.SemanticCache(embed, shadow=True, same=same)(lambda question: question)
        assert [ask("a refund"), ask("my refund")] == ["a refund", "my refund"]
    assert "same of the semantic cache" in caplog.text
