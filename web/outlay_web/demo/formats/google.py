"""Gemini's answers: thoughts are counted beside the candidates."""

from __future__ import annotations

from collections.abc import Iterator

from outlay_web.demo.formats.answer import Answer, Json


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
