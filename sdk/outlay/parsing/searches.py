"""How often a provider searched the web for an answer, where it is billed by that: counted in the answer itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from outlay.parsing import usage as counts

Json = Mapping[str, Any]
BY_REQUEST = ("gemini-1", "gemini-2")
"""Beginnings of models that are billed by the request that searched, however often it did."""


def in_answer(answer: Json, model: str) -> int:
    """Searches that an answer shows, OpenAI's or Gemini's; 0 where it shows none.

    Args:
        answer: As the provider gave it, in its names or those of its Python client.
        model: Who answered, where the answer does not say so.
    """
    named = _either(answer, "modelVersion", "model_version")
    return of_openai(answer) or of_gemini(_groundings(answer), named if isinstance(named, str) else model)


def of_openai(response: Json) -> int:
    """The searches that a response was billed for, else the calls of the tool that searched."""
    tools = response.get("tool_usage")
    search = tools.get("web_search") if isinstance(tools, dict) else None
    if isinstance(search, dict) and "num_requests" in search:
        return counts.count(search["num_requests"]) or 0
    made = 0
    for item in counts.objects(response.get("output")):
        if item.get("type") == "web_search_call" and item.get("status") == "completed":
            action = item.get("action")
            made += not isinstance(action, dict) or action.get("type", "search") == "search"
    return made


def of_gemini(groundings: Iterable[object], model: str) -> int:
    """Each distinct query that asks something is billed, until Gemini 2 the request that made any."""
    queries: set[str] = set()
    for metadata in groundings:
        named = _either(metadata, "webSearchQueries", "web_search_queries")
        if isinstance(named, list):
            queries |= {" ".join(each.split()) for each in named if isinstance(each, str)}
    queries.discard("")
    return min(len(queries), 1) if model.startswith(BY_REQUEST) else len(queries)


def _groundings(answer: Json) -> list[object]:
    told = [answer, *counts.objects(answer.get("candidates"))]
    return [_either(each, "groundingMetadata", "grounding_metadata") for each in told]


def _either(value: object, *names: str) -> object:
    """What stands under the first of these names that an object has."""
    if not isinstance(value, Mapping):
        return None
    return next((value[name] for name in names if name in value), None)
