"""Usage objects of the providers → `Usage`, one function per wire format.

The rules are those of the providers' documentation, checked against recorded traffic: OpenAI includes cached tokens in
the input and reasoning in the output; Anthropic and Bedrock count cached input beside the input; Gemini counts
thoughts beside the candidates, some gateways inside them. Where a total is on the wire, it decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from outlay.parsing import kinds
from outlay.usage import Usage

Json = Mapping[str, Any]


def count(value: Any) -> int | None:
    """`value` as a token count; None when it is none."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def objects(value: Any) -> list[Json]:
    """The objects of a list; none where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _part(usage: Json, detail: str, name: str) -> int | None:
    details = usage.get(detail)
    if not details or not isinstance(details, dict) or name not in details:
        return None
    return count(details[name])


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def openai(usage: Json) -> Usage:
    """OpenAI chat, responses, embeddings, images and audio, and everything that speaks like them."""
    chat = "prompt_tokens" in usage or "completion_tokens" in usage
    given = count(usage.get("prompt_tokens" if chat else "input_tokens"))
    produced = count(usage.get("completion_tokens" if chat else "output_tokens"))
    inside = "prompt_tokens_details" if chat else "input_tokens_details"
    outside = "completion_tokens_details" if chat else "output_tokens_details"
    if "input_token_details" in usage:  # audio transcriptions
        inside = "input_token_details"
    reasoning = _first(_part(usage, outside, "reasoning_tokens"), count(usage.get("reasoning_tokens")))
    total = count(usage.get("total_tokens"))
    if reasoning and produced is not None:
        # xAI counts reasoning beside the completion, and so does Perplexity's deep research, whose total leaves it out.
        with_reasoning = given is not None and total == given + produced + reasoning
        if with_reasoning or reasoning > produced or "num_search_queries" in usage:
            produced += reasoning
    if given is None and produced is None:
        given = total  # embeddings and rerankers that say only this
    if chat and produced is None and given is not None and total == given:
        produced = 0 if "completion_tokens" in usage else None
    reads = _first(
        _part(usage, inside, "cached_tokens"),
        count(usage.get("prompt_cache_hit_tokens")),  # DeepSeek
        count(usage.get("cache_read_input_tokens")),  # LiteLLM proxy
        count(usage.get("cached_tokens")),
    )
    writes = _first(
        _part(usage, inside, "cache_write_tokens"),
        _part(usage, inside, "cache_creation_tokens"),
        count(usage.get("cache_creation_input_tokens")),
    )
    short, long = _part(usage, inside, "cache_write_30m_tokens"), _part(usage, inside, "cache_write_12h_tokens")
    if short is not None or long is not None:
        writes = max(writes or 0, (short or 0) + (long or 0))
    found = Usage(
        input_tokens=given,
        cache_read_tokens=reads,
        cache_write_tokens=writes,
        cache_write_1h_tokens=long,  # what is kept for longer
        output_tokens=produced,
        reasoning_tokens=reasoning,
        other=_units(usage),
    )
    parts = usage.get(inside)
    cached = parts.get("cached_tokens_details") if isinstance(parts, dict) else None
    return kinds.told(found, kinds.in_objects({"input": parts, "cache_read": cached, "output": usage.get(outside)}))


def _units(usage: Json) -> dict[str, int]:
    """What is billed beside tokens: audio by its length (Mistral), searches by their size and what they cite."""
    size = usage.get("search_context_size")
    units = {
        "input_audio_seconds": count(usage.get("prompt_audio_seconds")),
        "web_searches": count(usage.get("num_search_queries")),
        "citation_tokens": count(usage.get("citation_tokens")),
        f"requests_{size}": 1 if size in ("low", "medium", "high") else 0,
    }
    return {name: number for name, number in units.items() if number}


def anthropic(usage: Json) -> Usage:
    """Anthropic messages: cached input is counted beside the input, compaction beside everything."""
    own = found = _anthropic_counts(usage)
    for entry in _iterations(usage):
        if entry.get("type") == "compaction":
            found = found.plus(_anthropic_counts(entry))
    # What the answer itself used is not known by what was used beside it.
    return replace(
        found,
        input_tokens=None if own.input_tokens is None else found.input_tokens,
        output_tokens=None if own.output_tokens is None else found.output_tokens,
    )


def anthropic_elsewhere(usage: Json, served_by: str) -> list[tuple[str, Usage]]:
    """What other models did for the same request, by model: advisors, and models that refused in mid-answer.

    The counts at the top are those of the model that answered; a refusal before any output is not billed.
    """
    found: dict[str, Usage] = {}
    for entry in _iterations(usage):
        model = entry.get("model")
        if not isinstance(model, str) or entry.get("type") == "compaction":
            continue
        if entry.get("type") != "advisor_message" and (model == served_by or not entry.get("output_tokens")):
            continue
        used = _anthropic_counts(entry)
        found[model] = found[model].plus(used) if model in found else used
    return list(found.items())


def _iterations(usage: Json) -> list[Json]:
    return objects(usage.get("iterations"))


def _anthropic_counts(usage: Json) -> Usage:
    reads = count(usage.get("cache_read_input_tokens"))
    writes = count(usage.get("cache_creation_input_tokens"))
    split_1h = _part(usage, "cache_creation", "ephemeral_1h_input_tokens")
    split_5m = _part(usage, "cache_creation", "ephemeral_5m_input_tokens")
    if writes is None and (split_1h is not None or split_5m is not None):
        writes = (split_1h or 0) + (split_5m or 0)
    given = count(usage.get("input_tokens"))
    return Usage(
        input_tokens=None if given is None else given + (reads or 0) + (writes or 0),
        cache_read_tokens=reads,
        cache_write_tokens=writes,
        cache_write_1h_tokens=split_1h,
        output_tokens=count(usage.get("output_tokens")),
        reasoning_tokens=_part(usage, "output_tokens_details", "thinking_tokens"),
        web_searches=_part(usage, "server_tool_use", "web_search_requests") or None,
    )


def gemini(usage: Json) -> Usage:
    """Gemini: thoughts are counted beside the candidates, unless the total says otherwise; tool prompts are input."""
    prompt = count(usage.get("promptTokenCount"))
    tools = count(usage.get("toolUsePromptTokenCount")) or 0
    candidates = count(usage.get("candidatesTokenCount"))
    thoughts = count(usage.get("thoughtsTokenCount"))
    total = count(usage.get("totalTokenCount"))
    output = candidates
    inclusive = thoughts and total is not None and total == (prompt or 0) + tools + (candidates or 0)
    if thoughts and not inclusive:
        output = (candidates or 0) + thoughts
    if output is None and prompt is not None and total == prompt + tools:
        output = 0
    found = Usage(
        input_tokens=None if prompt is None else prompt + tools,
        cache_read_tokens=count(usage.get("cachedContentTokenCount")),
        output_tokens=output,
        reasoning_tokens=thoughts,
        web_searches=count(usage.get("groundedSearches")) or None,
    )
    sides = {"input": "promptTokensDetails", "cache_read": "cacheTokensDetails", "output": "candidatesTokensDetails"}
    return kinds.told(found, kinds.in_lists({side: usage.get(name) for side, name in sides.items()}))


def gemini_interaction(usage: Json) -> Usage:
    """Gemini's Interactions: the same counts under other names."""
    named = {name: usage[key] for key, name in _INTERACTION.items() if key in usage}
    for key, name in _INTERACTION_DETAILS.items():
        named[name] = [
            {"modality": str(entry.get("modality")).upper(), "tokenCount": entry.get("tokens")}
            for entry in objects(usage.get(key))
        ]
    named["groundedSearches"] = sum(
        count(entry.get("count")) or 0
        for entry in objects(usage.get("grounding_tool_count"))
        if entry.get("type") == "google_search"
    )
    return gemini(named)


_INTERACTION = {
    "total_input_tokens": "promptTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount",
    "total_output_tokens": "candidatesTokenCount",
    "total_thought_tokens": "thoughtsTokenCount",
    "total_cached_tokens": "cachedContentTokenCount",
    "total_tokens": "totalTokenCount",
}
_INTERACTION_DETAILS = {
    "input_tokens_by_modality": "promptTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
    "output_tokens_by_modality": "candidatesTokensDetails",
}


def converse(usage: Json) -> Usage:
    """Bedrock Converse: cached input beside the input, unless the total says otherwise."""
    given = count(usage.get("inputTokens"))
    produced = count(usage.get("outputTokens"))
    reads = _first(count(usage.get("cacheReadInputTokens")), count(usage.get("cacheReadInputTokenCount")))
    writes = _first(count(usage.get("cacheWriteInputTokens")), count(usage.get("cacheWriteInputTokenCount")))
    cached = (reads or 0) + (writes or 0)
    if given is not None and cached:
        total = count(usage.get("totalTokens"))
        if not (total is not None and total == given + (produced or 0) and given >= cached):
            given += cached
    hour = None
    for entry in objects(usage.get("cacheDetails")):
        if entry.get("ttl") == "1h":
            hour = (hour or 0) + (count(entry.get("inputTokens")) or 0)
    return Usage(
        input_tokens=given,
        cache_read_tokens=reads,
        cache_write_tokens=writes,
        cache_write_1h_tokens=hour,
        output_tokens=produced,
    )


def bedrock_headers(header: Callable[[str], str | None]) -> Usage:
    """Bedrock InvokeModel says its counts in headers, too, whatever the model's own body looks like."""

    def number(name: str) -> int | None:
        text = header(f"x-amzn-bedrock-{name}-token-count")
        return int(text) if text and text.isdigit() else None

    return converse(
        {
            "inputTokens": number("input"),
            "outputTokens": number("output"),
            "cacheReadInputTokens": number("cache-read-input"),
            "cacheWriteInputTokens": number("cache-write-input"),
        }
    )


def cohere(usage: Json) -> Usage:
    """Cohere: what is billed, not what was counted; searches are a unit of their own."""
    billed = usage.get("billed_units")
    billed = billed if isinstance(billed, dict) else {}
    tokens = usage.get("tokens")
    tokens = tokens if isinstance(tokens, dict) else {}
    units = count(billed.get("search_units"))
    given = _first(count(billed.get("input_tokens")), count(tokens.get("input_tokens")))
    cached = count(usage.get("cached_tokens"))
    return Usage(
        input_tokens=given,
        cache_read_tokens=cached if cached and cached <= (given or 0) else None,
        output_tokens=_first(count(billed.get("output_tokens")), count(tokens.get("output_tokens"))),
        input_image_tokens=count(billed.get("image_tokens")) or None,
        other={"search_units": units} if units else {},
    )


def ollama(body: Json) -> Usage:
    """Ollama: counts stand in the body itself."""
    return Usage(input_tokens=count(body.get("prompt_eval_count")), output_tokens=count(body.get("eval_count")))


def pages(usage: Json) -> Usage:
    """Documents that are billed by the page (Mistral)."""
    number = count(usage.get("pages_processed"))
    return Usage(other={"input_pages": number}) if number else Usage()


def shape_of(usage: Json) -> tuple[Callable[[Json], Usage], str] | None:
    """Who counts with these names: how to read them, and the provider, "" where several do; None for no usage."""
    for names, reader, provider in _SHAPES:
        if names & usage.keys():
            return reader, provider
    return None


_SHAPES: tuple[tuple[frozenset[str], Callable[[Json], Usage], str], ...] = (
    (frozenset({"prompt_tokens", "completion_tokens", "input_tokens_details"}), openai, "openai"),
    (frozenset({"promptTokenCount"}), gemini, "gcp.gemini"),
    (frozenset({"total_input_tokens", "total_output_tokens"}), gemini_interaction, "gcp.gemini"),
    (frozenset({"inputTokens", "outputTokens"}), converse, "aws.bedrock"),
    (frozenset({"cache_creation_input_tokens", "cache_read_input_tokens"}), anthropic, "anthropic"),
    (frozenset({"billed_units"}), cohere, "cohere"),
    (frozenset({"pages_processed"}), pages, "mistral_ai"),
    (frozenset({"input_tokens", "output_tokens", "total_tokens"}), openai, ""),
)
