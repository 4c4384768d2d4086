"""Levers and a real server: what they ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.hand_calls import DAY, call, put
from tests.web_server import Running, llm_span, own_store, running

import outlay
from outlay_web.cli import app
from outlay_web.config import Settings


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data: Path = tmp_path_factory.mktemp("levers")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1, bootstrap_key="r" * 32)) as server:
        yield server


def spoken(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def test_a_dataset_of_logged_calls_has_question_and_answer(served: Running) -> None:
    server = served.project("logged")
    spans = [
        llm_span(
            number,
            number,
            outlay__feature="faq" if number < 4 else "other",
            gen_ai__input__messages=spoken("user", f"Question {number}?"),
            gen_ai__output__messages=spoken("assistant", f"Answer {number}."),
        )
        for number in range(1, 6)
    ]
    spans.append(llm_span(9, 9, outlay__feature="faq"))  # without content
    server.send_spans(spans)
    server.wait_for_calls(6)
    key = server.credential["authorization"].removeprefix("Bearer ")
    found = outlay.dataset(server.url, api_key=key, feature="faq")
    assert {(one["input"], one["output"]) for one in found} == {(f"Question {n}?", f"Answer {n}.") for n in (1, 2, 3)}
    assert found[0]["messages"] == [{"role": "user", "content": found[0]["input"]}]
    assert len(outlay.dataset(server.url, api_key=key, limit=2)) == 2
    with pytest.raises(ValueError, match="capture_content"):
        outlay.dataset(server.url, api_key=key, feature="no such")
    with pytest.raises(ValueError, match=r"answered 400.*colour"):
        outlay.dataset(server.url, api_key=key, colour="blue")


def test_a_router_takes_what_the_server_has_measured(served: Running) -> None:
    store = served.assembly.context.store
    judged = []
    for model, right in (("gpt-4o-mini", 570), ("gpt-4o", 572)):
        cost = "0.01" if model == "gpt-4o-mini" else "0.10"
        rows = [call(timedelta(minutes=k), cost, model=model, task="triage") for k in range(600)]
        put(store, *rows)
        told = {"project": "default", "name": "good", "label": "", "at": DAY}
        judged += [
            {**told, "trace_id": row["trace_id"], "span_id": row["span_id"], "value": float(k < right)}
            for k, row in enumerate(rows)
        ]
    with served.assembly.context.writing() as writer:
        writer.insert("scores", judged)
    window = {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z", "margin": "0.05"}
    matrix = outlay.measured_matrix(served.url, api_key="r" * 32, **window)
    assert [(row.task, row.tier) for row in matrix] == [("triage", "cheap")]
    tiers = {"cheap": "gpt-4o-mini", "frontier": "gpt-4o"}
    router = outlay.Router(
        tiers, default="frontier", matrix=lambda: outlay.measured_matrix(served.url, api_key="r" * 32, **window)
    )
    assert (router.choose("triage").target, router.choose("triage").reason) == ("gpt-4o-mini", "matrix: triage")


def test_routing_is_answered_as_json_csv_and_text_and_levers_are_judged(served: Running) -> None:
    rows = [
        call(
            timedelta(minutes=k),
            cost,
            project="routed",
            task="sort",
            model=model,
            route_tier=tier,
            route_propensity=0.5,
            prompt="sort",
            prompt_version="1",
            experiment="which",
            arm=tier,
            span_id=f"{k:08x}{tier.encode().hex()[:8]}",
        )
        for tier, model, cost in (("cheap", "gpt-4o-mini", "0.01"), ("frontier", "gpt-4o", "0.10"))
        for k in range(120)
    ]
    put(served.assembly.context.store, *rows)
    told = {"project": "routed", "name": "good", "label": "", "at": DAY, "value": 1.0}
    with served.assembly.context.writing() as writer:
        writer.insert("scores", [{**told, "trace_id": row["trace_id"], "span_id": row["span_id"]} for row in rows])
    server = served.project("routed")
    window = (("start", "2026-03-01"), ("end", "2026-04-01"), ("margin", "0.05"))
    found = server.api("/routing", *window).json
    assert [task["recommended"] for task in found["tasks"]] == ["cheap"]
    lines = server.api("/routing", *window, ("format", "csv")).text.splitlines()
    assert lines[0].startswith("task,tier,requests,share,score,n,mean")
    assert [line.split(",")[1] for line in lines[1:]] == ["cheap", "frontier"]
    bad = server.api("/routing", *window[:2], ("score", "nice"))
    assert (bad.status, "nice" in bad.json["error"]["message"]) == (400, True)

    common = ["--url", served.url, "--start", "2026-03-01", "--end", "2026-04-01"]
    key = server.credential["authorization"].removeprefix("Bearer ")
    run = CliRunner(env={"OUTLAY_API_KEY": key})
    for words, code in (
        (["routing", "--margin", "0.05", "--fail-over", "1"], 3),  # 240 calls a day, 4.5 cents each
        (["routing", "--margin", "0.05", "--fail-over", "1000"], 0),
        (["routing", "--fail-over", "1000", "--feature", "none"], 1),  # nobody can tell
        (["tradeoff", "--margin", "0.05", "--fail-over", "1"], 3),
        (["tradeoff", "--margin", "0.05", "--fail-over", "1000"], 0),
        (["experiments", "which", "--control", "cheap", "--fail-over", "0.05"], 3),
        (["experiments", "which", "--control", "cheap", "--fail-over", "0.1"], 0),
        (["experiments", "--fail-over", "1"], 2),
        (["prompts", "--fail-over", "1"], 0),
    ):
        done = run.invoke(app, [*words, *common])
        assert done.exit_code == code, (words, done.output, done.exception)
