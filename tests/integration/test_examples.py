"""Every example runs as it is, in a process of its own, and prints what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMISES = {
    "ab_test.py": "40 scores",
    "anthropic_cached.py": "second call, reads it",
    "caches.py": "'kind': 'semantic', 'hit': True",
    "cascade.py": "tier 1 accepted",
    "evaluation.py": "60 scores sent beside 60 calls",
    "fastapi_app.py": "support-triage bob",
    "openai_chat.py": "attempt 2: ok",
    "past_traffic.py": "'dropped': 0",
    "quickstart.py": "gen_ai.usage.cache_read.input_tokens = 1024",
}


def test_every_example_has_a_promise_and_is_short() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(PROMISES)
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 60, path.name


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_the_example_runs_without_a_key(name: str) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    environ["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], capture_output=True, text=True, timeout=120, env=environ
    )
    assert done.returncode == 0, done.stderr
    assert PROMISES[name] in done.stdout, done.stdout
