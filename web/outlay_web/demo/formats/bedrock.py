"""Bedrock's answers, in AWS event streams: cached input is counted beside the input."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator

from outlay_web.demo.formats.answer import Answer, Json
from outlay_web.demo.formats.anthropic import anthropic_events


def converse_usage(answer: Answer) -> Json:
    """Usage of Converse: cached input beside the input."""
    found: Json = {
        "inputTokens": answer.input_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
        "outputTokens": answer.output_tokens,
        "totalTokens": answer.input_tokens + answer.output_tokens,
    }
    if answer.cache_read_tokens or answer.cache_write_tokens:
        found["cacheReadInputTokens"] = answer.cache_read_tokens
        found["cacheWriteInputTokens"] = answer.cache_write_tokens
    return found


def converse(answer: Answer) -> Json:
    """A Converse response."""
    content: list[Json] = [{"text": answer.text}]
    reason = {"stop": "end_turn", "length": "max_tokens"}.get(answer.finish, answer.finish)
    if answer.tool:
        content = [{"toolUse": {"toolUseId": "t1", "name": answer.tool, "input": answer.tool_arguments}}]
        reason = "tool_use"
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": converse_usage(answer),
        "metrics": {"latencyMs": 12},
    }


def converse_events(answer: Answer) -> Iterator[bytes]:
    """Frames of ConverseStream."""
    yield event_frame("messageStart", {"role": "assistant"})
    for piece in answer.pieces:
        yield event_frame("contentBlockDelta", {"delta": {"text": piece}, "contentBlockIndex": 0})
    yield event_frame("contentBlockStop", {"contentBlockIndex": 0})
    yield event_frame("messageStop", {"stopReason": converse(answer)["stopReason"]})
    yield event_frame("metadata", {"usage": converse_usage(answer), "metrics": {"latencyMs": 12}})


def invoke_events(answer: Answer) -> Iterator[bytes]:
    """Frames of InvokeModelWithResponseStream with Anthropic's events inside and the metrics at the end."""
    for event in anthropic_events(answer):
        if isinstance(event, dict):
            if event["type"] == "message_stop":
                usage = converse_usage(answer)
                metrics = {
                    "inputTokenCount": usage["inputTokens"],
                    "outputTokenCount": usage["outputTokens"],
                    "invocationLatency": 12,
                    "firstByteLatency": 5,
                    "cacheReadInputTokenCount": answer.cache_read_tokens,
                    "cacheWriteInputTokenCount": answer.cache_write_tokens,
                }
                event = {**event, "amazon-bedrock-invocationMetrics": metrics}
            packed = base64.b64encode(json.dumps(event).encode()).decode()
            yield event_frame("chunk", {"bytes": packed, "p": "abcd"})


def event_frame(kind: str, payload: Json, message_type: str = "event") -> bytes:
    """One frame of application/vnd.amazon.eventstream."""
    headers = b""
    for name, value in (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", message_type),
    ):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    message = prelude + headers + body
    return message + struct.pack(">I", zlib.crc32(message))
