"""A bill beside what was computed: each planted gap lands in its class, and everything adds up to the last digit."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from tests.billed_world import BILLED, BILLS, DAY, PLANTED, fill
from tests.hand_calls import call, put

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.bill import BadBill, Charge, family
from outlay_analytics.reconcile.bills import NoSuchBill, drop_bill, find_bill, keep_bill, list_bills
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.reasons import REASONS
from outlay_analytics.reconcile.reconcile import reconcile
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.tiers import costs_in_tier
from outlay_collector.store import Store

MODELS = ModelNames(shipped())


def name(provider: str, model: str) -> str | None:
    match = shipped().find(provider, model)
    return match.model.key if match else None


def compared(store: Store, body: bytes) -> dict[str, Any]:
    """Import a bill and compare it, as the API does."""
    writer = store.writer()
    book = PriceBook(store)
    book.ensure(writer)

    def at_tier(first: date, last: date, models: Sequence[str], tier: str) -> Sequence[Mapping[str, Any]]:
        return costs_in_tier(book, writer, "default", first, last, models, tier)

    identity = keep_bill(writer, "default", "bill", body, read_bill(body, MODELS))
    bill, charges = find_bill(store, "default", identity)
    return reconcile(store, "default", bill, charges, name, at_tier)


def reasons(found: Mapping[str, Any]) -> dict[str, Decimal]:
    return {one["reason"]: one["usd"] for one in found["residual"] if one["usd"]}


def test_each_planted_gap_lands_in_its_class_and_coverage_is_exact(store: Store) -> None:
    fill(store)
    found = compared(store, (BILLS / "openai.csv").read_bytes())
    assert reasons(found) == PLANTED
    assert found["billed_usd"] == BILLED
    assert found["residual_usd"] == found["billed_usd"] - found["computed_usd"] == sum(PLANTED.values())
    assert Decimal(repr(found["coverage"])) == Decimal(repr(float(1 - PLANTED["not_recorded"] / BILLED)))
    assert (found["bill"]["first_day"], found["bill"]["last_day"]) == (date(2026, 11, 2), date(2026, 11, 5))
    assert {row["provider"] for row in found["rows"]} == {"openai"}  # the bill says nothing of Anthropic's calls
    calls = {one["reason"]: one["calls"] for one in found["residual"]}
    assert (calls["unpriced"], calls["no_usage"], calls["estimated"], calls["failed_but_billed"]) == (3, 1, 1, 1)
    assert calls["discount"] is None


def test_every_row_and_day_adds_up_to_the_last_digit(store: Store) -> None:
    fill(store)
    found = compared(store, (BILLS / "openai.csv").read_bytes())
    for row in (*found["rows"], *found["days"]):
        assert row["residual_usd"] == row["billed_usd"] - row["computed_usd"]
        assert sum(row[f"{reason}_usd"] for reason in REASONS) == row["residual_usd"]
    for measure in ("billed_usd", "computed_usd", "residual_usd"):
        assert sum(row[measure] for row in found["days"]) == found[measure]
        assert sum(row[measure] for row in found["rows"]) == found[measure]


def test_a_bill_without_calls_is_unknown_and_one_that_fits_is_covered(store: Store) -> None:
    body = (BILLS / "openai.json").read_bytes()
    nothing = compared(store, body)
    assert (nothing["computed_usd"], nothing["coverage"]) == (0, 0.0)
    assert reasons(nothing) == {"unknown": Decimal("0.035")}
    fill(store)
    found = compared(store, body)
    gpt_4o = next(row for row in found["rows"] if row["model"] == "gpt-4o")
    assert (gpt_4o["billed_usd"], gpt_4o["residual_usd"]) == (Decimal("0.035"), 0)


def test_tiers_that_the_bill_states_explain_calls_that_do_not_say_theirs(store: Store) -> None:
    fill(store)
    # Two calls of 1,000 tokens in and 100 out: input at the standard price, and output in batch at a fifth of it is a
    # shape no tier explains wholly; what moving the surplus to batch comes to is the mismatch, the rest is unknown.
    found = compared(store, (BILLS / "anthropic.json").read_bytes())
    row = next(row for row in found["rows"] if row["model"] == "claude-haiku-4-5")
    assert (row["billed_usd"], row["computed_usd"]) == (Decimal("0.004"), Decimal("0.003"))
    assert row["tier_mismatch_usd"] == Decimal("-0.0005")
    assert row["unknown_usd"] == Decimal("0.0015")
    tools = next(row for row in found["rows"] if row["model"] == "(tools)")
    assert tools["billed_usd"] == Decimal("0.02")


def test_tool_fees_are_compared_with_tools_that_are_billed_apart(store: Store) -> None:
    lines = {"input": Decimal("0.004"), "web_searches": Decimal("0.02")}
    names = {"request_model": "claude-haiku-4-5", "response_model": "claude-haiku-4-5", "model": "claude-haiku-4-5"}
    matched = {"provider": "anthropic", "matched_model": "anthropic:claude-haiku-4-5"}
    put(store, call(DAY, "0.024", cost_lines=lines, **names, **matched))
    found = compared(store, (BILLS / "anthropic.json").read_bytes())
    assert [row["residual_usd"] for row in found["rows"]] == [0, 0]


def test_the_priority_tier_is_not_in_anthropics_report(store: Store) -> None:
    fields = {"provider": "anthropic", "model": "claude-haiku-4-5", "matched_model": "anthropic:claude-haiku-4-5"}
    put(store, call(DAY, "1.5", service_tier="priority", **fields), call(DAY, "0.004", **fields))
    found = compared(store, (BILLS / "anthropic.json").read_bytes())
    assert found["left_out"] == {"calls: priority tier": Decimal("1.5")}
    assert found["computed_usd"] == Decimal("0.004")


def test_a_list_price_on_the_bill_shows_the_discount(store: Store) -> None:
    fill(store)
    found = compared(store, (BILLS / "anthropic.csv").read_bytes())
    assert reasons(found) == {"discount": Decimal("-0.0003")}
    assert found["coverage"] == 1.0


def test_focus_has_credits_taxes_and_other_services(store: Store) -> None:
    put(store, call(DAY, "0.0035", model="gpt-4o", matched_model="openai:gpt-4o"))
    found = compared(store, (BILLS / "focus.csv").read_bytes())
    assert found["left_out"] == {"tax": Decimal("1.19"), "other services": Decimal("12.5")}
    assert reasons(found) == {"discount": Decimal("-0.50035"), "unknown": Decimal("0.00504")}
    assert [(row["provider"], row["model"]) for row in found["rows"]] == [
        ("openai", "(no model)"),
        ("aws", "amazon.nova-pro-v1:0"),
        ("openai", "gpt-4o"),
    ]


def test_parquet_says_what_csv_says(store: Store) -> None:
    body = (BILLS / "focus.csv").read_bytes()
    table = arrow_csv.read_csv(io.BytesIO(body))
    table = table.set_column(0, "BilledCost", table["BilledCost"].cast(pa.decimal128(38, 12)))
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    assert read_bill(out.getvalue(), MODELS) == read_bill(body, MODELS)


def test_a_bill_that_names_no_models_is_compared_day_by_day(store: Store) -> None:
    fill(store)
    body = b"start_time,amount_value,amount_currency,line_item\n1793664000,0.5,usd,\n"
    found = compared(store, body)
    assert [(row["model"], row["billed_usd"]) for row in found["rows"]] == [("(all models)", Decimal("0.5"))]
    assert found["rows"][0]["calls"] == 29


def test_a_missing_price_that_is_added_raises_the_coverage(store: Store) -> None:
    put(store, call(DAY, None, model="gpt-4o", request_model="gpt-4o", response_model="gpt-4o", matched_model=""))
    body = (BILLS / "openai.json").read_bytes()
    assert reasons(compared(store, body)) == {"unpriced": Decimal("0.035")}
    put(store, call(DAY, "0.035", model="gpt-4o", matched_model="openai:gpt-4o"))
    assert compared(store, body)["residual_usd"] == 0


def test_bills_are_kept_once_listed_and_taken_away(store: Store) -> None:
    body = (BILLS / "openai.csv").read_bytes()
    writer = store.writer()
    first = keep_bill(writer, "default", "a\x1b[31m.csv", body, read_bill(body, MODELS))
    assert keep_bill(writer, "default", "b.csv", body, read_bill(body, MODELS)) == first
    assert [(one["name"], one["billed_usd"], one["lines"]) for one in list_bills(store, "default")] == [
        ("b.csv", BILLED, 13 - 1)
    ]
    assert list_bills(store, "other") == []
    drop_bill(writer, store, "default", first)
    assert list_bills(store, "default") == []
    with pytest.raises(NoSuchBill, match="there is no bill"):
        find_bill(store, "default", first)


BROKEN = {
    "a word for an amount": (b"usage_date_utc,cost_usd\n2026-11-01,1\n2026-11-02,ten\n", r"line 3, cost_usd: 'ten'"),
    "no amount": (b"usage_date_utc,cost_usd\n2026-11-02,\n", r"line 2, cost_usd: nothing where a decimal"),
    "infinite": (b"usage_date_utc,cost_usd\n2026-11-02,Infinity\n", r"decimal amount such as 12\.34"),
    "no date": (b"usage_date_utc,cost_usd\nMonday,1\n", r"usage_date_utc: 'Monday' where a day"),
    "euros": (b"start_time,amount_value,amount_currency\n1793664000,1,eur\n", r"amount_currency: 'eur' where USD"),
    "a month in one row": (
        b"BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd\n1,USD,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z\n",
        r"ChargePeriodEnd: '2026-12-01T00:00:00Z' where an hour or a day",
    ),
    "cells missing": (b"usage_date_utc,cost_usd,model\n2026-11-02,1\n", r"line 2: 2 cells where the header has 3"),
    "foreign columns": (b"a,b\n1,2\n", r"these columns are of no bill that is known: a, b"),
    "twice the same column": (b"cost_usd,cost_usd\n1,2\n", r"'cost_usd' occurs twice"),
    "not text": (b"usage_date_utc,cost_usd\n\xff\xfe\n", r"not text in UTF-8: byte 25"),
    "empty": (b" \n", r"the bill is empty"),
    "only a header": (b"usage_date_utc,cost_usd\n", r"no charges"),
    "broken JSON": (b'{"data": [', r"not valid JSON"),
    "other JSON": (b'{"rows": []}', r"no list `data`"),
    "NaN in JSON": (b'{"data": [NaN]}', r"NaN is not a number"),
    "deep JSON": (b"[" * 100_000, r"not valid JSON"),
    "one page of several": (b'{"data": [], "has_more": true}', r"put all of its pages into one JSON list"),
    "an amount that is none": (
        b'{"data": [{"start_time": 1793664000, "results": [{"amount": 5}]}]}',
        r"data\[0\]\.results\[0\], amount: '5' where an object",
    ),
    "cut Parquet": (b"PAR1" + b"\x00" * 40, r"Parquet file cannot be read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_file_is_refused_with_its_line_column_and_what_is_expected(case: str) -> None:
    body, message = BROKEN[case]
    with pytest.raises(BadBill, match=message):
        read_bill(body, MODELS)


def test_good_lines_beside_bad_ones_are_not_read_and_all_bad_ones_are_counted() -> None:
    lines = b"".join(b"2026-11-02,x%d\n" % n for n in range(40))
    with pytest.raises(BadBill, match=r"not read, 40 wrong: line 3.*; and 30 more") as refused:
        read_bill(b"usage_date_utc,cost_usd\n2026-11-01,1\n" + lines, MODELS)
    assert len(str(refused.value)) < 2000


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    out = io.BytesIO()
    bomb = pa.table({"BilledCost": pa.array([1.0] * 1_500_000), "ChargePeriodStart": pa.array(["2026"] * 1_500_000)})
    parquet.write_table(bomb, out)
    with pytest.raises(BadBill, match="split it by month"):
        read_bill(out.getvalue(), MODELS)


def test_providers_are_recognized_however_they_are_written() -> None:
    written = [
        "aws.bedrock",
        "Amazon Bedrock",
        "AWS",
        "azure.ai.openai",
        "Microsoft",
        "gcp.vertex_ai",
        "Google",
        "OpenAI",
    ]
    assert [family(one) for one in written] == ["aws"] * 3 + ["azure"] * 2 + ["google"] * 2 + ["openai"]
    pairs = (("Mistral AI", "mistral_ai"), ("xAI", "x_ai"), ("DeepSeek", "deepseek"), ("ibm.watsonx.ai",) * 2)
    assert all(family(billed) == family(called) for billed, called in pairs)
    assert family("ibm.watsonx.ai") != family("x_ai")
    assert read_bill(b"usage_date_utc,cost_usd,model\n2026-11-02,1,Claude Opus 4.5\n", MODELS).charges == [
        Charge(date(2026, 11, 2), "anthropic", "claude-opus-4-5", "", "usage", Decimal(1))
    ]


def test_an_export_of_bigquery_has_instants_of_its_own_and_credits_of_more_than_the_bill(store: Store) -> None:
    fill(store)
    header = "ChargeCategory,BillingCurrency,BilledCost,x_Model,ProviderName,ChargePeriodEnd,ChargePeriodStart"
    hours = "2026-11-03 06:00:00 UTC,2026-11-03 05:00:00 UTC"
    lines = [f"Usage,usd,0.035,gpt-4o,OpenAI,{hours}", f"Credit,USD,-1,,OpenAI,{hours}", f"Usage,USD,0,,OpenAI,{hours}"]
    found = compared(store, "\r\n".join([header, *lines]).encode())
    assert found["billed_usd"] == Decimal("-0.965")
    assert reasons(found)["discount"] == -1
    for row in (*found["rows"], *found["days"]):
        assert sum(row[f"{reason}_usd"] for reason in REASONS) == row["residual_usd"]
