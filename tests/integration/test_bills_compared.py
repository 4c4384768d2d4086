"""Pulled bills beside the calls: reasons, witnesses, the overview's sentence, prices accepted, and an alert when less
is explained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.documented_api import Documented
from tests.fake_billing import OPENAI_KEY, FakeBilling, Used
from tests.web_server import Running, llm_span, own_store, running

from outlay_analytics.alerting.budget_rules import Explained, explained_less
from outlay_analytics.alerting.evaluate import evaluate_bills
from outlay_web.config import Settings
from outlay_web.services import accept, bills

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
DAYS = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (16, 17)]
CALLS = 10  # a day, of gpt-4o-mini, 1,000 tokens in and 100 out: 0.00021 USD each
WINDOW = ("start", "2026-11-16"), ("end", "2026-11-18")
MODEL = "gpt-4o-mini-2024-07-18"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("BILLS_KEY", OPENAI_KEY)
    with FakeBilling() as fake:
        for day in DAYS:
            fake.cost(day.date(), MODEL, "input", "0.00135", tokens=10_000)  # a tenth below the list
            fake.cost(day.date(), MODEL, "output", "0.00054", tokens=1_000)
        fake.cost(DAYS[0].date(), MODEL, "input", "0.00027", tokens=2_000, project="proj_lab", key="key_lab")
        counts = {"input_tokens": 12_000, "output_tokens": 1_000, "num_model_requests": 12}
        fake.used.append(Used(DAYS[0].date(), MODEL, counts))
        row = {"name": "openai", "provider": "openai", "key_env": "BILLS_KEY", "url": fake.url}
        settings = Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)
        with running(settings, {"bills": [row]}, lambda: NOW) as found:
            spans = [llm_span(1 + n, 1, ago_s=time.time() - DAYS[n % 2].timestamp()) for n in range(CALLS * len(DAYS))]
            assert found.send_spans(spans).status == 200
            found.wait(lambda: found.api("/spend", *WINDOW).json["total"]["calls"] == len(spans), "settled")
            found.wait(lambda: found.api("/bills").json["bills"][0]["state"] == "done", "pulled by itself")
            found.__dict__["fake"] = fake
            yield found


def reasons(found: dict[str, Any]) -> dict[str, Decimal]:
    return {one["reason"]: Decimal(one["usd"]) for one in found["residual"] if Decimal(one["usd"])}


def test_pulled_bills_are_compared_accepted_and_watched(server: Running) -> None:
    asked = Documented(server, server.get("/openapi.json").json)
    found = asked.ask("get", "/reconcile", *WINDOW).json
    assert reasons(found) == {"missing_calls": Decimal("0.00027"), "discount": Decimal("-0.00042")}
    assert [(one["account"], one["key"], one["usd"]) for one in found["missing"]] == [
        ("proj_lab", "key_lab", "0.00027")
    ]
    assert found["witnesses"] == {"client": 1.0, "provider": 0.0, "bill": 1.0, "all": 0.0}
    assert [(gap["witness"], gap["usd"]) for gap in found["gaps"]] == [("bill", "0.00027")]
    assert found["coverage"] == float(1 - Decimal("0.00027") / Decimal("0.00405"))
    assert asked.ask("get", "/reconcile", *WINDOW, ("format", "csv")).text.startswith("day,provider,model")
    assert asked.ask("get", "/reconcile", *WINDOW, ("bill", "x")).status == 400

    page = server.get("/reconcile").text
    for words in ("pulled bills", "Missing calls", "key_lab", "Provider&#39;s spans", "outlay bills accept"):
        assert words in page, words

    assert server.request("POST", "/api/v1/bills/pull").json["failed"] == {}
    overview = server.get("/").text
    assert "93.3% of the bill explained" in overview

    given = asked.ask("post", "/bills/accept").json
    [price] = [row for row in given["prices"] if row["service_tier"] == "standard" and "region" not in row]
    assert (price["input_usd_per_mtok"], price["output_usd_per_mtok"]) == ("0.135", "0.54")
    refused = asked.ask("post", "/bills/accept")
    assert (refused.status, given["reprice"] in refused.error[2]) == (400, True), "the discount is in force already"
    body = {"start": WINDOW[0][1], "end": WINDOW[1][1]}
    assert given["reprice"].startswith("outlay reprice --start 2026-10-16")
    assert server.post("/api/v1/reprice", body).status == 200
    assert reasons(server.api("/reconcile", *WINDOW).json) == {"missing_calls": Decimal("0.00027")}
    assert "show no discount" in server.request("POST", "/api/v1/bills/accept").error[2]

    ctx = server.assembly.context
    proposal = {"provider": "anthropic", "model": "claude-opus-4-6", "valid_from": DAYS[0].date()}
    share = {"discount": Decimal("0.1"), "paid_ratio": Decimal("0.9")}
    rows = accept.discounted(ctx, "default", proposal | share, [], "a bill", "outlay reprice")
    assert any("region" in row for row in rows), "a model that costs more in a region"
    with ctx.writing() as writer:
        ctx.prices.put(writer, rows, NOW)

    fake: FakeBilling = server.__dict__["fake"]
    fake.cost(DAYS[1].date(), "o3-mini", "input", "0.05", tokens=10)
    assert server.request("POST", "/api/v1/bills/pull").json["failed"] == {}
    with ctx.own_writer() as writer:
        evaluate_bills(ctx.store, writer, NOW, explained=bills.explained(ctx))
    [alert] = server.api("/alerts").json["alerts"]
    assert (alert["rule"], alert["title"], alert["state"]) == (
        "bill_unexplained", "less of the bill is explained", "firing",
    )  # fmt: skip
    assert "most of it: not recorded" in alert["reason"]
    assert alert["explain"].startswith("/reconcile")
    assert server.get("/alerts").status == 200


def test_less_explained_than_usual_is_found_once_and_then_is_the_usual() -> None:
    def checks(*shares: float) -> list[Explained]:
        return [Explained(share, Decimal(100), NOW - timedelta(days=n), "unknown") for n, share in enumerate(shares)]

    assert explained_less(checks(0.9)) is None
    assert explained_less(checks(0.985, 0.99, 1.0)) is None
    found = explained_less(checks(0.9, 0.99, 1.0, 0.98))
    assert found is not None
    assert (found.actual_usd, found.expected_usd) == (Decimal("10.00"), Decimal("1.00"))
    assert "90.0% of $100" in found.reason
    assert explained_less(checks(0.9, 0.9, 0.9, 1.0)) is None
