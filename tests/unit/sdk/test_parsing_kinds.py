"""Kinds of tokens on the wire: told in objects or lists, cached or not, or shown by the operation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from outlay.parsing import usage as counts
from outlay.parsing.gemini import gemini
from outlay.parsing.kinds import whole
from outlay.parsing.reading import Reading, read_cost
from outlay.pricing import cost
from outlay.usage import Usage


def test_an_answer_of_one_kind_is_all_of_that_kind_unless_parts_are_told() -> None:
    usage = Usage(input_tokens=50, output_tokens=4160)
    drawn, spoken, heard, said = (
        whole(name, usage) for name in ("image_generation", "speech", "transcription", "chat")
    )
    assert drawn is not None
    assert drawn.output_image_tokens == 4160
    assert spoken is not None
    assert spoken.output_audio_tokens == 4160
    assert heard is not None
    assert heard.input_audio_tokens == 50
    assert said == usage
    told = Usage(input_tokens=50, output_tokens=4160, output_image_tokens=4000)
    assert whole("image_generation", told) == told
    timed = Usage(input_tokens=9, output_tokens=5, other={"input_audio_seconds": 203})
    assert whole("transcription", timed) == timed
    assert whole("speech", None) is None


def test_cached_kinds_are_read_in_objects_and_lists() -> None:
    realtime = counts.openai(
        {
            "input_tokens": 1000,
            "output_tokens": 10,
            "input_token_details": {
                "cached_tokens": 900,
                "audio_tokens": 800,
                "text_tokens": 200,
                "cached_tokens_details": {"audio_tokens": 720, "text_tokens": 180},
            },
        }
    )
    assert (realtime.input_audio_tokens, realtime.cache_read_audio_tokens) == (800, 720)
    listed = counts.gemini(
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 600,
            "candidatesTokenCount": 5,
            "promptTokensDetails": [{"modality": "VIDEO", "tokenCount": 900}, {"modality": "TEXT", "tokenCount": 100}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
        }
    )
    assert dict(listed.other) == {"input_video_tokens": 900, "cache_read_video_tokens": 550}


def test_what_a_compaction_used_does_not_tell_what_the_answer_did() -> None:
    step = {"type": "compaction", "input_tokens": 100_000, "output_tokens": 2000}
    found = counts.anthropic({"output_tokens": 100, "iterations": [step]})
    assert (found.input_tokens, found.output_tokens) == (None, 2100)


def test_deep_research_reasons_and_cites_beside_its_answer() -> None:
    wire = {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "reasoning_tokens": 73_997}
    found = counts.openai(wire | {"citation_tokens": 20_016, "num_search_queries": 18})
    assert (found.input_tokens, found.output_tokens, found.reasoning_tokens) == (33, 81_160, 73_997)
    priced = cost(found, "perplexity", "sonar-deep-research", datetime(2026, 11, 1, tzinfo=UTC))
    assert priced is not None
    assert {part: str(usd.normalize()) for part, usd in priced.lines.items()} == {
        "input": "0.000066",
        "output": "0.057304",
        "reasoning": "0.221991",
        "citation_tokens": "0.040032",
        "web_searches": "0.09",
    }


def test_searches_cite_and_have_a_size() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "search_context_size": "medium", "citation_tokens": 7}
    assert dict(counts.openai(usage).other) == {"requests_medium": 1, "citation_tokens": 7}
    assert dict(counts.openai(usage | {"search_context_size": "odd"}).other) == {"citation_tokens": 7}


@pytest.mark.parametrize(("model", "searches"), [("gemini-3-pro", 2), ("gemini-2.5-flash", 1)])
def test_every_distinct_query_that_asks_something_is_a_search(model: str, searches: int) -> None:
    reading = Reading()
    asked = ["btc price", "btc  price", "", "eth price", None]
    candidate = {"groundingMetadata": {"webSearchQueries": asked}}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1}
    gemini(reading, {"modelVersion": model, "candidates": [candidate], "usageMetadata": usage})
    assert reading.usage is not None
    assert reading.usage.web_searches == searches
    nothing = Reading()
    empty = {"groundingMetadata": {"webSearchQueries": ["", " "]}}
    gemini(nothing, {"modelVersion": model, "candidates": [empty], "usageMetadata": usage})
    assert nothing.usage is not None
    assert nothing.usage.web_searches is None


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"cost": 0.0035, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0035}}, 0.0035),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0035}}, 0.0035),
        ({"cost": {"request_cost": 0.005, "total_cost": 0.00515}}, 0.00515),
        ({"cost_in_usd_ticks": 12_500_000}, 0.00125),
        ({"cost": None}, None),
        ({"cost": True}, None),
    ],
)
def test_what_the_provider_says_it_charged_is_read_in_dollars(usage: dict[str, object], usd: float | None) -> None:
    reading = Reading()
    read_cost(reading, usage)
    assert reading.cost_usd == usd
