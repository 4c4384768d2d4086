"""OpenAI's answers: cached tokens are part of the prompt, reasoning is part of the completion."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator

from outlay_web.demo.formats.answer import Answer, Json


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


def openai_video(answer: Answer, status: str = "completed") -> Json:
    """A job that makes a video of as many seconds as there are words; it is `queued` first."""
    failed = {"code": "moderation_blocked", "message": "no"} if status == "failed" else None
    done = {"created_at": 1767225600, "size": "1280x720", "seconds": str(len(answer.text.split())), "error": failed}
    about = {"id": answer.response_id, "object": "video", "model": answer.model, "status": status}
    return {**about, "progress": 100 if status == "completed" else 0, **done}


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


def openai_embeddings(answer: Answer, count: int, encoding: str) -> Json:
    """Embeddings: `count` vectors, as numbers where `encoding` is float."""
    vector = [0.5] * answer.vectors
    encoded: str | list[float] = vector
    if encoding != "float":
        encoded = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    body: Json = {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": encoded} for n in range(count)],
        "model": answer.model,
    }
    if answer.usage:
        body["usage"] = {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens}
    return body


def openai_decision(answer: Answer) -> Json:
    """Answers to closed questions; no id."""
    usage = openai_response(answer)["usage"]
    return {"answers": [{"type": "predicate", "name": None, "probability": 0.9}], "model": answer.model, "usage": usage}
