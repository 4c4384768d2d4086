"""Answers of Mistral, Cohere and Ollama."""

from __future__ import annotations

from collections.abc import Iterator

from outlay_web.demo.formats.answer import Answer, Json


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
