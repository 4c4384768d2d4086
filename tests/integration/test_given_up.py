"""Questions that nobody waits for any more end in the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.waiting import PATIENCE_S, until

from outlay.errors import StoreError
from outlay_collector.store import Store, open_store
from outlay_collector.store.asking import LEFT, Asker, asking
from outlay_collector.store.connect import READ_LIMITS
from outlay_web.http.cancellation import GivenUp

ENDLESS = "SELECT sum(sipHash64(number, {salt:UInt64})) AS x FROM numbers(1000000000000)"
ASKED = """
SELECT count() AS n FROM system.processes
WHERE query LIKE '%numbers(1000000000000)%' AND query NOT LIKE '%system.processes%'
"""


@pytest.fixture
def store(_tables: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store in which no question ends by itself while a test waits for its end."""
    monkeypatch.setitem(READ_LIMITS, "max_execution_time", 3600)
    monkeypatch.setattr("outlay_collector.store.client.READ_S", 3600.0)
    found = open_store(_tables)
    yield found
    found.close()


def asked(store: Store) -> int:
    return int(store.query(ASKED)[0]["n"])


def test_a_question_ends_when_its_asker_leaves_and_no_other_begins(store: Store) -> None:
    asker, failed = Asker(), []

    def ask() -> None:
        with asking(asker):
            for _ in range(2):
                try:
                    store.query(ENDLESS, {"salt": 1})
                except StoreError as exc:
                    failed.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: asked(store) == 1, "asked")
    asker.leave()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    until(lambda: asked(store) == 0, "ended")
    assert [exc.code for exc in failed] == [394, 0]
    assert str(failed[1]) == LEFT
    assert store.query("SELECT 1 AS one") == [{"one": 1}]


def test_questions_in_the_line_are_given_up_without_being_begun(store: Store) -> None:
    askers = [Asker() for _ in range(12)]
    left = []

    def ask(asker: Asker) -> None:
        with asking(asker), pytest.raises(StoreError):
            store.query(ENDLESS, {"salt": 2})
        left.append(asker)

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in askers]
    for thread in threads:
        thread.start()
    for asker in askers:
        asker.leave()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(left) == len(askers)
    until(lambda: asked(store) == 0, "ended")


def test_a_client_that_hangs_up_takes_its_question_along(store: Store) -> None:
    said: list[str] = []

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        try:
            await anyio.to_thread.run_sync(lambda: store.query(ENDLESS, {"salt": 3}))
        except StoreError as exc:
            said.append(str(exc))

    async def hang_up_once_it_is_asked() -> None:
        messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            for message in messages:
                return message
            await anyio.to_thread.run_sync(lambda: until(lambda: asked(store) == 1, "asked"))
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError(message)

        await GivenUp(answer)({"type": "http", "method": "GET", "path": "/"}, receive, send)

    anyio.run(hang_up_once_it_is_asked)
    assert len(said) == 1
    until(lambda: asked(store) == 0, "ended")
