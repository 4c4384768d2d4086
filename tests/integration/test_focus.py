"""Charges as FOCUS: complete, conforming, adding up to spend to the last digit, and the same as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.hand_calls import DAY, call, put
from tests.priced_calls import put_priced
from tests.web_server import Running, own_store, running

from outlay_analytics.export import focus as focus_export
from outlay_analytics.export.focus import focus
from outlay_analytics.export.focus_columns import focus_columns
from outlay_analytics.export.price_sheet import price_sheet
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.model_facts import ModelFacts, model_facts
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.spend import spend
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.months import close_month
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.prices.reprice import reprice
from outlay_collector.store import Store
from outlay_web.config import Settings

D = Decimal
HOUR = timedelta(hours=1)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
TABLE = list(
    csv.DictReader((Path(__file__).parents[1] / "data" / "focus-columns.csv").read_text(encoding="utf-8").splitlines())
)
SINCE = {"valid_from": "2020-01-01"}
CONTRACT = parse_overrides({"discounts": [{"provider": "openai", "discount": "0.1", **SINCE}]})
GPT: dict[str, Any] = {"model": "gpt-4o", "request_model": "gpt-4o", "response_model": "gpt-4o-2024-08-06"}


@pytest.fixture
def book(store: Store) -> PriceBook:
    return PriceBook(store, CONTRACT)


def world() -> list[dict[str, Any]]:
    """Calls of three models over two days: cached input, audio, a search, a tier, an hour's cache writes."""
    claude: dict[str, Any] = dict.fromkeys(("model", "request_model", "response_model"), "claude-sonnet-4-5")
    return [
        call(HOUR, feature="search", team="core", input_tokens=1001, cache_read_tokens=333, output_tokens=77, **GPT),
        call(2 * HOUR, feature="search", team="core", input_tokens=10, output_tokens=1, tags={"plan": "pro"}, **GPT),
        call(26 * HOUR, feature="search", input_tokens=7, output_tokens=3, service_tier="batch", **GPT),
        call(
            3 * HOUR,
            provider="anthropic",
            customer="acme",
            environment="prod",
            input_tokens=5000,
            cache_read_tokens=1000,
            cache_write_tokens=900,
            cache_write_1h_tokens=400,
            output_tokens=12,
            other_usage={"web_searches": 3},
            **claude,
        ),
    ]


def rows_of(store: Store, book: PriceBook, scope: Scope = WEEK, **more: Any) -> list[dict[str, Any]]:
    writer = store.writer()
    found = list(focus(store, book, writer, scope, **more).rows)
    writer.close()
    return [dict(row) for row in found]


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((D(row[name]) for row in rows), D(0))


def test_rows_add_up_to_spend_to_the_last_digit(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    unpriced = call(HOUR, None, model="unheard-of", input_tokens=5)
    free = call(HOUR, "0", cost_state="not_billed", status="error")
    put(store, unpriced, free, call(HOUR, "0.123456789012", feature="old"))
    spent = spend(store, WEEK)["total"]
    rows = rows_of(store, book)
    assert total(rows, "BilledCost") == spent["cost_usd"]
    assert total(rows, "EffectiveCost") == total(rows, "ContractedCost") == spent["cost_usd"]
    listed = store.query("SELECT sum(list_cost_usd) AS usd FROM calls FINAL")[0]["usd"]
    assert total(rows, "ListCost") == listed > spent["cost_usd"]
    assert total(rows, "x_Requests") == 5  # each charged call once


def test_quantities_are_disjoint_and_prices_times_quantities_are_costs(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    rows = rows_of(store, book)
    assert total(rows, "x_InputTokens") == 1001 + 10 + 7 + 5000
    assert total(rows, "x_CacheReadTokens") == 333 + 1000
    assert total(rows, "x_CacheWriteTokens") == 900
    assert total(rows, "x_OutputTokens") == 77 + 1 + 3 + 12
    for row in rows:
        assert row["ContractedUnitPrice"] * row["PricingQuantity"] == row["ContractedCost"], row
        assert row["ListUnitPrice"] * row["PricingQuantity"] == row["ListCost"], row
        assert row["ConsumedQuantity"] == row["PricingQuantity"] * 1_000_000
    # claude-sonnet-4-5, per million: 3 in, 0.30 read, 3.75 and 6 written, 15 out; ten dollars per thousand searches
    claude = {row["SkuMeter"]: row for row in rows if row["ProviderName"] == "Anthropic"}
    assert {name: (row["ConsumedQuantity"], row["BilledCost"]) for name, row in claude.items()} == {
        "input": (3100, D("0.0093")),
        "cached input": (1000, D("0.0003")),
        "cache write": (500, D("0.001875")),
        "cache write for 1 hour": (400, D("0.0024")),
        "output": (12, D("0.00018")),
        "web searches": (3, D("0.03")),
    }
    assert claude["web searches"]["PricingUnit"] == "1000000 Searches"
    # gpt-4o at ten per cent off: 2.50 is 2.25
    first = next(row for row in rows if row["x_ModelId"] == "gpt-4o" and row["SkuMeter"] == "input")
    assert (first["ListUnitPrice"], first["ContractedUnitPrice"]) == (D("2.5"), D("2.25"))


def test_what_an_earlier_pricing_stored_counts_as_it_was_stored(store: Store, book: PriceBook) -> None:
    one = put_priced(store, book, *world())[0]
    lines = {**one["cost_lines"], "input": one["cost_lines"]["input"] + D("0.000000000001")}
    cost = one["cost_usd"] + D("0.000000000003")
    stored = {**one, "trace_id": f"{77:032x}", "cost_usd": cost, "cost_lines": lines, "list_cost_usd": D("0.5")}
    put(store, stored)
    rows = [row for row in rows_of(store, book) if row["ListUnitPrice"] is None]
    assert {row["SkuMeter"] for row in rows} == {"input", "cached input", "output", "other"}
    assert total(rows, "BilledCost") == cost
    assert total(rows, "ListCost") == D("0.5")
    assert total(rows, "x_InputTokens") == 1001
    assert {row["SkuPriceId"] for row in rows} == {None}


def test_every_column_of_the_specification_is_there_and_conforms(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    rows = rows_of(store, book)
    names = list(focus_columns("1.2"))
    assert [name for name in names if not name.startswith("x_")] == sorted(
        row["column"] for row in TABLE if row["level_1_2"] != "-"
    )
    newer = [name for name in focus_columns("1.4") if not name.startswith("x_")]
    assert newer == sorted(row["column"] for row in TABLE if row["in_1_4"] != "removed")
    kinds = {"String": str, "Decimal": Decimal, "Date/Time": datetime, "JSON": dict}
    for column in TABLE:
        values = {type(row.get(column["column"])) for row in rows}
        may = {kinds[column["type"]], *([type(None)] if column["nullable"] == "True" else [])}
        if column["nullable"] == "False" and "Commitment" not in column["column"]:
            assert values <= may, column
    for row in rows:
        assert row["ChargeCategory"] == "Usage"
        assert row["BillingPeriodStart"] == datetime(2026, 3, 1, tzinfo=UTC)
        assert row["BillingPeriodEnd"] == datetime(2026, 4, 1, tzinfo=UTC)
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert row["ServiceSubcategory"] == "Generative AI"
        assert (row["SubAccountId"] is None) == (row["SubAccountType"] is None)
        assert (row["ResourceId"] is None) == (row["ResourceType"] is None)
        assert json.dumps(row["Tags"])
        assert {name for name in row if name.startswith("x_")} <= set(names)


def test_who_a_charge_was_for_and_its_model_are_said(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    rows = rows_of(store, book, tags=("plan",))
    [pro] = [row for row in rows if row["Tags"].get("plan") == "pro" and row["SkuMeter"] == "input"]
    assert (pro["ConsumedQuantity"], pro["SubAccountId"], pro["ResourceId"]) == (10, "core", "search")
    assert (pro["x_ModelDeveloper"], pro["x_ModelFamily"], pro["ServiceName"]) == ("OpenAI", "GPT", "OpenAI API")
    [batch] = [row for row in rows if row["x_ServiceTier"] == "batch" and row["SkuMeter"] == "output"]
    assert batch["ChargePeriodStart"] == DAY + timedelta(days=1)
    assert batch["ListUnitPrice"] == D("5")  # half of ten
    assert batch["ChargeDescription"] == "gpt-4o output tokens, batch tier"


def test_calls_that_came_after_their_month_was_closed_are_rows_of_corrections(store: Store, book: PriceBook) -> None:
    rows = put_priced(store, book, *world())
    writer = store.writer()
    spans = [{name: row[name] for name in ("project", "trace_id", "span_id", "started_at")} for row in rows]
    writer.insert("spans", [span | {"received_at": span["started_at"]} for span in spans])
    booked = {key: row["cost_usd"] for key, row in _by_charge(rows_of(store, book)).items()}
    close_month(book, writer, "2026-03")
    assert {row["ChargeClass"] for row in rows_of(store, book)} == {None}
    # The same use as a call of the books has, and a copy of one of its spans: neither changes what was booked.
    late = put_priced(store, book, call(HOUR, feature="search", team="core", input_tokens=10, output_tokens=1, **GPT))
    again = [{name: row[name] for name in spans[0]} for row in late] + spans[:1]
    writer.insert("spans", [span | {"received_at": datetime(2027, 1, 1, tzinfo=UTC)} for span in again])
    writer.close()
    found = rows_of(store, book)
    assert {key: row["cost_usd"] for key, row in _by_charge(found, None).items()} == booked
    corrections = _by_charge(found, "Correction")
    assert sum(row["cost_usd"] for row in corrections.values()) == late[0]["cost_usd"]
    assert sum(row["requests"] for row in corrections.values()) == 1
    assert {period for period, *_ in corrections} == {DAY}
    assert total(found, "BilledCost") == spend(store, WEEK)["total"]["cost_usd"]


def _by_charge(rows: Sequence[dict[str, Any]], wanted: str | None = None) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Cost and requests by what tells the rows of a class apart."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (one for one in rows if one["ChargeClass"] == wanted):
        key = (row["ChargePeriodStart"], row["SkuId"], row["SkuMeter"], row["x_Feature"], json.dumps(row["Tags"]))
        one = found.setdefault(key, {"cost_usd": D(0), "requests": 0})
        one["cost_usd"] += row["BilledCost"]
        one["requests"] += row["x_Requests"]
    return found


def test_region_committed_capacity_and_corrections_of_closed_books_are_said(store: Store, book: PriceBook) -> None:
    late = {"region": "us-east5", "service_tier": "provisioned"}
    put_priced(store, book, *world(), call(25 * HOUR, feature="f", input_tokens=10, output_tokens=1, **GPT, **late))
    writer = store.writer()
    close_month(book, writer, "2026-03")
    assert {row["ChargeClass"] for row in rows_of(store, book)} == {None}
    dearer = PriceBook(store, parse_overrides({"discounts": [{"provider": "openai", "discount": "0.05"} | SINCE]}))
    dearer.ensure(writer)
    reprice(dearer, writer, DAY, DAY + timedelta(days=1), dry_run=False, reopen=True)
    writer.close()
    rows = rows_of(store, dearer)
    assert total(rows, "BilledCost") == spend(store, WEEK)["total"]["cost_usd"]
    repriced = [row for row in rows if row["ProviderName"] == "OpenAI"]
    assert {(row["ChargePeriodStart"], row["ChargeClass"]) for row in repriced} == {
        (DAY, "Correction"),
        (DAY + timedelta(days=1), None),
    }
    assert {row["ChargeClass"] for row in rows if row not in repriced} == {None}  # as dear as before
    assert {row["RegionId"]: row["PricingCategory"] for row in rows} == {None: "Standard", "us-east5": "Committed"}


def test_the_price_sheet_holds_the_price_of_every_charge(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    sheet = {row["SkuPriceId"]: row for row in price_sheet(store).rows}
    assert len(sheet) > 5000
    for row in rows_of(store, book):
        price = sheet[row["SkuPriceId"]]
        for name in ("ListUnitPrice", "ContractedUnitPrice", "PricingUnit", "SkuMeter", "SkuId"):
            assert price[name] == row[name]


def test_many_groups_come_in_parts_that_are_the_same_together(
    store: Store, book: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [{**one, "customer": f"c{n}"} for n in range(3) for one in world()]
    put_priced(store, book, *({**one, "trace_id": f"{n + 1:032x}"} for n, one in enumerate(calls)))

    def in_order(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)

    whole = in_order(rows_of(store, book, period="hour"))
    monkeypatch.setattr(focus_export, "GROUPS_AT_ONCE", 5)
    assert in_order(rows_of(store, book, period="hour")) == whole
    days = rows_of(store, book)
    assert total(days, "BilledCost") == spend(store, WEEK)["total"]["cost_usd"]


def test_a_window_within_a_period_has_only_its_own_calls(store: Store, book: PriceBook) -> None:
    put_priced(store, book, *world())
    parts = [Window(DAY, DAY + 2 * HOUR), Window(DAY + 2 * HOUR, DAY + timedelta(days=7))]
    sums = [total(rows_of(store, book, Scope(part)), "BilledCost") for part in parts]
    assert all(sums)
    assert sum(sums) == spend(store, WEEK)["total"]["cost_usd"]


@pytest.mark.parametrize("more", [{"period": "week"}, {"version": "9"}, {"tags": [f"t{n}" for n in range(51)]}])
def test_what_there_is_none_of_is_refused(store: Store, book: PriceBook, more: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        rows_of(store, book, **more)


@pytest.mark.parametrize(
    ("model", "facts"),
    [
        ("gpt-4o-2024-08-06", ("OpenAI", "GPT", "2024-08-06")),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", ("Anthropic", "Claude", "20250929")),
        ("models/gemini-2.5-pro", ("Google", "Gemini", None)),
        ("meta.llama3-1-70b-instruct-v1:0", ("Meta", "Llama", "v1:0")),
        ("openai/gpt-oss-120b", ("OpenAI", "GPT-OSS", None)),
        ("house-model-9", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_a_models_name_says_who_made_it(model: str, facts: tuple[str | None, ...]) -> None:
    assert model_facts(model) == ModelFacts(*facts)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)) as found:
        context = found.assembly.context
        hostile = call(HOUR, feature="=cmd()", team="a,b\n", input_tokens=1000, output_tokens=10, tags={"k": "v"})
        put_priced(context.store, context.prices, *world(), {**hostile, "model": "gpt-4o", "request_model": "gpt-4o"})
        put(context.store, call(HOUR, None, model="unheard-of", input_tokens=5))
        yield found


SPAN = (("start", "2026-03-01T00:00:00Z"), ("end", "2026-04-01T00:00:00Z"))


@pytest.mark.parametrize("what", ["focus", "calls", "prices"])
def test_parquet_and_csv_hold_the_same(server: Running, what: str) -> None:
    window = () if what == "prices" else SPAN
    answers = {form: server.api(f"/export/{what}", *window, ("format", form)) for form in ("csv", "parquet")}
    assert {answer.status for answer in answers.values()} == {200}, answers
    for form, answer in answers.items():
        name = f"outlay-{what}{'' if what == 'prices' else '-20260301-20260401'}.{form}"
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    written = list(csv.reader(io.StringIO(answers["csv"].text, newline="")))
    table = pq.read_table(io.BytesIO(answers["parquet"].body))
    assert written[0] == table.column_names
    assert len(written) - 1 == table.num_rows > 0

    def shown(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, Decimal):
            return format(value.normalize() + 0, "f")
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return "'" + value if str(value).startswith(("=", "@")) else str(value)

    assert [[shown(value) for value in row.values()] for row in table.to_pylist()] == written[1:]


def test_charges_sent_add_up_and_say_how_many_calls_have_none(server: Running) -> None:
    answer = server.api("/export/focus", *SPAN)
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    spent = server.api("/spend", *SPAN).json
    assert sum(D(row["BilledCost"]) for row in rows) == D(spent["total"]["cost_usd"])
    assert (answer.headers["x-outlay-calls"], answer.headers["x-outlay-priced-calls"]) == ("6", "5")
    search = server.api("/export/focus", *SPAN, ("feature", "search")).text
    assert {row["x_Feature"] for row in csv.DictReader(io.StringIO(search, newline=""))} == {"search"}
    assert "'=cmd()" in answer.text


def test_exported_calls_are_those_of_the_list(server: Running) -> None:
    rows = list(csv.DictReader(io.StringIO(server.api("/export/calls", *SPAN).text, newline="")))
    listed = server.api("/calls", *SPAN, ("format", "csv")).text
    whole = list(csv.DictReader(io.StringIO(listed, newline="")))
    assert {row["call_id"] for row in rows} == {row["call_id"] for row in whole}
    by_id = {row["call_id"]: row for row in whole}
    for row in rows:
        assert row == {name: by_id[row["call_id"]][name] for name in row}


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ((("format", "xml"),), "csv or parquet"),
        ((("interval", "week"),), "hour, day"),
        ((("focus", "2"),), "1.2, 1.4"),
        ((("flavor", "sweet"),), "unknown parameter"),
    ],
)
def test_a_wrong_export_says_what_there_is(server: Running, pairs: Any, said: str) -> None:
    status, code, message = server.api("/export/focus", *pairs).error
    assert (status, code) == (400, "bad_request")
    assert said in message
