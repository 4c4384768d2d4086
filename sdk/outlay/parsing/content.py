"""Prompts and completions in the shape of the GenAI conventions; only when `capture_content` is on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from outlay import _safely, semconv
from outlay._text import readable, redacted
from outlay.parsing.reading import Reading

Redact = Callable[[str], str] | None


@_safely.safely()
def content_attributes(redact: Redact, request: Mapping[str, Any], reading: Reading) -> dict[str, str] | None:
    """Messages of the request and words of the answer as JSON texts, redacted; None when the redactor fails."""
    found: dict[str, str] = {}
    system = request.get("system") or request.get("instructions") or request.get("systemInstruction")
    if system:
        found[semconv.SYSTEM_INSTRUCTIONS] = _dump([{"type": "text", "content": flatten(system)}], redact)
    messages = request.get("messages") or request.get("contents") or request.get("input") or request.get("prompt")
    if messages:
        found[semconv.INPUT_MESSAGES] = _dump(_messages(messages), redact)
    if reading.text:
        reason = next(iter(reading.finish_reasons.values()), "")
        answer = [{"type": "text", "content": "".join(reading.text)}]
        found[semconv.OUTPUT_MESSAGES] = _dump(
            [{"role": "assistant", "parts": answer, "finish_reason": reason}], redact
        )
    return found


def _messages(messages: Any) -> list[dict[str, Any]]:
    if not isinstance(messages, list):
        messages = [messages]
    found = []
    for message in messages:
        role = str(message.get("role") or "user") if isinstance(message, dict) else "user"
        found.append({"role": role, "parts": [{"type": "text", "content": flatten(message)}]})
    return found


def flatten(value: Any) -> str:
    """The text of a message in any provider's shape; binary parts are named, not kept."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(text for text in map(flatten, value) if text)
    if isinstance(value, dict):
        for key in ("content", "parts", "text", "input"):
            if value.get(key):
                return flatten(value[key])
        kind = value.get("type")
        return f"[{kind}]" if isinstance(kind, str) and kind not in ("message", "text") else ""
    return ""


def _dump(value: Any, redact: Redact) -> str:
    if redact is not None:
        value = _redacted(value, redact)
    return readable(json.dumps(value, ensure_ascii=False))


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: redacted(redact, inner) if key == "content" and isinstance(inner, str) else _redacted(inner, redact)
            for key, inner in value.items()
        }
    return [_redacted(inner, redact) for inner in value] if isinstance(value, list) else value
