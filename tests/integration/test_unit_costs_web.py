"""Unit costs and showback as answers, files and a page, of a server that knows what customers pay."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.hand_calls import call, put
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings

D = Decimal
Pairs = tuple[tuple[str, str], ...]
HOUR = timedelta(hours=1)
MARCH = (("start", "2026-03-01T00:00:00Z"), ("end", "2026-04-01T00:00:00Z"))
REVENUE = [{"customer": "acme", "usd_per_month": "5"}, {"customer": "=bolt", "usd_per_month": "100"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)
    with running(settings, {"revenue": REVENUE}) as found:
        put(
            found.assembly.context.store,
            call(HOUR, "4", customer="acme", team="ads"),
            call(HOUR, "2", customer="acme", team="bots"),
            call(HOUR, "3", customer="=bolt", team="=ads"),
            call(HOUR, "1"),
            call(HOUR, None, customer="acme"),
        )
        yield found


def test_a_customer_who_costs_more_than_it_pays_is_found(server: Running) -> None:
    found = server.api("/unit-costs", *MARCH).json
    assert found["margins"][0] | {"priced_ratio": 0} == {
        "customer": "acme",
        "revenue_usd": "5",
        "cost_usd": "6",
        "margin_usd": "-1",
        "margin_ratio": -0.2,
        "calls": 3,
        "priced_ratio": 0,
    }
    page = server.get("/unit-costs", *MARCH).text
    assert "Margin" in page
    assert "−$1.00" in page
    assert "/spend?start=2026-03-01T00%3A00%3A00Z&amp;end=2026-04-01T00%3A00%3A00Z&amp;customer=acme" in page


def test_a_month_can_be_booked(server: Running) -> None:
    answer = server.api("/showback", ("month", "2026-03"), ("split", "cost"), ("format", "csv"))
    name = "outlay-showback-team-2026-03-default-USD-80.0pct-priced.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {(row["period"], row["project"], row["currency"]) for row in rows} == {("2026-03", "default", "USD")}
    assert {(row["period_start"], row["period_end"]) for row in rows} == {
        ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    }
    assert [(row["team"], row["kind"]) for row in rows] == [
        ("ads", "direct"),
        ("'=ads", "direct"),
        ("bots", "direct"),
        ("", "unallocated"),
    ]
    assert sum(D(row["total_usd"]) for row in rows) == D(server.api("/spend", *MARCH).json["total"]["cost_usd"])
    assert (rows[0]["direct_usd"], rows[0]["shared_usd"], rows[0]["priced_ratio"]) == ("4", "0.444444444445", "1.0")


def test_a_month_is_that_of_the_zone(server: Running) -> None:
    found = server.api("/showback", ("month", "2026-03"), ("timezone", "Europe/Berlin")).json["window"]
    assert found == {"start": "2026-02-28T23:00:00Z", "end": "2026-03-31T22:00:00Z"}
    week = (("start", "2026-03-02"), ("end", "2026-03-09T12:00:00Z"), ("format", "csv"))
    named = server.api("/showback", *week).headers["content-disposition"]
    assert "-2026-03-02T000000Z-to-2026-03-09T120000Z-default-USD-none-priced.csv" in named


@pytest.mark.parametrize(
    ("path", "pairs", "said"),
    [
        ("/unit-costs", (("per", "galaxy"),), "customer, user, session, request, success"),
        ("/unit-costs", (("limit", "0"),), "from 1 to 1000"),
        ("/showback", (("split", "fairly"),), "even, calls, cost"),
        ("/showback", (("month", "2026-13"),), "YYYY-MM"),
        ("/showback", (("month", "2026-03"), ("start", "-7d")), "month and start or end"),
        ("/showback", (("by", "galaxy"),), "not a dimension"),
        ("/showback", (*MARCH, ("shared", "nobody")), "no call has team 'nobody'"),
    ],
)
def test_what_cannot_be_asked_is_said(
    server: Running, path: str, pairs: tuple[tuple[str, str], ...], said: str
) -> None:
    status, code, message = server.api(path, *pairs).error
    assert (status, code) == (400, "bad_request")
    assert said in message


@pytest.mark.parametrize("per", ["customer", "user", "session", "request", "success"])
def test_the_page_shows_every_unit_and_its_tables_as_csv(server: Running, per: str) -> None:
    page = server.get("/unit-costs", *MARCH, ("per", per), ("by", "team"), ("split", "calls"))
    assert page.status == 200
    assert ("No call says its" in page.text) == (per in ("user", "session"))
    for table in ("history", "units", "showback"):
        answer = server.get("/unit-costs", *MARCH, ("per", per), ("csv", table))
        assert answer.headers["content-type"].startswith("text/csv"), table
    empty = server.get("/unit-costs", ("start", "2025-01-01"), ("end", "2025-01-02"), ("per", "user"))
    assert empty.status == 200
