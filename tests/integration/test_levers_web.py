"""Scores as a filter, and other levers, over HTTP, on their pages and by command, of one running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hand_calls import call, lookup, put
from tests.integration.test_quality import HOUR, score
from tests.outlay_process import outlay
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings

MARCH = (("start", "2026-03-01T00:00:00Z"), ("end", "2026-04-01T00:00:00Z"))
MINUTE = timedelta(minutes=1)
MAILED = (("dear", "0.2"), ("cheap", "0.1"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)
    with running(settings) as found:
        store = found.assembly.context.store
        about = {"feature": "chat", "operation": "chat"}
        rows = [call(HOUR + n * MINUTE, "0.01", **about, user=f"u{n}") for n in range(4)]
        put(store, *rows)
        for n, row in enumerate(rows[:3]):
            score(store, row, "correct", float(n > 0), "poor" if n == 0 else "", of="trace" if n == 2 else "call")
        hit = call(HOUR, "0", cost_state="cached", cache_kind="semantic", cache_hit=True, cache_similarity=0.9)
        about = {"trace_id": hit["trace_id"], "span_id": hit["span_id"]}
        put(store, hit, lookup(HOUR, kind="semantic", hit=True, similarity=0.9, avoided_usd="0.01", **about))
        score(store, hit, "same", 1.0)
        yield found


def test_scores_filter_answers_and_pages_and_lead_on(server: Running) -> None:
    assert server.api("/spend", *MARCH, ("score.correct", "1")).json["total"]["cost_usd"] == "0.02"
    assert server.api("/calls", *MARCH, ("score.correct", "<0.5")).json["calls"][0]["user"] == "u0"
    refused = server.api("/spend", *MARCH, ("score.correct", "<x"))
    assert refused.status == 400
    assert "compares with no number" in refused.json["error"]["message"]
    assert "score.<name>" in server.api("/spend", ("scoer.x", "1")).json["error"]["message"]
    page = server.get("/calls", *MARCH, ("score.correct", "<0.5")).text
    assert "score.correct" in page  # a chip that takes the filter away
    assert 'href="/traces/' in page
    quality = server.get("/quality", *MARCH).text
    assert "score.correct=%2A" in quality


def asked(server: Running, tmp_path: Path, *words: str) -> dict[str, Any]:
    """The answer of a command about that server."""
    window = [part for name, at in MARCH for part in (f"--{name}", at)]
    found = outlay(tmp_path, *words, "--url", server.url, *window, "--json")
    assert found.returncode == 0, found.stderr
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


def test_the_command_takes_scores_too(server: Running, tmp_path: Path) -> None:
    assert asked(server, tmp_path, "spend", "--scored", "correct=>0")["total"]["calls"] == 2


def test_thresholds_of_semantic_caches_are_an_answer_a_command_and_on_the_page(server: Running, tmp_path: Path) -> None:
    found = server.api("/caching/thresholds", *MARCH).json
    assert (found["score"], found["in_use"], found["runs_missing"] > 100) == ("same", [0.9], True)
    assert asked(server, tmp_path, "caching", "--thresholds") == found
    assert server.api("/caching/thresholds", *MARCH, ("score", "nothing")).status == 400
    page = server.get("/caching", *MARCH).text
    assert "Thresholds of the semantic caches" in page
    assert "more scored answers from the cache at least" in page
    without = server.get("/caching", *MARCH, ("feature", "chat"))
    assert (without.status, "Thresholds of the semantic caches" in without.text) == (200, False)


def test_two_models_are_put_side_by_side(server: Running, tmp_path: Path) -> None:
    put(
        server.assembly.context.store,
        *(call(HOUR + n * MINUTE, usd, model=name, feature="mail") for n in range(40) for name, usd in MAILED),
    )
    own = (("by", "model"), ("first", "dear"), ("second", "cheap"), ("feature", "mail"))
    found = server.api("/decide", *MARCH, *own).json
    assert [side["cost_per_call_usd"] for side in found["sides"]] == ["0.2", "0.1"]
    assert (found["verdict"], found["score"]) == ("not enough data", None)
    assert found["monthly"]["change_usd"].startswith("-")
    assert asked(server, tmp_path, "decide", "dear", "cheap", "--feature", "mail") == found
    assert server.api("/decide", *MARCH, *own[:2]).status == 400
    page = server.get("/decide", *MARCH, ("feature", "mail")).text  # the two dearest by themselves
    assert "nothing is scored" in page
    assert "$0.2" in page
    put(server.assembly.context.store, call(HOUR, "50", model="alone", feature="elsewhere"))
    page = server.get("/decide", *MARCH).text  # not the dearest of all, which answers something else
    assert "A month with cheap" in page
    assert "Of which experiment?" in server.get("/decide", *MARCH, ("by", "arm")).text
    assert "There is no cascade in this window" in server.get("/decide", *MARCH, ("by", "threshold")).text
    assert server.get("/decide", *MARCH, ("by", "colour")).status == 400
    assert "Nothing to compare in this window" in server.get("/decide", *MARCH, ("by", "prompt_version")).text


def test_a_traces_page_tells_its_scores(server: Running) -> None:
    [scored] = server.api("/calls", *MARCH, ("score.correct", "poor")).json["calls"]
    page = server.get(f"/traces/{scored['trace_id']}").text
    assert "Scores of the trace" in page
    assert "score.correct=0" in page
