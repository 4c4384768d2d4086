"""Exact and semantic caches: what is answered from them, and what a hit says it avoided."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from tests.lever_calls import call

import outlay
from outlay.optimizations.cache import MemoryStore
from outlay.testing import Capture, SentSpan, capture


def lookups(sent: Capture) -> list[SentSpan]:
    return [span for span in sent.spans if "outlay.cache.kind" in span.attributes]


def test_an_exact_hit_says_what_it_avoided(sent: Capture) -> None:
    @outlay.cached(ttl_s=60)
    def answer(question: str, *, style: str = "short") -> str:
        call(tokens=1200)
        return question.upper()

    assert [answer("a"), answer("a"), answer("a", style="short"), answer("b")] == ["A", "A", "A", "B"]
    assert len(sent.calls) == 4  # two calls, and two answers from the cache
    miss, hit, same, other = lookups(sent)
    assert [span.attributes["outlay.cache.hit"] for span in (miss, hit, same, other)] == [False, True, True, False]
    assert hit.attributes["outlay.cache.kind"] == "exact"
    assert hit.attributes["outlay.cache.avoided.input_tokens"] == 1200
    assert hit.attributes["outlay.cache.avoided.output_tokens"] == 2
    assert (hit.attributes["gen_ai.request.model"], hit.attributes["gen_ai.provider.name"]) == ("gpt-4o", "openai")
    assert "outlay.cost.usd" not in hit.attributes
    assert not any(key.startswith("gen_ai.") for key in miss.attributes)


def test_the_store_is_any_mapping_and_entries_expire(sent: Capture) -> None:
    store: dict[str, Any] = {}
    calls = []

    @outlay.cached(store=store, ttl_s=1, key=lambda question: question.strip())
    def answer(question: str) -> str:
        calls.append(question)
        return question

    answer("a")
    answer(" a ")
    assert len(store) == len(calls) == 1
    time.sleep(1.05)
    answer("a")
    assert len(calls) == 2


def test_a_redis_client_keeps_json(sent: Capture) -> None:
    class Redis:
        """What `cached` uses of a Redis client."""

        def __init__(self) -> None:
            self.kept: dict[str, str] = {}

        def get(self, key: str) -> str | None:
            return self.kept.get(key)

        def setex(self, key: str, seconds: int, value: str) -> None:
            assert seconds == 60
            self.kept[key] = value

        def set(self, key: str, value: str) -> None:
            self.kept[key] = value

    redis = Redis()

    @outlay.cached(store=redis, ttl_s=60)
    def answer(question: str) -> dict[str, str]:
        call()
        return {"answer": question}

    assert answer("a") == answer("a") == {"answer": "a"}
    assert [span.attributes["outlay.cache.hit"] for span in lookups(sent)] == [False, True]
    assert lookups(sent)[1].attributes["outlay.cache.avoided.input_tokens"] == 10


def test_many_at_once_make_one_call(sent: Capture) -> None:
    made = []

    @outlay.cached()
    def slow(question: str) -> str:
        made.append(question)
        time.sleep(0.05)
        return question

    threads = [threading.Thread(target=slow, args=("q",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["q"]

    @outlay.cached()
    async def slow_async(question: str) -> str:
        made.append(question)
        await asyncio.sleep(0.02)
        return question

    async def main() -> None:
        await asyncio.gather(*(slow_async("r") for _ in range(8)))

    asyncio.run(main())
    assert made == ["q", "r"]


def test_a_failed_call_is_not_cached(sent: Capture) -> None:
    results = iter([ValueError("no"), "yes"])

    @outlay.cached()
    def answer(question: str) -> str:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return str(result)

    with pytest.raises(ValueError, match="no"):
        answer("q")
    assert answer("q") == "yes"


def test_arguments_without_a_key_are_simply_not_cached() -> None:
    with capture(raise_errors=False):
        made = []

        @outlay.cached()
        def answer(thing: object) -> int:
            made.append(thing)
            return len(made)

        marker = object()
        assert (answer(marker), answer(marker)) == (1, 2)


def test_the_default_store_forgets_the_oldest() -> None:
    from outlay.optimizations.cache import Entry

    store = MemoryStore(2)
    for key in "abc":
        store[key] = Entry(key)
    assert list(store) == ["b", "c"]


def test_a_semantic_hit_reports_its_similarity(sent: Capture) -> None:
    vectors = {"What is up?": [1.0, 0.0], "What's up?": [0.98, 0.199], "Price?": [0.0, 1.0]}
    cache = outlay.SemanticCache(lambda text: vectors[text], threshold=0.9)

    @cache
    def answer(question: str) -> str:
        call(tokens=300)
        return question

    assert [answer(text) for text in vectors] == ["What is up?", "What is up?", "Price?"]
    first, hit, other = lookups(sent)
    assert [span.attributes["outlay.cache.hit"] for span in (first, hit, other)] == [False, True, False]
    assert hit.attributes["outlay.cache.similarity"] == pytest.approx(0.98, abs=0.001)
    assert hit.attributes["outlay.cache.avoided.input_tokens"] == 300
    assert other.attributes["outlay.cache.similarity"] == 0.0


def test_a_broken_embedding_means_no_cache_but_an_answer() -> None:
    def broken(text: str) -> list[float]:
        raise RuntimeError("embedding service is down")

    with capture(raise_errors=False):
        cache = outlay.SemanticCache(broken)
        assert cache(lambda question: question + "!")("hi") == "hi!"
