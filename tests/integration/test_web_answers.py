"""How answers leave: compressed where they hold no secret, and errors with a way on."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings

ZIP = {"accept-encoding": "gzip, br"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)) as found:
        yield found


@pytest.mark.parametrize("path", ["/", "/prices", "/api/v1/prices", "/openapi.json"])
def test_pages_and_answers_are_sent_compressed_to_those_who_take_it(server: Running, path: str) -> None:
    plain, zipped = server.get(path), server.get(path, headers=ZIP)
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in zipped.headers["vary"].lower()
    assert len(zipped.body) < len(plain.body) / 2
    assert len(gzip.decompress(zipped.body)) > len(plain.body) / 2


@pytest.mark.parametrize("path", ["/budgets", "/alerts", "/login", "/api/v1/budgets", "/api/v1/alerts"])
def test_what_may_hold_a_secret_is_not_compressed(server: Running, path: str) -> None:
    assert "content-encoding" not in server.get(path, headers=ZIP).headers


def test_an_error_page_leads_on(server: Running) -> None:
    wrong = server.get("/spend?group_by=nonsense&feature=a")
    assert wrong.status == 400
    assert '<a href="/spend">The same page without filters</a>' in wrong.text
    assert '<a href="/">Overview</a>' in wrong.text
    lost = server.get("/nothing")
    assert lost.status == 404
    assert '<a href="/calls">Calls</a>' in lost.text


@pytest.mark.parametrize(
    "path", ["//evil.example/x?a=1", "/%2F/evil.example?a=1", "/x%22onclick=boom()?a=%22%3E%3Cb%3E"]
)
def test_an_error_page_leads_nowhere_else(server: Running, path: str) -> None:
    page = server.request("GET", path).text
    assert 'href="//' not in page
    assert "<b>" not in page
    assert '"onclick' not in page
