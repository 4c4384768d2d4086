"""Readers of what OpenAI says, and all that speak like it: chat, the Responses API, images, audio and videos."""

from __future__ import annotations

from dataclasses import replace

from outlay.parsing import usage as counts
from outlay.parsing.kinds import whole
from outlay.parsing.reading import UNDER_WAY, Json, Reading, read_cost, read_error, text_of
from outlay.parsing.searches import of_openai
from outlay.usage import Usage


def openai_chat(reading: Reading, body: Json) -> None:
    """Chat completions, completions, embeddings, moderations; whole or chunk."""
    if read_error(reading, body):
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
        read_cost(reading, usage)


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


def openai_responses(reading: Reading, body: Json) -> None:
    """The Responses API; a stream's events wrap the whole response."""
    kind = body.get("type")
    if isinstance(kind, str) and kind.endswith(".delta") and reading.text is not None:
        reading.say(body.get("delta"))
        return
    inner = body.get("response")
    response = inner if isinstance(inner, dict) else body
    if kind == "error" or read_error(reading, response):
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
    reading.waits = status in UNDER_WAY
    reading.in_background = response.get("background") is True
    if status in ("completed", "incomplete", "failed", "cancelled"):
        detail = response.get("incomplete_details")
        reason = detail.get("reason") if isinstance(detail, dict) else None
        reading.finish_reasons[0] = str(reason or status)
        reading.done = reading.done or kind is not None
    usage = response.get("usage")
    if isinstance(usage, dict):
        found = counts.openai(usage)
        searches, in_files = of_openai(response), _file_searches(response)
        if in_files:
            found = replace(found, other={**found.other, "file_searches": in_files})
        reading.usage = replace(found, web_searches=searches) if searches else found
        reading.elsewhere = _pictures(response)
        read_cost(reading, usage)
    if reading.text is not None and kind is None:
        for item in counts.objects(response.get("output")):
            for part in counts.objects(item.get("content")):
                reading.say(part.get("text"))


def _pictures(response: Json) -> list[tuple[str, Usage]]:
    """Pictures that the model had drawn are tokens of the model that drew them, beside its own."""
    tools = response.get("tool_usage")
    drawn = tools.get("image_gen") if isinstance(tools, dict) else None
    if not isinstance(drawn, dict) or not drawn.get("total_tokens"):
        return []
    asked = counts.objects(response.get("tools"))
    model = next((tool.get("model") for tool in asked if tool.get("type") == "image_generation"), None)
    used = whole("image_generation", counts.openai(drawn))
    return [(text_of(model) or "gpt-image-1", used)] if used else []


def _file_searches(response: Json) -> int:
    items = counts.objects(response.get("output"))
    return sum(item.get("type") == "file_search_call" and item.get("status") == "completed" for item in items)


def openai_media(reading: Reading, body: Json) -> None:
    """Images and audio: usage in tokens, or in seconds."""
    if read_error(reading, body):
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


def openai_video(reading: Reading, body: Json) -> None:
    """A job that makes a video: billed by the seconds of what it made, which are known once it is done."""
    if body.get("object") not in (None, "video"):
        return
    status, seconds = text_of(body.get("status")), body.get("seconds")
    reading.response_id = text_of(body.get("id")) or reading.response_id
    reading.response_model = text_of(body.get("model")) or reading.response_model
    reading.in_background, reading.waits = True, status in UNDER_WAY
    if not read_error(reading, body) and status == "completed":
        reading.finish_reasons[0] = status
        if str(seconds).isdigit():
            reading.usage = Usage(other={"video_seconds": int(str(seconds))})
