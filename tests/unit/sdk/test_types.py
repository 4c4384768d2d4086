"""Decorated functions keep their signatures and types, as a type checker sees them.

The checks are in this file, for `make types`: a wrong argument must be an error, or its `ignore` is unused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import outlay
from outlay.testing import capture


@outlay.track(feature="f")
def plain(count: int, *, name: str = "") -> float:
    return float(count)


@outlay.track
async def later(count: int) -> str:
    return str(count)


@outlay.track("pieces")
def pieces(count: int) -> Iterator[int]:
    yield from range(count)


@outlay.track(feature="f")
async def async_pieces(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


class Desk:
    @outlay.track(feature="desk")
    def answer(self, question: str) -> str:
        return question


def test_every_kind_of_function_keeps_its_types() -> None:
    async def main() -> None:
        assert_type(await later(1), str)
        async for number in async_pieces(1):
            assert_type(number, int)
        await later("1")  # type: ignore[arg-type]

    with capture():
        assert_type(plain(1, name="x"), float)
        assert_type(pieces(1), Iterator[int])
        assert_type(Desk().answer("?"), str)
        assert_type(outlay.cached(ttl_s=60)(plain)(1), float)
        plain(1.5)  # type: ignore[arg-type]
        asyncio.run(main())


def test_a_cascade_knows_what_it_takes_and_gives_without_annotations() -> None:
    def small(question: str) -> str:
        return question

    async def small_later(question: str) -> str:
        return question

    async def judge(answer: str) -> float:
        return len(answer) / 10

    async def main() -> None:
        later = outlay.Cascade("later", [small_later, small_later], accept=lambda answer: len(answer) > 0)
        assert_type(await later("?"), str)
        assert_type((await later.arun_detailed("?", task="t")).answer, str)
        judged = outlay.Cascade("judged", [small, small], accept=judge)
        assert_type(await judged("?"), str)
        await later(1)  # type: ignore[call-overload]

    with capture():
        now = outlay.Cascade("now", [small, small], accept=lambda answer: len(answer) > 0)
        assert_type(now("?"), str)
        assert_type(now("?", task="t"), str)
        assert_type(now.run_detailed("?").answer, str)
        loose = outlay.Cascade("loose", [lambda q: small(q), lambda q: small(q)], accept=lambda answer: 0.5)
        assert_type(loose("?"), str)
        now(1)  # type: ignore[call-overload]
        asyncio.run(main())
