"""Servers and workers as they are deployed: as many calls arrive as were made, each with its feature."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fake_provider import FakeProvider
from tests.receiver import Received, receiver
from tests.sdk_programs import calls, features_of
from tests.waiting import until

APP = """
import os, urllib3, outlay
outlay.init("server")

@outlay.track(feature="answer")
def ask():
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    url = os.environ["PROVIDER"] + "/v1/chat/completions"
    asked = urllib3.PoolManager().request("POST", url, json=body).json()["id"]
    with open("answered", "a") as file:
        file.write(asked + "\\n")
    return asked

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [ask().encode()]

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ask().encode()})
"""
CELERY = """
import celery
from app import ask
tasks = celery.Celery("tasks", broker="filesystem://", broker_transport_options={
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}, task_ignore_result=True,
    worker_hijack_root_logger=False)

@tasks.task(name="answer")
def answer(): ask()
"""
REQUESTS = 6


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as made:
        yield made


@pytest.fixture
def server() -> Iterator[Received]:
    with receiver() as made:
        yield made


def environment(folder: Path, server: Received, provider: FakeProvider) -> dict[str, str]:
    (folder / "app.py").write_text(APP)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
        "PYTHONPATH": os.pathsep.join([str(folder), *(entry for entry in sys.path if entry)]),
        "PYTHONUNBUFFERED": "1",
        "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
        "OUTLAY_EXIT_TIMEOUT_S": "60",
        "XDG_STATE_HOME": str(folder / "state"),
        "PROVIDER": provider.url,
    }


@contextmanager
def running(folder: Path, environ: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    """A program of Python's, asked to leave at the end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        assert process.returncode == 0, "it leaves as it does without Outlay"
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)


def arrived(folder: Path, server: Received) -> None:
    """As many calls as were answered, by the ids of their answers, each with its feature."""
    answered = (folder / "answered").read_text().split()
    assert len(answered) == REQUESTS
    assert Counter(call.attributes["gen_ai.response.id"] for call in calls(server)) == Counter(answered)
    assert set(features_of(server)) == {"answer"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except OSError:
        return False
    return True


def await_line(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError("".join(said))


SERVERS = {
    "gunicorn": ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "app:wsgi"),
    "gunicorn preloaded": ("gunicorn", "-w", "2", "--preload", "-b", "127.0.0.1:{port}", "app:wsgi"),
    "gunicorn gevent": ("gunicorn", "-w", "1", "-k", "gevent", "-b", "127.0.0.1:{port}", "app:wsgi"),
    "uvicorn workers": ("uvicorn", "--workers", "2", "--port", "{port}", "app:asgi"),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_every_request_of_a_server_is_a_call_that_arrives(
    tmp_path: Path, server: Received, provider: FakeProvider, kind: str
) -> None:
    pytest.importorskip(SERVERS[kind][0])
    if "gevent" in kind:
        pytest.importorskip("gevent")
    environ = environment(tmp_path, server, provider)
    port = free_port()
    with running(tmp_path, environ, *(word.format(port=port) for word in SERVERS[kind])) as process:
        await_line(process, "Booting worker|Application startup complete")
        url = f"http://127.0.0.1:{port}"
        until(lambda: accepts(port), "a worker that accepts")
        for _ in range(REQUESTS):
            urllib.request.urlopen(url, timeout=120).read()
    arrived(tmp_path, server)


@pytest.mark.parametrize("pool", ["prefork", "solo", "gevent"])
def test_every_task_of_celery_is_a_call_that_arrives(
    tmp_path: Path, server: Received, provider: FakeProvider, pool: str
) -> None:
    pytest.importorskip("celery")
    if pool == "gevent":
        pytest.importorskip("gevent")
    environ = environment(tmp_path, server, provider)
    (tmp_path / "jobs.py").write_text(CELERY)
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    code = f"import jobs\nfor _ in range({REQUESTS}): jobs.answer.delay()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, check=True, timeout=120)
    words = (
        "celery",
        "-A",
        "jobs",
        "worker",
        "--pool",
        pool,
        "-c",
        "2",
        "-l",
        "INFO",
        "--without-gossip",
        "--without-mingle",
    )
    with running(tmp_path, environ, *words) as process:
        for _ in range(REQUESTS):
            await_line(process, r"Task answer\[.*succeeded")
    arrived(tmp_path, server)


def test_every_job_of_rq_is_a_call_that_arrives(tmp_path: Path, server: Received, provider: FakeProvider) -> None:
    pytest.importorskip("rq")
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        pytest.skip("there is no redis-server")
    environ = environment(tmp_path, server, provider)
    port = free_port()
    redis = subprocess.Popen([redis_server, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=-1)
    try:
        assert redis.stdout is not None
        while b"Ready to accept" not in redis.stdout.readline():
            pass
        code = f"import redis, rq, app\nqueue = rq.Queue(connection=redis.Redis(port={port}))\n"
        code += f"for _ in range({REQUESTS}): queue.enqueue(app.ask)"
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, check=True, timeout=120)
        words = ("rq.cli", "worker", "--burst", "--url", f"redis://127.0.0.1:{port}")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", *words], cwd=tmp_path, env=environ, capture_output=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
    finally:
        redis.terminate()
        redis.communicate(timeout=60)
    arrived(tmp_path, server)
