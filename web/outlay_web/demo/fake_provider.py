"""A fake model provider: a real HTTP server that speaks the providers' wire formats.

The demo sends calls through it, examples and tests use it in place of an API key. One server speaks all formats; the
path of the request decides which.

    with FakeProvider() as provider:
        provider.queue(Answer(text="Hi", input_tokens=1200, output_tokens=80))
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")

It works out of the box without `queue`: then counts follow from the texts, about four characters a token.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from outlay_web.demo.fake_batches import Batch
from outlay_web.demo.fake_http import Handler, Request, Server
from outlay_web.demo.formats import Answer

__all__ = ["Answer", "Batch", "FakeProvider", "Request"]


class FakeProvider:
    """The server. Runs in a thread from `start()` (or `with`) to `stop()`.

    Attributes:
        requests: What arrived, in order.
        answer: Called for each request that no queued answer is left for.
        batches: Finished batches by id.
        waiting: Answers to requests in the background, by response id, for whoever fetches them.
    """

    def __init__(self, answer: Callable[[Request], Answer] | None = None, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.answer = answer or plain_answer
        self.batches: dict[str, Batch] = {}
        self.waiting: dict[str, Answer] = {}
        self._queue: deque[Answer] = deque()
        self._count = 0
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", port), Handler)
        self._server.provider = self
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """http://127.0.0.1:port, without a path."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def queue(self, *answers: Answer) -> None:
        """Answer the next requests with these, in order."""
        self._queue.extend(answers)

    def start(self) -> FakeProvider:
        """Serve until `stop()`."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fake-provider", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        if self._thread is not None:
            self._thread.join(5)

    def __enter__(self) -> FakeProvider:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def answer_to(self, request: Request, model: str) -> Answer:
        """The answer, with the gaps filled."""
        with self._lock:
            self.requests.append(request)
            self._count += 1
            number = self._count
            queued = self._queue.popleft() if self._queue else None
        found = queued or self.answer(request)
        return replace(
            found, model=found.model or model, response_id=found.response_id or f"resp-{number:06d}-{id(self):x}"
        )


def plain_answer(request: Request) -> Answer:
    """Counts that follow from the length of the request."""
    return Answer(input_tokens=max(len(json.dumps(request.body)) // 4, 1))
