"""Reader of Anthropic's messages, and of what Vertex hands on."""

from __future__ import annotations

import json

from outlay.parsing import usage as counts
from outlay.parsing.openai import openai_chat
from outlay.parsing.reading import Json, Reading, read_cost, read_error, text_of


def anthropic(reading: Reading, body: Json) -> None:
    """Messages: a stream gives the input at its start and corrects all counts in `message_delta`."""
    kind = body.get("type")
    if kind == "error" or (kind is None and "error" in body):
        read_error(reading, body)
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
        reading.region = text_of(usage.get("inference_geo")) or reading.region
        speed = text_of(reading.raw_usage.get("speed"))
        if speed and speed != "standard":
            reading.service_tier = speed  # billed like a tier of its own
        read_cost(reading, usage)
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


def raw_predict(reading: Reading, body: Json) -> None:
    """Vertex hands on what the model's own provider says: Anthropic's messages, or chat completions of the others."""
    usage = body.get("usage")
    if "choices" in body or (isinstance(usage, dict) and "prompt_tokens" in usage):
        openai_chat(reading, body)
    else:
        anthropic(reading, body)
