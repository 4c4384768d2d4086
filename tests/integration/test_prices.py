"""Prices as the server reckons them: exact, tiered, dated, and never a zero for what is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pricing_world import NOW, call, examples, priced

from outlay.pricing import cost
from outlay.pricing.catalog import EPOCH, Model
from outlay.pricing.units import TEXT_PARTS, UNITS
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


@dataclass
class Desk:
    """A store with a price list, and a connection to price with."""

    store: Store
    writer: Writer
    book: PriceBook

    def price(self, *calls: dict[str, Any]) -> list[dict[str, Any]]:
        return priced(self.writer, self.book, calls)

    def one(self, model: str, provider: str = "openai", at: datetime = NOW, **changes: Any) -> dict[str, Any]:
        return self.price(call(model, provider, at, **changes))[0]


@pytest.fixture
def desk(store: Store) -> Desk:
    writer = store.writer()
    book = PriceBook(store)
    book.ensure(writer)
    return Desk(store, writer, book)


def _with(store: Store, toml: dict[str, Any]) -> Desk:
    writer = store.writer()
    book = PriceBook(store, parse_overrides(toml))
    book.ensure(writer)
    return Desk(store, writer, book)


def test_every_worked_example_is_exact_to_the_last_digit(desk: Desk) -> None:
    cases = examples()
    rows = desk.price(*(made for made, _ in cases))
    assert {row["id"]: row["cost_usd"] for row in rows} == {made["id"]: usd for made, usd in cases}
    unpriced = [row for row in rows if row["cost_usd"] is None]
    assert [row["cost_state"] for row in unpriced] == ["unpriced"]


def test_the_source_columns_come_first_then_the_price(desk: Desk) -> None:
    row = desk.one("gpt-4o")
    names = "cost_usd list_cost_usd uncached_cost_usd cost_lines cost_state price_version matched_model match_kind"
    assert list(row) == ["nth", *call("x"), *names.split(), "avoided_usd"]


_TEXT = frozenset(TEXT_PARTS)
USAGE = st.fixed_dictionaries(
    {
        "input_tokens": st.integers(0, 600_000),
        "cache_read_tokens": st.integers(0, 300_000),
        "cache_write_tokens": st.integers(0, 50_000),
        "cache_write_1h_tokens": st.integers(0, 50_000),
        "output_tokens": st.integers(0, 100_000),
        "reasoning_tokens": st.integers(0, 100_000),
        "service_tier": st.sampled_from(["", "default", "batch", "flex", "priority", "mystery"]),
        "other_usage": st.dictionaries(
            st.sampled_from(
                [
                    "input_audio_tokens",
                    "cache_read_audio_tokens",
                    "output_audio_tokens",
                    "input_image_tokens",
                    "cache_read_image_tokens",
                    "input_video_tokens",
                    "output_image_tokens",
                    "web_searches",
                    "requests_low",
                    "audio_seconds",
                    "input_pages",
                    "citation_tokens",
                    "accepted_prediction_tokens",
                ]
            ),
            st.integers(0, 5_000) | st.integers(0, 600_000),
            max_size=5,
        ),
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_lines_add_up_and_the_sdk_reckons_the_same(desk: Desk, data: st.DataObject) -> None:
    models = [model for model in desk.book.catalog.models() if not model.provider.startswith("huggingface")]
    calls = []
    for _ in range(40):
        model = models[data.draw(st.integers(0, len(models) - 1))]  # sampled_from would hash every one
        at = EPOCH + timedelta(seconds=data.draw(st.integers(1_700_000_000, 1_800_000_000)))
        usage: dict[str, Any] = dict(data.draw(USAGE))
        usage["cache_write_tokens"] += usage["cache_write_1h_tokens"]
        calls.append(call(model.id, model.provider, at, **usage))
    for row in desk.price(*calls):
        counts = {name: row[name] for name in row if name.endswith("_tokens")} | row["other_usage"]
        mine = cost(counts, row["provider"], row["request_model"], row["started_at"], row["service_tier"])
        assert row["cost_usd"] == (mine.usd if mine else None), row
        if mine is not None:
            assert row["cost_lines"] == mine.lines
            assert (row["matched_model"], row["match_kind"]) == (mine.matched_model, mine.match_kind)
            assert sum(row["cost_lines"].values(), Decimal(0)) == row["cost_usd"]
            assert row["list_cost_usd"] == row["cost_usd"]
        else:
            assert row["cost_state"] in ("unpriced", "no_usage")


CONTRADICTING = [
    *(
        "input_audio_tokens",
        "cache_read_audio_tokens",
        "output_audio_tokens",
        "input_image_tokens",
        "input_video_tokens",
    ),
    *("cache_read_image_tokens", "output_image_tokens", "web_searches", "requests_low", "audio_seconds", "input_pages"),
]


def test_counts_that_contradict_each_other_are_priced_alike_everywhere(desk: Desk) -> None:
    draw = Random(7)
    models = [m for m in desk.book.catalog.models() if any(part not in _TEXT for row in m.rows for part in row.rates)]
    calls = []
    for _ in range(600):
        model = draw.choice(models)
        usage: dict[str, Any] = {
            "input_tokens": draw.choice([0, 10, 1000, draw.randint(0, 600_000)]),
            "cache_read_tokens": draw.choice([None, 0, draw.randint(0, 300_000)]),
            "cache_write_tokens": draw.randint(0, 500),
            "cache_write_1h_tokens": draw.choice([0, draw.randint(0, 500)]),
            "output_tokens": draw.randint(0, 1000),
            "reasoning_tokens": draw.randint(0, 1000),
            "service_tier": draw.choice(["", "batch", "flex"]),
            "other_usage": {
                name: draw.choice([1, 100, 5000, 600_000]) for name in draw.sample(CONTRADICTING, draw.randint(0, 5))
            },
        }
        calls.append(call(model.id, model.provider, **usage))
    for row in desk.price(*calls):
        counts = {name: row[name] for name in row if name.endswith("_tokens")} | row["other_usage"]
        mine = cost(counts, row["provider"], row["request_model"], row["started_at"], row["service_tier"])
        assert row["cost_usd"] == (mine.usd if mine else None), row
        if mine is not None:
            assert (row["cost_lines"], row["match_kind"]) == (mine.lines, mine.match_kind)


def test_a_context_tier_begins_strictly_above_its_threshold_and_counts_the_cache(desk: Desk) -> None:
    below, above, cached = desk.price(
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_000, output_tokens=0),
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_001, output_tokens=0),
        call("gemini-2.5-pro", "gcp.gemini", input_tokens=200_001, cache_read_tokens=200_000, output_tokens=1000),
    )
    assert below["cost_usd"] == Decimal("0.25")
    assert above["cost_usd"] == Decimal("0.5000025")
    assert cached["cost_lines"]["output"] == Decimal("0.015")


def test_within_a_tier_more_tokens_never_cost_less(desk: Desk) -> None:
    steps = [call("gpt-5.4", input_tokens=tokens, output_tokens=10) for tokens in range(0, 272_001, 16_000)]
    costs = [row["cost_usd"] for row in desk.price(*steps)]
    assert costs == sorted(costs)
    assert len(set(costs)) == len(costs)


def _input_line(rates: Mapping[str, Decimal], tokens: int) -> Decimal:
    return (tokens * rates["input"] / 1_000_000).quantize(Decimal("1e-12"), ROUND_HALF_UP)


def _own(desk: Desk) -> list[Model]:
    """Models that are found by their own name, and priced at every hour alike."""
    catalog = desk.book.catalog
    found = [(model, catalog.find(model.provider, model.id)) for model in catalog.models() if not model.windows]
    return [model for model, match in found if match is not None and match.model.key == model.key]


def test_every_threshold_of_every_model_is_a_cliff_of_one_token(desk: Desk) -> None:
    calls, lines = [], []
    for model in _own(desk):
        for threshold in model.thresholds:
            for tokens in (threshold, threshold + 1):
                row = model.at(model.slot("standard", tokens, NOW), NOW)
                if row is not None and row.rates.get("input"):
                    calls.append(call(model.id, model.provider, input_tokens=tokens, output_tokens=0))
                    lines.append(_input_line(row.rates, tokens))
    assert len(calls) > 100
    assert [row["cost_lines"]["input"] for row in desk.price(*calls)] == lines


def test_every_dated_price_holds_from_its_first_instant_and_not_before(desk: Desk) -> None:
    calls, lines = [], []
    for model in _own(desk):
        rows = sorted((row for row in model.rows if row.slot == 0), key=lambda row: row.valid_from)
        for before, after in pairwise(rows):
            for row, at in ((before, after.valid_from - timedelta(microseconds=1)), (after, after.valid_from)):
                if row.rates.get("input"):
                    calls.append(call(model.id, model.provider, at, output_tokens=0))
                    lines.append(_input_line(row.rates, 1000))
    assert len(calls) > 20
    assert [row["cost_lines"]["input"] for row in desk.price(*calls)] == lines


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_within_a_slot_another_token_never_makes_a_call_cheaper(desk: Desk, data: st.DataObject) -> None:
    # Of a model without a price for output (embeddings) the first token of output is one that is not priced.
    models = [model for model in _own(desk) if all({"input", "output"} <= row.rates.keys() for row in model.rows)]
    calls = []
    for _ in range(40):
        model = models[data.draw(st.integers(0, len(models) - 1))]  # sampled_from would hash every one
        usage: dict[str, Any] = dict(data.draw(USAGE))
        usage["cache_write_tokens"] += usage["cache_write_1h_tokens"]
        part = data.draw(st.sampled_from(["input_tokens", "output_tokens"]))
        more = {**usage, part: usage[part] + data.draw(st.integers(1, 5_000))}
        counts = usage["input_tokens"], more["input_tokens"]
        if all((counts[0] > threshold) == (counts[1] > threshold) for threshold in model.thresholds):
            calls += [call(model.id, model.provider, **usage), call(model.id, model.provider, **more)]
    costs = [row["cost_usd"] for row in desk.price(*calls)]
    pairs = list(zip(costs[::2], costs[1::2], strict=True))
    assert pairs
    for less, more_usd in pairs:
        assert (less is None) == (more_usd is None)
        assert less is None or less <= more_usd


def test_the_price_of_the_start_of_the_call_counts_to_the_microsecond(desk: Desk) -> None:
    change = datetime(2026, 7, 30, tzinfo=UTC)
    before, after = desk.price(
        call("gpt-5.6-luna", at=change - timedelta(microseconds=1)), call("gpt-5.6-luna", at=change)
    )
    assert before["cost_usd"] == Decimal("0.0016")
    assert after["cost_usd"] == Decimal("0.00032")


PEAK_HOURS = {
    "2026-06-15T02:00:00": "0.435",  # before peak hours existed
    "2026-08-18T00:59:59": "0.66",
    "2026-08-18T01:00:00": "1.32",
    "2026-08-18T03:59:59": "1.32",
    "2026-08-18T04:00:00": "0.66",
    "2026-08-22T02:00:00": "1.32",  # a Saturday, while every day had its peak
    "2026-08-29T02:00:00": "0.66",  # a Saturday, after weekends had become off-peak
    "2026-09-16T07:30:00": "1.32",
    "2026-10-01T07:30:00": "0.66",  # a public holiday in China
    "2026-10-08T07:30:00": "1.32",
}


def test_peak_hours_have_days_and_a_beginning(desk: Desk) -> None:
    calls = [
        call(
            "deepseek-v4-pro",
            "deepseek",
            datetime.fromisoformat(at).replace(tzinfo=UTC),
            input_tokens=1_000_000,
            output_tokens=0,
        )
        for at in PEAK_HOURS
    ]
    assert [row["cost_usd"] for row in desk.price(*calls)] == [Decimal(usd) for usd in PEAK_HOURS.values()]


def test_batch_prices_hold_since_the_service_began_not_since_they_were_listed(desk: Desk) -> None:
    row = desk.one("claude-haiku-4-5", "anthropic", datetime(2026, 1, 5, tzinfo=UTC), service_tier="batch")
    assert (row["cost_usd"], row["match_kind"]) == (Decimal("0.00075"), "exact")
    early = desk.one("gpt-4o-mini", "openai", datetime(2024, 1, 5, tzinfo=UTC), service_tier="batch")
    assert early["match_kind"] == "exact+standard_tier"


def test_an_unknown_service_tier_is_priced_as_standard_and_says_so(desk: Desk) -> None:
    plain, odd = desk.price(call("gpt-4o"), call("gpt-4o", service_tier="ultrafast"))
    assert odd["cost_usd"] == plain["cost_usd"]
    assert odd["match_kind"] == "exact+standard_tier"


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


def _own_price(provider: str, model: str, **prices: str) -> dict[str, str]:
    return {"provider": provider, "model": model, "valid_from": "2026-01-01", "source": "mine", **prices}


def test_every_billed_unit_can_have_a_price_of_ones_own(store: Store) -> None:
    units = [name for name, unit in UNITS.items() if unit.per]  # a fee is an amount
    own = [
        _own_price("acme", f"by-{unit}", input_usd_per_mtok="1", output_usd_per_mtok="0")
        | {f"{unit}_usd_per_million": "2000"}
        for unit in units
    ]
    calls = [call(f"by-{unit}", "acme", other_usage={unit: 3}) for unit in units]
    rows = _with(store, {"prices": own}).price(*calls)
    lines = {row["request_model"].removeprefix("by-"): row["cost_lines"] for row in rows}
    once = {"requests": Decimal("0.002")}  # a request is one, whatever is said
    input_usd = {"input": Decimal("0.001")}
    assert lines == {unit: input_usd | (once if unit == "requests" else {unit: Decimal("0.006")}) for unit in units}


def test_what_is_billed_by_the_request_has_a_price_without_any_count(store: Store) -> None:
    desk = _with(store, {"prices": [_own_price("cohere", "rerank-v9", requests_usd_per_thousand="2")]})
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
    own = _own_price("acme", "searcher", requests_usd_per_thousand="8", **sizes, **free)
    desk = _with(store, {"prices": [own]})
    rows = desk.price(*(call("searcher", "acme", other_usage=used) for used in ({}, {"requests_low": 1}, {"odd": 1})))
    assert [row["cost_usd"] for row in rows] == [Decimal("0.008"), Decimal("0.005"), Decimal("0.008")]


def test_a_price_of_ones_own_may_be_for_a_region(store: Store) -> None:
    prices = [
        _own_price("acme", "m", input_usd_per_mtok="1", output_usd_per_mtok="0"),
        _own_price("acme", "m", input_usd_per_mtok="2", region="eu"),
        _own_price("acme", "m", input_usd_per_mtok="3", region="eu-west-1"),
        _own_price("acme", "m", input_usd_per_mtok="4", region="regional"),
        _own_price("acme", "m", input_usd_per_mtok="5", output_usd_per_mtok="0", region="eu", service_tier="batch"),
    ]
    desk = _with(store, {"prices": prices})
    asked = {
        ("", ""): "0.001",
        ("", "eu"): "0.002",
        ("", "europe-west4"): "0.002",
        ("", "eu-west-1"): "0.003",
        ("", "us-east5"): "0.004",
        ("batch", "eu-central-1"): "0.005",
        ("batch", "us-east5"): "0.004",
    }
    rows = desk.price(*(call("m", "acme", service_tier=tier, region=region) for tier, region in asked))
    assert [row["cost_usd"] for row in rows] == [Decimal(usd) for usd in asked.values()]
    for row, (tier, region) in zip(rows, asked, strict=True):
        mine = cost(row, "acme", "m", NOW, tier, region=region, catalog=desk.book.catalog)
        assert mine is not None
        assert (mine.usd, mine.match_kind) == (row["cost_usd"], row["match_kind"])


def test_unknown_is_never_zero(desk: Desk) -> None:
    cases = {
        "no such model": call("no-such-model"),
        "no such provider": call("some-model", "nobody"),
        "no usage": call("gpt-4o", input_tokens=None, output_tokens=None),
        "half the usage": call("gpt-4o", output_tokens=None),
        "said so": call("gpt-4o", state_hint="no_usage"),
        "own hardware without a price": call("llama3", "ollama"),
        "newer version": call("claude-opus-4-9", "anthropic"),
        "other size": call("gpt-4o-nano"),
    }
    rows = dict(zip(cases, desk.price(*cases.values()), strict=True))
    for name, row in rows.items():
        assert row["cost_usd"] is None, name
        assert row["list_cost_usd"] is None, name
        assert row["uncached_cost_usd"] is None, name
        assert row["cost_lines"] == {}, name
    states = {name: row["cost_state"] for name, row in rows.items()}
    assert states["half the usage"] == states["no usage"] == states["said so"] == "no_usage"
    assert states["no such model"] == states["newer version"] == "unpriced"


def test_states_of_calls_that_were_not_charged_or_only_estimated(desk: Desk) -> None:
    failed, answered, guessed = desk.price(
        call("gpt-4o", state_hint="not_billed", input_tokens=None, output_tokens=None),
        call("gpt-4o", state_hint="cached"),
        call("gpt-4o", state_hint="estimated"),
    )
    assert (failed["cost_usd"], failed["cost_state"], failed["cost_lines"]) == (0, "not_billed", {})
    assert (answered["cost_usd"], answered["avoided_usd"]) == (0, Decimal("0.0035"))
    assert (guessed["cost_usd"], guessed["cost_state"]) == (Decimal("0.0035"), "estimated")


def test_what_a_hit_avoided_is_unknown_where_half_of_its_usage_is(desk: Desk) -> None:
    no_input, no_output, embedding = desk.price(
        call("gpt-4o", state_hint="cached", input_tokens=None),
        call("gpt-4o", state_hint="cached", output_tokens=None),
        call("text-embedding-3-large", state_hint="cached", output_tokens=None),
    )
    assert (no_input["avoided_usd"], no_output["avoided_usd"]) == (None, None)
    assert embedding["avoided_usd"] > 0
    assert {row["cost_state"] for row in (no_input, no_output, embedding)} == {"cached"}


def test_an_embedding_has_no_output_and_needs_none(desk: Desk) -> None:
    row = desk.one("text-embedding-3-large", output_tokens=None)
    assert row["cost_usd"] == Decimal("0.00013")


def test_the_answering_model_is_priced_not_the_one_asked_for(desk: Desk) -> None:
    row = desk.one("gpt-4o", response_model="gpt-4o-mini-2024-07-18")
    assert row["matched_model"] == "openai:gpt-4o-mini"
    azure = desk.one("gpt-4o", "azure.ai.openai", response_model="my-deployment")
    assert azure["matched_model"] == "openai:gpt-4o"


def test_a_contract_changes_the_cost_and_leaves_the_list_price_beside_it(store: Store) -> None:
    toml = {
        "prices": [
            {
                "provider": "openai",
                "model": "gpt-4o",
                "valid_from": "2026-10-01",
                "source": "contract 17",
                "input_usd_per_mtok": "2.10",
                "output_usd_per_mtok": "8.40",
            }
        ]
    }
    desk = _with(store, toml)
    before, after, dated, batch = desk.price(
        call("gpt-4o", at=datetime(2026, 9, 30, 23, tzinfo=UTC)),
        call("gpt-4o", cache_read_tokens=500),
        call("gpt-4o-2024-08-06"),
        call("gpt-4o", service_tier="batch"),
    )
    assert before["cost_usd"] == before["list_cost_usd"] == Decimal("0.0035")
    assert after["cost_lines"] == {
        "input": Decimal("0.00105"),
        "cache_read": Decimal("0.000625"),
        "output": Decimal("0.00084"),
    }
    assert after["list_cost_usd"] == Decimal("0.002875")
    assert after["uncached_cost_usd"] == Decimal("0.00294")
    assert dated["cost_usd"] == Decimal("0.00294")
    assert batch["cost_usd"] == Decimal("0.00175")


def test_discounts_aliases_and_self_hosted_models(store: Store) -> None:
    toml = {
        "discounts": [
            {"provider": "anthropic", "discount": "0.15", "valid_from": "2026-10-01", "valid_to": "2026-12-01"}
        ],
        "aliases": [
            {"provider": "azure.ai.openai", "alias": "my-deployment", "model": "gpt-4o"},
            {"alias": "smart", "model": "claude-opus-4-5", "model_provider": "anthropic"},
        ],
        "prices": [
            {
                "provider": "ollama",
                "model": "llama3",
                "valid_from": "2026-01-01",
                "source": "our own machines",
                "input_usd_per_mtok": "0",
                "output_usd_per_mtok": "0",
            }
        ],
    }
    desk = _with(store, toml)
    discounted, ended, deployed, smart, own = desk.price(
        call("claude-haiku-4-5", "anthropic"),
        call("claude-haiku-4-5", "anthropic", datetime(2026, 12, 1, tzinfo=UTC)),
        call("my-deployment", "azure.ai.openai"),
        call("smart", "litellm"),
        call("llama3", "ollama"),
    )
    assert (discounted["cost_usd"], discounted["list_cost_usd"]) == (Decimal("0.001275"), Decimal("0.0015"))
    assert ended["cost_usd"] == Decimal("0.0015")
    assert (deployed["cost_usd"], deployed["match_kind"]) == (Decimal("0.0035"), "contract_alias")
    assert smart["cost_usd"] == Decimal("0.006375")
    assert (own["cost_usd"], own["cost_state"]) == (0, "computed")
    assert desk.one("llama3.1", "ollama")["cost_usd"] is None


def test_a_contract_with_steps_of_its_own(store: Store) -> None:
    row = {"provider": "vllm", "model": "big", "valid_from": "2026-01-01", "source": "s"}
    small = {**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "2"}
    large = {**row, "input_usd_per_mtok": "3", "output_usd_per_mtok": "4", "min_input_tokens": 100_000}
    desk = _with(store, {"prices": [large, small]})
    at, above = desk.price(
        call("big", "vllm", input_tokens=100_000, output_tokens=0),
        call("big", "vllm", input_tokens=100_001, output_tokens=0),
    )
    assert (at["cost_usd"], above["cost_usd"]) == (Decimal("0.1"), Decimal("0.300003"))


def test_history_keeps_its_price_when_the_list_changes(store: Store) -> None:
    first = _with(store, {})
    before = first.one("gpt-4o", at=NOW)
    changed = NOW + timedelta(hours=1)
    row = {
        "provider": "openai",
        "model": "gpt-4o",
        "valid_from": "2020-01-01",
        "source": "contract",
        "input_usd_per_mtok": "1",
        "output_usd_per_mtok": "1",
    }
    first.book.put(first.writer, [row], now=changed)
    old, new = first.price(call("gpt-4o", at=NOW), call("gpt-4o", at=changed))
    assert (old["cost_usd"], old["price_version"]) == (before["cost_usd"], before["price_version"])
    assert new["cost_usd"] == Decimal("0.0011")
    assert new["price_version"] != old["price_version"]

    restarted = PriceBook(store)
    assert restarted.ensure(first.writer) == first.book.version
    again = priced(first.writer, restarted, [call("gpt-4o", at=NOW), call("gpt-4.1", at=NOW)])
    assert [one["price_version"] for one in again] == [before["price_version"]] * 2
    assert again[0]["cost_usd"] == before["cost_usd"]
    assert again[1]["cost_usd"] == Decimal("0.0028")


def test_a_project_without_history_takes_the_newest_list_for_all_of_its_past(desk: Desk) -> None:
    desk.one("gpt-4o")
    row = {
        "provider": "ollama",
        "model": "mine",
        "valid_from": "2020-01-01",
        "source": "own",
        "input_usd_per_mtok": "1",
        "output_usd_per_mtok": "1",
    }
    desk.book.put(desk.writer, [row], now=NOW)
    fresh = desk.one("mine", "ollama", NOW - timedelta(days=30), project="new")
    assert (fresh["cost_usd"], fresh["match_kind"]) == (Decimal("0.0011"), "contract")


LATE_PRICE = {
    "provider": "ollama",
    "model": "mine",
    "valid_from": "2026-11-01",
    "source": "own",
    "input_usd_per_mtok": "1",
    "output_usd_per_mtok": "1",
}


def test_a_late_call_of_a_model_that_was_unknown_takes_the_price_that_is_known_now(desk: Desk) -> None:
    first = desk.one("gpt-4o")
    assert desk.one("mine", "ollama")["cost_state"] == "unpriced"
    cheaper = {**LATE_PRICE, "provider": "openai", "model": "gpt-4o"}
    desk.book.put(desk.writer, [LATE_PRICE, cheaper], now=NOW + timedelta(minutes=1))
    late, known, early = desk.price(
        call("mine", "ollama"), call("gpt-4o"), call("mine", "ollama", datetime(2026, 10, 31, tzinfo=UTC))
    )
    assert (late["cost_usd"], late["match_kind"]) == (Decimal("0.0011"), "contract+later_list")
    assert late["price_version"] == desk.book.version != first["price_version"]
    assert (known["cost_usd"], known["price_version"]) == (first["cost_usd"], first["price_version"])
    assert (early["cost_state"], early["match_kind"]) == ("unpriced", "contract+later_list+no_price_yet")


def test_closed_books_and_repricing_do_not_look_at_later_lists(desk: Desk) -> None:
    desk.one("gpt-4o")
    desk.writer.run(
        "INSERT INTO price_epochs SELECT * REPLACE (true AS closed, version + 1 AS version) FROM price_epochs"
    )
    desk.book.put(desk.writer, [LATE_PRICE], now=NOW + timedelta(minutes=1))
    assert desk.one("mine", "ollama")["cost_state"] == "unpriced"
    assert desk.one("mine", "ollama", NOW + timedelta(minutes=2))["cost_usd"] == Decimal("0.0011")
    again = priced(desk.writer, desk.book, [call("mine", "ollama")], version=desk.book.version)
    assert again[0]["cost_usd"] == Decimal("0.0011")


def test_prices_that_another_process_put_are_taken_over(desk: Desk) -> None:
    desk.one("gpt-4o")
    other = PriceBook(desk.store)
    other.put(desk.store.writer(), [LATE_PRICE])
    assert desk.one("mine", "ollama")["cost_usd"] == Decimal("0.0011")
    assert desk.book.version == other.version


def test_hostile_counts_and_names_are_survived(desk: Desk) -> None:
    huge = 2**63
    rows = desk.price(
        call("gpt-4o", input_tokens=huge, output_tokens=huge, cache_read_tokens=huge),
        call("x" * 100_000),
        call("gpt-4o", input_tokens=5, cache_read_tokens=900, cache_write_tokens=900),
        call("'; DROP TABLE prices; --", "💥"),
    )
    assert rows[0]["cost_usd"] > 0
    assert rows[1]["cost_state"] == "unpriced"
    assert min(rows[2]["cost_lines"].values()) > 0
    assert rows[3]["cost_state"] == "unpriced"


def test_every_stored_slot_is_reachable(desk: Desk) -> None:
    models: dict[str, Model] = {model.key: model for model in desk.book.catalog.models()}
    rows = desk.store.query("SELECT provider, model, count() AS n FROM prices GROUP BY ALL")
    assert {f"{row['provider']}:{row['model']}": row["n"] for row in rows} == {
        key: len(model.rows) for key, model in models.items() if model.rows
    }
