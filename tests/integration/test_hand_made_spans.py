"""A small world of spans, sent as OTLP, whose answers are computed by hand: from the wire to every question.

Prices per million tokens: gpt-4o-mini 0.15 in, 0.075 cached, 0.60 out; gpt-4o 2.50 in, 10.00 out. A call has 1,000
input and 100 output tokens unless it says otherwise: 0.00021 with gpt-4o-mini, 0.0035 with gpt-4o.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.web_server import Running, llm_span, own_store, running

from outlay_web.config import Settings

SMALL, LARGE = Decimal("0.00021"), Decimal("0.0035")
PARTLY_CACHED = Decimal("0.00018")  # 600 × 0.15 + 400 × 0.075 + 100 × 0.60


def model(name: str) -> dict[str, str]:
    return {"gen_ai__request__model": name, "gen_ai__response__model": name}


def attempt(run: str, tier: int, outcome: str) -> dict[str, Any]:
    return {
        "outlay__feature": "answer",
        "outlay__cascade__name": "ladder",
        "outlay__cascade__run_id": run,
        "outlay__cascade__tier": tier,
        "outlay__cascade__outcome": outcome,
    }


SPANS: list[dict[str, Any]] = [
    {"outlay__feature": "search"},
    {"outlay__feature": "search"},
    {"outlay__feature": "search", "gen_ai__usage__cache_read__input_tokens": 400},
    {"outlay__feature": "search", **model("house-model-nobody-knows")},
    {"outlay__feature": "faq", "outlay__cache__kind": "exact", "outlay__cache__hit": False},
    {
        "outlay__feature": "faq",
        "outlay__cache__kind": "exact",
        "outlay__cache__hit": True,
        "outlay__cache__avoided__input_tokens": 1000,
        "outlay__cache__avoided__output_tokens": 100,
    },
    attempt("r1", 0, "escalated"),
    {**attempt("r1", 1, "accepted"), **model("gpt-4o")},
    attempt("r2", 0, "accepted"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1, bootstrap_key="r" * 32)) as started:
        made = started.project("hand")
        for n, attributes in enumerate(SPANS, start=1):
            made.send_spans([llm_span(n, n, ago_s=3600 + 60 * n, **attributes)])
        made.wait_for_calls(len(SPANS))
        yield made


def test_spend_and_coverage(server: Running) -> None:
    spend = server.api("/spend", ("group_by", "feature")).json
    rows = {row["feature"]: (row["calls"], Decimal(row["cost_usd"]), row["priced_ratio"]) for row in spend["rows"]}
    assert rows == {
        "search": (4, 2 * SMALL + PARTLY_CACHED, 0.75),
        "faq": (2, SMALL, 1.0),
        "answer": (3, 2 * SMALL + LARGE, 1.0),
    }
    assert Decimal(spend["total"]["cost_usd"]) == 5 * SMALL + PARTLY_CACHED + LARGE
    assert (spend["coverage"]["calls"], spend["coverage"]["priced_calls"]) == (9, 8)
    assert Decimal(spend["total"]["uncached_cost_usd"]) == 6 * SMALL + LARGE


def test_caching(server: Running) -> None:
    rows = {row["feature"]: row for row in server.api("/caching", ("group_by", "feature")).json["rows"]}
    exact = rows["faq"]["exact"]
    assert (exact["lookups"], exact["hits"], exact["hit_ratio"]) == (2, 1, 0.5)
    assert Decimal(exact["avoided_usd"]) == SMALL
    provider = rows["search"]["provider"]
    assert (provider["input_tokens"], provider["cache_read_tokens"], provider["hit_ratio"]) == (4000, 400, 0.1)
    assert Decimal(provider["saving_usd"]) == SMALL - PARTLY_CACHED


def test_cascades(server: Running) -> None:
    (ladder,) = server.api("/cascades").json["cascades"]
    assert (ladder["runs"], ladder["escalated_runs"], ladder["escalation_rate"]) == (2, 1, 0.5)
    assert Decimal(ladder["cost_usd"]) == 2 * SMALL + LARGE
    assert Decimal(ladder["wasted_usd"]) == SMALL
    assert Decimal(ladder["cost_per_accepted_usd"]) == (2 * SMALL + LARGE) / 2
    assert Decimal(ladder["top_tier_only_usd"]) == 2 * LARGE
    assert Decimal(ladder["saving_usd"]) == LARGE - 2 * SMALL
    assert ladder["break_even_escalation_rate"] == pytest.approx(0.94)  # 1 − 0.00021 ÷ 0.0035


def test_explain_adds_up_from_nothing(server: Running) -> None:
    explained = server.api("/explain").json
    change = Decimal(explained["change_usd"])
    assert change == 5 * SMALL + PARTLY_CACHED + LARGE
    assert sum(Decimal(driver["usd"]) for driver in explained["drivers"]) == change
    by_feature: dict[str, Decimal] = {}
    for cell in explained["cells"]:
        by_feature[cell["feature"]] = by_feature.get(cell["feature"], Decimal(0)) + Decimal(cell["usd"])
    assert by_feature == {
        "search": 2 * SMALL + PARTLY_CACHED,
        "faq": SMALL,
        "answer": 2 * SMALL + LARGE,
    }


def test_paging_gives_every_call_once_newest_first(server: Running) -> None:
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = server.api("/calls", ("limit", "4"), *([("cursor", cursor)] if cursor else [])).json
        seen += [call["started_at"] for call in page["calls"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (len(seen), len(set(seen)), pages) == (9, 9, 3)
    assert seen == sorted(seen, reverse=True)


def test_errors_have_one_shape(server: Running) -> None:
    answer = server.api("/spend", ("group_by", "nothing"))
    assert answer.status == 400
    assert answer.json["error"]["code"] == "bad_request"
    assert "nothing" in answer.json["error"]["message"]
