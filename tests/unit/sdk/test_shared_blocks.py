"""One block that threads and tasks share, entered by some while others leave it: each leaves what it has entered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import outlay
from outlay.testing import capture
from outlay.tracing.context import current_scope

BLOCKS: dict[str, tuple[Callable[[], AbstractContextManager[Any]], str]] = {
    "tags": (lambda: outlay.tags(customer="acme"), "outlay.customer"),
    "track": (lambda: outlay.track(feature="faq"), "outlay.feature"),
    "arm": (lambda: outlay.assign("prompt-14", "user-7"), "outlay.experiment.arm"),
    "route": (lambda: outlay.Router({"cheap": "gpt-4o-mini"}).choose(), "outlay.route.tier"),
}


def call() -> None:
    outlay.record(usage={"input_tokens": 1, "output_tokens": 1}, model="gpt-4o", provider="openai")


@pytest.mark.parametrize("kind", BLOCKS)
def test_threads_that_share_a_block_leave_what_they_have_entered(kind: str) -> None:
    make, attribute = BLOCKS[kind]
    block = make()
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    left: dict[str, object] = {}

    def first() -> None:
        with block:
            first_is_in.set()
            second_is_in.wait(60)
            call()
        left["first"] = current_scope().attributes
        first_is_out.set()

    def second() -> None:
        first_is_in.wait(60)
        with block:
            second_is_in.set()
            first_is_out.wait(60)
            call()
        left["second"] = current_scope().attributes

    with capture() as sent:
        threads = [threading.Thread(target=work) for work in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert left == {"first": {}, "second": {}}
        assert [attribute in span.attributes for span in sent.calls] == [True, True]
        if kind == "track":
            assert [span.name for span in sent.spans] == ["chat gpt-4o", "faq", "chat gpt-4o", "faq"]
            assert [sent.spans[0].parent_span_id, sent.spans[2].parent_span_id] == [
                sent.spans[1].span_id,
                sent.spans[3].span_id,
            ]


@pytest.mark.parametrize("kind", BLOCKS)
def test_tasks_that_share_a_block_leave_what_they_have_entered(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    make, attribute = BLOCKS[kind]
    block = make()

    async def main() -> list[object]:
        first_is_in, second_is_in = asyncio.Event(), asyncio.Event()

        async def first() -> object:
            with block:
                first_is_in.set()
                await second_is_in.wait()
                call()
            return current_scope().attributes

        async def second() -> object:
            await first_is_in.wait()
            with block:
                second_is_in.set()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                call()
            return current_scope().attributes

        return list(await asyncio.gather(first(), second()))

    with capture() as sent:
        assert asyncio.run(main()) == [{}, {}]
        assert [attribute in span.attributes for span in sent.calls] == [True, True]
    assert not caplog.records  # OpenTelemetry tells of contexts that cannot be left


def test_a_block_may_lie_in_itself() -> None:
    block = outlay.tags(customer="acme")
    with capture():
        with block:
            with block:
                assert current_scope().attributes
            assert current_scope().attributes
        assert not current_scope().attributes
