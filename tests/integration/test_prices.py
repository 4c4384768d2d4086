"""Prices as the server reckons them: exact, tiered, dated, and never a zero for what is unknown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pricing_world import USAGE, Desk, call, examples

from outlay.pricing import cost
from outlay.pricing.catalog import EPOCH, Model
from outlay.pricing.units import TEXT_PARTS


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
