"""Ray's workers: nobody forks them, and they are ended from outside. `make clients` installs what this needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.fake_provider import FakeProvider
from tests.receiver import receiver
from tests.sdk_programs import calls, features_of
from tests.waiting import until

pytest.importorskip("ray", reason="has an environment of its own: make clients runs it")

PROGRAM = """
import os, httpx, ray

@ray.remote
def ask(number):
    import outlay
    outlay.init("worker")
    with outlay.track(feature="answer"):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": str(number)}]}
        return httpx.post(os.environ["PROVIDER"] + "/v1/chat/completions", json=body).raise_for_status().json()["id"]

@ray.remote
class Agent:
    def ask(self, number):
        return ray.get(ask.remote(number))

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
agent = Agent.remote()
print(*ray.get([ask.remote(number) for number in range(4)] + [agent.ask.remote(4)]))
ray.shutdown()
"""


def test_calls_of_rays_tasks_and_actors_arrive(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        (tmp_path / "app.py").write_text(PROGRAM)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
        environ |= {
            "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
            "OUTLAY_EXIT_TIMEOUT_S": "60",
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PROVIDER": provider.url,
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": "",
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "app.py"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        ids = done.stdout.split()[-5:]
        until(lambda: len(calls(server)) >= len(ids), "the calls of workers that end")
        assert Counter(call.attributes["gen_ai.response.id"] for call in calls(server)) == Counter(ids)
        assert set(features_of(server)) == {"answer"}
