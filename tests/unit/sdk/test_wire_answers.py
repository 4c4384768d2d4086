"""Answers as the providers write them → what a call says: one row per path and field that is easy to miss."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from outlay import Usage
from outlay.parsing import anthropic, bedrock, gemini, openai, others, reading
from outlay.parsing.formats import recognize
from outlay.testing import Capture
from outlay_web.demo import formats
from outlay_web.demo.formats import Answer

INTERACTION = {
    "total_input_tokens": 900,
    "total_tool_use_tokens": 30,
    "total_output_tokens": 60,
    "total_thought_tokens": 20,
    "total_cached_tokens": 500,
    "total_tokens": 1010,
    "input_tokens_by_modality": [{"modality": "audio", "tokens": 10}],
    "grounding_tool_count": [{"type": "google_search", "count": 2}, {"type": "google_maps", "count": 1}],
}
CHAT = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
GROUNDED = {"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": ["a", "b"]}}
GEMINI = {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}

# path, request, answer, then what the span says: provider, operation, and counts by their last words
ROWS: list[tuple[str, dict[str, Any], dict[str, Any], str, str, dict[str, Any]]] = [
    (
        "/v1/interactions",
        {"agent": "deep-research", "input": "x"},
        {"id": "i1", "status": "completed", "usage": INTERACTION},
        "gcp.gemini",
        "generate_content",
        {
            "input_tokens": 930,
            "cache_read.input_tokens": 500,
            "output_tokens": 80,
            "reasoning.output_tokens": 20,
            "audio.input_tokens": 10,
            "web_searches": 2,
        },
    ),
    (
        "/v1/decisions",  # OpenAI and Google share the path: the counts tell
        {"model": "gemini-3-flash", "input": "x", "questions": {}},
        {"answers": [], "usage": {"total_input_tokens": 9, "total_output_tokens": 5, "total_tokens": 14}},
        "gcp.gemini",
        "chat",
        {"input_tokens": 9, "output_tokens": 5},
    ),
    (
        "/v1/ocr",
        {"model": "mistral-ocr-latest", "document": {}},
        {"pages": [], "model": "mistral-ocr-2512", "usage_info": {"pages_processed": 3}},
        "mistral_ai",
        "ocr",
        {"input_pages": 3},
    ),
    (
        "/v1/moderations",
        {"model": "mistral-moderation-latest", "input": "x"},
        {"id": "m", "results": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}},
        "mistral_ai",
        "classification",
        {"input_tokens": 9, "output_tokens": 0},
    ),
    (
        "/v2/parse",
        {"model": "parse", "document": "x"},
        {"id": "p", "pages": [], "meta": {"billed_units": {"input_tokens": 9, "output_tokens": 5}}},
        "cohere",
        "ocr",
        {"input_tokens": 9, "output_tokens": 5},
    ),
    (
        "/v2/chat",
        {"model": "command-a", "messages": []},
        {"id": "c", "usage": {"billed_units": {"input_tokens": 9, "output_tokens": 5}, "cached_tokens": 4}},
        "cohere",
        "chat",
        {"input_tokens": 9, "cache_read.input_tokens": 4, "output_tokens": 5},
    ),
    (
        "/v1/systemone",
        {"model": "s1", "state": "x", "questions": {}},
        {"model": "s1", "answers": {}, "usage": {"input_tokens": 9, "output_tokens": 5}},
        "ollama",
        "chat",
        {"input_tokens": 9, "output_tokens": 5},
    ),
    (
        "/v1/projects/p/locations/l/publishers/mistralai/models/mistral-large:rawPredict",
        {"messages": []},
        {"id": "r", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": CHAT},
        "gcp.vertex_ai",
        "chat",
        {"input_tokens": 9, "output_tokens": 5},
    ),
    (
        "/model/amazon.titan-embed-text-v2:0/invoke",
        {"inputText": "x"},
        {"embedding": [0.5], "inputTextTokenCount": 9},
        "aws.bedrock",
        "embeddings",
        {"input_tokens": 9},
    ),
    (
        "/v1/projects/p/locations/l/publishers/google/models/imagen-4:predict",
        {"instances": [{"prompt": "a cat"}]},
        {"predictions": [{"mimeType": "image/png"}]},
        "gcp.vertex_ai",
        "image_generation",
        {},
    ),
    (
        "/v1/rerank",  # Voyage, Jina, vLLM
        {"model": "rerank-2", "query": "q", "documents": []},
        {"model": "rerank-2", "usage": {"total_tokens": 33}},
        "cohere",
        "rerank",
        {"input_tokens": 33},
    ),
    (
        "/v1/audio/transcriptions",
        {"model": "voxtral-small-latest"},
        {"text": "x", "usage": {**CHAT, "prompt_audio_seconds": 203}},
        "openai",
        "transcription",
        {"input_tokens": 9, "output_tokens": 5, "input_audio_seconds": 203},
    ),
    (
        "/v1beta/models/gemini-3-flash:generateContent",  # each search is billed
        {"contents": []},
        {"candidates": [GROUNDED], "usageMetadata": GEMINI, "modelVersion": "gemini-3-flash"},
        "gcp.gemini",
        "generate_content",
        {"input_tokens": 9, "output_tokens": 5, "web_searches": 2},
    ),
    (
        "/v1beta/models/gemini-2.5-flash:generateContent",  # the request that made any is
        {"contents": []},
        {"candidates": [GROUNDED], "usageMetadata": GEMINI, "modelVersion": "gemini-2.5-flash"},
        "gcp.gemini",
        "generate_content",
        {"input_tokens": 9, "output_tokens": 5, "web_searches": 1},
    ),
    (
        "/v1/responses",
        {"model": "gpt-5", "input": "x"},
        {
            "id": "r",
            "object": "response",
            "status": "completed",
            "output": [
                {"type": "file_search_call", "status": "completed"},
                {"type": "file_search_call", "status": "failed"},
                {"type": "web_search_call", "status": "completed"},
            ],
            "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14},
        },
        "openai",
        "chat",
        {"input_tokens": 9, "output_tokens": 5, "web_searches": 1, "file_searches": 1},
    ),
]


def ask(path: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
    transport = httpx.MockTransport(lambda asked: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as client:
        client.post(f"https://gateway.example{path}", json=request)


@pytest.mark.parametrize(
    ("path", "request_", "answer", "provider", "operation", "counts"), ROWS, ids=lambda row: str(row)[:40]
)
def test_a_call_says_what_the_answer_says(
    sent: Capture,
    path: str,
    request_: dict[str, Any],
    answer: dict[str, Any],
    provider: str,
    operation: str,
    counts: dict[str, Any],
) -> None:
    ask(path, request_, answer)
    (span,) = sent.calls
    assert (span.attributes["gen_ai.provider.name"], span.attributes["gen_ai.operation.name"]) == (provider, operation)
    assert {key.split("usage.", 1)[1]: value for key, value in span.attributes.items() if "usage." in key} == counts


def test_pictures_that_a_model_had_drawn_are_a_call_of_the_model_that_drew_them(sent: Capture) -> None:
    answer = {
        "id": "r",
        "object": "response",
        "status": "completed",
        "model": "gpt-5",
        "tools": [{"type": "image_generation", "model": "gpt-image-2"}],
        "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14},
        "tool_usage": {
            "web_search": {"num_requests": 0},
            "image_gen": {"input_tokens": 50, "output_tokens": 1000, "total_tokens": 1050},
        },
    }
    ask("/v1/responses", {"model": "gpt-5", "input": "x"}, answer)
    text, picture = sent.calls
    assert (text.attributes["gen_ai.usage.output_tokens"], picture.attributes["gen_ai.usage.output_tokens"]) == (
        5,
        1000,
    )
    assert picture.attributes["gen_ai.response.model"] == "gpt-image-2"
    assert picture.parent_span_id == text.parent_span_id


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_a_server_that_does_not_say_what_it_sends_is_read_all_the_same(sent: Capture, kind: str) -> None:
    answer = json.dumps({"id": "c", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": CHAT})
    bodies = iter([answer, f"data: {answer}\n\ndata: [DONE]\n\n"])
    headers = {"content-type": kind} if kind else {}
    transport = httpx.MockTransport(lambda asked: httpx.Response(200, content=next(bodies).encode(), headers=headers))
    with httpx.Client(transport=transport) as client:
        for stream in (False, True):
            client.post("https://x/v1/chat/completions", json={"model": "m", "messages": [], "stream": stream})
    assert [span.attributes["gen_ai.usage.output_tokens"] for span in sent.calls] == [5, 5]


@pytest.mark.parametrize(
    "odd", [None, True, -1, 2**70, float("nan"), float("inf"), "x", [], [None, 1], {"a": 1}], ids=repr
)
def test_no_value_in_an_answer_stops_the_reader(odd: Any) -> None:
    """Every value of every kind of answer, replaced by an odd one."""
    answer = Answer(input_tokens=9, output_tokens=5, cache_read_tokens=1, reasoning_tokens=1, web_searches=1)
    bodies = [
        (openai.openai_chat, formats.openai_chat(answer)),
        (openai.openai_responses, formats.openai_response(answer)),
        (openai.openai_media, formats.openai_transcription(answer)),
        (anthropic.anthropic, formats.anthropic_message(answer)),
        (gemini.gemini, formats.gemini_content(answer)),
        (others.by_shape, formats.gemini_interaction(answer)),
        (others.cohere, formats.cohere_chat(answer)),
        (others.ollama, next(iter(formats.ollama_lines(answer, False, False)))),
        (bedrock.converse, formats.converse(answer)),
        (bedrock.invoke, formats.anthropic_message(answer)),
    ]
    for reader, body in bodies:
        for place in places(body):
            said = reading.Reading()
            said.text = []
            reader(said, replaced(body, place, odd))
            assert all(isinstance(count, int) for count in (said.usage or Usage()).attributes().values())


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield (key,)
        yield from ((key, *rest) for rest in places(entry))


def replaced(body: Any, place: tuple[Any, ...], odd: Any) -> Any:
    copy = json.loads(json.dumps(body))
    at = copy
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = odd
    return copy


def test_a_large_picture_does_not_hide_what_it_took(sent: Capture) -> None:
    picture = "A" * (10 << 20)
    usage = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
    ask(
        "/v1/images/generations",
        {"model": "gpt-image-1"},
        {"created": 1, "data": [{"b64_json": picture}], "usage": usage},
    )
    part = {"inlineData": {"mimeType": "image/png", "data": picture}}
    answer = {"candidates": [{"content": {"parts": [part]}}], "usageMetadata": GEMINI, "modelVersion": "gemini-image"}
    ask("/v1beta/models/gemini-image:generateContent", {"contents": []}, {**answer, "responseId": "r1"})
    event = {"type": "image_generation.completed", "b64_json": picture, "usage": usage}
    line = f"data: {json.dumps(event)}\n\n".encode()
    pieces = [line[at : at + 65536] for at in range(0, len(line), 65536)]
    headers = {"content-type": "text/event-stream"}
    transport = httpx.MockTransport(lambda asked: httpx.Response(200, headers=headers, content=iter(pieces)))
    with httpx.Client(transport=transport) as client:
        client.post("https://x/v1/images/generations", json={"model": "gpt-image-1", "stream": True})
    assert [span.attributes["gen_ai.usage.output_tokens"] for span in sent.calls] == [5, 5, 5]
    assert sent.calls[1].attributes["gen_ai.response.id"] == "r1"


def test_what_is_billed_like_a_tier_is_the_tier(sent: Capture) -> None:
    usage = {"input_tokens": 9, "output_tokens": 5, "service_tier": "standard", "speed": "fast"}
    message = {"id": "m", "type": "message", "model": "claude-opus-4-8", "content": [], "usage": usage}
    ask("/v1/messages", {"model": "claude-opus-4-8", "messages": [], "max_tokens": 9}, message)
    chat = {"id": "c", "model": "mistral-large", "choices": [], "usage": {**CHAT, "service_tier": "priority"}}
    ask("/v1/chat/completions", {"model": "mistral-large", "messages": []}, chat)
    gemini = {"candidates": [], "usageMetadata": {**GEMINI, "serviceTier": "flex"}}
    ask("/v1beta/models/g:generateContent", {"contents": []}, gemini)
    found = [next(value for key, value in span.attributes.items() if "service_tier" in key) for span in sent.calls]
    assert found == ["fast", "priority", "flex"]


def test_what_the_provider_says_it_costs_is_kept(sent: Capture) -> None:
    for path, cost in (("/chat/completions", {"total_cost": 0.006}), ("/api/v1/chat/completions", 0.006)):
        ask(path, {"model": "m", "messages": []}, {"id": "c", "choices": [], "usage": {**CHAT, "cost": cost}})
    ask(
        "/api/v1/responses",
        {"model": "m"},
        {"id": "r", "usage": {"input_tokens": 1, "output_tokens": 1, "cost": 0.006}},
    )
    assert [span.attributes["outlay.cost.usd"] for span in sent.calls] == [0.006] * 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/moderations", {"model": "omni-moderation-latest", "input": "x"}),  # free
        ("/v1/conversations", {"items": [], "metadata": {}}),  # OpenAI's are only a place to keep things
        ("/v1/conversations/conv_1", {"metadata": {}}),
        ("/credit/decisions", {"model": "v2", "applicant": 7}),
        ("/discord/interactions", {"type": 1}),
        ("/helpdesk/conversations/7", {"text": "hello"}),
        ("/scanner/ocr", {"file": "a.png"}),
    ],
)
def test_other_apis_with_such_a_path_are_no_calls(sent: Capture, path: str, body: dict[str, Any]) -> None:
    ask(path, body, {"usage": CHAT})
    assert sent.calls == []


def test_paths_are_found_below_any_prefix_and_nothing_else_is_looked_at() -> None:
    assert recognize("/gateway/team-a/openai/v1/chat/completions?api-version=2") is not None
    for path in ("/users", "/v1/messages/count_tokens", "/v1/responses/input_tokens", "/v1/models", "/v1/files"):
        assert recognize(path) is None, path
    assert json.dumps(recognize("/v1beta/models/g:countTokens")) == "null"
