"""Every example runs as it is, in a process of its own, and prints what it promises."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.fake_provider import Answer, FakeProvider
from tests.receiver import receiver

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMISES = {
    "ab_test.py": "40 scores",
    "agent_handover.py": "help-desk gpt-4o 360 25",
    "anthropic_cached.py": "second call, reads it",
    "batch_results.py": "item-2 catalog-texts 0.00225",
    "caches.py": "'kind': 'semantic', 'hit': True",
    "cascade.py": "tier 1 accepted",
    "evaluation.py": "60 scores sent beside 60 calls",
    "fastapi_app.py": "support-triage bob",
    "langchain_chain.py": "order-desk 420",
    "openai_chat.py": "attempt 2: ok",
    "past_traffic.py": "'dropped': 0",
    "quickstart.py": "gen_ai.usage.cache_read.input_tokens = 1024",
}


def test_every_example_has_a_promise_and_is_short() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(PROMISES)
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text().splitlines()) < 60, path.name


def run(*command: str, **environ: str) -> str:
    """What the program printed, run without any key of the developer's."""
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    kept["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=300, env={**kept, **environ}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(PROMISES))
def test_the_example_runs_without_a_key(name: str) -> None:
    printed = run(str(EXAMPLES / name))
    assert PROMISES[name] in printed, printed


def test_the_snippet_of_the_readme_runs_as_it_is() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (EXAMPLES.parent / "README.md").read_text(), re.DOTALL)
    with FakeProvider() as provider, receiver() as server:
        provider.queue(Answer(text="Payments", input_tokens=1200, output_tokens=80))
        printed = run(
            "-c",
            snippet + "\nprint(triage(openai.OpenAI(), 'My card was declined.'))",
            OPENAI_BASE_URL=f"{provider.url}/v1",
            OPENAI_API_KEY="none",
            OUTLAY_ENDPOINT=server.url.removesuffix("/hook"),
        )
        spans = [span for body in server.bodies for span in spans_of(body)]
    assert printed == "Payments\n"
    assert sorted(span.name for span in spans) == ["chat gpt-4o", "triage"]


def spans_of(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
    return [span for found in request.resource_spans for scope in found.scope_spans for span in scope.spans]
