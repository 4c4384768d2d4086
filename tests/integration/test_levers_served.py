"""Levers and a real server: what they ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web_server import Running, llm_span, own_store, running

import outlay
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
