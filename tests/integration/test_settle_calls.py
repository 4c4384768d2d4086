"""What a call carries: counts in one meaning, honest states, inherited attributes, caches, cascades, times, tiers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.settle_world import CHAT, NOON, World, hex_of, usage

from outlay_collector.load.scores import add_score

CLAUDE = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5"}


def test_each_way_of_counting_comes_to_the_same(world: World) -> None:
    read, write = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
    parts = {read: "1000", write: "500"}
    world.span("inclusive", {**usage(2000, 50), **CLAUDE, **parts}, trace="a")
    world.span("too small to include", {**usage(500, 50), **CLAUDE, **parts}, trace="b")
    world.span("excluded by its table", {**usage(2000, 50), **CLAUDE, **parts}, trace="c", scope="openlit.x")
    world.span(
        "excluded by its total",
        {**usage(2000, 50), **CLAUDE, **parts, "gen_ai.usage.total_tokens": "3550"},
        trace="d",
    )
    assert {row["name"]: row["input_tokens"] for row in world.calls()} == {
        "inclusive": 2000,
        "too small to include": 2000,
        "excluded by its table": 3500,
        "excluded by its total": 3500,
    }
    flags = {row["name"]: row["flags"] for row in world.calls()}
    assert "input_excludes_cached" in flags["too small to include"]
    assert "input_excludes_cached" not in flags["inclusive"]


@pytest.mark.parametrize(
    "scope",
    ["opentelemetry.instrumentation.genai.bedrock", "opentelemetry.instrumentation.botocore.bedrock-runtime"],
)
def test_bedrock_counts_its_cache_beside_the_input_under_the_names_of_the_convention(world: World, scope: str) -> None:
    claude = {"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-v1:0"}
    parts = {"gen_ai.usage.cache_read.input_tokens": "124", "gen_ai.usage.cache_write.input_tokens": "310"}
    world.span("small parts", {**usage(3945, 50), **claude, **parts}, scope=scope)
    assert world.call()["input_tokens"] == 4379


@pytest.mark.parametrize(
    ("scope", "provider", "meant"),
    [
        ("openlit.instrumentation.anthropic", "anthropic", 4379),
        ("openlit.instrumentation.bedrock", "aws.bedrock", 4379),
        ("openlit.instrumentation.openai", "openai", 3945),
        ("openlit.instrumentation.langchain", "anthropic", 3945),
        ("opentelemetry.instrumentation.bedrock", "aws.bedrock", 4379),
        ("opentelemetry.instrumentation.anthropic", "anthropic", 3945),
    ],
)
def test_the_client_that_was_read_decides_what_input_includes(
    world: World, scope: str, provider: str, meant: int
) -> None:
    claude = {"gen_ai.provider.name": provider, "gen_ai.request.model": "anthropic/claude-sonnet-4.5"}
    parts = {"gen_ai.usage.cache_read.input_tokens": "124", "gen_ai.usage.cache_creation.input_tokens": "310"}
    world.span("small parts", {**usage(3945, 50), **claude, **parts}, scope=scope)
    assert world.call()["input_tokens"] == meant


def test_reasoning_is_part_of_the_output_however_it_is_counted(world: World) -> None:
    thoughts = "gen_ai.usage.reasoning.output_tokens"
    world.span("inside", {**usage(10, 100), thoughts: "60"}, trace="a")
    world.span("beside", {**usage(10, 40), thoughts: "60"}, trace="b")
    gemini = {"gen_ai.provider.name": "gemini", "gen_ai.request.model": "gemini-2.5-flash"}
    world.span("beside by table", {**usage(10, 100), **gemini, thoughts: "60"}, trace="c", scope="openlit.x")
    assert {r["name"]: (r["output_tokens"], r["reasoning_tokens"]) for r in world.calls()} == {
        "inside": (100, 60),
        "beside": (100, 60),
        "beside by table": (160, 60),
    }


def test_thoughts_that_only_the_total_has_are_output(world: World) -> None:
    kind = {"mlflow.spanType": "CHAT_MODEL", "mlflow.llm.model": "gemini-2.5-pro", "mlflow.llm.provider": "google"}
    world.span(
        "lost",
        {**kind, "mlflow.chat.tokenUsage": '{"input_tokens": 1895, "output_tokens": 253, "total_tokens": 3870}'},
        trace="a",
    )
    world.span(
        "none",
        {**kind, "mlflow.chat.tokenUsage": '{"input_tokens": 1895, "output_tokens": 253, "total_tokens": 2148}'},
        trace="b",
    )
    assert {r["name"]: r["output_tokens"] for r in world.calls()} == {"lost": 1975, "none": 253}


@pytest.mark.parametrize(
    ("written", "meant"), [("281", 281), ("281.0", 281), ("2.81e2", 281), ("-5", None), ("x", None)]
)
def test_numbers_come_as_any_text_and_are_never_negative(world: World, written: str, meant: int | None) -> None:
    world.span("call", {**usage(0, 7), "gen_ai.usage.input_tokens": written})
    assert world.call()["input_tokens"] == meant


def test_a_count_under_several_names_is_read_once_from_the_first_that_holds_one(world: World) -> None:
    searches = {"outlay.usage.web_searches": "2", "gen_ai.usage.web_searches": "2", "outlay.usage.file_searches": "1"}
    broken = {"gen_ai.usage.input_tokens": "-1", "llm.token_count.prompt": "40", "gen_ai.usage.output_tokens": "7"}
    world.span("call", {**CHAT, **broken, **searches})
    call = world.call()
    assert (call["input_tokens"], call["output_tokens"]) == (40, 7)
    assert call["other_usage"] == {"web_searches": 2, "file_searches": 1}
    assert sum(call["cost_lines"].values()) == call["cost_usd"]


def test_usage_is_read_from_json_and_from_python_reprs(world: World) -> None:
    world.span(
        "json",
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.model": '"gpt-4o-mini"',
            "mlflow.chat.tokenUsage": '{"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 40}',
        },
        trace="a",
    )
    world.span(
        "repr",
        {
            **CHAT,
            "litellm.call_id": "1",
            "metadata.usage_object": "{'prompt_tokens': 100, 'completion_tokens': 10, 'total_tokens': None, "
            "'prompt_tokens_details': {'cached_tokens': 40}}",
        },
        trace="b",
    )
    assert {(r["name"], r["input_tokens"], r["output_tokens"], r["cache_read_tokens"]) for r in world.calls()} == {
        ("json", 100, 10, 40),
        ("repr", 100, 10, 40),
    }


def test_cache_writes_of_an_hour_are_part_of_all_writes(world: World) -> None:
    world.span(
        "call",
        {
            **usage(1000, 5),
            **CLAUDE,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": "100",
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": "300",
        },
    )
    call = world.call()
    assert (call["input_tokens"], call["cache_write_tokens"], call["cache_write_1h_tokens"]) == (1000, 400, 300)
    assert set(call["cost_lines"]) == {"input", "cache_write", "cache_write_1h", "output"}


def test_a_stream_without_usage_is_unknown_not_free(world: World) -> None:
    world.span("none", {**CHAT, "gen_ai.request.stream": "true"}, trace="a")
    world.span("zeros", {**usage(0, 0), "gen_ai.usage.cost": "0"}, trace="b")
    for row in world.calls():
        assert (row["cost_state"], row["cost_usd"], row["input_tokens"]) == ("no_usage", None, None)
        assert row["reported_cost_usd"] is None


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({"error.type": "RateLimitError"}, "not_billed"),
        ({"error.type": "APIConnectionError", "gen_ai.request.stream": "true", "gen_ai.response.id": "x"}, "no_usage"),
        ({"error.type": "ReadTimeoutError", "gen_ai.provider.name": "aws.bedrock"}, "no_usage"),
        ({"error.type": "ReadTimeoutError"}, "not_billed"),
        ({"error.type": "httpx.ReadError"}, "no_usage"),
        ({"error.type": "aiohttp.ClientPayloadError"}, "no_usage"),
    ],
)
def test_a_failure_is_billed_only_where_the_provider_is_known_to_charge(
    world: World, attributes: dict[str, str], state: str
) -> None:
    world.span("call", {**CHAT, **attributes}, status="error")
    call = world.call()
    assert (call["cost_state"], call["status"]) == (state, "error")
    assert call["cost_usd"] == (0 if state == "not_billed" else None)


def test_an_estimate_is_priced_and_marked(world: World) -> None:
    world.span("call", usage(100, 10, outlay__usage__estimated="true"))
    call = world.call()
    assert call["cost_state"] == "estimated"
    assert call["cost_usd"] > 0


def test_a_stream_that_was_not_read_to_its_end_is_an_estimate(world: World) -> None:
    said = {**usage(1343, 1), **CLAUDE, "gen_ai.request.stream": "true"}
    scope = "opentelemetry.instrumentation.genai.anthropic"
    world.span("cut", said, scope=scope, trace="a")
    world.span("whole", {**said, "gen_ai.response.finish_reasons": '["stop"]'}, scope=scope, trace="b")
    assert {row["name"]: row["cost_state"] for row in world.calls()} == {"cut": "estimated", "whole": "computed"}


def test_counts_of_a_library_that_guesses_streams_without_saying_so_are_estimates(world: World) -> None:
    """Spans as @traceloop/instrumentation-openai 0.27 wrote them for an answer of 1391 and 50 tokens."""
    total = {"gen_ai.usage.total_tokens": "8", "gen_ai.response.finish_reasons": '["stop"]'}
    guess = {**usage(1, 7, gen_ai__response__id="chatcmpl-1"), **total}
    plain = usage(1391, 50, gen_ai__response__id="chatcmpl-2")
    spans = {
        "streamed": guess,
        "plain, for all one can tell": plain,
        "said to be plain": {**plain, "gen_ai.request.stream": "false", "gen_ai.response.id": "chatcmpl-3"},
        "with what only a provider says": {**plain, "gen_ai.usage.cache_read.input_tokens": "0"}
        | {"gen_ai.response.id": "resp-4"},
        "asked": {**CHAT, "gen_ai.response.id": "resp-5"},
    }
    scope = "@traceloop/instrumentation-openai"
    for n, (name, attributes) in enumerate(spans.items()):
        world.span(name, attributes, trace=name, scope=scope, scope_version="0.27.0", at_ms=n)
    assert [call["cost_state"] for call in world.calls()] == [
        "estimated",
        "estimated",
        "computed",
        "computed",
        "no_usage",
    ]
    counted = usage(1391, 50, gen_ai__response__id="chatcmpl-1")
    world.span("the gateway's", counted, trace="streamed", scope="outlay")
    known = world.calls()[0]
    assert (known["input_tokens"], known["output_tokens"], known["cost_state"]) == (1391, 50, "computed")


def test_an_unknown_model_is_unpriced(world: World) -> None:
    world.span("call", {**usage(100, 10), "gen_ai.request.model": "house-model-7", "gen_ai.provider.name": "us"})
    assert (world.call()["cost_state"], world.call()["cost_usd"]) == ("unpriced", None)


def test_a_call_inherits_from_the_nearest_span_that_says_it(world: World) -> None:
    world.span("root", {"outlay.feature": "a", "outlay.team": "t", "user.id": "u", "outlay.tag.plan": "pro"})
    world.span("middle", {"outlay.feature": "b", "outlay.tag.region": "eu"}, parent="root", at_ms=1)
    world.span("call", usage(100, 10, outlay__customer="c"), parent="middle", at_ms=2)
    call = world.call()
    assert (call["feature"], call["team"], call["user"], call["customer"]) == ("b", "t", "u", "c")
    assert call["tags"] == {"plan": "pro", "region": "eu"}


def test_a_late_parent_gives_its_attributes_to_the_calls_below(world: World) -> None:
    world.span("call", usage(100, 10), parent="root", at_ms=2)
    assert world.call()["feature"] == "shop"
    world.span("root", {"outlay.feature": "late"})
    assert world.call()["feature"] == "late"


def test_calls_below_an_attempt_belong_to_that_attempt(world: World) -> None:
    cascade = {"outlay.cascade.name": "answer", "outlay.cascade.run_id": "r"}
    world.span(
        "cheap",
        {
            **cascade,
            "outlay.cascade.tier": "0",
            "outlay.cascade.outcome": "escalated",
            "outlay.cascade.confidence": "0.4",
            "outlay.cascade.threshold": "0.7",
        },
    )
    world.span("cheap call", usage(100, 10), parent="cheap", at_ms=1)
    world.span(
        "strong",
        {**cascade, "outlay.cascade.tier": "1", "outlay.cascade.outcome": "accepted"},
        parent="cheap",
        at_ms=50,
    )
    world.span("strong call", usage(100, 20), parent="strong", at_ms=51)
    rows = {row["name"]: row for row in world.calls()}
    assert [
        rows["cheap call"][f"cascade_{x}"] for x in ("name", "run_id", "tier", "outcome", "confidence", "threshold")
    ] == ["answer", "r", 0, "escalated", 0.4, 0.7]
    # An attempt's fields come as a whole: nothing of the span around it shines through.
    assert [rows["strong call"][f"cascade_{x}"] for x in ("tier", "outcome", "confidence")] == [1, "accepted", None]


def test_the_probability_of_a_choice_is_kept_with_its_calls_and_is_one(world: World) -> None:
    arm = {"outlay.experiment.name": "x", "outlay.experiment.arm": "new", "outlay.experiment.propensity": "0.1"}
    world.span("router", {"outlay.route.tier": "cheap", "outlay.route.propensity": "0.025", **arm})
    world.span("inside", usage(100, 10), parent="router", at_ms=1)
    world.span("nearer", {**usage(100, 10), "outlay.route.tier": "mid"}, parent="router", at_ms=2)
    for said in ("0", "1.5", "-0.1", "nan", "often"):
        wrong = {"outlay.route.tier": "mid", "outlay.route.propensity": said, "outlay.experiment.propensity": said}
        world.span(said, {**usage(100, 10), **wrong}, trace=said)
    rows = {row["name"]: (row["route_tier"], row["route_propensity"], row["arm_propensity"]) for row in world.calls()}
    assert rows == {
        "inside": ("cheap", 0.025, 0.1),
        "nearer": ("mid", None, 0.1),  # a choice comes as a whole: nothing of the one around it shines through
        **dict.fromkeys(("0", "1.5", "-0.1", "nan", "often"), ("mid", None, None)),
    }


@pytest.mark.parametrize("yes", ["true", "True", "1"])
def test_what_is_forced_and_what_only_judges_is_kept_with_the_call(world: World, yes: str) -> None:
    attempt = {"outlay.cascade.name": "answer", "outlay.cascade.tier": "0", "outlay.cascade.outcome": "escalated"}
    world.span("attempt", {**attempt, "outlay.cascade.forced": yes})
    world.span("answer", usage(100, 10), parent="attempt", at_ms=1)
    world.span("judge", {**usage(100, 1), "outlay.cascade.judge": yes}, parent="attempt", at_ms=50)
    world.span("plain", {**attempt, "outlay.cascade.forced": "false"}, trace="u")
    world.span("other", usage(100, 10), parent="plain", trace="u", at_ms=60)
    names = ("cascade_name", "cascade_outcome", "cascade_forced", "cascade_judge")
    assert {row["name"]: [row[name] for name in names] for row in world.calls()} == {
        "answer": ["answer", "escalated", 1, 0],
        "judge": ["answer", "escalated", 1, 1],  # of the attempt, as every call inside
        "other": ["answer", "escalated", 0, 0],
    }


def test_a_hit_of_the_applications_cache_is_a_free_call_that_says_what_it_avoided(world: World) -> None:
    world.span(
        "hit",
        {
            **CHAT,
            "outlay.cache.kind": "semantic",
            "outlay.cache.hit": "true",
            "outlay.cache.similarity": "0.93",
            "outlay.cache.avoided.input_tokens": "1000000",
            "outlay.cache.avoided.output_tokens": "1000000",
            "outlay.feature": "faq",
        },
    )
    call = world.call()
    assert (call["cost_state"], call["cost_usd"], call["input_tokens"], call["output_tokens"]) == (
        "cached",
        0,
        None,
        None,
    )
    assert (call["cache_kind"], call["cache_hit"], call["cache_similarity"]) == ("semantic", True, 0.93)
    assert (call["cache_avoided_input_tokens"], call["cache_avoided_usd"]) == (1_000_000, Decimal("0.75"))
    lookup = world.lookups()[0]
    assert (lookup["kind"], lookup["hit"], lookup["avoided_usd"], lookup["feature"], lookup["model"]) == (
        "semantic",
        True,
        Decimal("0.75"),
        "faq",
        "gpt-4o-mini",
    )


@pytest.mark.parametrize("count", ["1e19", "9223372036854775809", "5000000000", "nan", "-3"])
def test_an_avoided_count_that_cannot_be_is_unknown(world: World, count: str) -> None:
    cache = {"outlay.cache.kind": "exact", "outlay.cache.hit": "true"}
    counts = {"outlay.cache.avoided.input_tokens": count, "outlay.cache.avoided.output_tokens": "10"}
    world.span("hit", {**CHAT, **cache, **counts})
    call = world.call()
    assert (call["cache_avoided_input_tokens"], call["cache_avoided_output_tokens"]) == (None, 10)


def test_a_miss_above_the_call_is_a_lookup_and_marks_the_call(world: World) -> None:
    world.span("lookup", {"outlay.cache.kind": "exact", "outlay.cache.hit": "false"})
    world.span("call", usage(100, 10), parent="lookup", at_ms=1)
    call = world.call()
    assert (call["name"], call["cache_kind"], call["cache_hit"], call["cost_state"]) == (
        "call",
        "exact",
        False,
        "computed",
    )
    assert [(row["hit"], row["model"]) for row in world.lookups()] == [(False, "gpt-4o-mini")]


def test_a_miss_on_the_calls_own_span_is_a_lookup_too(world: World) -> None:
    world.span("call", usage(100, 10, outlay__cache__kind="exact", outlay__cache__hit="false"))
    assert (world.call()["cache_kind"], world.call()["input_tokens"]) == ("exact", 100)
    assert [row["hit"] for row in world.lookups()] == [False]


def test_the_hour_of_a_lookup_is_marked_where_its_call_begins_in_the_next(world: World) -> None:
    hour_ms = 3_600_000
    world.span("lookup", {"outlay.cache.kind": "exact", "outlay.cache.hit": "false"}, took_ms=hour_ms)
    world.span("call", usage(100, 10), parent="lookup", at_ms=hour_ms)
    world.settle()
    marked = "SELECT count() AS n FROM dirty_hours FINAL WHERE project = {p:String}"
    assert world.query(marked) == [{"n": 2}]


def test_a_lookup_that_is_gone_leaves_a_tombstone(world: World) -> None:
    world.span("call", usage(100, 10, outlay__cache__kind="exact", outlay__cache__hit="false"))
    world.settle()
    world.span("call", usage(100, 10), version=2)
    world.settle()
    assert world.lookups() == []
    assert world.call()["cache_kind"] == ""


def test_the_tier_of_the_response_beats_that_of_the_request(world: World) -> None:
    world.span(
        "both",
        usage(1, 1, gen_ai__openai__request__service_tier="priority", openai__response__service_tier="default"),
        trace="a",
    )
    world.span("request", usage(1, 1, gen_ai__openai__request__service_tier="flex"), trace="b")
    world.span("auto", usage(1, 1, gen_ai__openai__request__service_tier="auto"), trace="c")
    assert {r["name"]: r["service_tier"] for r in world.calls()} == {"both": "default", "request": "flex", "auto": ""}


def test_time_to_first_token_is_in_milliseconds_whatever_the_library_writes(world: World) -> None:
    world.span("seconds", usage(1, 1, gen_ai__response__time_to_first_chunk="0.25"), trace="a")
    world.span("openlit", usage(1, 1, gen_ai__server__time_to_first_token="0.25"), trace="b", scope="openlit.x")
    world.span(
        "strands", usage(1, 1, gen_ai__server__time_to_first_token="250"), trace="c", scope="strands.telemetry.tracer"
    )
    world.span(
        "vercel",
        {**usage(1, 1), "ai.operationId": "ai.streamText.doStream", "ai.response.msToFirstChunk": "250"},
        trace="d",
        scope="ai",
    )
    assert {row["time_to_first_token_ms"] for row in world.calls()} == {250.0}


def test_embeddings_images_and_reranks_are_calls_and_tools_are_not(world: World) -> None:
    for i, name in enumerate(("embeddings", "image_generation", "rerank")):
        world.span(name, {**CHAT, "gen_ai.operation.name": name, "gen_ai.usage.input_tokens": "9"}, trace=f"t{i}")
    world.span("tool", {"gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "x"}, trace="x")
    world.span("retriever", {"openinference.span.kind": "RETRIEVER", "llm.model_name": "x"}, trace="y")
    assert {row["operation"] for row in world.calls()} == {"embeddings", "image_generation", "rerank"}


@pytest.mark.parametrize(
    ("said", "model", "meant"),
    [
        ("openai.chat", "gpt-4o", "openai"),
        ("google.generative-ai", "gemini-2.5-flash", "gcp.gemini"),
        ("Ollama", "llama3", "ollama"),
        ("langchain", "claude-sonnet-4-5", "anthropic"),
        ("strands-agents", "gpt-4o-mini", "openai"),
        ("", "openai/gpt-4o-mini", "openai"),
        ("openai", "deepseek-chat", "deepseek"),
        ("zai", "glm-4.5", "z_ai"),
        ("azure", "my-deployment", "azure.ai.openai"),
        ("amazon-bedrock", "us.anthropic.claude-sonnet-4-5-v1:0", "aws.bedrock"),
        ("house", "house-1", "house"),
    ],
)
def test_providers_have_one_name_each(world: World, said: str, model: str, meant: str) -> None:
    world.span("call", {**usage(1, 1), "gen_ai.provider.name": said, "gen_ai.request.model": model})
    assert world.call()["provider"] == meant


def test_an_agent_kits_first_versions_say_thoughts_in_the_answer_alone(world: World) -> None:
    usage_metadata = (
        '{"cached_content_token_count":1123,"candidates_token_count":189,"prompt_token_count":1351,'
        '"thoughts_token_count":1261,"total_token_count":2801}'
    )
    said = {**usage(1351, 189), "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-pro"}
    del said["gen_ai.operation.name"], said["gen_ai.provider.name"]
    answer = {
        "gcp.vertex.agent.llm_response": f'{{"model_version":"gemini-2.5-pro","usage_metadata":{usage_metadata}}}'
    }
    world.span("call_llm", {**said, **answer}, scope="gcp.vertex.agent")
    call = world.call()
    assert (call["provider"], call["model"]) == ("gcp.gemini", "gemini-2.5-pro")
    counts = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    assert [call[name] for name in counts] == [1351, 1123, 1450, 1261]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.response.input_tokens": "2000", "gen_ai.response.output_tokens": "90"},
        {"gen_ai.response.prompt_tokens": "2000", "gen_ai.response.completion_tokens": "90"},
        {"gen_ai.usage": '{"input_tokens": 2000, "output_tokens": 90}'},
        {"llm.usage": "{'prompt_tokens': 2000, 'completion_tokens': 90, 'total_tokens': None}"},
    ],
)
def test_counts_of_an_unknown_library_stand_under_many_names(world: World, attributes: dict[str, str]) -> None:
    world.span("call", {**CHAT, **attributes}, scope="acme.llm")
    call = world.call()
    assert (call["input_tokens"], call["output_tokens"], call["flags"]) == (2000, 90, ["unknown_library"])


def test_a_library_without_a_table_is_read_by_the_conventions_and_flagged(world: World) -> None:
    world.span("known", usage(1, 1), scope="opentelemetry.instrumentation.genai.openai", trace="a")
    world.span("unknown", usage(1, 1), scope="acme.trace", trace="b")
    flags = {row["name"]: row["flags"] for row in world.calls()}
    assert flags == {"known": [], "unknown": ["unknown_library"]}


def test_equal_prompts_and_prefixes_have_equal_hashes(world: World) -> None:
    long = "x" * 5000
    for i, prompt in enumerate((long + "a", long + "b", long + "a", "short")):
        world.span(f"c{i}", usage(1, 1), trace=f"t{i}", at_ms=i, texts={"gen_ai.input.messages": prompt})
    a, b, c, short = world.calls()
    assert a["prompt_hash"] == c["prompt_hash"] != b["prompt_hash"]
    assert a["prefix_hash"] == b["prefix_hash"] != 0
    assert short["prefix_hash"] == 0 != short["prompt_hash"]


def test_prompt_parts_and_reported_cost_are_kept(world: World) -> None:
    world.span(
        "call",
        usage(
            30,
            1,
            outlay__prompt__part__system__tokens="20",
            outlay__prompt__part__user__tokens="10",
            outlay__cost__usd="9.675e-05",
        ),
    )
    assert world.call()["prompt_parts"] == {"system": 20, "user": 10}
    assert world.call()["reported_cost_usd"] == Decimal("0.00009675")


def test_a_score_settles_its_trace_again(world: World) -> None:
    world.span("call", usage(100, 10))
    before = world.call()["version"]
    add_score(world.writer, world.project, hex_of("t", 32), hex_of("call", 16), "correct", 0.9, "yes")
    world.settle()
    assert world.call()["version"] > before


def test_history_is_read_again_by_hour(world: World) -> None:
    world.span("call", usage(100, 10))
    before = world.call()["version"]
    assert world.settler.resettle(world.project, NOON, NOON + timedelta(seconds=1)) == 1
    assert world.settler.resettle(world.project, NOON + timedelta(hours=1), NOON + timedelta(hours=2)) == 0
    assert world.call()["version"] > before


def test_more_tokens_than_a_request_can_hold_are_unknown_and_flagged(world: World) -> None:
    world.span("absurd", usage(2**62, 10))
    world.span("large", usage(4_000_000_000, 10), trace="b")
    found = {row["name"]: row for row in world.calls()}
    absurd, large = found["absurd"], found["large"]
    assert (absurd["input_tokens"], absurd["cost_usd"], absurd["cost_state"]) == (None, None, "no_usage")
    assert "implausible_count" in absurd["flags"]
    assert large["input_tokens"] == 4_000_000_000
    assert "implausible_count" not in large["flags"]


def test_billed_units_beside_tokens_are_counted_and_priced(world: World) -> None:
    openai = {"gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
    world.span("one search in files", {**openai, **usage(10, 5), "outlay.usage.file_searches": "1"}, trace="a")
    mistral = {"gen_ai.provider.name": "mistral_ai", "gen_ai.request.model": "mistral-ocr-latest"}
    world.span("pages alone", {**mistral, "gen_ai.operation.name": "ocr", "outlay.usage.input_pages": "3"}, trace="b")
    unnamed = {**CHAT, "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5"}
    world.span("no count at all", {**unnamed, "outlay.usage.estimated": "true", "outlay.usage.x": "many"}, trace="c")
    found = {row["name"]: row for row in world.calls()}
    search, pages = found["one search in files"], found["pages alone"]
    assert (search["other_usage"], search["cost_lines"]["file_searches"]) == ({"file_searches": 1}, Decimal("0.0025"))
    assert search["cost_usd"] == sum(search["cost_lines"].values())
    assert (pages["other_usage"], pages["cost_state"]) == ({"input_pages": 3}, "computed")
    assert pages["cost_usd"] == pages["cost_lines"]["input_pages"] > 0
    assert found["no count at all"]["cost_state"] == "no_usage"


def test_input_zero_beside_output_is_unknown(world: World) -> None:
    world.span("lost", {**usage(0, 50), **CLAUDE}, trace="a")
    row = world.call()
    assert (row["input_tokens"], row["output_tokens"]) == (None, 50)
    assert (row["cost_usd"], row["cost_state"]) == (None, "no_usage")


def test_a_failure_after_the_first_token_is_billed(world: World) -> None:
    broken = {**CHAT, **CLAUDE, "gen_ai.response.time_to_first_chunk": "0.2"}
    world.span("broken off", broken, status="error", trace="a")
    world.span("refused", {**CHAT, **CLAUDE}, status="error", trace="b")
    assert {row["name"]: row["cost_state"] for row in world.calls()} == {
        "broken off": "no_usage",
        "refused": "not_billed",
    }


def test_langfuse_says_a_failure_by_its_level(world: World) -> None:
    failed = {"langfuse.observation.type": "generation", "langfuse.observation.level": "ERROR", **CLAUDE}
    world.span("failed", failed, scope="langfuse-sdk")
    row = world.call()
    assert (row["status"], row["cost_state"]) == ("error", "not_billed")


def test_units_without_a_price_are_unpriced_not_unknown(world: World) -> None:
    rerank = {"gen_ai.operation.name": "rerank", "gen_ai.provider.name": "cohere"}
    for trace, model in (("a", "rerank-v3.5"), ("b", "rerank-of-tomorrow")):
        attributes = {**rerank, "gen_ai.request.model": model, "outlay.usage.search_units": "2"}
        world.span(f"units {model}", attributes, trace=trace)
    world.span("nothing", {**rerank, "gen_ai.request.model": "rerank-v3.5"}, trace="c")
    found = {row["name"]: (row["cost_state"], row["cost_usd"], row["other_usage"]) for row in world.calls()}
    assert found["units rerank-v3.5"] == ("computed", Decimal("0.004"), {"search_units": 2})
    assert found["units rerank-of-tomorrow"] == ("unpriced", None, {"search_units": 2})
    assert found["nothing"] == ("no_usage", None, {})


def test_an_empty_attribute_hides_nothing_that_a_document_says(world: World) -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.request.model_name": "",
        "llm.provider": "openai",
        "llm.token_count.prompt": "10",
        "llm.token_count.completion": "5",
        "llm.invocation_parameters": '{"model": "gpt-4o-mini"}',
    }
    world.span("call", attributes, scope="openinference.instrumentation.openai")
    call = world.call()
    assert (call["request_model"], call["cost_state"]) == ("gpt-4o-mini", "computed")


def test_a_tag_may_be_named_like_another_beginning(world: World) -> None:
    tags = {"langfuse.trace.metadata.outlay.tag.team": "x", "outlay.tag.outlay.usage.y": "z", "my.outlay.tag.no": "n"}
    world.span("call", {**usage(1, 1), **tags, "gen_ai.usage.prompt_tokens": "1e30"})
    call = world.call()
    assert call["tags"] == {"outlay.tag.team": "x", "outlay.usage.y": "z"}
    assert "implausible_count" not in call["flags"]
