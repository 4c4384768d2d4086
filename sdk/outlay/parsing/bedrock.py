"""Readers of Bedrock: Converse, and InvokeModel, whose bodies are those of each model family."""

from __future__ import annotations

import base64
import json

from outlay.parsing import usage as counts
from outlay.parsing.anthropic import anthropic
from outlay.parsing.openai import openai_chat
from outlay.parsing.reading import Json, Reading, text_of
from outlay.usage import Usage


def converse(reading: Reading, body: Json) -> None:
    """Converse and its event stream, whose events arrive with their type as the only key."""
    for key in ("messageStop", "metadata", "contentBlockDelta"):
        inner = body.get(key)
        if isinstance(inner, dict):
            body = {**inner, "kind": key}
    for key in body:
        if key.endswith("Exception"):
            reading.error = key
    if body.get("stopReason"):
        reading.finish_reasons[0] = str(body["stopReason"])
    usage = body.get("usage")
    if isinstance(usage, dict):
        reading.usage = counts.converse(usage)
        reading.done = reading.done or body.get("kind") == "metadata"
    trace = body.get("trace")
    router = trace.get("promptRouter") if isinstance(trace, dict) else None
    if isinstance(router, dict):
        reading.response_model = text_of(router.get("invokedModelId")) or reading.response_model
    tier = body.get("serviceTier")
    if isinstance(tier, dict):
        reading.service_tier = text_of(tier.get("type")) or reading.service_tier
    if reading.text is not None:
        delta = body.get("delta")
        if isinstance(delta, dict):
            reading.say(delta.get("text"))
        output = body.get("output")
        message = output.get("message") if isinstance(output, dict) else None
        for block in counts.objects(message.get("content") if isinstance(message, dict) else None):
            reading.say(block.get("text"))


def invoke(reading: Reading, body: Json) -> None:
    """InvokeModel: the body is the model family's own; a stream wraps it in base64 chunks with metrics at the end."""
    chunk = body.get("chunk")
    packed = body.get("bytes") or (chunk.get("bytes") if isinstance(chunk, dict) else None)
    if isinstance(packed, str):
        try:
            inner = json.loads(base64.b64decode(packed))
        except ValueError:
            return
        if isinstance(inner, dict):
            invoke(reading, inner)
        return
    metrics = body.get("amazon-bedrock-invocationMetrics")
    if "usage" in body or "type" in body:
        usage = body.get("usage")
        if isinstance(usage, dict) and "inputTokens" in usage:
            converse(reading, body)
        elif isinstance(usage, dict) and "prompt_tokens" in usage:
            openai_chat(reading, body)
        else:
            anthropic(reading, body)
            reading.done = False
    elif "metadata" in body or "messageStop" in body:
        converse(reading, body)
        reading.done = False
    elif "prompt_token_count" in body or "generation_token_count" in body:  # Meta
        reading.raw_usage.update({k: v for k, v in body.items() if v is not None})
        reading.usage = Usage(
            input_tokens=counts.count(reading.raw_usage.get("prompt_token_count")),
            output_tokens=counts.count(reading.raw_usage.get("generation_token_count")),
        )
        if body.get("stop_reason"):
            reading.finish_reasons[0] = str(body["stop_reason"])
    elif "inputTextTokenCount" in body:  # Titan
        results = counts.objects(body.get("results"))
        produced = [counts.count(entry.get("tokenCount")) or 0 for entry in results]
        total = counts.count(body.get("totalOutputTextTokenCount"))
        reading.usage = Usage(
            input_tokens=counts.count(body.get("inputTextTokenCount")),
            output_tokens=sum(produced) if results else total,
        )
    if isinstance(metrics, dict) and (reading.usage is None or reading.usage.output_tokens is None):
        renamed = {
            "inputTokens": metrics.get("inputTokenCount"),
            "outputTokens": metrics.get("outputTokenCount"),
            "cacheReadInputTokens": metrics.get("cacheReadInputTokenCount"),
            "cacheWriteInputTokens": metrics.get("cacheWriteInputTokenCount"),
        }
        reading.usage = counts.converse(renamed)
    if isinstance(metrics, dict):
        reading.done = True
