"""Usage: the token counts of one call, whatever the provider called them.

Providers disagree on names and on what includes what. Here totals include their parts (`input_tokens` includes cache
reads and writes, `output_tokens` includes reasoning), `None` means that nobody said, and it is never the same as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from outlay import semconv


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one call. Every count is `None` when it is unknown.

    Attributes:
        input_tokens: All prompt tokens, cached ones included.
        cache_read_tokens: The part of the input that the provider read from its cache.
        cache_write_tokens: The part of the input that was written to the cache, for any time.
        cache_write_1h_tokens: The part of the cache writes kept for longer: an hour (Anthropic), twelve (OpenAI).
        output_tokens: All generated tokens, reasoning included.
        reasoning_tokens: The part of the output that was reasoning.
        input_audio_tokens, input_image_tokens, cache_read_audio_tokens: Parts of the input with prices of their own.
        output_audio_tokens, output_image_tokens: Parts of the output with prices of their own.
        web_searches: Server-side searches that are billed per request.
        other: Further counts by name, e.g. ``{"search_units": 1}``.
        estimated: The counts are an estimate and not the provider's.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    cache_read_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    output_image_tokens: int | None = None
    web_searches: int | None = None
    other: Mapping[str, int] = field(default_factory=dict)
    estimated: bool = False

    @classmethod
    def of(cls, value: Usage | Mapping[str, Any]) -> Usage:
        """`value` itself, or a `Usage` of a dict with these names; names that it does not know land in `other`.

        Raises:
            ValueError: If a count is negative, not a whole number, or a part is larger than its total.
        """
        if isinstance(value, Usage):
            return value
        other = _read(value)
        known = {name: other.pop(name) for name in tuple(other) if name in _COUNTED}
        return cls(**known, other=other, estimated=bool(value.get("estimated")))

    def plus(self, more: Usage) -> Usage:
        """Both together; a count that only one of them knows stays."""
        sums: dict[str, Any] = {}
        for name in _COUNTS:
            mine, theirs = getattr(self, name), getattr(more, name)
            sums[name] = mine if theirs is None else theirs if mine is None else mine + theirs
        other = {name: self.other.get(name, 0) + more.other.get(name, 0) for name in {*self.other, *more.other}}
        return Usage(**sums, other=other, estimated=self.estimated or more.estimated)

    def __bool__(self) -> bool:
        """Whether anything at all is known."""
        return any(getattr(self, name) is not None for name in _COUNTS) or bool(self.other)

    def attributes(self) -> dict[str, Any]:
        """The counts that are known, under the names that spans carry."""
        found: dict[str, Any] = {}
        for attribute, read in _ATTRIBUTES:
            count = read(self)
            if count is not None:
                found[attribute] = count
        for name, count in self.other.items():
            found[semconv.OTHER_USAGE_PREFIX + name] = count
        if self.estimated:
            found[semconv.USAGE_ESTIMATED] = True
        return found


_COUNTS = tuple(f.name for f in fields(Usage) if f.name not in ("other", "estimated"))
_MOST = 2**63 - 1  # what OTLP can say
_COUNTED = frozenset(_COUNTS)
USAGE_ATTRIBUTES = {
    "input_tokens": semconv.INPUT_TOKENS,
    "cache_read_tokens": semconv.CACHE_READ_TOKENS,
    "cache_write_tokens": semconv.CACHE_WRITE_TOKENS,
    "cache_write_1h_tokens": semconv.CACHE_WRITE_1H_TOKENS,
    "output_tokens": semconv.OUTPUT_TOKENS,
    "reasoning_tokens": semconv.REASONING_TOKENS,
    "input_audio_tokens": semconv.INPUT_AUDIO_TOKENS,
    "input_image_tokens": semconv.INPUT_IMAGE_TOKENS,
    "cache_read_audio_tokens": semconv.CACHE_READ_AUDIO_TOKENS,
    "output_audio_tokens": semconv.OUTPUT_AUDIO_TOKENS,
    "output_image_tokens": semconv.OUTPUT_IMAGE_TOKENS,
    "web_searches": semconv.OTHER_USAGE_PREFIX + "web_searches",
}
_ATTRIBUTES = tuple((USAGE_ATTRIBUTES[name], attrgetter(name)) for name in _COUNTS)


def attributes_of_usage(value: Usage | Mapping[str, Any]) -> dict[str, Any]:
    """What `Usage.of(value).attributes()` says, in less time.

    Raises:
        ValueError: As `Usage.of`.
    """
    if isinstance(value, Usage):
        return value.attributes()
    names = USAGE_ATTRIBUTES
    found: dict[str, Any] = {
        names.get(name) or semconv.OTHER_USAGE_PREFIX + name: count for name, count in _read(value).items()
    }
    if value.get("estimated"):
        found[semconv.USAGE_ESTIMATED] = True
    return found


def _read(value: Mapping[str, Any]) -> dict[str, int]:
    """The counts by name, once they make sense."""
    counts: dict[str, int] = {}
    for name, count in value.items():
        if type(count) is not int:
            if count is None or name == "estimated":
                continue
            if name == "other":
                counts.update(_read(count))
                continue
            if isinstance(count, bool) or int(count) != count:
                raise ValueError(f"usage {name} must be a whole number of at least 0, not {count!r}")
            count = int(count)
        if not 0 <= count <= _MOST:
            raise ValueError(f"usage {name} must be a whole number of at least 0, not {count!r}")
        counts[name] = count
    cached = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
    if cached > counts.get("input_tokens", cached):
        raise ValueError(
            f"usage cache_read_tokens + cache_write_tokens ({cached}) cannot exceed"
            f" input_tokens ({counts['input_tokens']}), which includes them"
        )
    reasoning = counts.get("reasoning_tokens", 0)
    if reasoning > counts.get("output_tokens", reasoning):
        raise ValueError(
            f"usage reasoning_tokens ({reasoning}) cannot exceed"
            f" output_tokens ({counts['output_tokens']}), which includes them"
        )
    return counts


def usage_of_attributes(attributes: Mapping[str, Any]) -> dict[str, int]:
    """The counts that span attributes carry, by the names of `Usage`."""
    found: dict[str, int] = {}
    for name, key in USAGE_ATTRIBUTES.items():
        if key in attributes:
            found[name] = attributes[key]
    prefix = semconv.OTHER_USAGE_PREFIX
    for key, value in attributes.items():
        if key.startswith(prefix) and type(value) is int and "." not in key[len(prefix) :]:
            found[key[len(prefix) :]] = value
    return found
