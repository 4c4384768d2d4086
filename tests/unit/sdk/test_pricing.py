"""The snapshot that the SDK carries: names, tiers, hours, and honesty about what it does not know."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pricing_world import examples

import outlay.pricing
from outlay.pricing import cost
from outlay.pricing.catalog import Model, Row, Window, shipped, slot_of
from outlay.pricing.cost import overlap_is_assumed, split
from outlay.pricing.names import spellings
from outlay.pricing.units import MODAL_PARTS, MODALITIES, TEXT_PARTS

AUDIO = "gpt-4o-audio-preview-2024-12-17"
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOW = datetime(2026, 11, 3, 14, tzinfo=UTC)


def test_every_worked_example_is_exact_to_the_last_digit() -> None:
    for made, usd in examples():
        usage = {**made, **made["other_usage"]}
        at = datetime.fromisoformat(made["started_at"]).replace(tzinfo=UTC)
        priced = cost(usage, made["provider"], made["request_model"], at, made["service_tier"])
        assert (priced.usd if priced else None) == usd, made["id"]


@pytest.mark.parametrize(
    ("provider", "name", "matched", "kind"),
    [
        ("openai", "gpt-4o", "openai:gpt-4o", "exact"),
        ("openai", "GPT-4o-2024-08-06", "openai:gpt-4o", "alias"),
        ("openai", "gpt-5.2-20251211", "openai:gpt-5.2", "alias"),
        ("litellm", "openai/gpt-4o", "openai:gpt-4o", "prefix_stripped"),
        ("openai", "openai:gpt-4o", "openai:gpt-4o", "prefix_stripped"),
        ("azure.ai.openai", "azure/gpt-4o", "openai:gpt-4o", "prefix_stripped"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::x1", "openai:ft:gpt-4o-mini", "fine_tune"),
        ("anthropic", "claude-haiku-4-5-20251001", "anthropic:claude-haiku-4-5", "dated"),
        ("anthropic", "claude-opus-4-1-20250805", "anthropic:claude-opus-4-1", "dated"),
        ("gcp.gemini", "models/gemini-2.5-pro", "google:gemini-2.5-pro", "prefix_stripped"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash", "google:gemini-2.5-flash", "prefix_stripped"),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", "google:claude-sonnet-4-5", "dated"),
        ("x_ai", "grok-3-mini", "x-ai:grok-3-mini", "exact"),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "aws:amazon.nova-pro-v1:0", "exact"),
        ("openai", "claude-haiku-4-5", "anthropic:claude-haiku-4-5", "model_owner"),
        ("", "gemini-2.5-flash", "google:gemini-2.5-flash", "model_owner"),
        ("aws.bedrock", "nova-pro-v1:0", "aws:amazon.nova-pro-v1:0", "prefix_added"),
        ("anthropic", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", f"aws:regional.{SONNET}", "dated"),
        (
            "anthropic",
            f"arn:aws:bedrock:us-east-1:1:inference-profile/{SONNET}",
            f"aws:regional.{SONNET}",
            "prefix_stripped",
        ),
        ("z_ai", "glm-4.5", "zai:GLM-4.5", "exact"),
        ("zhipu_ai", "glm-4-plus", "zhipuai:GLM-4-Plus", "exact"),
        ("openrouter", "deepseek/deepseek-r1:free", "openrouter:deepseek/deepseek-r1:free", "exact"),
    ],
)
def test_names_are_read_as_clients_report_them(provider: str, name: str, matched: str, kind: str) -> None:
    match = shipped().find(provider, name)
    assert match is not None
    assert (match.model.key, match.kind) == (matched, kind)


def test_a_bedrock_arn_and_its_profile_name_the_same_model() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    plain = shipped().find("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    through = shipped().find("aws.bedrock", arn)
    assert plain is not None
    assert through is not None
    assert through.model is plain.model


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "claude-opus-4-9"),
        ("anthropic", "claude-haiku-4-5-1"),
        ("anthropic", "claude-opus-4-1-mini"),
        ("openai", "gpt-4o-nano"),
        ("openai", "gpt-99"),
        ("gcp.gemini", "gemini-2.5-pro-image"),
        ("ollama", "gpt-4o"),
        ("ollama", "deepseek-r1"),
        ("azure.ai.inference", "DeepSeek-R1"),
        ("openai", "deepseek-r1"),
        ("aws.bedrock", "nova-ultra-v1:0"),
        ("openai", "nova-pro-v1:0"),
        ("openrouter", "openai/gpt-5.1:free"),
        ("openai", "ollama/deepseek-chat"),
        ("azure.ai.openai", "my-deployment"),
        ("nobody", "nothing"),
        ("openai", ""),
    ],
)
def test_what_only_looks_like_a_known_name_is_not_priced(provider: str, name: str) -> None:
    assert shipped().find(provider, name) is None
    assert cost({"input_tokens": 5, "output_tokens": 5}, provider, name, NOW) is None


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openrouter", "deepseek/deepseek-r1:free"),
        ("openai", "omni-moderation-latest"),
        ("gcp.gemini", "gemma-3-27b-it"),
    ],
)
def test_what_costs_nothing_costs_nothing(provider: str, name: str) -> None:
    found = cost({"input_tokens": 500, "output_tokens": 50}, provider, name, NOW)
    assert found is not None
    assert found.usd == 0
    assert not found.lines


def test_audio_of_an_audio_model_is_not_text() -> None:
    found = cost({"input_tokens": 1000, "output_tokens": 0, "input_audio_tokens": 400}, "openai", AUDIO, NOW)
    assert found is not None
    assert dict(found.lines) == {"input": Decimal("0.0015"), "input_audio": Decimal("0.016")}


COUNTS = [f"{part}_tokens" for part in (*TEXT_PARTS, *MODAL_PARTS)]


@given(st.dictionaries(st.sampled_from(COUNTS), st.none() | st.integers(0, 100) | st.integers(0, 10**9)))
def test_what_is_charged_never_exceeds_what_was_used(counts: dict[str, int | None]) -> None:
    charged = split(counts)
    assert min(charged.values()) >= 0
    prompt = [charged[part] for part in charged if part.startswith(("input", "cache_"))]
    answer = [charged[part] for part in charged if part.startswith(("output", "reasoning"))]
    for used, parts in ((counts.get("input_tokens"), prompt), (counts.get("output_tokens"), answer)):
        assert used is None or sum(parts) == used
    read = sum(charged[part] for part in charged if part.startswith("cache_read"))
    told = sum(counts.get(f"cache_read_{kind}_tokens") or 0 for kind in MODALITIES)
    assert read <= max(counts.get("cache_read_tokens") or 0, told)
    for kind in MODALITIES:
        part, cached = (counts.get(f"{side}_{kind}_tokens") or 0 for side in ("input", "cache_read"))
        assert charged[f"input_{kind}"] + charged[f"cache_read_{kind}"] <= max(part, cached)


def test_an_overlap_is_assumed_only_where_the_counts_leave_a_choice() -> None:
    audio = {"input_tokens": 1000, "cache_read_tokens": 900, "input_audio_tokens": 800}
    assert overlap_is_assumed(audio)
    assert not overlap_is_assumed(audio | {"cache_read_audio_tokens": 700})
    assert not overlap_is_assumed(audio | {"input_audio_tokens": 1000})  # all of it is audio: what is cached is, too
    assert not overlap_is_assumed(audio | {"cache_read_tokens": 0})


def test_a_path_of_a_vertex_model_is_taken_apart() -> None:
    name = "projects/p/locations/us-central1/publishers/anthropic/models/claude-opus-4-5"
    assert spellings(name)[-1] == ("claude-opus-4-5", "", True)


def test_usage_may_be_an_object_a_mapping_or_nested() -> None:
    flat = cost({"input_tokens": 1000, "output_tokens": 0, "web_searches": 1}, "openai", "gpt-4o", NOW)
    nested = cost(
        SimpleNamespace(input_tokens=1000, output_tokens=0, other={"web_searches": 1}), "openai", "gpt-4o", NOW
    )
    assert flat is not None
    assert flat == nested
    assert flat.usd == Decimal("0.0125")


def test_absent_counts_are_unknown_and_not_zero() -> None:
    assert cost({}, "openai", "gpt-4o", NOW) is None
    assert cost({"input_tokens": 10}, "openai", "gpt-4o", NOW) is None
    assert cost({"input_tokens": 10}, "openai", "text-embedding-3-large", NOW) is not None


def test_a_window_over_midnight_holds_on_both_sides() -> None:
    night = Window("22:00-02:00", 0b1111111, 22 * 3600, 2 * 3600)
    hours = [hour for hour in range(24) if night.holds(NOW.replace(hour=hour))]
    assert hours == [0, 1, 22, 23]


def test_a_row_holds_from_its_start_and_there_is_none_before() -> None:
    row = Row(slot_of(0, 0, 0), NOW, {"input": Decimal(1)})
    model = Model("p", "m", ("standard",), (), (), (row,))
    assert model.at(0, NOW) is row
    assert model.at(0, datetime(2026, 11, 3, 13, 59, 59, tzinfo=UTC)) is None


def test_the_snapshot_is_small_and_importing_the_door_does_not_read_it() -> None:
    path = Path(outlay.pricing.__file__).with_name("prices.json.gz")
    assert path.stat().st_size < 70_000
    code = (
        "import sys, outlay.pricing as p; from outlay.pricing.catalog import shipped; "
        "assert shipped.cache_info().currsize == 0; "
        "assert not {'pandas', 'chdb', 'genai_prices', 'pydantic'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": "sdk"}, timeout=300)
