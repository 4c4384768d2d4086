"""Readers of Cohere, of Ollama's own API, and of any answer whose counts have names that somebody uses."""

from __future__ import annotations

from outlay.parsing import usage as counts
from outlay.parsing.reading import UNDER_WAY, Json, Reading, read_error, text_of


def by_shape(reading: Reading, body: Json) -> None:
    """Any answer, or event of a stream, that has a usage with names that somebody uses; what else it says is alike."""
    for key in ("interaction", "response", "message"):
        inner = body.get(key)
        if isinstance(inner, dict) and ("usage" in inner or "id" in inner):
            body = {**body, **inner}
    if read_error(reading, body):
        return
    reading.response_id = text_of(body.get("id")) or reading.response_id
    reading.response_model = text_of(body.get("model")) or reading.response_model
    reading.service_tier = text_of(body.get("service_tier")) or reading.service_tier
    ended = text_of(body.get("finish_reason")) or text_of(body.get("status"))
    if ended:
        reading.waits = ended in UNDER_WAY
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
    if read_error(reading, body):
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
