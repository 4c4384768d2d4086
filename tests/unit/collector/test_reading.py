"""How settle reads spans: each rule on a handful of attributes. Whole libraries are in test_settle_corpus.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.reading_world import NOON_NS, OTEL, Sent, read, read_one

from outlay_collector.settle.facts import Role
from outlay_collector.settle.table import COLUMNS

USED = {"gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": "20"}
CACHED = {"gen_ai.usage.cache_read.input_tokens": "30"}
OPENINFERENCE: dict[str, Any] = {"scope": "openinference.instrumentation.openai", "version": "0.1.30"}


def counts(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"))


def test_what_is_read_has_the_columns_of_the_facts() -> None:
    assert set(read_one({})) == set(COLUMNS)
    assert read() == []


def test_a_span_without_usage_is_no_call_and_counts_nothing() -> None:
    row = read_one({"http.route": "/"}, scope="my.app")
    assert (row["role"], row["has_usage"], row["input_tokens"], row["flags"]) == (Role.NONE, 0, None, [])
    assert (row["dialect"], row["context"], row["other_usage"]) == ("otel_genai", [], [])


@pytest.mark.parametrize(
    ("scope", "version", "dialect"),
    [
        ("openinference.instrumentation.openai", "9", "openinference"),
        ("openinference.instrumentation.openai_agents", "9", "openinference_framework"),
        ("openinference.instrumentation.anthropic", "0.1.14", "openinference"),
        ("openinference.instrumentation.anthropic", "0.1.9rc1", "openinference_anthropic_old"),
        ("openinference.instrumentation.anthropic", "", "openinference"),
        ("ai", "", "vercel"),
        ("ai.tools", "", "otel_genai"),
        ("unheard.of", "1", "otel_genai"),
    ],
)
def test_a_scope_gives_its_library_away_whole_begun_or_by_its_version(scope: str, version: str, dialect: str) -> None:
    assert read_one({}, scope=scope, version=version)["dialect"] == dialect


def test_in_a_scope_that_nobody_knows_an_attribute_gives_the_library_away() -> None:
    marked = {"openinference.span.kind": "LLM", "langfuse.observation.type": "generation"}
    assert read_one(marked, scope="mine")["dialect"] == "openinference_framework"
    unknown, known = read(Sent({**OTEL, **USED}, scope="mine"), Sent({**OTEL, **USED}, scope="langfuse-sdk"))
    assert (unknown["flags"], known["flags"]) == (["unknown_library"], [])


@pytest.mark.parametrize(
    ("attributes", "role", "operation"),
    [
        ({"gen_ai.operation.name": "embeddings"}, Role.CALL, "embeddings"),
        ({"gen_ai.operation.name": "Invoke_Agent"}, Role.AGGREGATE, ""),
        ({"gen_ai.operation.name": "prompt"}, Role.NONE, ""),
        ({"gen_ai.operation.name": "never heard of"}, Role.CALL, ""),
        ({"openinference.span.kind": "CHAIN", "gen_ai.operation.name": "chat"}, Role.AGGREGATE, ""),
        ({"ai.operationId": "ai.streamText.doStream"}, Role.CALL, "chat"),
    ],
)
def test_what_a_span_says_it_is_decides_what_its_usage_stands_for(
    attributes: dict[str, str], role: Role, operation: str
) -> None:
    scope = "ai" if "ai.operationId" in attributes else "mine"
    row = read_one({**USED, **attributes}, scope=scope)
    assert (row["role"], row["operation"]) == (role, operation)


def test_a_stream_s_kind_says_that_it_streamed_and_an_attribute_overrules_it() -> None:
    streamed = {**USED, "ai.operationId": "ai.streamText.doStream"}
    first, second, third = read(
        Sent(streamed, scope="ai"),
        Sent({**streamed, "gen_ai.request.stream": "False"}, scope="ai"),
        Sent({**OTEL, **USED}),
    )
    assert [row["streamed"] for row in (first, second, third)] == [True, False, None]


def test_a_name_shows_that_a_span_restates_its_parent_and_is_believed_first() -> None:
    row = read_one({**OTEL, **USED}, scope="litellm", name="raw_gen_ai_request")
    assert (row["role"], row["rank"]) == (Role.RAW, 34)


def test_a_stream_s_tail_began_as_long_ago_as_it_says() -> None:
    tail = {"logfire.span_type": "log", "duration": "1.5", **USED, "gen_ai.request.model": "gpt-4o"}
    opening, row = read(
        Sent({**OTEL, "logfire.span_type": "span"}, scope="logfire.openai", version="4.30"),
        Sent(tail, scope="logfire.openai", version="4.30"),
    )
    assert row["role"] == Role.TAIL
    assert row["began_at"] == NOON_NS - 1_500_000_000
    assert row["stream"] == opening["stream"] != 0
    assert opening["began_at"] == NOON_NS


def test_of_several_spellings_the_preferred_one_is_read_wherever_it_stands() -> None:
    row = read_one(
        {"llm.usage.prompt_tokens": "7", **OTEL, "gen_ai.usage.prompt_tokens": "8", "gen_ai.usage.input_tokens": "9"}
    )
    assert row["input_tokens"] == 9


def test_a_count_that_is_none_leaves_the_word_to_the_next_spelling() -> None:
    row = read_one({**OTEL, **USED, "gen_ai.usage.input_tokens": "many", "gen_ai.usage.prompt_tokens": "12.0"})
    assert row["input_tokens"] == 12


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12", 12),
        ("12.5", 12),
        ("1e3", 1000),
        ("-1", None),
        ("NaN", None),
        ("", None),
        (" 5", None),
        ("4294967295", 4294967295),
    ],
)
def test_a_count_is_a_number_that_one_request_can_hold(text: str, count: int | None) -> None:
    assert (
        read_one({**OTEL, "gen_ai.usage.output_tokens": "5", "gen_ai.usage.input_tokens": text})["input_tokens"]
        == count
    )


def test_a_count_beyond_any_request_is_unknown_and_flagged() -> None:
    row = read_one({**OTEL, **USED, "gen_ai.usage.input_tokens": "4294967296"})
    assert (row["input_tokens"], row["flags"]) == (None, ["implausible_count"])


def test_zeros_are_usage_that_got_lost_and_so_is_their_cost() -> None:
    zeros = dict.fromkeys(USED, "0")
    row = read_one({**OTEL, **zeros, "gen_ai.usage.cost": "0.0"})
    assert (row["has_usage"], row["input_tokens"], row["reported_cost_usd"], row["flags"]) == (
        0,
        None,
        None,
        ["zero_usage"],
    )
    assert read_one({**OTEL, **USED, "gen_ai.usage.cost": "0.0"})["reported_cost_usd"] == 0


def test_input_includes_cached_tokens_unless_the_table_says_otherwise() -> None:
    assert counts(read_one({**OTEL, **USED, **CACHED})) == (100, 30, 20, None)
    anthropic = {
        "llm.token_count.prompt": "100",
        "llm.token_count.completion": "20",
        "llm.provider": "anthropic",
        "llm.token_count.prompt_details.cache_read": "30",
    }
    old = read_one(
        anthropic | {"openinference.span.kind": "LLM"}, scope="openinference.instrumentation.anthropic", version="0.1.9"
    )
    assert counts(old) == (130, 30, 20, None)


def test_a_size_or_a_total_overrules_the_table() -> None:
    larger = read_one({**OTEL, **USED, "gen_ai.usage.cache_read.input_tokens": "300"})
    assert (counts(larger), larger["flags"]) == ((400, 300, 20, None), ["input_excludes_cached"])
    total = read_one({**OTEL, **USED, **CACHED, "gen_ai.usage.total_tokens": "150"})
    assert (counts(total), total["flags"]) == ((130, 30, 20, None), ["input_excludes_cached"])


def test_reasoning_beyond_the_output_was_left_out_of_it() -> None:
    row = read_one({**OTEL, **USED, "gen_ai.usage.reasoning_tokens": "50"})
    assert (counts(row), row["flags"]) == ((100, None, 70, 50), ["output_excludes_reasoning"])
    within = read_one({**OTEL, **USED, "gen_ai.usage.reasoning_tokens": "5"})
    assert counts(within) == (100, None, 20, 5)


def test_output_without_input_is_no_request_without_a_prompt() -> None:
    assert counts(read_one({**OTEL, **USED, "gen_ai.usage.input_tokens": "0"})) == (None, None, 20, None)


def test_an_embedding_has_no_output_and_needs_none() -> None:
    row = read_one({"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": "10"})
    assert (row["input_tokens"], row["output_tokens"]) == (10, 0)


@pytest.mark.parametrize(
    ("said", "model", "host", "provider"),
    [
        ("OpenAI", "gpt-4o", "", "openai"),
        ("openai.chat", "gpt-4o", "", "openai"),
        ("azure.ai.openai.v2", "gpt-4o", "", "azure.ai.openai"),
        ("openai", "claude-opus-4", "", "anthropic"),
        ("openai", "gpt-4o", "mine.openai.azure.com", "azure.ai.openai"),
        ("anthropic", "us.anthropic.claude-opus-4", "", "aws.bedrock"),
        ("langchain", "gemini-2.5-pro", "", "gcp.gemini"),
        ("", "groq/llama-3", "", "groq"),
        ("", "unheard-of", "", ""),
        ("My Provider", "m", "api.groq.com", "my provider"),
    ],
)
def test_a_provider_has_one_name_whatever_tells_of_it(said: str, model: str, host: str, provider: str) -> None:
    row = read_one({**USED, "gen_ai.provider.name": said, "gen_ai.request.model": model, "server.address": host})
    assert row["provider"] == provider


def test_after_a_failure_the_one_model_that_is_named_is_the_one_asked_for() -> None:
    failed, answered = read(
        Sent({"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o"}, status="error", exception="Timeout"),
        Sent({"gen_ai.operation.name": "chat", "gen_ai.response.model": "gpt-4o", **USED}, status="error"),
    )
    assert (failed["request_model"], failed["response_model"], failed["error_type"]) == ("gpt-4o", "", "Timeout")
    assert (answered["request_model"], answered["response_model"]) == ("", "gpt-4o")


@pytest.mark.parametrize(
    ("attributes", "failed"),
    [
        ({"http.response.status_code": "429"}, 1),
        ({"http.response.status_code": "200"}, 0),
        ({"langfuse.observation.level": "ERROR"}, 1),
    ],
)
def test_a_status_code_or_a_level_says_that_a_span_failed(attributes: dict[str, str], failed: int) -> None:
    assert read_one({**OTEL, **attributes})["failed"] == failed


def test_a_failure_after_the_first_token_or_of_the_reader_is_billed() -> None:
    early, late, cut = read(
        Sent({**OTEL, "error.type": "500"}, status="error"),
        Sent({**OTEL, "error.type": "500", "gen_ai.response.time_to_first_chunk": "0.25"}, status="error"),
        Sent({**OTEL, "error.type": "asyncio.CancelledError"}, status="error"),
    )
    assert [row["billed_failure"] for row in (early, late, cut)] == [0, 1, 1]
    assert late["time_to_first_token_ms"] == 250.0


def test_a_tier_that_was_asked_for_counts_only_where_it_chooses() -> None:
    asked, left, answered = read(
        Sent({**OTEL, "gen_ai.request.service_tier": "flex"}),
        Sent({**OTEL, "gen_ai.request.service_tier": "Auto"}),
        Sent({**OTEL, "gen_ai.request.service_tier": "auto", "gen_ai.response.service_tier": "priority"}),
    )
    assert [row["service_tier"] for row in (asked, left, answered)] == ["flex", "", "priority"]


def test_what_a_call_was_for_is_read_in_order_of_preference_and_empty_words_say_nothing() -> None:
    row = read_one(
        {"enduser.id": "b", "user.id": "", "outlay.tag.plan": "pro", "outlay.feature": "search", "outlay.tag.x": ""}
    )
    assert row["context"] == {"feature": "search", "user": "b", "tag.plan": "pro"}


def test_a_prompt_s_parts_and_units_beside_tokens_have_names_that_people_choose() -> None:
    row = read_one(
        {
            **OTEL,
            **USED,
            "outlay.prompt.part.history.tokens": "40",
            "outlay.prompt.part.tools.tokens": "1.5",
            "outlay.usage.input_pages": "3",
            "outlay.usage.web_searches": "2",
            "outlay.usage.cache_write_1h.input_tokens": "1",
            "outlay.usage.estimated": "true",
            "gen_ai.usage.audio.input_tokens": "9",
        }
    )
    assert row["prompt_parts"] == {"history": 40}
    assert row["other_usage"] == {"input_pages": 3, "web_searches": 2, "input_audio_tokens": 9}
    assert row["estimated"] == 1


def test_an_answer_from_the_application_s_cache_is_a_call_that_counts_what_it_avoided() -> None:
    hit, miss = (
        read_one(
            {
                **OTEL,
                **USED,
                "outlay.cache.kind": "exact",
                "outlay.cache.hit": said,
                "outlay.cache.avoided.output_tokens": "7",
            }
        )
        for said in ("true", "false")
    )
    assert (hit["role"], hit["cached"], hit["has_usage"], hit["input_tokens"]) == (Role.CALL, 1, 0, None)
    assert (hit["avoided_input_tokens"], hit["avoided_output_tokens"]) == (100, 7)
    assert (miss["cached"], miss["cache_hit"], miss["has_usage"], miss["avoided_input_tokens"]) == (0, False, 1, None)


def test_a_usage_object_counts_in_its_own_words_and_style() -> None:
    text = (
        "{'prompt_tokens': 12, 'completion_tokens': 5, 'service_tier': None, 'cache_read_input_tokens': 8, 'x': True}"
    )
    wire, inclusive = read(
        Sent({"llm.anthropic.usage": text.replace("prompt_tokens", "input_tokens")}, scope="litellm"),
        Sent({"metadata.usage_object": text}, scope="litellm"),
    )
    assert counts(wire) == (20, 8, 5, None)
    assert counts(inclusive) == (12, 8, 5, None)


def test_an_attribute_s_count_goes_before_a_usage_object_s() -> None:
    row = read_one(
        {**OTEL, "gen_ai.usage.input_tokens": "3", "gen_ai.usage.raw": '{"input_tokens": 9, "output_tokens": 4}'},
        scope="pydantic-ai",
        version="1.0.0",
    )
    assert counts(row) == (3, None, 4, None)


def test_what_no_attribute_says_is_read_from_a_json_text_in_attributes_or_contents() -> None:
    answer = '{"id": "resp_1", "model": "gpt-4o-2024", "usage": {"input_tokens": 7, "output_tokens": 2}}'
    kind = {"openinference.span.kind": "LLM"}
    content, attribute, said = read(
        Sent(kind, texts={"output.value": answer}, **OPENINFERENCE),
        Sent({**kind, "output.value": answer}, **OPENINFERENCE),
        Sent({**kind, "llm.response.model_name": "mine"}, texts={"output.value": answer}, **OPENINFERENCE),
    )
    assert [row["response_model"] for row in (content, attribute, said)] == ["gpt-4o-2024", "gpt-4o-2024", "mine"]
    assert content["response_id"] == attribute["response_id"] == "resp_1"
    assert counts(content) == counts(attribute) == counts(said) == (7, None, 2, None)


@pytest.mark.parametrize(
    "text", ["", "not json", "[1, 2", "null", '"text"', '{"usage": [1]}', '{"usage": {"prompt_tokens": null}}']
)
def test_a_json_text_that_holds_nothing_says_nothing(text: str) -> None:
    row = read_one({"openinference.span.kind": "LLM"}, texts={"output.value": text}, **OPENINFERENCE)
    assert (row["role"], row["response_model"], row["input_tokens"]) == (Role.NONE, "", None)


def test_a_reported_cost_is_exact_to_twelve_decimals() -> None:
    row = read_one({**OTEL, **USED, "gen_ai.usage.cost": "0.1234567890129"})
    assert row["reported_cost_usd"] == Decimal("0.123456789012")
    assert read_one({**OTEL, **USED, "gen_ai.usage.cost": "1e-5"})["reported_cost_usd"] == Decimal("0.00001")
    assert read_one({**OTEL, **USED, "gen_ai.usage.cost": "free"})["reported_cost_usd"] is None


@pytest.mark.parametrize(
    "written",
    ["2026-03-02T12:00:01.250Z", "2026-03-02 13:00:01.250+01:00", "1772452801.25", '"2026-03-02T12:00:01.250"'],
)
def test_the_instant_of_a_first_token_is_read_as_it_is_written(written: str) -> None:
    row = read_one({**USED, "langfuse.observation.completion_start_time": written}, scope="langfuse-sdk")
    assert row["time_to_first_token_ms"] == 1250.0


def test_spans_of_one_response_or_of_equal_counts_share_a_key() -> None:
    one, same, other, unanswered = read(
        Sent({**OTEL, **USED, "gen_ai.response.id": "a"}),
        Sent({**OTEL, **USED, "gen_ai.response.id": "a"}, scope="mine", parent="p"),
        Sent({**OTEL, **USED, "gen_ai.response.id": "b"}, parent="p", scope="mine"),
        Sent(OTEL),
    )
    assert one["response_key"] == same["response_key"] not in (0, other["response_key"])
    assert one["fingerprint"] != 0 == same["fingerprint"]  # below a parent a framework passes the id on
    assert (unanswered["response_key"], unanswered["fingerprint"]) == (0, 0)


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    row = read_one({**OTEL, **USED, "gen_ai.response.id": "x\udcff", "user.id": "\udcfe"})
    assert (row["response_id"], row["context"]) == ("x\udcff", {"user": "\udcfe"})


def test_a_span_reads_the_same_whatever_is_read_beside_it() -> None:
    sent = [
        Sent({**OTEL, **USED}),
        Sent({"openinference.span.kind": "LLM"}, texts={"output.value": '{"model": "m"}'}, **OPENINFERENCE),
        Sent({"llm.openai.usage": "{'prompt_tokens': 4}"}, scope="litellm"),
        Sent({"user.id": "a", "outlay.usage.input_pages": "2"}, scope="mine"),
    ]
    alone = [read(one)[0] for one in sent]
    together = read(*sent)
    for row in (*alone, *together):
        row.pop("id"), row.pop("span_id")
    assert together == alone
