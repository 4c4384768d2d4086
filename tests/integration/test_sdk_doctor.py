"""What the SDK says of itself: to `outlay doctor --sdk`, in a process, on a terminal, and where it cannot work."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.outlay_process import outlay
from tests.receiver import Received, receiver

CALL = "outlay.record(usage={'input_tokens': 1, 'output_tokens': 2}, model='gpt-4o', provider='openai')"


@pytest.fixture
def server() -> Iterator[Received]:
    with receiver() as found:
        yield found


def url_of(server: Received) -> str:
    return server.url.removesuffix("/hook")


def program(code: str, tmp_path: Path, **more: str) -> dict[str, object]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    ours = {"PYTHONPATH": path, "OUTLAY_SPOOL_DIR": str(tmp_path), "OUTLAY_EXIT_TIMEOUT_S": "60", **more}
    return {"args": [sys.executable, "-W", "ignore", "-c", code], "env": {**os.environ, **ours}, "timeout": 120}


def test_the_command_says_where_an_application_here_would_send_and_what_is_wrong(
    tmp_path: Path, server: Received
) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "old.rest").write_bytes(b"?")
    spool, url = str(tmp_path / "spool"), url_of(server)
    words = ("doctor", "--sdk")
    done = outlay(tmp_path, *words, OUTLAY_SERVICE="shop", OUTLAY_SPOOL_DIR=spool, OUTLAY_ENDPOINT=url)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "ok    service shop" in lines
    assert any(line.startswith("ok    metered when imported: httpx 0.") for line in lines)
    assert any("beside it: " in line and "openinference-instrumentation" in line for line in lines)
    assert f"ok    spans go to {url_of(server)}/v1/traces (http/protobuf), which takes them" in lines
    assert "warn  1 files there hold what could not be read (*.rest)" in lines
    server.status = 401
    done = outlay(tmp_path, *words, OUTLAY_BATCH_SPANS="many", OUTLAY_ENDPOINT=url)
    assert done.returncode == 1
    assert "which asks for a key (401): set OUTLAY_API_KEY" in done.stdout
    assert "FAIL  OUTLAY_BATCH_SPANS='many': expected a value like 512; the default is used" in done.stdout
    done = outlay(tmp_path, *words, OUTLAY_API_KEY="wrong", OUTLAY_ENDPOINT=url)
    assert (done.returncode, "refuses the key (401): set OUTLAY_API_KEY to one that it knows" in done.stdout) == (
        1,
        True,
    )
    assert "wrong" not in done.stdout
    done = outlay(tmp_path, *words, OUTLAY_ENDPOINT="http://127.0.0.1:1")
    assert (done.returncode, "where nobody answers" in done.stdout) == (1, True)
    assert "start the server (outlay serve), or set OUTLAY_ENDPOINT" in done.stdout


def test_a_process_says_what_is_hooked_and_what_was_dropped_and_why(tmp_path: Path, server: Received) -> None:
    server.status = 413
    code = f"""
import httpx, logging, time, outlay
logging.disable(logging.CRITICAL)
outlay.init("shop", "prod", endpoint="{url_of(server)}")
{CALL}
outlay.flush(30)
outlay.shutdown(30)
import sys
from importlib.machinery import PathFinder
class Tool:  # of somebody, which looks for modules before Outlay does
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, path) if name == "urllib3.connectionpool" else None
sys.modules.pop("urllib3.connectionpool", None)
outlay.wire._hooked.discard("urllib3.connectionpool")
sys.meta_path.insert(0, Tool())
import urllib3.connectionpool
while "drop spans" not in outlay._safely.told:  # the worker counts, and then tells
    time.sleep(0.01)
said = outlay.doctor()
"""
    done = subprocess.run(**program(code, tmp_path), capture_output=True, text=True)  # type: ignore[call-overload]
    lines = done.stdout.splitlines()
    assert "ok    service shop, environment prod" in lines, done
    assert any(line.startswith("ok    hooked: ") and "httpx" in line for line in lines)
    past = "FAIL  urllib3.connectionpool was imported past Outlay, by an import hook of another tool"
    assert any(line.startswith(past) and "import it before outlay.init()" in line for line in lines), done
    assert "warn  0 exported, 1 dropped, 0 spooled so far" in lines
    assert "warn  1 spans dropped: the server answered 413" in lines


@pytest.mark.parametrize(("greeting", "fork"), [("true", False), ("true", True), ("false", False)])
def test_a_terminal_is_told_once_that_calls_have_arrived(
    tmp_path: Path, server: Received, greeting: str, fork: bool
) -> None:
    child = "import os\nif os.fork() == 0:\n    " + CALL + "\n    outlay.flush(30)\n    os._exit(0)\nos.wait()\n"
    code = f"import outlay\n{CALL}\noutlay.flush(30)\n{CALL}\noutlay.flush(30)\n" + (child if fork else "")
    ours, theirs = pty.openpty()
    started = program(code, tmp_path, OUTLAY_ENDPOINT=url_of(server), OUTLAY_GREETING=greeting)
    done = subprocess.run(**started, stdout=subprocess.PIPE, stderr=theirs)  # type: ignore[call-overload]
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # Linux says so once the other end is closed
        pass
    os.close(ours)
    line = f"outlay: the first calls have arrived: {url_of(server)}/calls"
    assert said.decode().splitlines() == ([line] if greeting == "true" else [])
    assert (done.returncode, done.stdout, len(server.bodies)) == (0, b"", 3 if fork else 2)


def test_without_a_terminal_nothing_is_said(tmp_path: Path, server: Received) -> None:
    code = f"import outlay\n{CALL}\noutlay.flush(30)"
    started = program(code, tmp_path, OUTLAY_ENDPOINT=url_of(server))
    done = subprocess.run(**started, capture_output=True)  # type: ignore[call-overload]
    assert (done.returncode, done.stdout, done.stderr, len(server.bodies)) == (0, b"", b"", 1)


def test_an_isolated_subinterpreter_is_refused_and_the_main_one_goes_on(tmp_path: Path, server: Received) -> None:
    inside = f"""
import sys
sys.path[:] = PATHS
import logging, outlay
logging.basicConfig(stream=sys.stdout, format="%(message)s")
outlay.init("inside")
{CALL}
print(outlay.flush(5), outlay.stats(), flush=True)
"""
    code = f"""
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
run = getattr(interpreters, "exec", None) or interpreters.run_string
run(interpreters.create(), {inside!r}.replace("PATHS", repr(sys.path)))
import outlay
{CALL}
print(outlay.flush(30), outlay.stats())
"""
    started = program(code, tmp_path, OUTLAY_ENDPOINT=url_of(server))
    done = subprocess.run(**started, capture_output=True, text=True)  # type: ignore[call-overload]
    refused, within, outside = done.stdout.splitlines()
    assert refused.startswith("outlay: Outlay does not work in an isolated subinterpreter"), done
    assert within == "True {'exported': 0, 'dropped': 0, 'spooled': 0}"
    assert outside == "True {'exported': 1, 'dropped': 0, 'spooled': 0}"
    assert "Traceback" not in done.stderr
