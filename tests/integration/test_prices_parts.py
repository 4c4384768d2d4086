"""Every part of a call is a line: cache writes, audio, searches, and what providers bill by the request."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.pricing_world import NOW, Desk, call, own_price, priced_with

from outlay.pricing import cost
from outlay.pricing.units import UNITS
from outlay_collector.store import Store


def test_cache_writes_of_an_hour_cost_more_than_those_of_five_minutes(desk: Desk) -> None:
    row = desk.one(
        "claude-opus-4-5",
        "anthropic",
        input_tokens=10_000,
        cache_write_tokens=3000,
        cache_write_1h_tokens=1000,
        output_tokens=0,
    )
    assert row["cost_lines"] == {
        "input": Decimal("0.035"),
        "cache_write": Decimal("0.0125"),
        "cache_write_1h": Decimal("0.01"),
    }
    assert row["uncached_cost_usd"] == Decimal("0.05")


def test_audio_and_searches_are_lines_of_their_own(desk: Desk) -> None:
    row = desk.one(
        "gemini-2.5-flash",
        "gcp.gemini",
        input_tokens=1000,
        other_usage={"input_audio_tokens": 400, "web_searches": 2},
    )
    assert row["cost_lines"]["input"] == Decimal("0.00018")
    assert row["cost_lines"]["input_audio"] == Decimal("0.0004")
    assert row["cost_lines"]["web_searches"] == Decimal("0.07")


def test_parts_that_overlap_untold_are_charged_once_and_marked(desk: Desk) -> None:
    parts = {"input_audio_tokens": 800}
    untold, told, recording = desk.price(
        call("gpt-realtime", cache_read_tokens=900, output_tokens=0, other_usage=parts),
        call(
            "gpt-realtime",
            cache_read_tokens=900,
            output_tokens=0,
            other_usage=parts | {"cache_read_audio_tokens": 720},
        ),
        call(
            "gemini-2.5-flash",
            "gcp.gemini",
            input_tokens=100_500,
            cache_read_tokens=100_000,
            output_tokens=0,
            other_usage={"input_audio_tokens": 100_000},
        ),
    )
    # Of 800 tokens of audio 100 at most were not cached, as 900 of 1,000 were.
    assert untold["cost_usd"] == Decimal("0.0032") + Decimal("0.00036")
    assert untold["match_kind"] == "exact+overlap_assumed"
    assert (told["cost_usd"], told["match_kind"]) == (Decimal("0.003"), "exact")
    assert recording["cost_lines"] == {
        "input_audio": Decimal("0.0005"),
        "cache_read_audio": Decimal("0.00995"),
        "cache_read": Decimal("0.000015"),
    }


def test_a_part_without_a_price_takes_the_one_above_and_says_so(desk: Desk) -> None:
    row = desk.one("gpt-4-turbo", input_tokens=1000, cache_read_tokens=400, output_tokens=0)
    assert row["cost_usd"] == Decimal("0.01")
    assert row["match_kind"].endswith("+read_at_input")


def test_a_search_that_nobody_prices_leaves_the_call_unpriced(desk: Desk) -> None:
    row = desk.one("gpt-4-turbo", other_usage={"web_searches": 1})
    assert (row["cost_usd"], row["cost_state"], row["cost_lines"]) == (None, "unpriced", {})


def test_every_billed_unit_can_have_a_price_of_ones_own(store: Store) -> None:
    units = [name for name, unit in UNITS.items() if unit.per]  # a fee is an amount
    own = [
        own_price("acme", f"by-{unit}", input_usd_per_mtok="1", output_usd_per_mtok="0")
        | {f"{unit}_usd_per_million": "2000"}
        for unit in units
    ]
    calls = [call(f"by-{unit}", "acme", other_usage={unit: 3}) for unit in units]
    rows = priced_with(store, {"prices": own}).price(*calls)
    lines = {row["request_model"].removeprefix("by-"): row["cost_lines"] for row in rows}
    once = {"requests": Decimal("0.002")}  # a request is one, whatever is said
    input_usd = {"input": Decimal("0.001")}
    assert lines == {unit: input_usd | (once if unit == "requests" else {unit: Decimal("0.006")}) for unit in units}


def test_what_is_billed_by_the_request_has_a_price_without_any_count(store: Store) -> None:
    desk = priced_with(store, {"prices": [own_price("cohere", "rerank-v9", requests_usd_per_thousand="2")]})
    silent: dict[str, Any] = {"input_tokens": None, "output_tokens": None}
    counted, uncounted, failed = desk.price(
        call("rerank-v9", "cohere", **silent, other_usage={"search_units": 1}),
        call("rerank-v9", "cohere", **silent, state_hint="no_usage"),
        call("rerank-v9", "cohere", **silent, state_hint="not_billed"),
    )
    assert [row["cost_usd"] for row in (counted, uncounted, failed)] == [Decimal("0.002")] * 2 + [0]
    assert cost({}, "cohere", "rerank-v9", NOW, catalog=desk.book.catalog) is not None


def test_a_request_that_says_how_much_it_searched_is_billed_as_such(store: Store) -> None:
    sizes = {"requests_low_usd_per_thousand": "5", "requests_high_usd_per_thousand": "12"}
    free = {"input_usd_per_mtok": "0", "output_usd_per_mtok": "0"}
    own = own_price("acme", "searcher", requests_usd_per_thousand="8", **sizes, **free)
    desk = priced_with(store, {"prices": [own]})
    rows = desk.price(*(call("searcher", "acme", other_usage=used) for used in ({}, {"requests_low": 1}, {"odd": 1})))
    assert [row["cost_usd"] for row in rows] == [Decimal("0.008"), Decimal("0.005"), Decimal("0.008")]
