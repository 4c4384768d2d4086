"""What older versions of libraries mean by the same names, as recorded from them."""

from __future__ import annotations

import json

import pytest
from tests.settle_world import World

ANTHROPIC_USAGE = {
    "input_tokens": 1200,
    "cache_creation_input_tokens": 150,
    "cache_read_input_tokens": 300,
    "output_tokens": 40,
}


@pytest.mark.parametrize(("version", "prompt"), [("0.1.8", 1200), ("0.1.13", 1200), ("0.1.14", 1650), ("1.0.0", 1650)])
def test_openinference_counted_prompts_as_the_wire_does(world: World, version: str, prompt: int) -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.provider": "anthropic",
        "llm.model_name": "claude-sonnet-4-20250514",
        "llm.token_count.prompt": str(prompt),
        "llm.token_count.completion": "40",
    }
    texts = {"output.value": json.dumps({"usage": ANTHROPIC_USAGE})}
    scope = "openinference.instrumentation.anthropic"
    world.span("call", attributes, texts=texts, scope=scope, scope_version=version)
    call = world.call()
    assert (call["input_tokens"], call["cache_read_tokens"], call["cache_write_tokens"]) == (1650, 300, 150)


@pytest.mark.parametrize(("version", "output"), [("0.4.4", 40), ("0.7.4", 40), ("0.7.5", 60), ("1.10.0", 60), ("", 60)])
def test_pydantic_ai_left_geminis_thoughts_out(world: World, version: str, output: int) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "google-gla",
        "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.usage.input_tokens": "1200",
        "gen_ai.usage.output_tokens": str(output),
        "gen_ai.usage.details.cached_content_tokens": "64",
        "gen_ai.usage.details.thoughts_tokens": "20",
    }
    world.span("call", attributes, scope="pydantic-ai", scope_version=version)
    call = world.call()
    assert (call["cache_read_tokens"], call["output_tokens"], call["reasoning_tokens"]) == (64, 60, 20)


def test_logfire_said_everything_in_json(world: World) -> None:
    request = {"request_data": '{"model": "claude-sonnet-4-20250514", "max_tokens": 100}', "logfire.span_type": "span"}
    answer = {"response_data": json.dumps({"message": {"content": "Hi"}, "usage": ANTHROPIC_USAGE})}
    world.span("plain", {**request, **answer}, trace="a", scope="logfire.anthropic", scope_version="4.8.0")
    world.span("own work", {"logfire.span_type": "span"}, trace="b", scope="logfire", scope_version="4.8.0")
    call = world.call()
    assert (call["input_tokens"], call["cache_read_tokens"], call["output_tokens"]) == (1650, 300, 40)
    assert (call["provider"], call["cost_state"]) == ("anthropic", "computed")


@pytest.mark.parametrize(("version", "input_tokens"), [("4.22.0", 1200), ("4.30.9", 1200), ("4.31.0", 1650)])
def test_logfire_counted_anthropics_input_as_the_wire_does(world: World, version: str, input_tokens: int) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-20250514",
        "gen_ai.usage.input_tokens": str(input_tokens),
        "gen_ai.usage.output_tokens": "40",
        "response_data": json.dumps({"usage": ANTHROPIC_USAGE}),
    }
    world.span("call", attributes, scope="logfire.anthropic", scope_version=version)
    call = world.call()
    assert (call["input_tokens"], call["cache_read_tokens"], call["cache_write_tokens"]) == (1650, 300, 150)


@pytest.mark.parametrize("told", [True, False], ids=["usage at the end", "no usage"])
def test_a_stream_of_an_old_logfire_is_one_call(world: World, told: bool) -> None:
    request = {"request_data": '{"model": "gpt-5", "stream": true}', "gen_ai.request.model": "gpt-5"}
    usage = {"prompt_tokens": 1200, "completion_tokens": 60, "prompt_tokens_details": {"cached_tokens": 64}}
    answer = {"response_data": json.dumps({"usage": usage} if told else {"chunk_count": 5})}
    tail = {**request, **answer, "logfire.span_type": "log", "duration": "0.2"}
    head = {**request, "logfire.span_type": "span"}
    for name, attributes, at_ms in (("head", head, 1), ("tail", tail, 206)):
        world.span(name, attributes, at_ms=at_ms, took_ms=5, scope="logfire.openai", scope_version="4.8.0")
    call = world.call()
    counts = (call["input_tokens"], call["cache_read_tokens"], call["output_tokens"], call["cost_state"])
    assert counts == ((1200, 64, 60, "computed") if told else (None, None, None, "no_usage"))
