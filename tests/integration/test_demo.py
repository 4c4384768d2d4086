"""`outlay demo` as its user runs it, at a fiftieth of its size: the bill adds up and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


def test_the_demo_shows_its_known_bill_and_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "outlay_web", "demo", "--port", "0", "--grpc-port", "off", "--scale", "0.02"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        check(demo)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(300) == 0
    finally:
        demo.terminate()
        demo.communicate()
    assert not list(tmp_path.glob("outlay-demo-*"))


def check(demo: subprocess.Popen[str]) -> None:
    assert demo.stdout is not None
    said: list[str] = []
    for line in demo.stdout:
        said.append(line)
        if line.startswith("Open "):
            break
    url = re.search(r"http://\S+", said[-1])
    assert url is not None, "".join(said)
    assert any("the bill adds up" in line for line in said), "".join(said)
    with urllib.request.urlopen(f"{url[0]}/api/v1/spend?group_by=feature") as answer:
        spend = json.load(answer)
    assert {row["feature"] for row in spend["rows"]} >= {"support-chat", "ticket-triage", "doc-search", "onboarding"}
    assert 0 < spend["coverage"]["priced_ratio"] < 1
