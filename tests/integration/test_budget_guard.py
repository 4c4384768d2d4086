"""`outlay.budget_guard`: work does not begin while a budget is over, and nobody ever waits for the server."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.waiting import until

import outlay
from outlay.testing import capture


class Budgets:
    """A server that says which alerts fire; `gate` holds its answers back."""

    def __init__(self) -> None:
        self.firing: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.port = 0


@pytest.fixture
def budgets() -> Iterator[Budgets]:
    made = Budgets()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.gate.wait(60)
            made.asked.append((self.path, self.headers.get("authorization", "")))
            body = json.dumps({"alerts": made.firing}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.gate.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def connected(budgets: Budgets) -> Iterator[Budgets]:
    with capture(endpoint=f"http://127.0.0.1:{budgets.port}", api_key="ok_read"):
        yield budgets


def over(budget: str = "search", **scope: list[str]) -> dict[str, Any]:
    return {"rule": "over_budget", "budget": budget, "scope": scope, "reason": "spent $12.00 of $10.00"}


def test_nothing_begins_while_the_budget_is_over_and_all_goes_on_after(connected: Budgets) -> None:
    guard = outlay.budget_guard("search")

    @guard
    @outlay.track(feature="search")
    def answer() -> str:
        return "done"

    connected.firing = [over("other")]
    assert guard.refresh()
    assert answer() == "done"
    connected.firing = [over()]
    guard.refresh()
    with pytest.raises(
        outlay.BudgetExceeded, match=r"budget 'search' is over: spent \$12.00 of \$10.00 \(heard of 0 s ago"
    ):
        answer()
    connected.firing = []
    guard.refresh()
    assert answer() == "done"
    assert connected.asked[0] == ("/api/v1/alerts?state=firing&limit=1000", "Bearer ok_read")


def test_what_has_begun_goes_on(connected: Budgets) -> None:
    guard = outlay.budget_guard({"feature": "search"})
    connected.firing = [over("any name", feature=["search"])]
    guard.refresh()
    with outlay.track(feature="outer"), guard:
        pass
    with pytest.raises(outlay.BudgetExceeded), guard:
        pass


def test_a_callback_is_told_and_decides(connected: Budgets) -> None:
    told: list[outlay.BudgetState] = []
    guard = outlay.budget_guard("search", told.append)
    connected.firing = [over()]
    guard.refresh()
    assert guard(lambda: "cheap answer")() == "cheap answer"
    assert [(state.budget, state.reason) for state in told] == [("search", "spent $12.00 of $10.00")]


def test_the_call_path_never_waits_for_a_server_that_hangs(connected: Budgets) -> None:
    connected.gate.clear()
    connected.firing = [over()]
    guard = outlay.budget_guard("search")
    assert guard(lambda: "done")() == "done"  # not known yet: it goes on, though the server does not answer
    assert connected.asked == []
    connected.gate.set()
    until(lambda: guard.over is not None, "heard in the background")
    with pytest.raises(outlay.BudgetExceeded):
        guard.check()


def test_without_a_server_everything_goes_on_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with capture(endpoint="http://127.0.0.1:9"):
        guard = outlay.budget_guard("search")
        assert not guard.refresh()
        assert guard(lambda: 1)() == 1
    assert "budgets could not be asked for, work goes on" in caplog.text


def test_functions_keep_their_kind(connected: Budgets) -> None:
    guard = outlay.budget_guard("search")
    connected.firing = [over()]
    guard.refresh()

    async def coroutine() -> int:
        return 1

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    async def drained() -> None:
        async for _ in guard(async_generator)():
            pass

    assert inspect.iscoroutinefunction(guard(coroutine))
    assert inspect.isgeneratorfunction(guard(generator))
    assert inspect.isasyncgenfunction(guard(async_generator))
    for run in (
        lambda: asyncio.run(guard(coroutine)()),
        lambda: list(guard(generator)()),
        lambda: asyncio.run(drained()),
    ):
        with pytest.raises(outlay.BudgetExceeded):
            run()


def test_an_old_state_is_no_longer_believed_where_the_server_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    with capture(endpoint="http://127.0.0.1:9"):
        guard = outlay.budget_guard("search", refresh_s=60)
        for age_s, is_believed in ((250.0, True), (301.0, False)):
            guard._heard = (time.monotonic() - age_s, ("search", "spent"))
            guard._asked_at = time.monotonic()
            assert (guard.over is not None) is is_believed
            assert (guard.over is not None) is is_believed
    assert caplog.text.count("budget 'search' was over 301 s ago, and nothing was heard since; work goes on") == 1


def test_nonsense_from_the_server_is_no_answer(connected: Budgets) -> None:
    guard = outlay.budget_guard({"feature": "search"})
    connected.firing = [{"rule": "over_budget", "budget": "b", "reason": "r", "scope": None}]
    assert guard.refresh()
    assert guard.over is None
    connected.firing = ["nonsense"]  # type: ignore[list-item]
    assert not guard.refresh()


def test_the_guard_trusts_whom_the_exporter_trusts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/certificates/ca.pem")
    with capture(endpoint="https://127.0.0.1:9"):
        assert not outlay.budget_guard("search").refresh()
    assert "=/certificates/ca.pem: no certificates there" in caplog.text
    with pytest.raises(ConnectionError, match=r"=/certificates/ca.pem: no certificates there"):
        outlay.measured_matrix("https://127.0.0.1:9")


def test_a_forked_child_asks_for_itself_whatever_a_thread_of_its_parent_was_at(connected: Budgets) -> None:
    guard = outlay.budget_guard("search")
    guard._asked_at = time.monotonic()
    guard._lock.acquire()  # as another thread of the parent has it at that moment
    guard.after_fork()
    connected.firing = [over()]
    until(lambda: guard.over is not None, "heard by the child")


def test_an_async_generator_is_closed_and_spoken_to_through_the_guard(connected: Budgets) -> None:
    heard: list[str] = []

    @outlay.budget_guard("search")
    async def stream() -> AsyncGenerator[int, str]:
        try:
            try:
                heard.append((yield 1))
            except ValueError:
                heard.append("thrown")
            heard.append((yield 2))
        finally:
            heard.append("closed")

    async def use() -> None:
        sent = stream()
        await anext(sent)
        await sent.asend("sent")
        await sent.aclose()
        thrown = stream()
        await anext(thrown)
        await thrown.athrow(ValueError())
        await thrown.aclose()

    asyncio.run(use())
    assert heard == ["sent", "closed", "thrown", "closed"]
