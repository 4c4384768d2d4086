"""Of what kind the tokens of a call are: told in any spelling, shown by the operation, or left over."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tests.settle_world import World, usage

IMAGES = {"gen_ai.request.model": "gpt-image-1.5", "gen_ai.provider.name": "openai"}
COUNTED = {"gen_ai.usage.input_tokens": "50", "gen_ai.usage.output_tokens": "4160"}
PICTURE_USD = Decimal("0.13337")  # 50 tokens of text at 5 USD, 4,160 of images at 32 USD per million


def test_all_tokens_of_an_answer_in_images_are_those_of_images(world: World) -> None:
    shown: dict[str, dict[str, str]] = {
        "by its operation": {"gen_ai.operation.name": "image_generation"},
        "by another word for it": {"gen_ai.operation.name": "image_edit"},
        "by its path": {"url.path": "/v1/images/generations"},
        "by its address": {"url.full": "https://api.openai.com/v1/images/edits?x=1"},
        "by its parts": {"gen_ai.operation.name": "chat", "gen_ai.usage.image.output_tokens": "4160"},
        "by what is not text": {"gen_ai.operation.name": "image_generation", "gen_ai.usage.output_text_tokens": "0"},
    }
    for n, (name, attributes) in enumerate(shown.items()):
        world.span(name, {**IMAGES, **COUNTED, **attributes}, trace=name, at_ms=n)
    rows = {row["name"]: row for row in world.calls()}
    assert {name: row["cost_usd"] for name, row in rows.items()} == dict.fromkeys(shown, PICTURE_USD)
    world.span("told", {**IMAGES, **COUNTED, "gen_ai.usage.output_tokens_details.image_tokens": "4000"}, trace="told")
    told = next(row for row in world.calls() if row["name"] == "told")
    assert told["cost_usd"] == PICTURE_USD - Decimal("0.000022") * 160


def test_a_recording_that_is_written_down_is_audio(world: World) -> None:
    model = {"gen_ai.request.model": "gpt-4o-transcribe", "gen_ai.provider.name": "openai"}
    world.span("heard", {**usage(1000, 100), **model, "gen_ai.operation.name": "transcription"})
    assert world.call()["other_usage"] == {"input_audio_tokens": 1000}
    assert world.call()["cost_usd"] == Decimal("0.007")


def _lists(snake: bool) -> str:
    kinds: dict[str, Any] = {
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}, {"modality": "AUDIO", "tokenCount": 900}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 500}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 40}],
        "promptTokenCount": 1000,
        "cachedContentTokenCount": 500,
        "candidatesTokenCount": 60,
        "totalTokenCount": 1060,
    }
    if not snake:
        return json.dumps(kinds)
    words = {
        "promptTokensDetails": "prompt_tokens_details",
        "cacheTokensDetails": "cache_tokens_details",
        "candidatesTokensDetails": "candidates_tokens_details",
        "promptTokenCount": "prompt_token_count",
        "cachedContentTokenCount": "cached_content_token_count",
        "candidatesTokenCount": "candidates_token_count",
        "totalTokenCount": "total_token_count",
    }
    return json.dumps({words[name]: value for name, value in kinds.items()}).replace("tokenCount", "token_count")


def test_every_spelling_of_a_part_is_read(world: World) -> None:
    parts = {"input_audio_tokens": 900, "cache_read_audio_tokens": 500, "output_image_tokens": 40}
    spellings: dict[str, dict[str, str]] = {
        "conventions": {
            "gen_ai.usage.audio.input_tokens": "900",
            "gen_ai.usage.audio.cache_read.input_tokens": "500",
            "gen_ai.usage.image.output_tokens": "40",
        },
        "wire": {
            "gen_ai.usage.input_tokens_details.audio_tokens": "900",
            "gen_ai.usage.input_tokens_details.cached_tokens_details.audio_tokens": "500",
            "gen_ai.usage.output_tokens_details.image_tokens": "40",
        },
        "flat": {
            "gen_ai.usage.details.audio_prompt_tokens": "900",
            "gen_ai.usage.details.audio_cache_tokens": "500",
            "gen_ai.usage.details.image_candidates_tokens": "40",
        },
        "openinference": {
            "llm.token_count.prompt_details.audio": "900",
            "llm.token_count.prompt_details.cache_read_audio": "500",
            "llm.token_count.completion_details.image": "40",
        },
        "list": {"gen_ai.usage": _lists(snake=False)},
        "list with underscores": {"gen_ai.usage": _lists(snake=True)},
        "left over": {
            "gen_ai.usage.audio.input_tokens": "900",
            "gen_ai.usage.cache_read_text_tokens": "0",
            "gen_ai.usage.image.output_tokens": "40",
        },
    }
    for n, (name, attributes) in enumerate(spellings.items()):
        world.span(
            name, {**usage(1000, 60), "gen_ai.usage.cache_read_tokens": "500", **attributes}, trace=name, at_ms=n
        )
    assert {row["name"]: row["other_usage"] for row in world.calls()} == dict.fromkeys(spellings, parts)


def test_what_an_agent_does_not_say_is_not_known_beyond_its_calls(world: World) -> None:
    said = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    agent = said | {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.output_tokens": "1000"}
    chat = said | {"gen_ai.operation.name": "chat"}
    for trace in ("t", "u"):
        world.span("agent " + trace, agent, trace=trace)
    world.span("call", chat | {"gen_ai.usage.output_tokens": "400"}, trace="t", parent="agent t", at_ms=1)
    world.span("silent", chat, trace="u", parent="agent u", at_ms=2)
    rows = {row["name"]: (row["input_tokens"], row["output_tokens"], row["cost_usd"]) for row in world.calls()}
    assert rows == {"call": (None, 400, None), "agent t": (None, 600, None), "silent": (None, 1000, None)}


def test_what_is_sold_by_the_second_costs_that_whatever_tokens_it_counts(world: World) -> None:
    heard = usage(1000, 100, gen_ai__operation__name="transcription") | {
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.request.model": "voxtral-mini-2602",
    }
    wire = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_audio_seconds": 60}
    whisper = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "whisper-1", "gen_ai.operation.name": "audio"}
    spans = {
        "attribute": heard | {"outlay.usage.input_audio_seconds": "60"},
        "object": heard | {"gen_ai.usage": json.dumps(wire)},
        "by length alone": whisper | {"gen_ai.usage": '{"type": "duration", "seconds": 60}'},
        "untold": heard,
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    rows = {row["name"]: row["cost_usd"] for row in world.calls()}
    minute = Decimal("0.003")
    assert rows == {"attribute": minute, "object": minute, "by length alone": Decimal("0.006"), "untold": None}
    assert "input_audio_tokens" not in world.calls()[0]["other_usage"]


def test_citations_without_a_price_are_no_gift(world: World) -> None:
    world.span("cites", usage(1000, 100, gen_ai__request__model="gpt-4o", outlay__usage__citation_tokens="5000"))
    assert (world.call()["cost_state"], world.call()["cost_usd"]) == ("unpriced", None)


def test_a_translation_of_text_is_no_speech(world: World) -> None:
    told = usage(1000, 100, gen_ai__operation__name="translation", gen_ai__request__model="gpt-4o")
    world.span("text", told)
    world.span("speech", told | {"url.path": "/v1/audio/translations"}, trace="u", at_ms=1)
    world.span("audio", told | {"gen_ai.operation.name": "audio_translation"}, trace="v", at_ms=2)
    heard = [(row["operation"], row["other_usage"]) for row in world.calls()]
    speech = ("transcription", {"input_audio_tokens": 1000})
    assert heard == [("chat", {}), speech, speech]


def test_what_an_agent_says_beyond_calls_of_several_models_has_no_price(world: World) -> None:
    for trace, order in (("t", ("gpt-4o", "gpt-4o-mini")), ("u", ("gpt-4o-mini", "gpt-4o"))):
        world.span(
            "agent " + trace, {**usage(3900, 300, gen_ai__operation__name="invoke_agent")} | NO_MODEL, trace=trace
        )
        for n, model in enumerate(order):
            counts = usage(1200, 60) if model == "gpt-4o" else usage(1500, 80)
            world.span(
                f"{n} {trace}", counts | {"gen_ai.request.model": model}, trace=trace, parent="agent " + trace, at_ms=n
            )
    rows = world.calls()
    assert sorted(str(row["cost_usd"]) for row in rows if row["trace_id"] == rows[0]["trace_id"])
    rests = [row for row in rows if row["tags"]]
    assert [(row["input_tokens"], row["cost_usd"], row["cost_state"]) for row in rests] == [
        (1200, None, "unpriced")
    ] * 2
    assert sum(row["cost_usd"] for row in rows if row["cost_usd"]) == 2 * Decimal("0.003873")


NO_MODEL = {"gen_ai.request.model": ""}
