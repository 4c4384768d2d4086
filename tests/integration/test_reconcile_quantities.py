"""What amount, quantity and keys of a bill prove: each planted gap lands in its reason, to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.bill import Charge, Usage
from outlay_analytics.reconcile.reasons import REASONS
from outlay_analytics.reconcile.reconcile import Beside, reconcile
from outlay_collector.store import Store

DAY = datetime(2026, 11, 3, 5, tzinfo=UTC)
MODEL = "gpt-4o-2024-08-06"
# USD per token of gpt-4o: input, cached input, output.
RATES = {"input": Decimal("0.0000025"), "cache_read": Decimal("0.00000125"), "output": Decimal("0.00001")}
BILL = {
    "bill": "",
    "name": "",
    "format": "openai",
    "first_day": DAY.date(),
    "last_day": DAY.date() + timedelta(days=2),
    "imported_at": datetime(2026, 11, 20, tzinfo=UTC),
    "left_out": {},
    "left_out_lines": {},
}


def name(provider: str, model: str) -> str | None:
    match = shipped().find(provider, model)
    return match.model.key if match else None


def no_tier(first: date, last: date, models: Sequence[str], tier: str) -> Sequence[Mapping[str, Any]]:
    return ()


def made(inputs: int, cached: int, outputs: int, *, days: int = 0, model: str = MODEL, **more: Any) -> dict[str, Any]:
    """A call of gpt-4o, priced."""
    counts = {"input": inputs - cached, "cache_read": cached, "output": outputs}
    lines = {meter: RATES[meter] * count for meter, count in counts.items() if count}
    fields = {
        "input_tokens": inputs,
        "cache_read_tokens": cached,
        "output_tokens": outputs,
        "cost_lines": lines,
        "model": model,
        "request_model": model,
        "response_model": model,
        "matched_model": "openai:gpt-4o",
        **more,
    }
    return call(DAY + timedelta(days=days), str(sum(lines.values())), **fields)


def charge(meter: str, tokens: int | None, usd: Decimal | str, *, days: int = 0, **more: Any) -> Charge:
    fields = {"account": "proj_shop", "key": "key_shop", "model": MODEL, "kind": "usage", **more}
    quantity = None if tokens is None else Decimal(tokens)
    return Charge(
        DAY.date() + timedelta(days=days), "openai", fields["model"], "", fields["kind"], Decimal(usd),
        fields.get("list_usd"), meter, fields["account"], fields["key"], quantity, "tokens" if tokens else "",
    )  # fmt: skip


def billed(inputs: int, cached: int, outputs: int, *, off: str = "1", **more: Any) -> list[Charge]:
    """The lines that OpenAI bills for so many tokens, at a share of the list."""
    counts = {"input": inputs - cached, "cache_read": cached, "output": outputs}
    words = {"input": "input", "cache_read": "cached input", "output": "output"}
    return [
        charge(words[meter], count, RATES[meter] * count * Decimal(off), **more)
        for meter, count in counts.items()
        if count
    ]


def compared(store: Store, charges: Iterable[Charge], beside: Beside | None = None) -> dict[str, Any]:
    found = reconcile(store, "default", BILL, list(charges), name, no_tier, beside)
    for row in (*found["rows"], *found["days"]):
        assert row["residual_usd"] == row["billed_usd"] - row["computed_usd"]
        assert sum(row[f"{reason}_usd"] for reason in REASONS) == row["residual_usd"]
    return found


def reasons(found: Mapping[str, Any]) -> dict[str, Decimal]:
    return {one["reason"]: one["usd"] for one in found["residual"] if one["usd"]}


def test_a_discount_shows_on_a_single_day_by_amount_and_quantity(store: Store) -> None:
    put(store, made(1000, 200, 100))
    found = compared(store, billed(1000, 200, 100, off="0.9"))
    assert reasons(found) == {"discount": Decimal("-0.000325")}
    share = {"discount": Decimal("0.1"), "paid_ratio": Decimal("0.9")}
    assert found["proposals"] == [{"provider": "openai", "model": "gpt-4o", "valid_from": DAY.date(), **share}]


def test_missing_calls_and_a_discount_are_told_apart_and_the_key_is_named(store: Store) -> None:
    put(store, made(1000, 200, 100), made(3000, 0, 10, days=1))
    charges = [
        *billed(1000, 200, 100, off="0.9"),
        *billed(3000, 0, 10, off="0.9", days=1),
        *billed(500, 0, 50, off="0.9", key="key_lab", account="proj_lab"),
    ]
    found = compared(store, charges)
    lab = sum(one.usd for one in charges if one.key == "key_lab")
    assert reasons(found) == {"missing_calls": lab, "discount": Decimal("-0.001085")}
    assert found["missing"] == [{"provider": "openai", "account": "proj_lab", "key": "key_lab", "usd": lab}]
    assert found["coverage"] == float(1 - lab / found["billed_usd"])
    meters = {one["meter"]: one for one in found["meters"]}
    assert (meters["input"]["billed_tokens"], meters["input"]["tokens"]) == (4300, 3800)
    assert sum(one["billed_usd"] for one in found["meters"]) == found["billed_usd"]
    assert sum(one["computed_usd"] for one in found["meters"]) == found["computed_usd"]
    assert [(one["key"], one["missing"]) for one in found["accounts"]] == [("key_shop", False), ("key_lab", True)]
    assert sum(one["billed_usd"] for one in found["accounts"]) == found["billed_usd"]


def test_without_quantities_a_key_whose_charges_are_what_is_lacking_is_named(store: Store) -> None:
    put(store, made(1000, 0, 0), made(2000, 0, 0, days=1))
    charges = [
        charge("input", None, "0.0025"),
        charge("input", None, "0.005", days=1),
        charge("input", None, "0.0007", key="key_lab"),
        charge("input", None, "0.0009", key="key_lab", days=1),
        charge("input", None, "0", key="key_idle", days=1),
    ]
    found = compared(store, charges)
    assert reasons(found) == {"missing_calls": Decimal("0.0016")}
    assert [(one["key"], one["usd"]) for one in found["missing"]] == [("key_lab", Decimal("0.0016"))]


def test_the_providers_own_counts_stand_in_for_quantities(store: Store) -> None:
    put(store, made(1000, 200, 100))
    plain = [charge(one.meter, None, one.usd * 2) for one in billed(1000, 200, 100)]
    tokens = {"input": 1600, "cache_read": 400, "output": 200}
    for requests, reason in ((2, "missing_calls"), (1, "no_usage")):
        usage = Usage(DAY.date(), "openai", MODEL, "", "proj_shop", "key_shop", requests, tokens)
        assert reasons(compared(store, plain, Beside([usage]))) == {reason: Decimal("0.00325")}


def test_tokens_under_another_meter_are_no_missing_ones(store: Store) -> None:
    put(store, made(1000, 200, 0))
    found = compared(store, [charge("input", 900, "0.00225"), charge("cached input", 100, "0.000125")])
    assert reasons(found) == {"meter_mismatch": Decimal("0.000125")}
    writes = {"cost_lines": {"cache_write": Decimal("0.0005")}, "cost_usd": Decimal("0.0005")}
    put(store, made(0, 0, 0, days=1) | writes | {"input_tokens": 100, "cache_write_tokens": 100})
    kept = compared(store, [charge("input_cache_write_12h_tokens", 100, "0.0008", days=1)])
    assert next(row for row in kept["rows"] if row["day"].day == 4)["meter_mismatch_usd"] == Decimal("0.0003")


def test_a_bill_that_is_not_final_is_late_and_a_rounded_one_rounds(store: Store) -> None:
    put(store, made(1000, 0, 0), made(123_456, 0, 0, days=1))
    first, second = DAY.date(), DAY.date() + timedelta(days=1)
    charges = [charge("", None, "0.001", model=MODEL), charge("", None, "0.31", days=1)]
    late = compared(store, charges, Beside(open_days={"openai": {first}}))
    assert next(row for row in late["rows"] if row["day"] == first)["late_usd"] == Decimal("-0.0015")
    cents = [
        charge("", None, "0.31", days=1),
        *(charge("", None, "0.01", model="gpt-5-mini", days=2) for _ in range(4)),
    ]
    rounded = next(row for row in compared(store, cents)["rows"] if row["day"] == second)
    assert rounded["rounding_usd"] == Decimal("0.00136")


def test_a_model_that_no_call_names_is_not_recorded(store: Store) -> None:
    put(store, made(1000, 0, 0))
    found = compared(store, [charge("input", 1000, "0.0025"), charge("input", 10, "0.5", model="gpt-5-mini")])
    assert reasons(found) == {"not_recorded": Decimal("0.5")}
    assert found["gaps"][0] == {
        "witness": "bill", "provider": "openai", "model": "gpt-5-mini", "usd": Decimal("0.5"), "calls": None,
    }  # fmt: skip
    assert found["witnesses"] == {"client": 1.0, "provider": 0.0, "bill": 1.0, "all": 0.0}


def test_days_that_no_bill_covers_are_not_compared_and_confirmed_by_no_bill(store: Store) -> None:
    put(store, made(1000, 0, 0), made(3000, 0, 0, days=1))
    found = compared(store, [charge("input", 1000, "0.0025")], Beside(covered={"openai": {DAY.date()}}))
    assert (found["computed_usd"], reasons(found)) == (Decimal("0.0025"), {})
    assert found["witnesses"]["bill"] == 0.25
    assert [(gap["witness"], gap["usd"], gap["calls"]) for gap in found["gaps"]] == [("client", Decimal("0.0075"), 1)]


@pytest.mark.parametrize("off", ["0.8", "1", "1.1", "1.3"])
def test_contracted_and_list_prices_of_the_bill_add_up_with_what_is_missing(store: Store, off: str) -> None:
    put(store, made(1000, 200, 100))
    charges = [
        charge(one.meter, int(one.quantity or 0), one.usd * Decimal(off), list_usd=one.usd)
        for one in billed(2000, 400, 200)
    ]
    found = compared(store, charges)
    assert reasons(found)["missing_calls"] == Decimal("0.00325")
    assert sum(one["billed_usd"] for one in found["meters"]) == found["billed_usd"]


def test_the_providers_own_span_is_a_witness_of_its_own(store: Store) -> None:
    both, alone, untold = made(1000, 0, 0), made(2000, 0, 0), made(1000, 0, 0)
    put(store, both, alone, untold)
    own = {"project": "default", "scope_name": "com.anthropic.claude-platform", "started_at": DAY}
    told = {"trace_id": "f" * 32, "span_id": "e" * 16}
    writer = store.writer()
    writer.insert("spans", [{**own, **told}, {**own, **{name: alone[name] for name in told}}])
    of = {"of_trace_id": both["trace_id"], "of_span_id": both["span_id"]}
    writer.insert("repeats", [{"project": "default", "started_at": DAY, "version": 1, "is_deleted": 0, **told, **of}])
    found = compared(store, [charge("input", 1000, "0.0025")])
    assert found["witnesses"] == {"client": 0.5, "provider": 0.75, "bill": 0.25, "all": 0.0625}
    assert {gap["witness"]: gap["usd"] for gap in found["gaps"]} == {
        "provider": Decimal("0.00375"), "client": Decimal("0.001875"),
    }  # fmt: skip


def test_usage_of_a_tier_that_the_bill_leaves_out_is_not_missing(store: Store) -> None:
    names = dict.fromkeys(("model", "request_model", "response_model"), "claude-haiku-4-5")
    lines = {"input": Decimal("0.001")}
    matched = {"provider": "anthropic", "matched_model": "anthropic:claude-haiku-4-5", "input_tokens": 1000}
    put(store, call(DAY, "0.001", cost_lines=lines, **names, **matched))
    charges = [
        Charge(DAY.date(), "anthropic", "claude-haiku-4-5", "standard", "usage", Decimal("0.001"), None, "input")
    ]
    usage = [
        Usage(DAY.date(), "anthropic", "claude-haiku-4-5", tier, "", "", None, {"input": 1000})
        for tier in ("standard", "priority")
    ]
    found = compared(store, charges, Beside(usage, formats=["anthropic_report"]))
    assert (found["residual_usd"], reasons(found)) == (0, {})
