"""What a cache keeps and for whom, over a real client: finished answers, one tenant's, as copies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay.testing import Capture, capture


@pytest.fixture
def ask(provider: FakeProvider) -> Iterator[Callable[..., str]]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0) as client:

        def ask(question: str, **options: Any) -> str:
            messages: Any = [{"role": "user", "content": question}]
            said = client.chat.completions.create(model="gpt-4o", messages=messages, **options)
            return said.choices[0].message.content or ""

        yield ask


def lookups(sent: Capture) -> list[bool]:
    return [span.attributes["outlay.cache.hit"] for span in sent.spans if "outlay.cache.hit" in span.attributes]


def semantic(**rules: Any) -> Any:
    return outlay.SemanticCache(lambda text: [1.0, float(len(text))], threshold=0.99, **rules)(name="ask about")


def exact(**rules: Any) -> Any:
    return outlay.cached(name="ask", **rules)


@pytest.mark.parametrize("cache", [exact, semantic])
@pytest.mark.parametrize(
    ("reply", "options", "kept"),
    [
        (Answer(text="whole"), {}, True),
        (Answer(text="whole"), {"temperature": 0}, True),
        (Answer(text="drawn"), {"temperature": 0.7}, False),
        (Answer(text="cut o", finish="length"), {}, False),
        (Answer(text="", finish="content_filter"), {}, False),
    ],
    ids=["whole", "cold", "drawn at random", "cut off", "filtered"],
)
def test_only_finished_answers_that_would_come_again_are_kept(
    sent: Capture, provider: FakeProvider, ask: Any, cache: Any, reply: Answer, options: dict[str, Any], kept: bool
) -> None:
    provider.queue(reply, reply)
    answer = cache()(lambda question: ask(question, **options))
    assert [answer("?"), answer("?")] == [reply.text] * 2
    assert lookups(sent) == [False, kept]


@pytest.mark.parametrize("cache", [exact, semantic])
def test_when_says_what_is_kept_in_place_of_the_rule(
    sent: Capture, provider: FakeProvider, ask: Any, cache: Any
) -> None:
    provider.queue(Answer(text="I do not know."), Answer(text="Bern"))
    answer = cache(when=lambda said: "not know" not in said)(lambda question: ask(question, temperature=1))
    assert [answer("?"), answer("?"), answer("?")] == ["I do not know.", "Bern", "Bern"]
    assert lookups(sent) == [False, False, True]


@pytest.mark.parametrize("cache", [exact, semantic])
def test_an_answer_stays_with_its_tenant_and_without_one_there_is_no_cache(
    sent: Capture, provider: FakeProvider, ask: Any, cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provider.queue(*[Answer(text=text) for text in ("for a", "for b", "for nobody", "for nobody again")])
    answer = cache(scope=["customer", "plan"])(lambda question: ask(question))

    def asked_by(**tags: str) -> str:
        with outlay.tags(**tags):
            return str(answer("my balance?"))

    assert asked_by(customer="a", plan="x") == "for a"
    assert asked_by(customer="b", plan="x") == "for b"
    assert asked_by(customer="a", plan="x") == "for a"
    assert asked_by(customer="a") == "for nobody"
    assert "its scope is the tag plan, which is not set here" in caplog.text
    assert asked_by(plan="x", other="a") == "for nobody again"
    assert lookups(sent) == [False, False, True]


def test_a_scope_cannot_be_forged_by_a_value_that_looks_like_two(sent: Capture) -> None:
    made = iter(range(9))
    answer = outlay.cached(scope=["customer", "user"])(lambda: next(made))
    found = []
    for customer, user in (("a:1:b", "c"), ("a", "1:b:c"), ("a", "b"), ("ab", "")):
        with outlay.tags(customer=customer, user=user):
            found.append(answer())
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize("cache", [exact, semantic])
def test_a_new_version_finds_no_old_answers(cache: Any) -> None:
    store: dict[str, Any] = {}
    with capture():
        old, again, new = (
            cache(store=store, version=version)(lambda question, text=text: text)
            for version, text in ((1, "old"), (1, "old"), (2, "old"))
        )
        assert [old("?"), again("?"), new("?")] == ["old"] * 3
    assert len(store) == 2


def test_a_hit_is_a_copy_that_its_reader_may_change(sent: Capture) -> None:
    answer = outlay.cached(lambda: {"items": ["a"]})
    first = answer()
    first["items"].append("spoiled")
    second = answer()
    assert second == {"items": ["a"]}
    second["items"].append("spoiled")
    assert answer() == {"items": ["a"]}
    assert lookups(sent) == [False, True, True]


def test_what_cannot_be_copied_is_shared_and_told(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    import threading

    held = {"lock": threading.Lock()}
    answer = outlay.cached(lambda: held)
    assert answer() is answer() is held
    assert "cannot be copied" in caplog.text


def test_invalidate_forgets_one_answer_and_bypass_makes_it_anew(sent: Capture) -> None:
    made = iter(range(9))

    @outlay.cached
    def answer(question: str) -> tuple[str, int]:
        return question, next(made)

    assert [answer("a"), answer("b"), answer("a")] == [("a", 0), ("b", 1), ("a", 0)]
    assert outlay.invalidate(answer, "a") is True
    assert outlay.invalidate(answer, question="a") is False
    assert [answer("a"), answer("b")] == [("a", 2), ("b", 1)]
    with outlay.bypass():
        assert answer("b") == ("b", 3)
    assert answer("b") == ("b", 3)
    with pytest.raises(TypeError, match="that outlay"):
        outlay.invalidate(len, "a")
    assert lookups(sent) == [False, False, True, False, True, False, True]


def test_bypass_reaches_coroutines_and_semantic_caches(sent: Capture) -> None:
    made = iter(range(9))

    @outlay.SemanticCache(lambda text: [1.0], threshold=0.9)
    async def answer(question: str) -> int:
        return next(made)

    async def main() -> list[int]:
        found = [await answer("a"), await answer("a")]
        with outlay.bypass():
            found.append(await answer("a"))
        return found

    assert asyncio.run(main()) == [0, 0, 1]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_old_answer_is_given_while_a_new_one_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    problem: Exception | None = None

    def make(question: str) -> str:
        if problem is not None:
            raise problem
        return f"at {now:g}"

    async def amake(question: str) -> str:
        return make(question)

    cache = outlay.cached(ttl_s=10, stale_s=60, name=f"made {is_async}", key=lambda question: question)
    wrapped: Any = cache(amake) if is_async else cache(make)

    def answer() -> str:
        return str(asyncio.run(wrapped("?")) if is_async else wrapped("?"))

    with capture() as sent:
        assert answer() == "at 1000"
        now, problem = 1030.0, ConnectionError("the provider is away")
        assert answer() == "at 1000"
        assert "the answer before is given again" in caplog.text
        with outlay.bypass(), pytest.raises(ConnectionError):
            answer()
        now = 1071.0
        with pytest.raises(ConnectionError):
            answer()
        now, problem = 1072.0, None
        assert answer() == "at 1072"
        assert lookups(sent)[:2] == [False, True]


def test_a_named_cache_of_a_store_that_lasts_goes_around_another_cache() -> None:
    class Remote(dict[str, Any]):
        def setex(self, key: str, seconds: int, raw: str) -> None:
            self[key] = raw

        def set(self, key: str, raw: str) -> None:
            self[key] = raw

    store = Remote()
    with capture():
        outer = outlay.cached(store=store, name="outer")(outlay.cached(_plain))
        assert outer("?") == outer("?") == "?!"
    assert len(store) == 1


def _plain(question: str) -> str:
    return question + "!"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"when": "finished"}, TypeError),
        ({"scope": [7]}, TypeError),
        ({"stale_s": 5}, ValueError),
        ({"ttl_s": 1, "stale_s": -1}, ValueError),
        ({"ttl_s": 1, "stale_s": float("nan")}, ValueError),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        outlay.cached(**wrong)
