"""Where the machine is in the way: a full disk, a clock that is set back, a giant text, a fork while one sends.

The host goes on, everything that can be sent is, and what cannot is counted and told once.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess

from tests import warm_python
from tests.receiver import receiver
from tests.sdk_programs import calls, spans

NOBODY = "http://127.0.0.1:9"
PROGRAM = """
import logging, os, resource, signal, sys, threading, time
import outlay
from outlay.tracing.lifecycle import running

def record(number, **more):
    outlay.record(usage={"input_tokens": 1}, model="gpt-4o", provider="openai", response_id=f"r{number}", **more)

def rest():
    while running().pipeline._filing.unfiled:
        time.sleep(0.01)

"""


def start(folder: Path, code: str, endpoint: str, **more: str) -> CompletedProcess[str]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
        "OUTLAY_ENDPOINT": endpoint,
        "OUTLAY_EXIT_TIMEOUT_S": "60",
        "XDG_STATE_HOME": str(folder),
        **more,
    }
    return warm_python.run(PROGRAM + code, environ)


def test_a_full_disk_costs_no_call_while_the_server_is_there(tmp_path: Path) -> None:
    full = "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
    with receiver() as server:
        url = server.url.removesuffix("/hook")
        code = full + "for n in range(60): record(n)\nrest()\nprint(outlay.flush(60), outlay.stats())"
        done = start(tmp_path, code, url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split(" ", 1)[1].strip() == "{'exported': 60, 'dropped': 0, 'spooled': 0}"
        assert len({call.attributes["gen_ai.response.id"] for call in calls(server)}) == len(calls(server)) == 60


def test_on_a_full_disk_and_without_a_server_what_is_lost_is_counted_once_and_the_rest_is_kept(tmp_path: Path) -> None:
    with receiver() as server:
        url = server.url.removesuffix("/hook")
        server.status = 503
        full = "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        code = full + "for n in range(60): record(n); rest()\noutlay.shutdown(1)\nprint(outlay.stats())\nsys.exit(4)"
        done = start(tmp_path, code, url, OUTLAY_EXIT_TIMEOUT_S="1")
        dropped, spooled = (int(re.findall(rf"'{word}': (\d+)", done.stdout)[0]) for word in ("dropped", "spooled"))
        assert (done.returncode, dropped + spooled) == (4, 60)
        assert min(dropped, spooled) > 0
        assert re.findall(r"(\d+) spans and scores dropped at exit", done.stderr) == [str(dropped)], done.stderr
        assert re.findall(r"(\d+) spans are kept in", done.stderr) == [str(spooled)]
        server.bodies.clear()
        server.status = 200
        start(tmp_path, "outlay.init()\noutlay.flush(60)", url)
        assert len({call.attributes["gen_ai.response.id"] for call in calls(server)}) == len(calls(server)) == spooled


def test_processes_that_share_a_folder_send_what_is_theirs_and_only_that_of_the_dead(tmp_path: Path) -> None:
    code = """
reads, writes = os.pipe()
looked, looks = os.pipe()
children = []
for name in ("killed", "alive"):
    child = os.fork()
    if not child:
        os.close(writes)
        record(name)
        rest()
        while running().pipeline._filing.recovers:
            time.sleep(0.01)
        os.write(looks, b"1")  # nobody is dead yet
        os.read(reads, 1)  # until the parent has looked
        sys.exit()
    children.append(child)
    os.read(looked, 1)
os.kill(children[0], signal.SIGKILL)
os.waitpid(children[0], 0)
outlay.init()
while running().pipeline._filing.recovers:
    time.sleep(0.01)
record("parent")
print(outlay.flush(60), outlay.stats()["exported"], flush=True)
os.close(writes)
os.waitpid(children[1], 0)
"""
    with receiver() as server:
        url = server.url.removesuffix("/hook")
        done = start(tmp_path, code, url, OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert done.stdout == "True 2\n", done.stderr
        sent = Counter(call.attributes["gen_ai.response.id"] for call in calls(server))
        assert sent == {"rkilled": 1, "ralive": 1, "rparent": 1}
        assert list((tmp_path / "outlay" / "spool").glob("*")) == []


def test_while_the_clock_is_set_every_call_is_kept_and_no_span_is_longer_than_it_was(tmp_path: Path) -> None:
    code = """
now = time.time_ns
@outlay.track(feature="clock")
def work():
    time.time_ns = lambda: now() + step
    record("set")
for step in (-3_600_000_000_000, 7_200_000_000_000):
    work()
print(outlay.flush(60))
"""
    with receiver() as server:
        done = start(tmp_path, code, server.url.removesuffix("/hook"))
        assert (done.stdout, done.stderr) == ("True\n", "")
        assert sorted(span.name for span in spans(server)) == ["chat gpt-4o", "chat gpt-4o", "work", "work"]
        hour_ns = 3_600_000_000_000
        assert [span.name for span in spans(server) if not 0 <= span.end_ns - span.start_ns < hour_ns] == []


def test_a_text_of_ten_megabytes_takes_no_cost_along_and_is_told_once(tmp_path: Path) -> None:
    code = """
text = "x" * 10_000_000
for n in range(3):
    record(n, attributes={"gen_ai.input.messages": text})
record(3, user="u" * 10_000_000)
print(outlay.flush(60), outlay.stats())
"""
    with receiver() as server:
        done = start(tmp_path, code, server.url.removesuffix("/hook"))
        assert done.stdout == "True {'exported': 4, 'dropped': 0, 'spooled': 0}\n"
        assert done.stderr.count("long texts") == 1, done.stderr
        assert sorted(call.attributes["gen_ai.response.id"] for call in calls(server)) == ["r0", "r1", "r2", "r3"]
        assert sum(len(body) for body in server.bodies) < 100_000


def test_a_fork_in_the_middle_of_a_request_sends_each_call_once(tmp_path: Path) -> None:
    code = """
record("parent")
sender = running().sender
send, reached, go = sender.send, threading.Event(), threading.Event()
def slow(*given):
    reached.set()
    go.wait(60)
    return send(*given)
sender.send = slow
threading.Thread(target=outlay.flush, args=(60,)).start()
reached.wait(60)
child = os.fork()
if not child:
    sender.send = send
    record("child")
    print("child", outlay.flush(60), flush=True)
    sys.exit(7)
go.set()
print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), outlay.flush(60), outlay.stats()["exported"])
"""
    with receiver() as server:
        done = start(tmp_path, code, server.url.removesuffix("/hook"), OUTLAY_FLUSH_INTERVAL_MS="600000")
        assert done.stdout == "child True\nended 7 True 1\n", done
        assert done.stderr == ""
        sent = Counter(call.attributes["gen_ai.response.id"] for call in calls(server))
        assert sent == {"rparent": 1, "rchild": 1}
