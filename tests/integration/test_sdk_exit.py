"""Processes that end without `atexit`: their calls arrive, and what does not is told once, with its number."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests import warm_python
from tests.fake_provider import FakeProvider
from tests.receiver import Received, receiver

PROGRAM = """
import multiprocessing, os, sys, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import urllib3
import outlay

METHOD, WHERE = sys.argv[1:3]
if WHERE == "at import":
    outlay.init("child")

def start():
    if WHERE == "in each child":
        outlay.init("child")

@outlay.track(feature="child")
def ask(number):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": str(number)}]}
    url = os.environ["PROVIDER"] + "/v1/chat/completions"
    assert urllib3.PoolManager().request("POST", url, json=body).status == 200
    return number

def ask_in_threads(numbers):
    def late(number):
        time.sleep(0.05)  # outlives the work of the child
        ask(number)
    for number in numbers:
        threading.Thread(target=late, args=(number,)).start()

def ask_in_a_pool_of_threads(numbers):
    global pool
    pool = ThreadPoolExecutor(2)
    for number in numbers:
        pool.submit(ask, number)

def ask_and_fail(number):
    ask(number)
    raise SystemExit(3)

def run(target, arguments):
    processes = [c.Process(target=target, args=(argument,)) for argument in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]

if __name__ == "__main__":
    c = multiprocessing.get_context(METHOD)
    if WHERE == "in the parent":
        outlay.init("parent")
"""
SHAPES = {
    "a pool that is left as a block": "with c.Pool(2, start) as pool: assert pool.map(ask, range(5), 1) == [*range(5)]",
    "a pool whose workers retire": """
    with c.Pool(2, start, maxtasksperchild=1) as pool:
        pool.map(ask, range(5), 1); pool.close(); pool.join()""",
    "an executor": """
    with ProcessPoolExecutor(2, c, start) as executor: assert [*executor.map(ask, range(5))] == [*range(5)]""",
    "processes": "assert run(ask, range(5)) == [0] * 5",
    "processes that fail": "assert run(ask_and_fail, range(5)) == [3] * 5",
    "threads that outlive their work": "assert run(ask_in_threads, [range(5)]) == [0]",
    "a pool of threads that outlives its work": "assert run(ask_in_a_pool_of_threads, [range(5)]) == [0]",
}


def surroundings(provider: FakeProvider, server: Received) -> dict[str, str]:
    """Environment of a program; its exit has time on a busy machine."""
    return {
        "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
        "OUTLAY_EXIT_TIMEOUT_S": "60",
        "PROVIDER": provider.url,
    }


def run(
    folder: Path, code: str, *words: str, environ: dict[str, str], expected_code: int = 0, cold: bool = False
) -> subprocess.CompletedProcess[str]:
    """A program in a file of its own, which spawned children can read again."""
    program = folder / "program.py"
    program.write_text(code)
    path = os.pathsep.join(entry for entry in sys.path if entry)
    start = warm_python.run_cold if cold else warm_python.run
    done = start(program, {**os.environ, "PYTHONPATH": path, **environ}, *words)
    assert done.returncode == expected_code, done.stderr
    return done


def spans(server: Received) -> list[Any]:
    requests = [ExportTraceServiceRequest.FromString(gzip.decompress(body)) for body in server.bodies]
    scopes = [scope for request in requests for group in request.resource_spans for scope in group.scope_spans]
    return [span for scope in scopes for span in scope.spans]


@pytest.mark.parametrize(
    ("method", "where", "shape"),
    [
        *[("fork", "at import", shape) for shape in SHAPES],
        ("fork", "nowhere", "a pool that is left as a block"),
        ("fork", "in the parent", "processes"),
        ("fork", "in each child", "an executor"),
        ("spawn", "at import", "a pool that is left as a block"),
        ("spawn", "at import", "threads that outlive their work"),
        ("spawn", "in each child", "an executor"),
        ("forkserver", "nowhere", "a pool that is left as a block"),
        ("forkserver", "at import", "processes"),
    ],
)
def test_calls_of_children_arrive(tmp_path: Path, method: str, where: str, shape: str) -> None:
    with FakeProvider() as provider, receiver() as server:
        environ = surroundings(provider, server)
        run(tmp_path, PROGRAM + f"    {SHAPES[shape]}\n", method, where, environ=environ)
        assert len(provider.requests) == 5
        assert Counter(span.name for span in spans(server)) == {"ask": 5, "chat gpt-4o": 5}


def test_calls_of_celerys_workers_arrive(tmp_path: Path) -> None:
    code = PROGRAM.replace("import multiprocessing", "import billiard as multiprocessing")
    with FakeProvider() as provider, receiver() as server:
        environ = surroundings(provider, server)
        shape = SHAPES["a pool that is left as a block"] + "; " + SHAPES["processes"]
        run(tmp_path, code + f"    {shape}\n", "fork", "at import", environ=environ)
        assert Counter(span.name for span in spans(server)) == {"ask": 10, "chat gpt-4o": 10}


def test_a_child_that_handles_its_own_end_keeps_its_handler(tmp_path: Path) -> None:
    code = """
import multiprocessing, os, signal, sys
import outlay
outlay.init("child")

def leave(number, frame):
    os._exit(7)

def own_handler(ready):
    signal.signal(signal.SIGTERM, leave)
    ready.set()
    signal.pause()

def default(ready):
    ready.set()
    signal.pause()

def code_of(target):
    ready = c.Event()
    process = c.Process(target=target, args=(ready,))
    process.start()
    ready.wait()
    process.terminate()
    process.join()
    return process.exitcode

if __name__ == "__main__":
    c = multiprocessing.get_context("fork")
    print(code_of(own_handler), code_of(default))
"""
    assert run(tmp_path, code, environ={}).stdout.split() == ["7", "-15"]


@pytest.mark.parametrize("child", [False, True])
def test_what_is_lost_at_the_end_is_told_once_with_its_number(tmp_path: Path, child: bool) -> None:
    code = """
import multiprocessing
import outlay
outlay.init("app")

def work():
    for number in range(700):
        outlay.record(usage={"input_tokens": 1}, model="gpt-4o", provider="openai")
    outlay.score("helpful", 1.0)

if __name__ == "__main__":
"""
    main = 'p = multiprocessing.get_context("fork").Process(target=work); p.start(); p.join()' if child else "work()"
    environ = {"OUTLAY_FLUSH_INTERVAL_MS": "60000", "OUTLAY_BATCH_SPANS": "1000"}
    done = run(tmp_path, f"{code}    {main}\n", environ=environ, cold=True)
    assert re.findall(r"(\d+) spans .*dropped", done.stderr) == ["701"]
    assert len(done.stderr.splitlines()) == 1


def test_a_process_that_is_frozen_after_each_answer_has_sent_its_calls_by_then(tmp_path: Path) -> None:
    code = """
import os, signal
import urllib3
import outlay
outlay.init("function")

@outlay.track(feature="handler")
def handler(number):
    ask(number)

def ask(number):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": str(number)}]}
    url = os.environ["PROVIDER"] + "/v1/chat/completions"
    assert urllib3.PoolManager().request("POST", url, json=body).status == 200

for number in range(2):
    handler(number)
ask(3)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with FakeProvider() as provider, receiver() as server:
        environ = surroundings(provider, server)
        environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:9001"
        run(tmp_path, code, environ=environ, expected_code=-9)
        assert Counter(span.name for span in spans(server)) == {"handler": 2, "chat gpt-4o": 3}
