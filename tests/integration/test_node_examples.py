"""examples/node: what JavaScript's own instrumentations send becomes calls with a feature and exact counts.

Each example was run against the fake provider and what it sent recorded (tests/data/node-examples); that is replayed
here. Where `npm install` was run in an example (`make clients`), it is run again, for real.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ENGINE_PATH
from tests.fake_provider import Answer, FakeProvider, Request
from tests.landing import collector

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store, migrate, open_store

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "node"
RECORDED = ROOT / "tests" / "data" / "node-examples"
COUNTS = {"gpt-4o": (1391, 50), "gpt-4o-mini": (700, 20), "claude-sonnet-4-6": (300, 30)}
TRIAGE = ("triage", "gpt-4o", 1391, 50, Decimal("0.0039775"))
DIGEST = ("digest", "gpt-4o-mini", 700, 20, Decimal("0.000117"))
CALLS = {
    "langchain": [TRIAGE, DIGEST],
    "langfuse": [TRIAGE, DIGEST],
    "openai-anthropic": [TRIAGE, DIGEST, ("reply", "claude-sonnet-4-6", 300, 30, Decimal("0.00135"))],
    "vercel-ai-sdk": [TRIAGE, DIGEST, ("shop", "text-embedding-3-small", 9, 0, Decimal("0.00000018"))],
}


def answer(request: Request) -> Answer:
    """Counts by model: none can be guessed from the texts."""
    counts = COUNTS.get(str(request.body["model"]), (9, 0))
    return Answer(text="Billing.", input_tokens=counts[0], output_tokens=counts[1])


def calls_of(store: Store, path: Path, bodies: dict[str, list[bytes]]) -> dict[str, list[tuple[Any, ...]]]:
    """Example → its calls by start, with what they are for."""
    with collector(store, path) as made:
        for example, sent in bodies.items():
            for body in sent:
                made.send(body, example, max_age_days=None)
        made.load()
        settler = Settler(store, PriceBook(store))
        while settler.run_once():
            pass
        settler.close()
    rows = store.query("SELECT * FROM calls FINAL ORDER BY started_at")
    assert {row["service"] for row in rows} == {"shop"}
    found: dict[str, list[tuple[Any, ...]]] = {example: [] for example in bodies}
    for row in rows:
        model = row["request_model"] or row["response_model"]
        counts = row["input_tokens"], row["output_tokens"]
        found[row["project"]].append((row["feature"], model, *counts, row["cost_usd"]))
    return found


@pytest.fixture
def store() -> Iterator[Store]:
    made = open_store(f"chdb://{ENGINE_PATH}?database=node_{uuid.uuid4().hex[:8]}")
    migrate(made)
    yield made
    made.close()


def test_what_the_examples_sent_is_counted_once_with_its_feature(store: Store, tmp_path: Path) -> None:
    bodies = {name: [file.read_bytes() for file in sorted((RECORDED / name).glob("*.pb"))] for name in CALLS}
    assert calls_of(store, tmp_path, bodies) == CALLS


def test_each_example_is_small_and_names_what_it_needs_and_nothing_of_others_is_kept() -> None:
    listed = subprocess.run(["git", "ls-files", EXAMPLES], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {Path(line) for line in listed.stdout.splitlines()}
    assert {file.parent.name for file in files if file.name == "package.json"} == set(CALLS)
    assert {file.name for file in files} <= {"README.md", "package.json", "app.mjs", "otel.mjs"}
    for file in files:
        if file.name == "package.json":
            told = json.loads((ROOT / file).read_text())
            assert (told["private"], told["scripts"]["start"].split()[0]) == (True, "node")
        elif file.suffix == ".mjs":
            assert len((ROOT / file).read_text().splitlines()) <= 50


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        if "content-length" in self.headers:
            body = self.rfile.read(int(self.headers["content-length"]))
        else:  # in chunks, each after its length; the last has none
            body = b"".join(iter(self.chunk, b""))
        packed = self.headers.get("content-encoding") == "gzip"
        self.server.bodies.append(gzip.decompress(body) if packed else body)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def chunk(self) -> bytes:
        found = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return found

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[tuple[str, list[bytes]]]:
    """The endpoint of a server that takes traces, and what it gets."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.bodies = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.bodies  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(example: str, folder: Path) -> list[bytes]:
    """What an example sends."""
    words = json.loads((folder / "package.json").read_text())["scripts"]["start"].split()
    with FakeProvider(answer) as provider, receiving() as (endpoint, bodies):
        keys = {"OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none"}
        urls = {"OPENAI_BASE_URL": provider.url + "/v1", "ANTHROPIC_BASE_URL": provider.url}
        ours = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "shop"}
        environ = {**os.environ, **keys, **urls, **ours}
        done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stdout.count("Billing.") > 1) == (0, True), done
        assert len(provider.requests) == len(CALLS[example])
        return list(bodies)


@pytest.mark.parametrize("example", sorted(CALLS))
def test_an_example_runs_and_is_counted_once_with_its_feature(example: str, store: Store, tmp_path: Path) -> None:
    folder = Path(os.environ.get("NODE_EXAMPLES", EXAMPLES)) / example
    if shutil.which("node") is None or not (folder / "node_modules").is_dir():
        pytest.skip("npm install was not run in the example; make clients does")
    assert calls_of(store, tmp_path, {example: run(example, folder)}) == {example: CALLS[example]}
