"""Work that a tracked function leaves for later belongs to it: streams, responses, background tasks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from opentelemetry import context as otel_context
from starlette.background import BackgroundTask
from tests.fake_provider import FakeProvider

import outlay
from outlay import semconv
from outlay.testing import Capture, capture

PIECES = 3


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture() as capturing:
        yield capturing


def call() -> None:
    outlay.record(usage={"input_tokens": 1, "output_tokens": 1}, model="gpt-4o", provider="openai")


def belong(sent: Capture, calls: int, feature: str = "f") -> None:
    """Every call carries the feature and hangs below its span, which ended once and after them."""
    (frame,) = (span for span in sent.spans if span.name == "work")
    assert [span.attributes.get(semconv.FEATURE) for span in sent.calls] == [feature] * calls
    assert {span.parent_span_id for span in sent.calls} <= {frame.span_id}
    assert all(span.end_ns <= frame.end_ns for span in sent.calls)
    assert otel_context.get_current() == {}


def pieces() -> Iterator[bytes]:
    with outlay.tags(user="u"):
        for _ in range(PIECES):
            call()
            yield b"piece\n"


def many() -> None:
    for _ in range(PIECES):
        call()


def one(number: int) -> int:
    call()
    return number


async def async_pieces() -> AsyncIterator[bytes]:
    with outlay.tags(user="u"):
        for _ in range(PIECES):
            await asyncio.sleep(0)
            call()
            yield b"piece\n"


LAZY: dict[str, Callable[[], Any]] = {
    "generator": pieces,
    "expression": lambda: (one(number) for number in range(PIECES)),
    "map": lambda: map(one, range(PIECES)),
    "async generator": async_pieces,
}


async def drain(stream: AsyncIterator[Any]) -> int:
    return len([piece async for piece in stream])


@pytest.mark.parametrize("kind", LAZY)
@pytest.mark.parametrize("where", ["here", "another thread", "another context for each step"])
def test_what_a_tracked_function_returns_unfinished_belongs_to_it(
    sent: Capture, kind: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    @outlay.track("work", feature="f")
    def work() -> Any:
        return LAZY[kind]()

    stream = work()
    assert otel_context.get_current() == {}

    def consume() -> None:
        if kind == "async generator":
            asyncio.run(drain(stream))
        elif where == "another context for each step":
            for _ in range(PIECES + 1):
                contextvars.copy_context().run(next, stream, None)
        else:
            list(stream)

    if where == "another thread":
        thread = threading.Thread(target=consume)
        thread.start()
        thread.join()
    else:
        consume()
    belong(sent, PIECES)
    assert caplog.records == []


@pytest.mark.parametrize("how", ["closed", "forgotten", "never begun", "thrown into", "fails"])
def test_a_stream_that_ends_early_ends_its_span(sent: Capture, how: str) -> None:
    @outlay.track("work", feature="f")
    def work() -> Iterator[int]:
        return numbers()

    def numbers() -> Iterator[int]:
        try:
            call()
            yield 1
            raise KeyError("3")
        finally:
            call()

    stream: Any = work()
    if how != "never begun":
        assert next(stream) == 1
    if how == "closed":
        stream.close()
    elif how == "thrown into":
        with pytest.raises(ValueError, match="x"):
            stream.throw(ValueError("x"))
    elif how == "fails":
        with pytest.raises(KeyError):
            next(stream)
    del stream
    gc.collect()
    belong(sent, 0 if how == "never begun" else 2)
    (frame,) = (span for span in sent.spans if span.name == "work")
    assert frame.error is (how in ("thrown into", "fails"))


def test_an_async_stream_that_is_cancelled_ends_its_span(sent: Capture) -> None:
    @outlay.track("work", feature="f")
    async def work() -> AsyncIterator[bytes]:
        return waiting()

    async def waiting() -> AsyncIterator[bytes]:
        call()
        yield b"1"
        await asyncio.sleep(3600)

    async def main() -> None:
        stream = await work()
        assert await anext(stream) == b"1"
        task = asyncio.ensure_future(drain(stream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    belong(sent, 1)


def test_values_and_exceptions_pass_through_a_returned_generator(sent: Capture) -> None:
    @outlay.track("work")
    def work() -> Any:
        def echo() -> Any:
            received = yield "ready"
            try:
                yield received
            except ValueError:
                yield "caught"
            return "done"

        return echo()

    echo = work()
    assert (next(echo), echo.send("hello"), echo.throw(ValueError())) == ("ready", "hello", "caught")
    with pytest.raises(StopIteration) as stop:
        next(echo)
    assert stop.value.value == "done"
    assert len(sent.spans) == 1


class Custom:
    """An asynchronous iterable that is no generator."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return async_pieces()


class Django:
    """A streaming response in the manner of Django's."""

    def __init__(self) -> None:
        self._iterator = pieces()

    @property
    def streaming_content(self) -> Iterator[bytes]:
        return map(bytes, self._iterator)

    @streaming_content.setter
    def streaming_content(self, value: Iterator[bytes]) -> None:
        self._iterator = value


class Flask:
    """A response in the manner of Flask's."""

    def __init__(self) -> None:
        self.response = pieces()


@pytest.mark.parametrize("kind", ["django", "flask", "flask with status"])
def test_bodies_of_wsgi_responses_belong_to_the_view(sent: Capture, kind: str) -> None:
    @outlay.track("work", feature="f")
    def view() -> Any:
        return Django() if kind == "django" else Flask() if kind == "flask" else (pieces(), 200, {})

    response = view()
    body = {"django": "streaming_content", "flask": "response"}.get(kind)
    assert len(list(getattr(response, body) if body else response[0])) == PIECES
    belong(sent, PIECES)


app = FastAPI()


@app.get("/async")
@outlay.track("work", feature="f")
async def from_async() -> StreamingResponse:
    return StreamingResponse(async_pieces())


@app.get("/sync")
@outlay.track("work", feature="f")
def from_sync() -> StreamingResponse:
    return StreamingResponse(pieces())


@app.get("/custom")
@outlay.track("work", feature="f")
async def from_custom() -> StreamingResponse:
    return StreamingResponse(Custom())


@app.get("/events")
@outlay.track("work", feature="f")
async def events() -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        async with httpx.AsyncClient(base_url=app.state.provider) as client:
            body = {"model": "gpt-4o", "messages": [], "stream": True}
            for _ in range(PIECES):
                async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                    async for line in answer.aiter_lines():
                        yield line + "\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.get("/generator")
async def untracked_with_tracked_generator() -> StreamingResponse:
    @outlay.track("work", feature="f")
    async def stream() -> AsyncIterator[bytes]:
        async for piece in async_pieces():
            yield piece

    return StreamingResponse(stream())


@app.get("/tasks")
@outlay.track("work", feature="f")
async def with_tasks(tasks: BackgroundTasks) -> dict[str, str]:
    async def later() -> None:
        await asyncio.sleep(0)
        call()

    tasks.add_task(later)
    tasks.add_task(call)
    tasks.add_task(call)
    return {}


@app.get("/task")
@outlay.track("work", feature="f")
def with_task() -> JSONResponse:
    return JSONResponse({}, background=BackgroundTask(many))


@app.get("/plain")
async def plain() -> dict[str, bool]:
    return {"clean": otel_context.get_current() == {}}


@contextmanager
def served() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    ready = threading.Event()
    start = server.startup

    async def startup(sockets: Any = None) -> None:
        await start(sockets)
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(60)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.mark.parametrize("path", ["/async", "/sync", "/custom", "/events", "/generator", "/tasks", "/task"])
def test_in_fastapi_streams_and_background_tasks_belong_to_the_endpoint(
    sent: Capture, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeProvider() as provider, served() as url, httpx.Client(base_url=url) as client:
        app.state.provider = provider.url
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.content
        assert client.get("/plain").json() == {"clean": True}  # on the same connection, after the tasks
    assert [span.attributes.get(semconv.FEATURE) for span in sent.calls] == ["f"] * PIECES
    (frame,) = (span for span in sent.spans if span.name == "work")
    assert {span.parent_span_id for span in sent.calls} == {frame.span_id}
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/async", "/sync"])
def test_in_fastapi_a_reader_that_leaves_ends_the_span(sent: Capture, path: str) -> None:
    with served() as url, httpx.Client(base_url=url) as client, client.stream("GET", path) as answer:
        assert answer.status_code == 200
    gc.collect()
    assert len([span for span in sent.spans if span.name == "work"]) == 1
