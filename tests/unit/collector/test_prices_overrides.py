"""The user's own prices are read strictly: a slip in the file is refused, with its place and what is allowed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from outlay.errors import ConfigError
from outlay.pricing.units import UNITS
from outlay_collector.prices.overrides import Overrides, parse_overrides

PRICE = {
    "provider": "openai",
    "model": "gpt-4o",
    "valid_from": "2026-10-01",
    "source": "contract",
    "input_usd_per_mtok": "2.10",
}


@pytest.mark.parametrize(
    ("table", "row", "told"),
    [
        ("prices", {**PRICE, "imput_usd_per_mtok": "1"}, "unknown key 'imput_usd_per_mtok'"),
        ("prices", {k: v for k, v in PRICE.items() if k != "source"}, "'source' is missing"),
        ("prices", {k: v for k, v in PRICE.items() if k != "input_usd_per_mtok"}, "names no price"),
        ("prices", {**PRICE, "input_usd_per_mtok": 2.1}, "must be a decimal in quotes"),
        ("prices", {**PRICE, "input_usd_per_mtok": "two"}, "is not a decimal number"),
        ("prices", {**PRICE, "input_usd_per_mtok": "-1"}, "is not between 0"),
        ("prices", {**PRICE, "input_usd_per_mtok": "NaN"}, "is not a finite number"),
        ("prices", {**PRICE, "input_usd_per_mtok": "1e9"}, "is not between 0"),
        ("prices", {**PRICE, "input_usd_per_mtok": "0.0000000000001"}, "more than 12 decimals"),
        ("prices", {**PRICE, "valid_from": "yesterday"}, "is not a date"),
        ("prices", {**PRICE, "valid_from": 2026}, "is not a date"),
        ("prices", {**PRICE, "min_input_tokens": -1}, "is not a number of tokens"),
        ("prices", {**PRICE, "min_input_tokens": True}, "is not a number of tokens"),
        ("prices", {**PRICE, "model": ""}, "model = '' is not a text"),
        ("discounts", {"provider": "openai", "discount": "15", "valid_from": "2026-01-01"}, "a share between 0 and 1"),
        ("discounts", {"provider": "openai", "discount": "0.1", "percent": 1, "valid_from": "2026-01-01"}, "'percent'"),
        (
            "discounts",
            {"provider": "openai", "discount": "0.1", "valid_from": "2026-01-02", "valid_to": "2026-01-01"},
            "is not after valid_from",
        ),
        ("aliases", {"alias": "x"}, "'model' is missing"),
        ("aliases", {"alias": "x", "model": "y", "to": "z"}, "unknown key 'to'"),
    ],
)
def test_a_slip_is_refused_with_its_place(table: str, row: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_overrides({table: [row]})
    assert told in str(error.value)
    assert f"[[{table}]] #1" in str(error.value)


def test_an_unknown_unit_is_refused_with_the_list_of_units() -> None:
    with pytest.raises(ConfigError) as error:
        parse_overrides({"prices": [PRICE | {"search_unit_usd_per_million": "2000"}]})
    told = str(error.value)
    assert "[[prices]] #1" in told
    assert "unknown key 'search_unit_usd_per_million'; did you mean 'search_units_usd_per_million'?" in told
    assert all((name in told) == bool(unit.per) for name, unit in UNITS.items())


def test_a_price_is_what_it_is_per_however_many_it_is_written() -> None:
    written = [
        {"web_searches_usd_per_thousand": "10"},
        {"web_searches_usd_per_million": "10000"},
        {"web_searches_usd_per_one": "0.01"},
    ]
    rates = [parse_overrides({"prices": [PRICE | each]}).prices[0].rates["web_searches"] for each in written]
    assert rates == [Decimal(10_000)] * 3
    seconds = parse_overrides({"prices": [PRICE | {"audio_usd_per_minute": "0.006"}]}).prices[0].rates
    assert seconds["audio_seconds"] == Decimal(100)


def test_two_prices_of_one_unit_in_a_row_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"are prices of the same unit"):
        parse_overrides({"prices": [PRICE | {"images_usd_per_one": "0.04", "images_usd_per_thousand": "40"}]})


def test_two_prices_of_the_same_thing_are_refused_with_both() -> None:
    again = PRICE | {"model": "GPT-4o", "source": "another contract", "input_usd_per_mtok": "2.20"}
    with pytest.raises(ConfigError) as error:
        parse_overrides({"prices": [PRICE, again]})
    told = str(error.value)
    assert "[[prices]] #1 (contract: input 2.1 USD per million)" in told
    assert "[[prices]] #2 (another contract: input 2.2 USD per million)" in told
    for other in ({"region": "eu"}, {"service_tier": "batch"}, {"min_input_tokens": 1}, {"valid_from": "2026-11-01"}):
        assert len(parse_overrides({"prices": [PRICE, again | other]}).prices) == 2


def test_a_table_in_place_of_a_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"write \[\[prices\]\]"):
        parse_overrides({"prices": PRICE})


def test_other_tables_of_the_file_are_left_alone() -> None:
    assert parse_overrides({"budgets": [{"anything": 1}]}) == Overrides()


def test_toml_dates_and_texts_mean_the_same_instant() -> None:
    as_text = parse_overrides({"prices": [PRICE]})
    as_date = parse_overrides({"prices": [{**PRICE, "valid_from": date(2026, 10, 1)}]})
    with_offset = parse_overrides({"prices": [{**PRICE, "valid_from": "2026-10-01T02:00:00+02:00"}]})
    assert as_text == as_date == with_offset


def test_the_order_of_the_rows_does_not_make_another_list() -> None:
    other = {**PRICE, "model": "gpt-5"}
    assert (
        parse_overrides({"prices": [PRICE, other]}).canonical()
        == parse_overrides({"prices": [other, PRICE]}).canonical()
    )
    assert parse_overrides({"prices": [PRICE]}).canonical() != parse_overrides({"prices": [other]}).canonical()
