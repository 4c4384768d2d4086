"""Ray: tasks and actors in workers that it starts afresh and kills. `make clients` installs what this needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from tests.fake_provider import Answer, FakeProvider
from tests.receiver import receiver
from tests.sdk_programs import calls

pytest.importorskip("ray", reason="has an environment of its own: make clients runs it")

PROGRAM = """
import os, sys
import httpx, outlay, ray

def ask(feature):
    with outlay.track(feature=feature):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        return httpx.post(os.environ["PROVIDER"] + "/v1/chat/completions", json=body).raise_for_status().json()["id"]

@ray.remote
def task(): return ask("task")

@ray.remote
class Actor:
    def ask(self): return ask("actor")

outlay.init("shop")
ray.init(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False, _temp_dir=sys.argv[1], logging_level=40)
print("started")
print(*ray.get([task.remote() for _ in range(3)]))
actor = Actor.remote()
print(*ray.get([actor.ask.remote() for _ in range(2)]))
ray.kill(actor)
ray.shutdown()
sys.exit(3)
"""


def test_every_task_and_every_actors_call_arrives(tmp_path: Path) -> None:
    with FakeProvider() as provider, receiver() as server:
        provider.queue(*(Answer(response_id=f"r{n}", input_tokens=900 + n, output_tokens=60) for n in range(5)))
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))},
            "PYTHONPATH": "",
            "PROVIDER": provider.url,
            "OUTLAY_ENDPOINT": server.url.removesuffix("/hook"),
            "XDG_STATE_HOME": str(tmp_path),
            "RAY_USAGE_STATS_ENABLED": "0",
        }

        def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-W", "ignore", "-c", code, *words]
            return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)

        with tempfile.TemporaryDirectory(prefix="ray-") as folder:  # sockets of Ray have short names only
            done = run(PROGRAM, folder)
        if "started" not in done.stdout:
            pytest.skip(f"Ray itself does not start here: {done.stderr.splitlines()[-1:]}")
        said = ["started", *(f"r{n}" for n in range(5))]
        assert (done.returncode, sorted(done.stdout.split())) == (3, sorted(said)), done.stderr
        # What a killed worker had not sent yet is in its spool; the next start sends it.
        run("import outlay; outlay.init('shop'); outlay.flush(60)")
        found = [(c.attributes["gen_ai.response.id"], c.attributes["gen_ai.usage.input_tokens"]) for c in calls(server)]
        assert sorted(found) == [(f"r{n}", 900 + n) for n in range(5)]
        assert Counter(call.attributes["outlay.feature"] for call in calls(server)) == {"task": 3, "actor": 2}
