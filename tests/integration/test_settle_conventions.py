"""What conventions and libraries write of late: compaction, evaluations, fetched answers, the provider's spans."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from tests.settle_world import World, usage

SONNET = {"gen_ai.request.model": "claude-sonnet-4-6", "gen_ai.provider.name": "anthropic"}


def test_what_compaction_used_is_billed_beside_the_answer(world: World) -> None:
    answer = usage(1000, 100) | SONNET
    wire = {"input_tokens": 100_000, "output_tokens": 2000, "type": "compaction"}
    message = {"type": "message", "input_tokens": 1000, "output_tokens": 100}
    spans = {
        "alone": answer,
        "attributes": answer
        | {"anthropic.usage.compaction.input_tokens": "100000", "anthropic.usage.compaction.output_tokens": "2000"},
        "object": {**SONNET, "gen_ai.operation.name": "chat"}
        | {"gen_ai.usage": json.dumps({"input_tokens": 1000, "output_tokens": 100, "iterations": [wire, message]})},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    rows = {row["name"]: (row["input_tokens"], row["output_tokens"], row["cost_usd"]) for row in world.calls()}
    whole = (101_000, 2100, Decimal("0.3345"))
    assert rows == {"alone": (1000, 100, Decimal("0.0045")), "attributes": whole, "object": whole}


def test_what_a_compaction_read_from_the_cache_is_billed_in_all_words(world: World) -> None:
    answer, used = usage(1000, 100) | SONNET, "anthropic.usage.compaction."
    step = {used + "input_tokens": "100000", used + "output_tokens": "2000"}
    wire = {"type": "compaction", "input_tokens": 100_000, "cache_read_input_tokens": 50_000, "output_tokens": 2000}
    own = {"input_tokens": 1000, "output_tokens": 100}
    spans = {
        "wire's words": answer | step | {used + "cache_read_input_tokens": "50000"},
        "inclusive words": answer | step | {used + "input_tokens": "150000", used + "cache_read.input_tokens": "50000"},
        "object": {**SONNET, "gen_ai.operation.name": "chat", "gen_ai.usage": json.dumps(own | {"iterations": [wire]})},
        "own input unknown": SONNET | {"gen_ai.operation.name": "chat"} | step,
        "object without": SONNET
        | {"gen_ai.operation.name": "chat", "gen_ai.usage": json.dumps({"iterations": [wire]})},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    rows = {row["name"]: (row["input_tokens"], row["cache_read_tokens"], row["cost_usd"]) for row in world.calls()}
    whole = (151_000, 50_000, Decimal("0.3495"))
    assert [rows[name] for name in spans][:3] == [whole] * 3
    assert [(rows[name][0], rows[name][2]) for name in spans][3:] == [(None, None)] * 2


def test_writes_that_openai_keeps_for_half_a_day_are_told_apart(world: World) -> None:
    wire: dict[str, Any] = {"input_tokens": 10_000, "output_tokens": 100}
    wire |= {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 9000, "cache_write_12h_tokens": 4000}}
    model = {"gen_ai.request.model": "gpt-5.6-sol", "gen_ai.provider.name": "openai"}
    flat = {"cache_write_tokens": "9000", "input_tokens_details.cache_write_12h_tokens": "4000"}
    spans = {
        "object": model | {"gen_ai.operation.name": "chat", "gen_ai.usage": json.dumps(wire)},
        "attributes": usage(10_000, 100) | model | {f"gen_ai.usage.{name}": count for name, count in flat.items()},
    }
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, at_ms=n)
    for row in world.calls():
        assert (row["input_tokens"], row["cache_write_tokens"], row["cache_write_1h_tokens"]) == (10_000, 9000, 4000)
        assert row["match_kind"] == "exact+write_1h_at_5m"  # the list has no price of their own


def test_what_an_event_of_a_span_counts_is_the_spans_own(world: World) -> None:
    told = usage(0, 0) | {"gen_ai.request.model": "gpt-4o"}
    plain = {name: value for name, value in told.items() if "usage" not in name}
    early, late = ({"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": count} for count in ("1", "100"))
    details = late | {"gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.output.messages": "[]"}
    name = "gen_ai.client.inference.operation.details"
    world.span("event", plain, trace="t", events=[("chunk", early), (name, details), ("done", {"x": "1"})])
    world.span("both", plain | {"gen_ai.usage.output_tokens": "50"}, trace="u", at_ms=1, events=[(name, details)])
    rows = [(row["input_tokens"], row["output_tokens"], row["response_model"]) for row in world.calls()]
    assert rows == [(1000, 100, "gpt-4o-2024-08-06"), (1000, 50, "gpt-4o-2024-08-06")]


def test_a_span_of_an_evaluation_that_repeats_what_it_judged_is_no_call(world: World) -> None:
    world.span("judged", usage(100, 10))
    world.span("evaluate", usage(100, 10, gen_ai__operation__name="evaluate"), trace="u")
    world.span("evaluator", usage(100, 10, openinference__span__kind="EVALUATOR"), trace="v")
    world.span("the judge", usage(500, 5), trace="v", parent="evaluator", at_ms=1)
    assert sorted(world.counts()) == [("judged", 100, 10), ("the judge", 500, 5)]


def test_to_fetch_an_answer_again_is_no_call(world: World) -> None:
    answered = usage(100, 10, gen_ai__response__id="resp_1")
    world.span("asked", answered)
    fetched = answered | {"gen_ai.operation.name": "fetch_response"}
    world.span("fetched", fetched, trace="u", at_ms=60_000)
    world.span("fetched again", fetched, trace="v", at_ms=90_000)
    assert world.counts() == [("asked", 100, 10)]


def test_the_providers_own_span_is_the_clients_request(world: World) -> None:
    counts = usage(100, 10, gen_ai__response__id="msg_1") | SONNET
    world.span("client", counts, scope="com.anthropic.sdk")
    world.span("server", counts, trace="u", at_ms=1, scope="com.anthropic.claude-platform")
    assert world.call()["name"] == "client"


def test_the_providers_own_span_is_found_by_the_number_of_the_request(world: World) -> None:
    request = {"anthropic.request.id": "req_1"}
    client = usage(100, 10, gen_ai__response__id="msg_1") | SONNET | request
    world.span("client", client, scope="com.anthropic.sdk")
    server = usage(130, 10) | SONNET | request  # without the response's id, and it counts otherwise
    world.span("server", server, trace="u", at_ms=1, scope="com.anthropic.claude-platform")
    framework = usage(100, 10, gen_ai__response__id="msg_1") | SONNET
    world.span("framework", framework, trace="v", at_ms=2, scope="langfuse-sdk")
    world.span(
        "another", server | {"anthropic.request.id": "req_2"}, trace="w", at_ms=3, scope="com.anthropic.claude-platform"
    )
    assert sorted(row["name"] for row in world.calls()) == ["another", "client"]
    late = server | {"anthropic.request.id": "req_2"}
    world.span("its client", late, trace="x", at_ms=4, scope="com.anthropic.sdk")
    assert sorted(row["name"] for row in world.calls()) == ["client", "its client"]


def test_envoys_gateway_writes_what_was_cached_and_counts_tokens_without_a_call(world: World) -> None:
    told = {"openinference.span.kind": "LLM", "llm.system": "openai", "llm.model_name": "claude-sonnet-4-6"}
    counts = {"prompt": 1000, "completion": 100, "total": 1100}
    counts |= {"prompt_details.cache_read": 400, "prompt_details.cache_creation": 300}
    told |= {f"llm.token_count.{name}": str(count) for name, count in counts.items()}
    scope = "envoyproxy/ai-gateway"
    world.span("POST", {"http.route": "/v1/messages"}, kind="server", scope="envoy", service="gateway")
    world.span("Message", told | {"llm.system": "anthropic"}, parent="POST", scope=scope, service="gateway", at_ms=1)
    counting = {"openinference.span.kind": "TOKEN_COUNTER", "llm.token_count.prompt": "900"}
    world.span("CountTokens", counting | {"llm.model_name": "claude-sonnet-4-6"}, trace="u", scope=scope, at_ms=2)
    call = world.call()
    assert (call["dialect"], call["provider"], call["feature"]) == ("envoy_ai_gateway", "anthropic", "gateway")
    assert (call["input_tokens"], call["cache_read_tokens"], call["cache_write_tokens"]) == (1000, 400, 300)
    assert call["cost_usd"] == Decimal("0.003645")  # 300 at 3, 400 at 0.3, 300 at 3.75, 100 at 15 dollars a million


def test_what_openrouter_broadcasts_is_billed_by_openrouter_at_what_it_charges(world: World) -> None:
    told = usage(1000, 100, gen_ai__response__model="anthropic/claude-sonnet-4.6") | {
        "gen_ai.request.model": "anthropic/claude-sonnet-4.6",
        "gen_ai.provider.name": "Google AI Studio",
        "gen_ai.usage.input_tokens.cached": "400",
        "gen_ai.usage.input_tokens.cache_write": "300",
        "span.type": "generation",
        "trace.metadata.openrouter.first_token_ms": "250",
        "gen_ai.usage.output_tokens.reasoning": "30",
        "gen_ai.usage.total_cost": "0.003645",
        "trace.name": "triage",
        "trace.metadata.team": "support",
        "trace.metadata.openrouter.provider_slug": "google-ai-studio",
        "user.id": "u1",
        "session.id": "s1",
    }
    world.span("LLM Generation", told | {"gen_ai.response.id": "gen-1"}, scope="", service="openrouter")
    attempt = told | {"gen_ai.response.id": "gen-1:attempt-0", "span.type": "span"}
    world.span("provider attempt 1: Google", attempt, parent="LLM Generation", scope="", service="openrouter")
    call = world.call()
    assert (call["dialect"], call["provider"], call["feature"]) == ("openrouter_broadcast", "openrouter", "triage")
    assert (call["team"], call["user"], call["session"]) == ("support", "u1", "s1")
    assert (call["cache_read_tokens"], call["cache_write_tokens"], call["reasoning_tokens"]) == (400, 300, 30)
    assert call["time_to_first_token_ms"] == 250
    assert (call["cost_usd"], call["reported_cost_usd"]) == (Decimal("0.003645"), Decimal("0.003645"))
    assert "reported_cost_differs" not in call["flags"]


def test_litellms_proxy_writes_a_call_onto_the_span_of_the_request_it_serves(world: World) -> None:
    """Since 1.81 there is no span of the call by itself; its version 2 has one below the request's."""
    told = usage(1000, 100, gen_ai__response__id="chatcmpl-1", http__route="/chat/completions")
    told |= {"metadata.user_api_key_team_alias": "support", "metadata.user_api_key_end_user_id": "acme"}
    world.span("Received Proxy Server Request", told, scope="litellm", kind="server", service="litellm-proxy")
    world.span("POST /v1/chat/completions", {"http.route": "/v1/chat/completions"}, trace="v", kind="server")
    second = usage(2000, 200, gen_ai__response__id="chatcmpl-2")
    world.span("chat gpt-4o-mini", second, parent="POST /v1/chat/completions", trace="v", scope="litellm", at_ms=1)
    found = [(row["input_tokens"], row["feature"], row["team"], row["customer"]) for row in world.calls()]
    assert found == [(1000, "litellm-proxy", "support", "acme"), (2000, "shop", "", "")]


def test_input_of_which_nobody_says_what_was_cached_is_marked(world: World) -> None:
    bedrock = usage(100, 10) | {
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "anthropic.claude-opus-4-8",
    }
    world.span("untold", bedrock, scope="opentelemetry.instrumentation.botocore")
    told = bedrock | {"gen_ai.usage.cache_read.input_tokens": "0"}
    world.span("told", told, trace="u", scope="opentelemetry.instrumentation.botocore")
    world.span("inclusive", usage(100, 10) | SONNET, trace="v")
    flags = {row["name"]: row["flags"] for row in world.calls()}
    assert "cached_input_unknown" in flags["untold"]
    assert "cached_input_unknown" not in flags["told"] + flags["inclusive"]
