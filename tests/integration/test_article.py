"""The article's samples run as they are; the server's figures about them are those computed by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fake_provider import Answer, FakeProvider, Request
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings

SAMPLES = Path(__file__).parents[2] / "examples" / "article"
D = Decimal
MINI, FULL = D("0.00021"), D("0.0035")  # 1,000 in and 100 out: 0.15 and 0.60, 2.50 and 10 per million
CACHED = D("0.00225")  # of the 1,000 in 500 read from the provider's cache, at 1.25
EMBEDDING = D("0.0000002")  # 10 in, at 0.02 per million
CALLS = 4 + 6 + 2 + 4 + 5 + 40 + 50 + 1 + 2  # the last two: hits of the semantic and of the exact cache


def model(request: Request) -> Answer:
    """The small model is not sure of hard questions, and gets every fifth number wrong."""
    if request.path.endswith("/embeddings"):
        means_refund = any(word in str(request.body["input"]) for word in ("refund", "Money back"))
        size = 8 if means_refund else 9  # its vectors are all alike: only another length is another meaning
        return Answer(text="", input_tokens=10, output_tokens=0, vectors=size, model="text-embedding-3-small")
    text, name = str(request.body["messages"][-1]["content"]), str(request.body["model"])
    said, is_small = "sure", name == "gpt-4o-mini"
    if "even?" in text:
        number = int(text.split()[1])
        said = "yes" if (number % 2 == 0) != (is_small and number % 5 == 0) else "no"
    elif is_small and ("hard" in text or "new" in text):
        said = "not sure"
    read = 500 if text.startswith("Question") and not text.startswith("Question 0") else 0
    return Answer(text=said, input_tokens=1000, output_tokens=100, cache_read_tokens=read, model=name)


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, printed: dict[str, str]) -> Iterator[Running]:
    settings = Settings(data=tmp_path_factory.mktemp("article"), store_dsn=own_store(), grpc_port=-1)
    with running(settings) as server, FakeProvider(model) as provider:
        names = sorted(path.name for path in SAMPLES.glob("*.py"))
        code = (
            "import runpy, sys\nfor path in sys.argv[1:]: print('===', path); runpy.run_path(path, run_name='__main__')"
        )
        kept = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            cwd=SAMPLES,
            env={
                **kept,
                "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
                "OPENAI_BASE_URL": f"{provider.url}/v1",
                "OPENAI_API_KEY": "none",
                "OUTLAY_ENDPOINT": server.url,
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        for part in done.stdout.split("=== ")[1:]:
            name, _, said = part.partition("\n")
            printed[name] = said
        server.wait_for_calls(CALLS)
        yield server


def cost(server: Running, *pairs: tuple[str, str]) -> Decimal:
    return D(server.api("/spend", *pairs).json["total"]["cost_usd"])


def test_every_sample_has_at_most_25_lines(served: Running, printed: dict[str, str]) -> None:
    assert sorted(printed) == sorted(path.name for path in SAMPLES.glob("*.py"))
    assert len(printed) == 8
    for path in SAMPLES.glob("*.py"):
        code = path.read_text(encoding="utf-8").partition('"""\n\n')[2]
        assert len([line for line in code.splitlines() if line.strip()]) <= 25, path.name


def test_routing(served: Running) -> None:
    rows = served.api("/spend", ("group_by", "route_tier"), ("feature", "routing")).json["rows"]
    assert {row["route_tier"]: D(row["cost_usd"]) for row in rows} == {"cheap": 2 * MINI, "frontier": 2 * FULL}


def test_a_cascade_with_a_threshold_per_task(served: Running, printed: dict[str, str]) -> None:
    assert printed["cascade.py"].splitlines() == [
        "spam 0 0.87 0.000210000000 ['accepted']",
        "spam 1 0.87 0.003710000000 ['escalated', 'accepted']",
        "news 1 0.87 0.003710000000 ['escalated', 'accepted']",
        "legal 1 0.87 0.003500000000 ['accepted']",
    ]
    [one] = served.api("/cascades").json["cascades"]
    assert (one["runs"], one["escalated_runs"], one["accepted_runs"], one["forced_runs"]) == (4, 3, 4, 0)
    assert D(one["cost_usd"]) == 3 * MINI + 3 * FULL
    assert D(one["wasted_usd"]) == 2 * MINI
    assert D(one["top_tier_only_usd"]) == 4 * FULL
    assert D(one["saving_usd"]) == 4 * FULL - (3 * MINI + 3 * FULL)
    assert one["break_even_escalation_rate"] == pytest.approx(float(1 - MINI / FULL))


def test_an_exact_cache(served: Running) -> None:
    [row] = served.api("/caching", ("feature", "exact")).json["rows"]
    exact = row["exact"]
    assert (exact["lookups"], exact["hits"], exact["hit_ratio"], D(exact["avoided_usd"])) == (4, 2, 0.5, 2 * FULL)
    assert cost(served, ("feature", "exact")) == 2 * FULL


def test_the_providers_prefix_cache(served: Running) -> None:
    [row] = served.api("/caching", ("feature", "prefix")).json["rows"]
    told = row["provider"]
    assert (told["input_tokens"], told["cache_read_tokens"], told["hit_ratio"]) == (4000, 1500, 0.375)
    assert D(told["saving_usd"]) == 3 * (FULL - (CACHED + D("0.000625")))
    assert cost(served, ("feature", "prefix")) == FULL + 3 * (CACHED + D("0.000625"))


def test_a_semantic_cache(served: Running) -> None:
    [row] = served.api("/caching", ("feature", "semantic")).json["rows"]
    semantic = row["semantic"]
    assert (semantic["lookups"], semantic["hits"], D(semantic["avoided_usd"])) == (3, 1, FULL)
    assert cost(served, ("feature", "semantic")) == 2 * FULL + 3 * EMBEDDING


def test_a_benchmark(served: Running, printed: dict[str, str]) -> None:
    arms = {arm["arm"]: arm for arm in served.api("/experiments/article-benchmark").json["arms"]}
    assert {name: (arm["n"], arm["mean"]) for name, arm in arms.items()} == {
        "gpt-4o": (20, 1.0),
        "gpt-4o-mini": (20, 0.8),
    }
    assert {name: D(arm["cost_per_call_usd"]) for name, arm in arms.items()} == {"gpt-4o": FULL, "gpt-4o-mini": MINI}
    assert "| gpt-4o-mini | 0.800 [" in printed["benchmark.py"]
    assert "correct: not enough data" in printed["benchmark.py"]


def test_a_cohort_of_one_user_in_ten(served: Running) -> None:
    import outlay

    expected = [str(outlay.assign("article-cohort", f"user-{n}", {"control": 0.9, "short": 0.1})) for n in range(50)]
    rows = served.api("/spend", ("group_by", "arm"), ("feature", "cohort")).json["rows"]
    assert {row["arm"]: row["calls"] for row in rows} == {
        "control": expected.count("control"),
        "short": expected.count("short"),
    }
    assert {row["arm"]: D(row["cost_usd"]) for row in rows} == {
        arm: expected.count(arm) * MINI for arm in ("control", "short")
    }


def test_the_calculator(printed: dict[str, str], served: Running) -> None:
    numbers: list[Any] = [D(word) for word in printed["calculator.py"].split()[:4]]
    per_request = (MINI + FULL / 5) * D("0.75")
    assert numbers == [350, per_request * 100_000, D("5.5"), FULL - per_request]
