"""Reading: what one answer has said so far, and a reader for each wire format; Bedrock's are in bedrock.py.

A reader takes a whole body or one event of a stream; the formats are alike enough that most readers take both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from outlay import semconv
from outlay.parsing import usage as counts
from outlay.usage import Usage

Json = Mapping[str, Any]


class Reading:
    """What is known about one answer. Readers fill it."""

    __slots__ = (
        "cost_usd",
        "done",
        "elsewhere",
        "error",
        "finish_reasons",
        "in_background",
        "provider",
        "raw_usage",
        "response_id",
        "response_model",
        "service_tier",
        "text",
        "usage",
        "waits",
    )

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.elsewhere: list[tuple[str, Usage]] = []  # billed beside it, at another model's price
        self.raw_usage: dict[str, Any] = {}
        self.provider: str | None = None  # whose words these are, where a path is shared
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.service_tier: str | None = None
        self.finish_reasons: dict[int, str] = {}
        self.cost_usd: float | None = None
        self.error: str | None = None
        self.done = False  # the provider has said everything that matters
        self.waits = False  # the answer says only that the request is queued or under way
        self.in_background = False
        self.text: list[str] | None = None  # filled only when somebody wants the words

    def attributes(self, provider: str) -> dict[str, Any]:
        """What a span says of the answer, usage apart."""
        found: dict[str, Any] = {}
        if self.response_id:
            found[semconv.RESPONSE_ID] = self.response_id
        if self.response_model:
            found[semconv.RESPONSE_MODEL] = self.response_model
        if self.finish_reasons:
            found[semconv.FINISH_REASONS] = tuple(self.finish_reasons[i] for i in sorted(self.finish_reasons))
        if self.service_tier:
            found[semconv.service_tier_key(provider)] = self.service_tier
        if self.cost_usd is not None:
            found[semconv.COST_USD] = self.cost_usd
        return found

    def say(self, text: Any) -> None:
        """Keep words of the answer, if they are wanted."""
        if self.text is not None and isinstance(text, str):
            self.text.append(text)


Reader = Callable[[Reading, Json], None]


def text_of(value: Any) -> str | None:
    """`value` if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def _error(reading: Reading, body: Json) -> bool:
    """Read an error body; the formats nest it alike."""
    error = body.get("error")
    if not error:
        return False
    if isinstance(error, dict):
        kind = error.get("type") or error.get("status") or error.get("code")
        reading.error = str(kind) if kind else "error"
    else:
        reading.error = "error"
    return True


def openai_chat(reading: Reading, body: Json) -> None:
    """Chat completions, completions, embeddings, moderations; whole or chunk."""
    if _error(reading, body):
        return
    reading.response_id = reading.response_id or text_of(body.get("id"))
    reading.response_model = text_of(body.get("model")) or reading.response_model
    reading.service_tier = text_of(body.get("service_tier")) or reading.service_tier
    for choice in counts.objects(body.get("choices")):
        if choice.get("finish_reason"):
            reading.finish_reasons[counts.count(choice.get("index")) or 0] = str(choice["finish_reason"])
        if reading.text is not None:
            _openai_words(reading, choice)
    usage = body.get("usage")
    if not isinstance(usage, dict):
        groq = body.get("x_groq")
        usage = groq.get("usage") if isinstance(groq, dict) else None
    if isinstance(usage, dict) and usage:
        reading.usage = counts.openai(usage)
        reading.service_tier = text_of(usage.get("service_tier")) or reading.service_tier  # Mistral
        _cost(reading, usage)


def _cost(reading: Reading, usage: Json) -> None:
    """What the provider says it costs: OpenRouter a number, Perplexity the parts and their total."""
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if isinstance(cost, (int, float)) and not isinstance(cost, bool):
        reading.cost_usd = float(cost)


def _openai_words(reading: Reading, choice: Json) -> None:
    message = choice.get("delta") or choice.get("message") or choice
    if isinstance(message, dict):
        for key in ("reasoning_content", "reasoning", "content", "text", "refusal"):
            reading.say(message.get(key))
        for call in counts.objects(message.get("tool_calls")):
            function = call.get("function")
            if isinstance(function, dict):
                reading.say(function.get("name"))
                reading.say(function.get("arguments"))


_UNDER_WAY = frozenset({"queued", "in_progress"})


def openai_responses(reading: Reading, body: Json) -> None:
    """The Responses API; a stream's events wrap the whole response."""
    kind = body.get("type")
    if isinstance(kind, str) and kind.endswith(".delta") and reading.text is not None:
        reading.say(body.get("delta"))
        return
    inner = body.get("response")
    response = inner if isinstance(inner, dict) else body
    if kind == "error" or _error(reading, response):
        reading.error = reading.error or str(body.get("code") or "error")
        return
    if response.get("object") not in (None, "response"):
        return
    reading.response_id = text_of(response.get("id")) or reading.response_id
    reading.response_model = text_of(response.get("model")) or reading.response_model
    tier = text_of(response.get("service_tier"))
    if tier and tier != "auto":
        reading.service_tier = tier
    status = text_of(response.get("status"))
    reading.waits = status in _UNDER_WAY
    reading.in_background = response.get("background") is True
    if status in ("completed", "incomplete", "failed", "cancelled"):
        detail = response.get("incomplete_details")
        reason = detail.get("reason") if isinstance(detail, dict) else None
        reading.finish_reasons[0] = str(reason or status)
        reading.done = reading.done or kind is not None
    usage = response.get("usage")
    if isinstance(usage, dict):
        found = counts.openai(usage)
        searches, in_files = _web_searches(response), _file_searches(response)
        if in_files:
            found = _with(found, other={**found.other, "file_searches": in_files})
        reading.usage = _with(found, web_searches=searches) if searches else found
        reading.elsewhere = _pictures(response)
        _cost(reading, usage)
    if reading.text is not None and kind is None:
        for item in counts.objects(response.get("output")):
            for part in counts.objects(item.get("content")):
                reading.say(part.get("text"))


def _web_searches(response: Json) -> int | None:
    tools = response.get("tool_usage")
    search = tools.get("web_search") if isinstance(tools, dict) else None
    if isinstance(search, dict) and "num_requests" in search:
        return counts.count(search["num_requests"])
    made = 0
    for item in counts.objects(response.get("output")):
        if item.get("type") == "web_search_call" and item.get("status") == "completed":
            action = item.get("action")
            made += not isinstance(action, dict) or action.get("type", "search") == "search"
    return made or None


def _pictures(response: Json) -> list[tuple[str, Usage]]:
    """Pictures that the model had drawn are tokens of the model that drew them, beside its own."""
    tools = response.get("tool_usage")
    drawn = tools.get("image_gen") if isinstance(tools, dict) else None
    if not isinstance(drawn, dict) or not drawn.get("total_tokens"):
        return []
    asked = counts.objects(response.get("tools"))
    model = next((tool.get("model") for tool in asked if tool.get("type") == "image_generation"), None)
    return [(text_of(model) or "gpt-image-1", counts.openai(drawn))]


def _file_searches(response: Json) -> int:
    items = counts.objects(response.get("output"))
    return sum(item.get("type") == "file_search_call" and item.get("status") == "completed" for item in items)


def _with(usage: Usage, **changes: Any) -> Usage:
    from dataclasses import replace

    return replace(usage, **changes)


def openai_media(reading: Reading, body: Json) -> None:
    """Images and audio: usage in tokens, or in seconds."""
    if _error(reading, body):
        return
    usage = body.get("usage")
    if isinstance(usage, dict):
        if usage.get("type") == "duration":
            seconds = usage.get("seconds")
            if isinstance(seconds, (int, float)) and 0 <= seconds < 2**53:
                reading.usage = Usage(other={"audio_seconds": round(seconds)})
        else:
            reading.usage = counts.openai(usage)
    drawn_as_code = body.get("svg_usage")
    if isinstance(drawn_as_code, dict) and text_of(drawn_as_code.get("model")):
        reading.elsewhere = [(drawn_as_code["model"], counts.openai(drawn_as_code))]
    reading.response_model = text_of(body.get("model")) or reading.response_model
    kind = body.get("type")
    reading.done = reading.done or (isinstance(kind, str) and kind.endswith((".completed", ".done")))


def anthropic(reading: Reading, body: Json) -> None:
    """Messages: a stream gives the input at its start and corrects all counts in `message_delta`."""
    kind = body.get("type")
    if kind == "error" or (kind is None and "error" in body):
        _error(reading, body)
        return
    message = body.get("message") if kind == "message_start" else body
    if not isinstance(message, dict):
        return
    if kind in ("message_start", "message", None):
        reading.response_id = text_of(message.get("id")) or reading.response_id
        reading.response_model = text_of(message.get("model")) or reading.response_model
    delta = body.get("delta")
    reason = message.get("stop_reason") or (delta.get("stop_reason") if isinstance(delta, dict) else None)
    if reason:
        reading.finish_reasons[0] = str(reason)
    usage = message.get("usage")
    if isinstance(usage, dict):
        reading.raw_usage.update({key: value for key, value in usage.items() if value is not None})
        if kind == "message_start":
            reading.raw_usage.pop("output_tokens", None)  # a first guess; the final count follows
        reading.usage = counts.anthropic(reading.raw_usage)
        reading.elsewhere = counts.anthropic_elsewhere(reading.raw_usage, reading.response_model or "")
        reading.service_tier = text_of(usage.get("service_tier")) or reading.service_tier
        speed = text_of(reading.raw_usage.get("speed"))
        if speed and speed != "standard":
            reading.service_tier = speed  # billed like a tier of its own
        _cost(reading, usage)
    # Some readers never ask for message_stop: the reason to stop comes with the final counts.
    reading.done = reading.done or kind == "message_stop" or (kind == "message_delta" and bool(reason and usage))
    if reading.text is not None:
        if isinstance(delta, dict):
            for key in ("text", "thinking", "partial_json"):
                reading.say(delta.get(key))
        for block in counts.objects(message.get("content")):
            reading.say(block.get("text"))
            reading.say(block.get("thinking"))
            if block.get("type") == "tool_use":
                reading.say(json.dumps(block.get("input")))


def gemini(reading: Reading, body: Json) -> None:
    """generateContent, its stream, and the embedding calls."""
    if _error(reading, body):
        return
    inner = body.get("response")
    if isinstance(inner, dict) and "candidates" in inner:
        body = inner
    reading.response_id = text_of(body.get("responseId")) or reading.response_id
    reading.response_model = text_of(body.get("modelVersion")) or reading.response_model
    for index, candidate in enumerate(counts.objects(body.get("candidates"))):
        if candidate.get("finishReason"):
            reading.finish_reasons[index] = str(candidate["finishReason"])
        _grounding(reading, candidate.get("groundingMetadata"))
        if reading.text is not None:
            content = candidate.get("content")
            for part in counts.objects(content.get("parts") if isinstance(content, dict) else None):
                reading.say(part.get("text"))
    usage = body.get("usageMetadata")
    if isinstance(usage, dict) and usage:
        reading.raw_usage.update(usage)
        reading.service_tier = text_of(usage.get("serviceTier")) or reading.service_tier
        tier = text_of(usage.get("trafficType"))
        if tier and tier not in ("ON_DEMAND", "TRAFFIC_TYPE_UNSPECIFIED"):
            reading.service_tier = tier.lower()
    if reading.raw_usage:
        reading.usage = counts.gemini(reading.raw_usage)
    metadata = body.get("metadata")  # Vertex embeddings
    for prediction in counts.objects(body.get("predictions")):
        embedded = prediction.get("embeddings")
        statistics = embedded.get("statistics") if isinstance(embedded, dict) else None
        tokens = counts.count(statistics.get("token_count")) if isinstance(statistics, dict) else None
        if tokens is not None:
            before = reading.usage.input_tokens if reading.usage else 0
            reading.usage = Usage(input_tokens=(before or 0) + tokens)
    if reading.usage is None and isinstance(metadata, dict):
        characters = counts.count(metadata.get("billableCharacterCount"))
        if characters is not None:
            reading.usage = Usage(other={"input_characters": characters})


def _grounding(reading: Reading, metadata: object) -> None:
    """Searches: each one is billed, until Gemini 2 the request that made any."""
    queries = metadata.get("webSearchQueries") if isinstance(metadata, dict) else None
    if not isinstance(queries, list) or not queries:
        return
    model = reading.response_model or ""
    by_request = model.startswith(("gemini-1", "gemini-2"))
    before = reading.raw_usage.get("groundedSearches", 0)
    reading.raw_usage["groundedSearches"] = 1 if by_request else max(before, len(queries))


def by_shape(reading: Reading, body: Json) -> None:
    """Any answer, or event of a stream, that has a usage with names that somebody uses; what else it says is alike."""
    for key in ("interaction", "response", "message"):
        inner = body.get(key)
        if isinstance(inner, dict) and ("usage" in inner or "id" in inner):
            body = {**body, **inner}
    if _error(reading, body):
        return
    reading.response_id = text_of(body.get("id")) or reading.response_id
    reading.response_model = text_of(body.get("model")) or reading.response_model
    reading.service_tier = text_of(body.get("service_tier")) or reading.service_tier
    ended = text_of(body.get("finish_reason")) or text_of(body.get("status"))
    if ended:
        reading.waits = ended in _UNDER_WAY
        if not reading.waits:
            reading.finish_reasons[0] = ended
    usage = body.get("usage") or body.get("usage_info") or body.get("meta")
    shape = counts.shape_of(usage) if isinstance(usage, dict) else None
    if shape is not None and isinstance(usage, dict):
        reading.usage = shape[0](usage)
        reading.provider = shape[1] if shape[1] != "openai" else None  # everybody speaks like them
        kind = body.get("event_type") or body.get("type")
        reading.done = reading.done or (isinstance(kind, str) and kind.endswith((".completed", ".done")))
    if reading.text is not None:
        delta = body.get("delta")
        reading.say(delta.get("text") if isinstance(delta, dict) else delta)
        reading.say(body.get("content"))


def raw_predict(reading: Reading, body: Json) -> None:
    """Vertex hands on what the model's own provider says: Anthropic's messages, or chat completions of the others."""
    usage = body.get("usage")
    if "choices" in body or (isinstance(usage, dict) and "prompt_tokens" in usage):
        openai_chat(reading, body)
    else:
        anthropic(reading, body)


def cohere(reading: Reading, body: Json) -> None:
    """Cohere chat v1 and v2, embed, rerank."""
    kind = body.get("type") or body.get("event_type")
    for key in ("delta", "response"):
        inner = body.get(key)
        if isinstance(inner, dict) and kind in ("message-end", "stream-end"):
            body = {**body, **inner}
    if kind in ("message-start", None, "message-end", "stream-end", "stream-start"):
        reading.response_id = (
            text_of(body.get("response_id"))
            or text_of(body.get("id"))
            or text_of(body.get("generation_id"))
            or reading.response_id
        )
    if body.get("finish_reason"):
        reading.finish_reasons[0] = str(body["finish_reason"])
    usage = body.get("usage") or body.get("meta")
    if isinstance(usage, dict):
        shape = counts.shape_of(usage)  # vLLM, Jina and Voyage count what they rank in tokens
        reading.usage = shape[0](usage) if shape is not None else counts.cohere(usage)
    reading.response_model = text_of(body.get("model")) or reading.response_model
    reading.done = reading.done or kind in ("message-end", "stream-end")
    if reading.text is not None:
        reading.say(body.get("text"))
        delta = body.get("delta")
        message = delta.get("message") if isinstance(delta, dict) else body.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        for block in counts.objects([content] if isinstance(content, dict) else content):
            reading.say(block.get("text"))


def ollama(reading: Reading, body: Json) -> None:
    """Ollama's own API: one JSON object per line; the last one has the counts."""
    if _error(reading, body):
        return
    reading.response_model = text_of(body.get("model")) or reading.response_model
    if "prompt_eval_count" in body or "eval_count" in body:
        reading.usage = counts.ollama(body)
    if body.get("done"):
        reading.finish_reasons[0] = str(body.get("done_reason") or "stop")
        reading.done = True
    if reading.text is not None:
        reading.say(body.get("response"))
        message = body.get("message")
        if isinstance(message, dict):
            reading.say(message.get("content"))
            reading.say(message.get("thinking"))
