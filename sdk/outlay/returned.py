"""Usage in what a tracked function returned, for clients that no HTTP hook sees.

Objects are recognized by shape: OpenAI's and Anthropic's responses, Gemini's, Bedrock's dicts, LangChain's messages,
or anything with a `usage` that has their names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from outlay import semconv
from outlay.usage import Usage
from outlay.wire import usage as counts

if TYPE_CHECKING:
    from outlay.client import Client

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


def read_returned(value: object) -> dict[str, Any]:
    """Span attributes of a returned response; {} if it is none."""
    usage = _get(value, "usage")
    reader: Callable[[Mapping[str, Any]], Usage] | None = None
    provider = _MODULES.get(type(value).__module__.partition(".")[0])
    if usage is not None and not callable(usage):
        plain = _plain(usage)
        reader, guess = _shape(plain)
    else:
        usage = _get(value, "usage_metadata")
        if usage is None:
            return {}
        plain = _plain(usage)
        if "prompt_token_count" in plain:
            plain = {_SNAKE.get(key, key): entry for key, entry in plain.items()}
        reader, guess = _shape(plain)
    if reader is None:
        return {}
    found = reader(plain).attributes()
    if not found:
        return {}
    found[semconv.OPERATION] = "chat"
    found[semconv.PROVIDER] = provider or guess
    model = _get(value, "model") or _get(value, "model_version")
    if isinstance(model, str):
        found[semconv.RESPONSE_MODEL] = model
    identity = _get(value, "id") or _get(value, "response_id")
    if isinstance(identity, str):
        found[semconv.RESPONSE_ID] = identity
    tier = _get(value, "service_tier")
    if isinstance(tier, str):
        found[semconv.SERVICE_TIER] = tier
    choices = _get(value, "choices")
    reason = _get(choices[0], "finish_reason") if isinstance(choices, list) and choices else _get(value, "stop_reason")
    if isinstance(reason, str):
        found[semconv.FINISH_REASONS] = (reason,)
    return found


def _shape(usage: Mapping[str, Any]) -> tuple[Callable[[Mapping[str, Any]], Usage] | None, str]:
    if "prompt_tokens" in usage or "input_tokens_details" in usage:
        return counts.openai, "openai"
    if "promptTokenCount" in usage:
        return counts.gemini, "gcp.gemini"
    if "inputTokens" in usage:
        return counts.converse, "aws.bedrock"
    if "input_token_details" in usage and "total_tokens" in usage:
        return _langchain, ""
    if "cache_creation_input_tokens" in usage or "cache_read_input_tokens" in usage:
        return counts.anthropic, "anthropic"
    if "billed_units" in usage:
        return counts.cohere, "cohere"
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
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)


def _plain(value: object, depth: int = 2) -> dict[str, Any]:
    """Fields of a small object as a dict, nested ones too."""
    if isinstance(value, Mapping):
        fields: Mapping[str, Any] = value
    else:
        fields = getattr(value, "__dict__", None) or {}
    if depth == 0:
        return dict(fields)
    return {
        str(name): field
        if field is None or isinstance(field, (int, float, str, list, tuple))
        else _plain(field, depth - 1)
        for name, field in fields.items()
        if not str(name).startswith("_")
    }


def read_content(
    client: Client, value: object, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Prompt and completion of a tracked function that is a model call itself."""
    from outlay.wire.content import content_attributes, flatten
    from outlay.wire.reading import Reading

    request: dict[str, Any] = {}
    for key in ("messages", "prompt", "input", "contents", "system"):
        if keywords.get(key):
            request[key] = keywords[key]
    if not request and arguments and isinstance(arguments[0], (str, list)):
        request["messages"] = arguments[0]
    answer = Reading()
    choices = _get(value, "choices")
    if isinstance(choices, list) and choices:
        text = _get(_get(choices[0], "message"), "content")
    else:
        text = _get(value, "output_text") or _get(value, "text") or _get(value, "content")
    if text:
        answer.text = [text if isinstance(text, str) else flatten(json.loads(json.dumps(text, default=_plain)))]
    return dict(content_attributes(client.redact, request, answer))
