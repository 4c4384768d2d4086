"""All usage objects of a span are read, and a span that names a request without counting it is one."""

from __future__ import annotations

import json
from typing import Any

from tests.settle_world import CHAT, World, usage


def _objects(*found: dict[str, Any] | None) -> dict[str, str]:
    keys = ("gen_ai.usage", "gen_ai.response.usage", "llm.usage")
    return CHAT | {key: json.dumps(each) for key, each in zip(keys, found, strict=False) if each is not None}


FULL = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40}}


def test_the_fuller_usage_object_counts_and_an_empty_one_hides_nothing(world: World) -> None:
    spans = {
        "full": _objects(FULL),
        "empty before": _objects({}, FULL),
        "zeros before": _objects({"prompt_tokens": 0, "completion_tokens": 0}, FULL),
        "zeros after": _objects(FULL, {"prompt_tokens": 0, "completion_tokens": 0}),
        "null before": _objects({"prompt_tokens": None}, None, FULL),
        "no object before": _objects(None, FULL) | {"gen_ai.usage": "n/a"},
        "part by part": _objects(
            {"prompt_tokens": 100}, {"prompt_tokens_details": {"cached_tokens": 40}}, {"completion_tokens": 20}
        ),
        "attributes of zero": _objects(FULL)
        | {"gen_ai.usage.input_tokens": "0", "gen_ai.usage.output_tokens": "0", "gen_ai.usage.cached_tokens": "0"},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    counted = {
        row["name"]: (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) for row in world.calls()
    }
    assert counted == dict.fromkeys(spans, (100, 40, 20))


def test_a_span_that_names_a_model_and_its_provider_is_a_call_without_usage(world: World) -> None:
    named = {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
    world.span("streamed", named)
    world.span("only a model", {"gen_ai.request.model": "gpt-4o"}, trace="u")
    world.span("a tool", named | {"gen_ai.operation.name": "execute_tool"}, trace="v")
    assert [(row["name"], row["cost_state"], row["cost_usd"]) for row in world.calls()] == [
        ("streamed", "no_usage", None)
    ]


def test_of_two_spans_of_one_request_one_is_a_call_though_the_other_counts_nothing(world: World) -> None:
    named = {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.provider.name": "openai"}
    world.span("framework", named)
    world.span("client", usage(100, 10), parent="framework", at_ms=1, scope="client")
    world.span("counted above", usage(200, 20), trace="u")
    world.span("silent below", named, trace="u", parent="counted above", at_ms=1, scope="client")
    calls = sorted((row["input_tokens"], row["output_tokens"]) for row in world.calls())
    assert calls == [(100, 10), (200, 20)]
