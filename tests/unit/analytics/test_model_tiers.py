"""Which tier a model belongs to."""

from __future__ import annotations

import pytest

from outlay.errors import ConfigError
from outlay_analytics.query.model_tiers import DEFAULT_TIERS, parse_model_tiers


@pytest.mark.parametrize(
    ("model", "tier"),
    [
        ("gpt-5", "frontier"),
        ("gpt-5-mini", "cheap"),
        ("gpt-4o", "mid"),
        ("gpt-4o-mini-2024-07-18", "cheap"),
        ("claude-opus-4-1-20250805", "frontier"),
        ("claude-sonnet-4-5", "mid"),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", "cheap"),
        ("gemini-2.5-pro", "frontier"),
        ("gemini-2.5-flash-lite", "cheap"),
        ("mistral-large-latest", "mid"),
        ("text-embedding-3-small", "cheap"),
        ("llama3.2:3b", "local"),
        ("never-heard-of-it", ""),
    ],
)
def test_well_known_models_have_a_tier(model: str, tier: str) -> None:
    assert DEFAULT_TIERS.of(model) == tier


def test_own_names_go_before_the_defaults_and_exact_ones_before_patterns() -> None:
    tiers = parse_model_tiers({"cheap": ["gpt-5*"], "local": ["gpt-5.in-house"]})
    assert tiers.of("GPT-5") == "cheap"
    assert tiers.of("gpt-5.in-house") == "local"
    assert tiers.of("gpt-5xin-house") == "cheap"
    assert tiers.of("claude-opus-4") == "frontier"


@pytest.mark.parametrize("section", [{"huge": ["x"]}, {"cheap": "gpt-5"}, {"cheap": [1]}])
def test_a_wrong_section_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="model_tiers"):
        parse_model_tiers(section)
