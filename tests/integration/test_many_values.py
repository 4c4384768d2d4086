"""Twenty thousand values of a dimension: answers and pages stay small, and what they leave out is said and added up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.many_values import fill
from tests.scrape import samples
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings

COUNT = 20_000
MOST_BYTES = 300_000
MOST_NODES = 6_000
KINDS = ("user", "feature", "tag.plan")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)) as found:
        for dimension in KINDS:
            fill(found.assembly.context.store, dimension, COUNT, datetime.now(UTC), project=dimension.replace(".", "-"))
        yield found


def of(dimension: str) -> tuple[str, str]:
    return ("project", dimension.replace(".", "-"))


@pytest.mark.parametrize("dimension", KINDS)
@pytest.mark.parametrize("path", ["/", "/spend", "/caching", "/settings", "/calls"])
def test_a_page_stays_small(server: Running, path: str, dimension: str) -> None:
    by = [] if path in ("/settings", "/calls") else [("group_by", dimension)]
    answer = server.get(path, of(dimension), *by)
    assert answer.status == 200
    assert len(answer.body) <= MOST_BYTES
    assert len(re.findall(r"<[a-z]", answer.text)) <= MOST_NODES
    if path == "/spend":
        assert f"{COUNT - 50:,} others" in answer.text
        assert f"{COUNT - 7:,} others" in answer.text


@pytest.mark.parametrize("path", ["/spend", "/caching"])
@pytest.mark.parametrize("interval", ["total", "day"])
@pytest.mark.parametrize("dimension", KINDS)
def test_an_answer_is_bounded_and_its_rows_add_up(server: Running, path: str, interval: str, dimension: str) -> None:
    answer = server.api(path, of(dimension), ("group_by", dimension), ("interval", interval)).json
    rows = answer["rows"]
    assert len(rows) <= 20_000
    assert any(row.get("remainder") for row in rows)
    if path == "/spend":
        assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal(answer["total"]["cost_usd"])
        assert sum(row["calls"] for row in rows) == answer["total"]["calls"] == COUNT
    else:
        for name in ("input_tokens", "cache_read_tokens"):
            assert sum(row["provider"][name] for row in rows) == answer["total"]["provider"][name]


def test_metrics_have_a_bounded_number_of_series_that_add_up(server: Running) -> None:
    calls = samples(server, "outlay_calls")
    assert sum(sample.value for sample in calls if sample.labels["project"] == "feature") == COUNT
    assert len(server.get("/metrics").text.splitlines()) < 10_000
