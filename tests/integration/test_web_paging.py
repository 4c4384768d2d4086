"""Every list of the API comes in pages that together are the list, whatever arrives between two of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from tests.web_server import Running, llm_span, own_store, running

from outlay_web.config import Settings

FEATURES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1)) as found:
        spans = [
            _call(feature, 1000 * n, outlay__cascade__name=f"cascade {n}", outlay__cascade__tier=0)
            for n, feature in enumerate(FEATURES, 1)
        ]
        found.send_spans(spans)
        found.wait_for_calls(len(FEATURES))
        for n in range(1, 5):
            found.post(f"/api/v1/budgets/b{n}", {"amount_usd": str(n)}, method="PUT")
        yield found


def _call(feature: str, tokens: int, **attributes: Any) -> dict[str, Any]:
    usage: dict[str, Any] = {"outlay__feature": feature, "gen_ai__usage__input_tokens": tokens}
    return llm_span(uuid.uuid4().int, 1, **usage, **attributes)


def _pages(server: Running, path: str, name: str, *pairs: tuple[str, str]) -> Iterator[list[Any]]:
    cursor: list[tuple[str, str]] = []
    while True:
        found = server.api(path, ("limit", "2"), *pairs, *cursor).json
        rows = found[name]
        if path == "/spend":  # what is on no row of the page is in one more, so that rows add up
            assert sum(row["calls"] for row in rows) == found["total"]["calls"]
        if path == "/caching":
            tokens = sum(row["provider"]["input_tokens"] for row in rows)
            assert tokens == found["total"]["provider"]["input_tokens"]
        yield [row for row in rows if not row.get("remainder")]
        if found["next_cursor"] is None:
            return
        cursor = [("cursor", found["next_cursor"])]


@pytest.mark.parametrize(
    ("path", "name", "pairs"),
    [
        ("/spend", "rows", [("group_by", "feature")]),
        ("/spend", "rows", [("group_by", "feature"), ("interval", "hour"), ("compare", "previous")]),
        ("/caching", "rows", [("group_by", "feature")]),
        ("/cascades", "cascades", []),
        ("/budgets", "budgets", []),
        ("/anomalies", "anomalies", []),
        ("/alerts", "alerts", []),
        ("/prices", "prices", [("model", "gpt-4o-mini")]),
        ("/calls", "calls", []),
        ("/traces", "traces", []),
    ],
)
def test_the_pages_of_a_list_are_the_list(server: Running, path: str, name: str, pairs: list[tuple[str, str]]) -> None:
    whole = server.api(path, *pairs).json[name]
    pages = list(_pages(server, path, name, *pairs))
    assert all(len(page) <= 2 for page in pages)
    assert _names([row for page in pages for row in page]) == _names(whole)


def _names(rows: list[Any]) -> list[Any]:
    """What tells the rows apart, without what the moment of the question changes."""
    keys = ("call_id", "trace_id", "name", "feature", "id")
    return [next((row[key] for key in keys if key in row), row) for row in rows]


def test_a_call_that_arrives_between_two_pages_moves_no_row(server: Running) -> None:
    pages = _pages(server, "/spend", "rows", ("group_by", "feature"))
    shown = _names(next(pages))
    server.send_spans([_call("a", 10**6) | _times_of_now(), _call("new", 10**7) | _times_of_now()])
    server.wait_for_calls(len(FEATURES) + 2)
    for page in pages:
        shown += _names(page)
    assert shown == ["e", "d", "c", "b", "a"]


def _times_of_now() -> dict[str, Any]:
    fresh = llm_span(1, 1, ago_s=0.0)
    return {name: fresh[name] for name in ("startTimeUnixNano", "endTimeUnixNano")}


@pytest.mark.parametrize("path", ["/spend", "/caching", "/cascades", "/budgets", "/anomalies", "/alerts", "/prices"])
def test_a_cursor_of_another_list_is_a_400(server: Running, path: str) -> None:
    other = server.api("/spend", ("group_by", "feature,model"), ("limit", "1")).json["next_cursor"]
    for cursor in (other, "x", "bnVsbA", "W10"):
        status, code, message = server.api(path, ("cursor", cursor)).error
        assert (status, code) == (400, "bad_request")
        assert "cursor" in message


def test_without_limit_and_cursor_what_is_added_up_comes_whole_and_unpaged(server: Running) -> None:
    for path in ("/spend", "/caching", "/cascades", "/budgets", "/anomalies"):
        assert "next_cursor" not in server.api(path).json
