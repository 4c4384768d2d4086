"""Tracked generators: a feature holds while a piece is made, and ends with the last one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.tracked_calls import call

import outlay
from outlay.testing import Capture


def test_a_generator_does_not_leak_its_feature_to_its_caller(sent: Capture) -> None:
    @outlay.track(feature="inside")
    def pieces() -> Iterator[int]:
        call()
        received = yield 1
        call()
        assert received == "hello"
        return

    assert inspect.isgeneratorfunction(pieces)
    generator: Any = pieces()
    assert next(generator) == 1
    call()  # between two pieces: the caller's own
    with pytest.raises(StopIteration):
        generator.send("hello")
    features = [span.attributes.get("outlay.feature") for span in sent.calls]
    assert features == ["inside", None, "inside"]
    outer = sent.spans[-1]
    assert sent.calls[1].parent_span_id == ""
    assert {sent.calls[0].parent_span_id, sent.calls[2].parent_span_id} == {outer.span_id}


def test_tags_inside_a_generator_hold_across_its_pieces(sent: Capture) -> None:
    @outlay.track(feature="f")
    def pieces() -> Iterator[int]:
        with outlay.tags(user="u1"):
            yield 1
            call()
        call()

    assert list(pieces()) == [1]
    assert [span.attributes.get("user.id") for span in sent.calls] == ["u1", None]


def test_an_abandoned_generator_ends_its_span(sent: Capture) -> None:
    @outlay.track(feature="f")
    def pieces() -> Iterator[int]:
        yield 1
        yield 2

    for _ in pieces():
        break
    assert [span.error for span in sent.spans] == [False]


def test_an_async_generator_is_tracked_like_a_generator(sent: Capture) -> None:
    @outlay.track(feature="agen")
    async def pieces() -> AsyncIterator[int]:
        call()
        yield 1
        call()
        yield 2

    async def main() -> list[int]:
        found = []
        async for piece in pieces():
            call()
            found.append(piece)
        return found

    assert inspect.isasyncgenfunction(pieces)
    assert asyncio.run(main()) == [1, 2]
    assert [span.attributes.get("outlay.feature") for span in sent.calls] == ["agen", None, "agen", None]
