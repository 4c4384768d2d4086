"""The local spool: what a killed process, or one without a server, had recorded is sent by the next start."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests import warm_python
from tests.fake_provider import FakeProvider
from tests.receiver import receiver
from tests.sdk_programs import calls, spans

NOBODY = "http://127.0.0.1:9"
PROGRAM = """
import os, signal, sys, time
import urllib3
import outlay
outlay.init("app")

def rest():
    # What has ended is in the file in a moment; another thread writes it.
    while outlay.tracing.lifecycle.running().pipeline._filing.unfiled:
        time.sleep(0.01)

@outlay.track(feature="work")
def ask(number):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": str(number)}]}
    url = os.environ["PROVIDER"] + "/v1/chat/completions"
    assert urllib3.PoolManager().request("POST", url, json=body).status == 200

"""


def start(
    folder: Path, code: str, endpoint: str, *, cold: bool = False, **more: str
) -> subprocess.CompletedProcess[str]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "OUTLAY_ENDPOINT": endpoint,
        "XDG_STATE_HOME": str(folder),
        "OUTLAY_EXIT_TIMEOUT_S": "60",
        **more,
    }
    return (warm_python.run_cold if cold else warm_python.run)(PROGRAM + code, environ)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "outlay" / "spool").glob("*"))


def test_a_killed_process_loses_the_call_under_way_at_most_and_the_next_start_tells(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        code = """
for number in range(5):
    ask(number)
with outlay.track(feature="open"):
    rest()
    os.kill(os.getpid(), signal.SIGKILL)
"""
        # Nothing is sent before it dies: the interval is longer than its life.
        killed = start(tmp_path, code, url, PROVIDER=provider.url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert killed.returncode == -signal.SIGKILL
        assert (len(files(tmp_path)), spans(server)) == (1, [])
        again = start(tmp_path, "outlay.flush(60)", url, PROVIDER=provider.url)
        assert again.returncode == 0
        assert Counter(span.name for span in spans(server)) == {"ask": 5, "chat gpt-4o": 5}
        assert re.findall(r"was killed: (\d+) spans .* lost, (\d+) that", again.stderr) == [("1", "10")]
        assert files(tmp_path) == []
        third = start(tmp_path, "outlay.flush(60)", url)
        assert (third.stderr, len(spans(server))) == ("", 10)


def test_what_writing_needs_is_there_when_the_first_call_ends(tmp_path: Path) -> None:
    code = """
needed = "opentelemetry.exporter.otlp.proto.common.trace_encoder"
with outlay.track(feature="first"):
    ends = time.monotonic() + 60
    while needed not in sys.modules and time.monotonic() < ends:
        time.sleep(0.01)
    print(needed in sys.modules)
"""
    assert start(tmp_path, code, NOBODY, cold=True, OUTLAY_EXIT_TIMEOUT_S="0").stdout == "True\n"


def test_workers_that_get_functions_by_value_and_are_killed_when_idle_lose_nothing(tmp_path: Path) -> None:
    """As Ray's: a fresh interpreter, a function that is not imported there, SIGKILL where others would end."""
    worker = """
import marshal, sys, types, os, time, urllib3, outlay, outlay.tracing.lifecycle
names = {"os": os, "urllib3": urllib3, "outlay": outlay, "time": time}
task, rest = (types.FunctionType(marshal.loads(bytes.fromhex(code)), names) for code in sys.argv[1:])
for line in sys.stdin:
    print(task(line), flush=True)
    rest()
print(flush=True)
sys.stdin.close()
time.sleep(600)
"""
    code = f"""
import marshal, subprocess
def task(number):
    with outlay.track(feature="task"):
        body = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": number}}]}}
        url = os.environ["PROVIDER"] + "/v1/chat/completions"
        return urllib3.PoolManager().request("POST", url, json=body).json()["id"]
codes = [marshal.dumps(function.__code__).hex() for function in (task, rest)]
for _ in range(2):
    how = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", {worker!r}, *codes], **how)
    worker.stdin.write("0\\n1\\n2\\n")
    worker.stdin.close()
    for _ in range(4):
        print(worker.stdout.readline(), end="", flush=True)
    worker.kill()
    worker.wait()
sys.exit(3)
"""
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        done = start(tmp_path, code, url, PROVIDER=provider.url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert done.returncode == 3, done.stderr
        start(tmp_path, "outlay.flush(60)", url)
        assert len(provider.requests) == len(calls(server)) == 6
        assert Counter(call.attributes["gen_ai.response.id"] for call in calls(server)) == Counter(done.stdout.split())
        assert {call.attributes["outlay.feature"] for call in calls(server)} == {"task"}


def test_without_a_server_everything_is_kept_for_the_next_start(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        code = "for number in range(3): ask(number)\noutlay.score('helpful', True)"
        away = start(tmp_path, code, NOBODY, PROVIDER=provider.url, OUTLAY_EXIT_TIMEOUT_S="1")
        assert re.findall(r"(\d+) spans are kept", away.stderr) == ["6"]
        # Another target's start leaves the file alone, and so does one that is told to.
        start(tmp_path, "outlay.flush(60)", url)
        assert spans(server) == []
        assert len(files(tmp_path)) == 1
        there = start(tmp_path, "ask(7)", url, PROVIDER=provider.url)
        assert (there.stderr, len(calls(server))) == ("", 1)
        off = start(
            tmp_path, "ask(8)", NOBODY, PROVIDER=provider.url, OUTLAY_SPOOL_DIR="off", OUTLAY_EXIT_TIMEOUT_S="1"
        )
        assert re.findall(r"(\d+) spans .*dropped", off.stderr) == ["2"]
        assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["cut", "version", "garbage"])
def test_of_a_damaged_file_what_can_be_read_is_sent_and_the_rest_is_kept(tmp_path: Path, damage: str) -> None:
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        code = "for number in range(3): ask(number); rest()\nos.kill(os.getpid(), signal.SIGKILL)"
        start(tmp_path, code, url, PROVIDER=provider.url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        (path,) = files(tmp_path)
        written = path.read_bytes()
        if damage == "cut":
            path.write_bytes(written[:-20])
        elif damage == "version":
            path.write_bytes(written.replace(b"\x001\n", b"\x009\n", 1))
        else:
            path.write_bytes(written + struct.pack("<cIII", b"?", 1, 4, 0) + b"more")
        told = start(tmp_path, "outlay.flush(60)", url)
        assert len(re.findall(r"\d+ bytes of .* cannot be read and are kept", told.stderr)) == 1
        sent = len(spans(server))
        assert (sent < 6) if damage == "cut" else sent == {"version": 0, "garbage": 6}[damage]
        (rest,) = files(tmp_path)
        assert rest.suffix == ".rest"
        assert written.endswith(rest.read_bytes()[-8:]) is (damage == "version")
        assert start(tmp_path, "outlay.flush(60)", url).stderr == ""


def test_a_server_that_comes_back_gets_everything_once(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        server.status = 503
        url = server.url.removesuffix("/hook")
        away = start(tmp_path, "for n in range(40): ask(n)", url, PROVIDER=provider.url, OUTLAY_EXIT_TIMEOUT_S="1")
        assert "80 spans are kept" in away.stderr
        server.bodies.clear()
        server.status = 200
        start(tmp_path, "ask(1)", url, PROVIDER=provider.url)
        assert Counter(Counter(span.span_id for span in spans(server)).values()) == {1: 82}


def test_what_does_not_fit_the_queue_waits_in_the_file(tmp_path: Path) -> None:
    code = """
for n in range(300):
    outlay.record(usage={"input_tokens": 1}, model="gpt-4o", provider="openai")
"""
    with receiver() as server:
        server.status = 503
        url = server.url.removesuffix("/hook")
        away = start(tmp_path, code, url, OUTLAY_QUEUE_SPANS="50", OUTLAY_EXIT_TIMEOUT_S="1")
        assert "300 spans are kept" in away.stderr, away.stderr
        server.bodies.clear()
        server.status = 200
        start(tmp_path, "outlay.flush(60)", url)
        assert len({span.span_id for span in spans(server)}) == 300


RECORDS = """
def record(times):
    for n in range(times):
        outlay.record(usage={"input_tokens": 1}, model="gpt-4o", provider="openai")
"""


def test_all_files_of_a_process_together_hold_no_more_than_they_may_and_the_rest_is_counted(tmp_path: Path) -> None:
    code = (
        RECORDS
        + """
record(1000)
pipeline = outlay.tracing.lifecycle.running().pipeline
print(len(pipeline._filing.left), sum(os.path.getsize(left.path) for left in pipeline._filing.left))
outlay.shutdown(30)
stats = outlay.stats()
print(stats["spooled"], stats["dropped"])
"""
    )
    with receiver() as server:
        server.status = 503
        url = server.url.removesuffix("/hook")
        away = start(tmp_path, code, url, OUTLAY_QUEUE_SPANS="50", OUTLAY_SPOOL_BYTES="40000")
        kept = sum(path.stat().st_size for path in files(tmp_path))
        server.bodies.clear()
        server.status = 200
        start(tmp_path, "outlay.flush(60)", url)
        sent = len({span.span_id for span in spans(server)})
    (aside, aside_bytes), (spooled, dropped) = (map(int, line.split()) for line in away.stdout.splitlines())
    assert aside > 1
    assert aside_bytes <= 40_000 + 32 * aside  # the head of each file
    assert 0 < kept <= 40_000 + 32 * (aside + 1)
    assert (spooled + dropped, sent) == (1000, spooled)
    assert dropped > 0
    assert away.stderr.count("queue is full") == 1


def test_a_forked_child_has_a_file_of_its_own(tmp_path: Path) -> None:
    code = """
import multiprocessing
def child():
    ask(2)
    rest()
    os.kill(os.getpid(), signal.SIGKILL)
ask(1)
process = multiprocessing.get_context("fork").Process(target=child)
process.start(); process.join()
rest()
os.kill(os.getpid(), signal.SIGKILL)
"""
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        start(tmp_path, code, url, PROVIDER=provider.url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert len(files(tmp_path)) == 2
        start(tmp_path, "outlay.flush(60)", url)
        assert len(calls(server)) == 2


def test_a_folder_that_cannot_be_written_is_no_reason_to_say_anything(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        url = server.url.removesuffix("/hook")
        done = start(tmp_path, "ask(1)", url, PROVIDER=provider.url, OUTLAY_SPOOL_DIR="/dev/null/spool")
        assert (done.stderr, len(calls(server))) == ("", 1)
