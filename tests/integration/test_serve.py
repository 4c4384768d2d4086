"""The server as a process: killed or stopped under load it keeps everything it acknowledged, once."""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.outlay_process import Server
from tests.waiting import until
from tests.web_server import llm_span

PARTS = ("stored", "rejected", "quarantined", "duplicate", "pending")
BATCH = 20


def ask(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


class Sender(threading.Thread):
    """Sends batches one after the other and counts the spans that were acknowledged."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(daemon=True)
        self.url, self.number = url, number
        self.acked = self.sent = 0
        self.halt = threading.Event()

    def run(self) -> None:
        while not self.halt.is_set():
            trace = self.number * 1_000_000 + self.sent + 1
            spans = [llm_span(trace, n) for n in range(1, BATCH + 1)]
            body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
            self.sent += BATCH
            try:
                status, _ = ask(self.url, "POST", "/v1/traces", body)
            except (OSError, http.client.HTTPException):
                return
            self.acked += BATCH if status == 200 else 0


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for server in made:
        server.close()


def load_and_end(server: Server, number: int, first: int) -> list[Sender]:
    senders = [Sender(server.url, first + n) for n in range(2)]
    for sender in senders:
        sender.start()
    until(lambda: sum(sender.acked for sender in senders) >= 10 * BATCH, "under load")
    if number == signal.SIGKILL:
        server.process.kill()
        server.process.wait(60)
    else:
        assert server.stop(number) == 0
    for sender in senders:
        sender.halt.set()
        sender.join(30)
    return senders


def settled(url: str) -> dict[str, Any]:
    """The status once nothing waits any more."""
    status: dict[str, Any] = {}

    def nothing_waits() -> bool:
        status.update(ask(url, "GET", "/api/v1/status")[1])
        assert status["received"] == sum(status[part] for part in PARTS), status
        return not status["pending"] and not status["unsettled_traces"]

    until(nothing_waits, "settled", pause_s=0.2)
    return status


def test_killed_and_stopped_under_load_everything_acknowledged_is_there_once(
    tmp_path: Path, servers: list[Server]
) -> None:
    senders: list[Sender] = []
    for round_, number in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)):
        servers.append(Server(tmp_path))
        senders += load_and_end(servers[-1], number, 10 * round_)
    servers.append(Server(tmp_path))
    status = settled(servers[-1].url)
    acked, sent = sum(one.acked for one in senders), sum(one.sent for one in senders)
    assert acked <= status["stored"] <= sent
    assert status["duplicate"] == status["rejected"] == status["quarantined"] == 0
    assert status["calls"] == status["stored"]
    assert ask(servers[-1].url, "GET", "/api/v1/spend")[1]["total"]["calls"] == status["stored"]


def test_what_was_acknowledged_just_before_a_stop_is_in_the_figures_after_it(
    tmp_path: Path, servers: list[Server]
) -> None:
    servers.append(Server(tmp_path))
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [llm_span(7, n) for n in range(1, 2001)]}]}]}
    assert ask(servers[-1].url, "POST", "/v1/traces", json.dumps(body).encode())[0] == 200
    assert servers[-1].stop() == 0
    servers.append(Server(tmp_path, "--roles", "web"))
    assert ask(servers[-1].url, "GET", "/api/v1/spend")[1]["total"]["calls"] == 2000


def test_the_data_directory_is_private_and_its_temporary_files_are_emptied(
    tmp_path: Path, servers: list[Server]
) -> None:
    data = tmp_path / "data"
    (data / "tmp").mkdir(parents=True)
    (data / "tmp" / "left-over").write_text("x")
    servers.append(Server(tmp_path, "--data", str(data)))
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "tmp").stat().st_mode & 0o777 == 0o700
    assert not (data / "tmp" / "left-over").exists()


def test_beyond_loopback_a_key_and_a_login_are_asked_for(tmp_path: Path, servers: list[Server]) -> None:
    servers.append(Server(tmp_path, "--host", "0.0.0.0", OUTLAY_BOOTSTRAP_KEY="k" * 32, OUTLAY_PASSWORD="long enough"))
    url = servers[-1].url
    assert ask(url, "POST", "/v1/traces", b"{}")[0] == 401
    assert ask(url, "GET", "/api/v1/status")[0] == 401
    assert ask(url, "GET", "/")[0] == 303
