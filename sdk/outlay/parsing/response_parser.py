"""Usage in what a tracked function returned, for clients that no HTTP hook sees.

Objects are recognized by shape: OpenAI's and Anthropic's responses, Gemini's, Bedrock's dicts, LangChain's messages,
or anything with a `usage` that has their names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from outlay import _safely, semconv
from outlay._text import readable, redacted
from outlay.parsing import usage as counts
from outlay.parsing.content import flatten
from outlay.usage import Usage

_MODULES = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "google": "gcp.gemini",
    "groq": "groq",
    "mistralai": "mistral_ai",
    "ollama": "ollama",
    "openai": "openai",
}
_SNAKE = {
    "prompt_token_count": "promptTokenCount",
    "cached_content_token_count": "cachedContentTokenCount",
    "candidates_token_count": "candidatesTokenCount",
    "thoughts_token_count": "thoughtsTokenCount",
    "tool_use_prompt_token_count": "toolUsePromptTokenCount",
    "total_token_count": "totalTokenCount",
}


class Words(NamedTuple):
    """Prompt and completion of a tracked function that is a model call itself, redacted; written as JSON later."""

    asked: list[tuple[str, str]]  # role, text
    said: str

    def size(self) -> int:
        """Characters of text."""
        return len(self.said) + sum(len(text) for _, text in self.asked)

    def attributes(self, reason: object) -> dict[str, str]:
        """The texts in the shape of the GenAI conventions."""
        found: dict[str, str] = {}
        if self.asked:
            asked = [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in self.asked]
            found[semconv.INPUT_MESSAGES] = readable(json.dumps(asked, ensure_ascii=False))
        if self.said:
            parts = [{"type": "text", "content": self.said}]
            said = [{"role": "assistant", "parts": parts, "finish_reason": reason if isinstance(reason, str) else ""}]
            found[semconv.OUTPUT_MESSAGES] = readable(json.dumps(said, ensure_ascii=False))
        return found


class Returned(NamedTuple):
    """The small facts of a returned response; its usage is read later, on the export thread."""

    provider: str | None
    usage: object
    model: object
    identity: object
    tier: object
    finish: object
    words: Words | None = None


def look(value: object) -> Returned | None:
    """What is worth keeping of a returned object; None if it is no response of a model."""
    fields = _fields(value)
    usage = fields.get("usage")
    if usage is None:
        usage = fields.get("usage_metadata")
        if usage is None:
            return None
    choices = fields.get("choices")
    return Returned(
        _MODULES.get(type(value).__module__.partition(".")[0]),
        usage,
        fields.get("model") or fields.get("model_version"),
        fields.get("id") or fields.get("response_id"),
        fields.get("service_tier"),
        _get(choices[0], "finish_reason") if type(choices) is list and choices else fields.get("stop_reason"),
    )


def read_returned(returned: Returned) -> dict[str, Any]:
    """Span attributes of a returned response; {} if nothing in it can be read."""
    plain = _plain(returned.usage)
    if "prompt_token_count" in plain:
        plain = {_SNAKE.get(key, key): entry for key, entry in plain.items()}
    reader, guess = _shape(plain)
    found = reader(plain).attributes() if reader is not None else {}
    if not found:
        return {}
    found[semconv.OPERATION] = "chat"
    found[semconv.PROVIDER] = returned.provider or guess
    for attribute, fact in (
        (semconv.RESPONSE_MODEL, returned.model),
        (semconv.RESPONSE_ID, returned.identity),
        (semconv.SERVICE_TIER, returned.tier),
    ):
        if isinstance(fact, str):
            found[attribute] = fact
    if isinstance(returned.finish, str):
        found[semconv.FINISH_REASONS] = (returned.finish,)
    if returned.words is not None:
        found.update(returned.words.attributes(returned.finish))
    return found


def _fields(value: object) -> Mapping[str, Any]:
    """The fields of an object or mapping, without running code of theirs where that can be helped."""
    if isinstance(value, dict):
        return value
    fields = getattr(value, "__dict__", None)
    if fields is not None and ("usage" in fields or "usage_metadata" in fields):
        return cast(Mapping[str, Any], fields)
    kind = type(value)
    if hasattr(kind, "usage") or hasattr(kind, "usage_metadata"):  # slots and properties
        names = ("usage", "usage_metadata", "model", "model_version", "id", "response_id", "choices", "stop_reason")
        return {name: getattr(value, name, None) for name in names}
    return {}


def _shape(usage: Mapping[str, Any]) -> tuple[Callable[[Mapping[str, Any]], Usage] | None, str]:
    if "input_token_details" in usage and "total_tokens" in usage and "input_tokens_details" not in usage:
        return _langchain, ""
    found = counts.shape_of(usage)
    if found is not None and found != (counts.openai, ""):
        return found
    if "input_tokens" in usage and "output_tokens" in usage:
        return Usage.of, ""
    return None, ""


def _langchain(usage: Mapping[str, Any]) -> Usage:
    """LangChain's `usage_metadata`: totals include their parts."""
    inside = usage.get("input_token_details") or {}
    outside = usage.get("output_token_details") or {}
    return Usage(
        input_tokens=counts.count(usage.get("input_tokens")),
        cache_read_tokens=counts.count(inside.get("cache_read")),
        cache_write_tokens=counts.count(inside.get("cache_creation")),
        output_tokens=counts.count(usage.get("output_tokens")),
        reasoning_tokens=counts.count(outside.get("reasoning")),
    )


def _get(value: object, name: str) -> Any:
    if type(value) is dict:
        return value.get(name)
    found = getattr(value, name, None)
    return value.get(name) if found is None and isinstance(value, Mapping) else found


def _plain(value: object, depth: int = 2) -> dict[str, Any]:
    """Fields of a small object as a dict, nested ones too."""
    fields = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    found: dict[str, Any] = {}
    for name, field in (fields or {}).items():
        kind = type(field)
        if kind is list:
            found[name] = [_plain(item, depth - 1) if hasattr(item, "__dict__") else item for item in field]
        elif field is None or kind is int or kind is str or kind is float or kind is bool:
            found[name] = field
        elif depth:
            found[name] = _plain(field, depth - 1)
    return found


@_safely.safely()
def read_words(
    redact: Callable[[str], str] | None, value: object, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> Words | None:
    """What was asked and said; None when the redactor fails.

    Texts are taken now: the application may go on to change its messages.
    """
    given: Any = None
    for key in _ASKING:
        given = keywords.get(key)
        if given:
            break
    else:
        if arguments and isinstance(arguments[0], (str, list)):
            given = arguments[0]
    asked: list[tuple[str, str]] = []
    for message in given if isinstance(given, list) else [given] if given else ():
        if type(message) is dict:
            text = message.get("content")
            asked.append((str(message.get("role") or "user"), text if type(text) is str else flatten(message)))
        else:
            asked.append(("user", flatten(message)))
    choices = _get(value, "choices")
    if type(choices) is list and choices:
        text = _get(_get(choices[0], "message"), "content")
    else:
        text = _get(value, "output_text") or _get(value, "text") or _get(value, "content")
    said = text if type(text) is str else flatten(json.loads(json.dumps(text, default=_plain))) if text else ""
    if redact is not None:
        return Words([(role, redacted(redact, text)) for role, text in asked], redacted(redact, said))
    return Words(asked, said)


_ASKING = ("messages", "prompt", "input", "contents")
