"""Who asks sets the pace: what a server does with what it received, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web_server import Running, llm_span, own_store, running

from outlay_collector.cadence import ALLOWANCE_S, GATHER_S
from outlay_web.config import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store())) as found:
        yield found


def attended(server: Running, path: str) -> bool:
    cadence = server.assembly.cadence
    cadence._asked_at = float("-inf")
    server.get(path)
    return cadence.attended


@pytest.mark.parametrize("path", ["/", "/calls", "/api/v1/spend", "/api/v1/status"])
def test_pages_and_answers_mark_that_somebody_looks(server: Running, path: str) -> None:
    assert attended(server, path)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/outlay.css", "/favicon.ico", "/login"])
def test_monitors_and_files_do_not(server: Running, path: str) -> None:
    assert not attended(server, path)


def test_what_nobody_looks_at_waits_until_somebody_asks(server: Running) -> None:
    cadence = server.assembly.cadence
    spool = server.assembly.spool
    assert spool is not None
    server.send_spans([llm_span(1, 1)])
    server.wait_for_calls(1)
    cadence._asked_at = float("-inf")
    cadence._allowance_s = -ALLOWANCE_S
    server.send_spans([llm_span(2, 2)])
    left_s = cadence.due_s(spool.waiting())
    assert 0 < left_s <= GATHER_S
    server.wait_for_calls(2)


def test_alerts_are_judged_by_what_was_received_by_then(server: Running) -> None:
    cadence = server.assembly.cadence
    cadence._asked_at = float("-inf")
    cadence._allowance_s = -ALLOWANCE_S
    server.send_spans([llm_span(3, 3)])
    spool = server.assembly.spool
    assert spool is not None
    assert cadence.catch_up(spool.waiting, 60)
    sql = "SELECT count() AS n FROM calls WHERE trace_id = {trace:String}"
    assert server.assembly.store.query(sql, {"trace": f"{3:032x}"}) == [{"n": 1}]


def test_where_pages_are_another_process_somebody_is_taken_to_look(tmp_path: Path) -> None:
    with running(Settings(data=tmp_path, store_dsn=own_store(), roles=("receive", "jobs"))) as found:
        assert found.assembly.cadence.attended
