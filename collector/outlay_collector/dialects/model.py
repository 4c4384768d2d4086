"""What a dialect table may say: plain, frozen data.

A source names where a value stands: `key` is a span attribute, `key#a.b.0` is the value at that path of the JSON (or
Python repr) text in the attribute or content text `key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Roles a span can have. A call is one request to a model; an aggregate may repeat the sum of what is below it; a raw
# span restates its parent's request; a tail carries the usage of a streamed request that an earlier span opened.
CALL, AGGREGATE, RAW, TAIL, PLAIN = "call", "aggregate", "raw", "tail", "plain"

# Fields a table may fill. Texts first, then counts, then other numbers.
TEXT_FIELDS = (
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "provider_request_id",
    "service_tier",
    "request_tier",
    "region",
    "error_type",
)
# Among `charged_costs`: whatever a dialect reads of costs in JSON texts.
IN_DOCUMENTS = ""
# Counts that a call keeps in `other_usage`.
OTHER_FIELDS = (
    "input_audio_tokens",
    "output_audio_tokens",
    "cache_read_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "cache_read_image_tokens",
    "input_video_tokens",
    "output_video_tokens",
    "cache_read_video_tokens",
    "web_searches",
    "file_searches",
    "search_units",
    "requests_low",
    "requests_medium",
    "requests_high",
    "citation_tokens",
    "images",
    "video_seconds",
    "audio_seconds",
    "input_audio_seconds",
    "input_characters",
    "input_pages",
    "sessions",
)
# Counts of the plain part where a side is told part by part: what is left of the whole is of the one other kind.
TEXT_PARTS = ("input_text_tokens", "output_text_tokens", "cache_read_text_tokens")
# What a provider used to shorten a conversation on its own, billed beside the counts of the answer.
COMPACTION = (
    "compaction_input_tokens",
    "compaction_cache_read_tokens",
    "compaction_cache_write_tokens",
    "compaction_output_tokens",
)
COUNT_FIELDS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "tool_prompt_tokens",
    *TEXT_PARTS,
    *COMPACTION,
    *OTHER_FIELDS,
)
NUMBER_FIELDS = ("cost_usd", "ttft_s", "ttft_ms", "ttft_at", "streamed", "tail_s")
FIELDS = TEXT_FIELDS + COUNT_FIELDS + NUMBER_FIELDS


@dataclass(frozen=True)
class Kind:
    """An attribute that says what a span is: value (lower case, `*x` = ends with x) to role and operation."""

    key: str
    values: Mapping[str, tuple[str, str]]
    otherwise: str = ""  # role of any other value; empty = decided by whether the span has usage


@dataclass(frozen=True)
class Blob:
    """A text that holds a whole usage object, under `key`, at `path` inside it; or, with `part`, that part of one.

    Style says how its counts relate: `wire` as the provider's API counts (Anthropic and Bedrock exclude cached input,
    Gemini's candidates exclude thoughts), `inclusive` as OpenTelemetry counts, `disjoint` as Langfuse counts, `visible`
    as OpenTelemetry counts but for thoughts that only the total has.
    """

    key: str
    path: str = ""
    style: str = "wire"
    part: str = ""


@dataclass(frozen=True)
class Dialect:
    """One way in which spans describe model calls."""

    name: str
    title: str
    # Beginnings of the instrumentation scope's name. A final $ asks for the whole name, a final @<1.2
    # for a version older than 1.2, which goes before a name alone.
    scopes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()  # attributes that give the dialect away in any scope
    rank: int = 50  # of two spans of one request the lower rank is believed
    kinds: tuple[Kind, ...] = ()  # asked in order, before the common ones
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # asked in order, before the common ones
    usage: tuple[Blob, ...] = ()  # asked where a field is not an attribute of its own
    answers: tuple[str, ...] = ()  # texts with whole answers of providers, in which searches are counted
    raw_names: tuple[str, ...] = ()  # span names whose spans restate their parent
    tail: tuple[str, str] = ("", "")  # attribute and value of spans that carry a stream's usage after its end
    input_excludes_cached: tuple[str, ...] = ()  # providers for which the input count leaves cached tokens out
    output_excludes_reasoning: tuple[str, ...] = ()  # providers for which the output count leaves reasoning out
    includes_cached_with: tuple[str, ...] = ()  # attributes of versions that include them for all providers
    aggregate_input: tuple[str, ...] = ()  # input keys that make a span an aggregate, whatever its kind
    # A streamed call without this attribute carries no last word, but an estimate or the count it began with.
    estimated_without: str = ""
    tells_streams: bool = True  # or any call may be a streamed one, unless the application says so on the span
    accumulates: bool = False  # its aggregates count what they ever used, in other traces too
    # Costs that the provider's answer or the application says; others a library worked out from a list of its own.
    charged_costs: tuple[str, ...] = ("outlay.cost.usd", "gen_ai.usage.cost")
    sold_by: str = ""  # who bills these calls, whoever the spans name: a gateway that charges for itself
    notes: tuple[str, ...] = ()
