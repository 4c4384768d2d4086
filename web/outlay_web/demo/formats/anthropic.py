"""Anthropic's answers: cached input is counted beside the input."""

from __future__ import annotations

import json
from collections.abc import Iterator

from outlay_web.demo.formats.answer import Answer, Json


def anthropic_usage(answer: Answer) -> Json:
    """Usage of a message: cached input beside the input."""
    found: Json = {
        "input_tokens": answer.input_tokens - answer.cache_read_tokens - answer.cache_write_tokens,
        "cache_creation_input_tokens": answer.cache_write_tokens,
        "cache_read_input_tokens": answer.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": answer.cache_write_tokens - answer.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": answer.cache_write_1h_tokens,
        },
        "output_tokens": answer.output_tokens,
        "service_tier": answer.service_tier or "standard",
    }
    if answer.iterations:
        found["iterations"] = answer.iterations
    if answer.web_searches:
        found["server_tool_use"] = {"web_search_requests": answer.web_searches}
    return found


def anthropic_message(answer: Answer) -> Json:
    """A message."""
    content: list[Json] = [{"type": "text", "text": answer.text}]
    reason = {"stop": "end_turn", "length": "max_tokens"}.get(answer.finish, answer.finish)
    if answer.tool:
        content = [
            {
                "type": "tool_use",
                "id": f"toolu_{answer.response_id}",
                "name": answer.tool,
                "input": answer.tool_arguments,
            }
        ]
        reason = "tool_use"
    return {
        "id": answer.response_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": anthropic_usage(answer),
    }


def anthropic_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a message stream."""
    whole = anthropic_message(answer)
    begun = {key: value for key, value in whole["usage"].items() if key != "iterations"}
    start = {**whole, "content": [], "stop_reason": None, "usage": {**begun, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    if answer.tool:
        block = {"type": "tool_use", "id": f"toolu_{answer.response_id}", "name": answer.tool, "input": {}}
        yield {"type": "content_block_start", "index": 0, "content_block": block}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(answer.tool_arguments)}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    else:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "ping"}
        for piece in answer.pieces:
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    final = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    ended: Json = {"output_tokens": answer.output_tokens}
    if answer.iterations:
        ended["iterations"] = answer.iterations
    yield {"type": "message_delta", "delta": final, "usage": ended}
    yield {"type": "message_stop"}
