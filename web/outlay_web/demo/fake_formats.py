"""How each provider writes an answer: JSON bodies, server-sent events, JSON lines, AWS event streams.

Field names and counting rules follow the providers' public API references: OpenAI includes cached tokens in the prompt
and reasoning in the completion, Anthropic and Bedrock count cached input beside the input, Gemini counts thoughts
beside the candidates.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """What the fake provider says, in terms that every format can express.

    Attributes:
        text: The words of the answer.
        input_tokens: All input, cached included.
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens: Parts of the input.
        output_tokens: All output, reasoning included.
        reasoning_tokens: Part of the output.
        model: Model named in the answer; "" repeats the one asked for.
        response_id: Id of the answer; "" makes one up.
        service_tier: Tier named in the answer.
        finish: Why it stopped, in OpenAI's words: stop, length, tool_calls.
        tool: Name of a function that the model wants to call; arguments are `tool_arguments`.
        status: HTTP status; 400 and above answers an error body.
        error: Type of the error.
        headers: Further response headers.
        delay_s: Seconds before the answer starts.
        chunk_delay_s: Seconds between the pieces of a stream.
        cut_after: Close the connection after that many pieces of a stream.
        usage: False leaves usage out, as servers that do not report it.
        vectors: Length of each embedding.
        iterations: Entries of Anthropic's `usage.iterations`, for compaction, advisors and fallbacks.
    """

    text: str = "Hello from the fake provider."
    input_tokens: int = 20
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 10
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    web_searches: int = 0
    model: str = ""
    response_id: str = ""
    service_tier: str = ""
    finish: str = "stop"
    tool: str = ""
    tool_arguments: Json = field(default_factory=dict)
    status: int = 200
    error: str = "server_error"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    cut_after: int | None = None
    usage: bool = True
    vectors: int = 8
    iterations: list[Json] = field(default_factory=list)

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces that a stream sends."""
        words = self.text.split(" ")
        return [word if index == 0 else " " + word for index, word in enumerate(words)]


def sse(events: Iterator[Json | str], names: bool = False) -> Iterator[bytes]:
    """Server-sent events; with `names`, each has its type as event name."""
    for event in events:
        if isinstance(event, str):
            yield f"data: {event}\n\n".encode()
        else:
            head = f"event: {event.get('type') or event['event_type']}\n" if names else ""
            yield f"{head}data: {json.dumps(event)}\n\n".encode()


def json_array(events: Iterator[Json | str]) -> Iterator[bytes]:
    """An array that grows: Gemini's stream where nobody asks for events."""
    opening = b"["
    for event in events:
        yield opening + json.dumps(event).encode()
        opening = b"\n,\r\n"
    yield b"]"


# --- OpenAI


def openai_usage(answer: Answer) -> Json:
    """Usage of chat completions."""
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cache_read_tokens, "audio_tokens": answer.audio_tokens},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }


def openai_chat(answer: Answer) -> Json:
    """A chat completion."""
    message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
    finish = answer.finish
    if answer.tool:
        call = {"name": answer.tool, "arguments": json.dumps(answer.tool_arguments)}
        message.update(
            content=None, tool_calls=[{"id": f"call_{answer.response_id}", "type": "function", "function": call}]
        )
        finish = "tool_calls"
    body: Json = {
        "id": answer.response_id,
        "object": "chat.completion",
        "created": 1767225600,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
    }
    if answer.usage:
        body["usage"] = openai_usage(answer)
    if answer.service_tier:
        body["service_tier"] = answer.service_tier
    return body


def openai_completion(answer: Answer) -> Json:
    """A completion of the older API."""
    return {
        "id": answer.response_id,
        "object": "text_completion",
        "created": 1767225600,
        "model": answer.model,
        "choices": [{"index": 0, "text": answer.text, "logprobs": None, "finish_reason": answer.finish}],
        "usage": openai_usage(answer),
    }


def openai_chat_events(answer: Answer, include_usage: bool) -> Iterator[Json | str]:
    """Chunks of a chat completion; usage only when it was asked for, in a last chunk without choices."""
    base: Json = {
        "id": answer.response_id,
        "object": "chat.completion.chunk",
        "created": 1767225600,
        "model": answer.model,
    }
    if answer.service_tier:
        base["service_tier"] = answer.service_tier
    if include_usage:
        base["usage"] = None

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**base, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    if answer.tool:
        call = {"name": answer.tool, "arguments": json.dumps(answer.tool_arguments)}
        yield chunk(
            {"tool_calls": [{"index": 0, "id": f"call_{answer.response_id}", "type": "function", "function": call}]}
        )
        yield chunk({}, "tool_calls")
    else:
        for piece in answer.pieces:
            yield chunk({"content": piece})
        yield chunk({}, answer.finish)
    if include_usage and answer.usage:
        yield {**base, "choices": [], "usage": openai_usage(answer)}
    yield "[DONE]"


def openai_response(answer: Answer, status: str = "completed", background: bool = False) -> Json:
    """A response of the Responses API; one in the background is `queued` first."""
    output: list[Json] = []
    if answer.web_searches:
        action = {"type": "search", "query": "q"}
        output += [
            {"id": f"ws_{n}", "type": "web_search_call", "status": "completed", "action": action}
            for n in range(answer.web_searches)
        ]
    if answer.tool:
        arguments = json.dumps(answer.tool_arguments)
        output.append(
            {
                "id": f"fc_{answer.response_id}",
                "type": "function_call",
                "call_id": f"call_{answer.response_id}",
                "name": answer.tool,
                "arguments": arguments,
                "status": "completed",
            }
        )
    else:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        output.append(
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        )
    done = status == "completed"
    return {
        "id": answer.response_id,
        "object": "response",
        "background": background,
        "created_at": 1767225600,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": output if done else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "service_tier": answer.service_tier or "default",
        "usage": {
            "input_tokens": answer.input_tokens,
            "input_tokens_details": {"cached_tokens": answer.cache_read_tokens},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
        if done and answer.usage
        else None,
    }


def openai_response_events(answer: Answer) -> Iterator[Json | str]:
    """Events of the Responses API."""
    started = openai_response(answer, "in_progress")
    yield {"type": "response.created", "sequence_number": 0, "response": started}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item}
    part = {"type": "output_text", "text": "", "annotations": []}
    place: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", "sequence_number": 2, "part": part, **place}
    for number, piece in enumerate(answer.pieces, 3):
        yield {"type": "response.output_text.delta", "sequence_number": number, "delta": piece, "logprobs": [], **place}
    yield {"type": "response.completed", "sequence_number": 999, "response": openai_response(answer)}


def openai_image(answer: Answer) -> Json:
    """A drawn picture; all output is picture."""
    return {"created": 1767225600, "data": [{"b64_json": "AAAA"}], "usage": _image_usage(answer)}


def openai_image_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a picture that is shown while it is drawn."""
    about = {"b64_json": "AAAA", "created_at": 1767225600, "size": "auto", "quality": "low", "background": "auto"}
    about = {**about, "output_format": "png"}
    yield {"type": "image_generation.partial_image", "partial_image_index": 0, **about}
    yield {"type": "image_generation.completed", "usage": _image_usage(answer), **about}


def _image_usage(answer: Answer) -> Json:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": answer.input_tokens},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"image_tokens": answer.output_tokens, "text_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def openai_transcription(answer: Answer) -> Json:
    """What was said in a recording; all input is audio."""
    usage = {
        "type": "tokens",
        "input_tokens": answer.input_tokens,
        "input_token_details": {"audio_tokens": answer.input_tokens, "text_tokens": 0},
        "output_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    return {"text": answer.text, "usage": usage}


def openai_transcription_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a transcription."""
    for piece in answer.pieces:
        yield {"type": "transcript.text.delta", "delta": piece}
    yield {"type": "transcript.text.done", **openai_transcription(answer)}


def openai_embeddings(answer: Answer, count: int) -> Json:
    """Embeddings: `count` vectors."""
    vector = [0.5] * answer.vectors
    encoded = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    body: Json = {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": encoded} for n in range(count)],
        "model": answer.model,
    }
    if answer.usage:
        body["usage"] = {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens}
    return body


# --- Anthropic


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


# --- Google


def gemini_content(answer: Answer, text: str | None = None, final: bool = True) -> Json:
    """A GenerateContentResponse; a stream sends one per piece, each with usage so far."""
    part: Json = {"text": answer.text if text is None else text}
    if answer.tool and final:
        part = {"functionCall": {"name": answer.tool, "args": answer.tool_arguments}}
    candidate: Json = {"content": {"role": "model", "parts": [part]}, "index": 0}
    if final:
        candidate["finishReason"] = {"stop": "STOP", "length": "MAX_TOKENS"}.get(answer.finish, "STOP")
    visible = answer.output_tokens - answer.reasoning_tokens if final else 1
    usage: Json = {"promptTokenCount": answer.input_tokens, "candidatesTokenCount": visible}
    usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": answer.input_tokens}]
    if answer.cache_read_tokens:
        usage["cachedContentTokenCount"] = answer.cache_read_tokens
    if answer.reasoning_tokens:
        usage["thoughtsTokenCount"] = answer.reasoning_tokens
    usage["totalTokenCount"] = answer.input_tokens + visible + answer.reasoning_tokens
    body: Json = {"candidates": [candidate], "modelVersion": answer.model, "responseId": answer.response_id}
    if answer.usage:
        body["usageMetadata"] = usage
    return body


def gemini_events(answer: Answer) -> Iterator[Json | str]:
    """Pieces of a streamed GenerateContentResponse."""
    pieces = answer.pieces
    for piece in pieces[:-1]:
        yield gemini_content(answer, piece, final=False)
    yield gemini_content(answer, pieces[-1])


def gemini_interaction(answer: Answer, status: str = "completed") -> Json:
    """An Interaction: thoughts beside the output, as in GenerateContent, under other names."""
    visible = answer.output_tokens - answer.reasoning_tokens
    usage: Json = {
        "total_input_tokens": answer.input_tokens,
        "input_tokens_by_modality": [{"modality": "text", "tokens": answer.input_tokens}],
        "total_cached_tokens": answer.cache_read_tokens,
        "total_output_tokens": visible,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": answer.reasoning_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }
    if answer.web_searches:
        usage["grounding_tool_count"] = [{"type": "google_search", "count": answer.web_searches}]
    said = {"type": "model_output", "content": [{"type": "text", "text": answer.text}]}
    about = {"id": answer.response_id, "object": "interaction", "status": status, "role": "model"}
    if status != "completed":
        return {**about, "model": answer.model}
    return {**about, "model": answer.model, "steps": [said], "usage": usage}


def gemini_interaction_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a streamed Interaction."""
    whole = gemini_interaction(answer)
    begun = {"id": whole["id"], "object": "interaction", "status": "in_progress", "model": answer.model}
    yield {"event_type": "interaction.created", "interaction": begun}
    yield {"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}
    for piece in answer.pieces:
        yield {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": piece}}
    yield {"event_type": "step.stop", "index": 0}
    yield {"event_type": "interaction.completed", "interaction": {key: whole[key] for key in whole if key != "steps"}}


# --- Mistral's conversations, and decisions


def mistral_conversation(answer: Answer) -> Json:
    """What a conversation answers: it has an id, its answers have none."""
    said = {"type": "message.output", "content": answer.text, "role": "assistant", "model": answer.model}
    return {
        "object": "conversation.response",
        "conversation_id": "conv_1",
        "outputs": [said],
        "usage": {**_totals(answer), "connector_tokens": None, "connectors": None},
    }


def mistral_conversation_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a streamed conversation."""
    yield {"type": "conversation.response.started", "conversation_id": "conv_1"}
    for piece in answer.pieces:
        yield {
            "type": "message.output.delta",
            "id": "msg_1",
            "role": "assistant",
            "content": piece,
            "model": answer.model,
        }
    yield {"type": "conversation.response.done", "usage": _totals(answer)}


def _totals(answer: Answer) -> Json:
    whole = answer.input_tokens + answer.output_tokens
    return {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens, "total_tokens": whole}


def openai_decision(answer: Answer) -> Json:
    """Answers to closed questions; no id."""
    usage = openai_response(answer)["usage"]
    return {"answers": [{"type": "predicate", "name": None, "probability": 0.9}], "model": answer.model, "usage": usage}


# --- Bedrock


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


# --- Cohere and Ollama


def cohere_usage(answer: Answer) -> Json:
    """Billed units and counted tokens."""
    billed = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    return {"billed_units": billed, "tokens": {**billed, "input_tokens": answer.input_tokens + 60}}


def cohere_chat(answer: Answer) -> Json:
    """A v2 chat response."""
    return {
        "id": answer.response_id,
        "message": {"role": "assistant", "content": [{"type": "text", "text": answer.text}]},
        "finish_reason": "COMPLETE",
        "usage": cohere_usage(answer),
    }


def cohere_events(answer: Answer) -> Iterator[Json | str]:
    """Events of a v2 chat stream."""
    start = {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}
    yield {"type": "message-start", "id": answer.response_id, "delta": start}
    block = {"message": {"content": {"type": "text", "text": ""}}}
    yield {"type": "content-start", "index": 0, "delta": block}
    for piece in answer.pieces:
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
    yield {"type": "content-end", "index": 0}
    yield {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": cohere_usage(answer)}}


def ollama_lines(answer: Answer, stream: bool, generate: bool) -> Iterator[Json]:
    """Lines of Ollama's API; without streaming there is only the last."""

    def line(text: str) -> Json:
        words: Json = {"response": text} if generate else {"message": {"role": "assistant", "content": text}}
        return {"model": answer.model, "created_at": "2026-01-01T00:00:00Z", **words, "done": False}

    if stream:
        for piece in answer.pieces:
            yield line(piece)
    counts = {"prompt_eval_count": answer.input_tokens, "eval_count": answer.output_tokens}
    last = line("" if stream else answer.text)
    yield {**last, "done": True, "done_reason": "stop", "total_duration": 1000, **(counts if answer.usage else {})}
