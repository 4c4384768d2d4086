"""Of what kind tokens are: audio, images, video, as usage objects tell it, or as an operation answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from outlay.usage import Usage

KINDS = ("audio", "image", "video")
# Operations whose tokens are of one kind where no parts are told: side, kind.
WHOLE = {
    "image_generation": ("output", "image"),
    "speech": ("output", "audio"),
    "transcription": ("input", "audio"),
}
_FIELDS = frozenset(field.name for field in fields(Usage))


def whole(operation: str, usage: Usage | None) -> Usage | None:
    """Usage with the tokens of an operation that answers in one kind taken for that kind, where no part is told."""
    side, kind = WHOLE.get(operation, ("", ""))
    if usage is None or not side:
        return usage
    total = usage.output_tokens if side == "output" else usage.input_tokens
    if not total or any(name.endswith("_seconds") for name in usage.other):  # billed by its length, beside the text
        return usage
    if any(_of(usage, f"{side}_{each}_tokens") for each in KINDS):
        return usage
    return with_parts(usage, {f"{side}_{kind}_tokens": total})


def with_parts(usage: Usage, parts: Mapping[str, int]) -> Usage:
    """Usage with parts by the names of their counts; what has no field of its own is among the others."""
    known = {name: count for name, count in parts.items() if count and name in _FIELDS}
    other = {name: count for name, count in parts.items() if count and name not in _FIELDS}
    return replace(usage, **known, other={**usage.other, **other}) if known or other else usage  # type: ignore[arg-type]


def in_objects(details: Mapping[str, Any]) -> dict[str, int]:
    """Parts of objects with a name per kind, as OpenAI tells them: by side, `{"audio_tokens": 5}`."""
    return {
        f"{side}_{kind}_tokens": _count(inside.get(f"{kind}_tokens"))
        for side, inside in details.items()
        if isinstance(inside, dict)
        for kind in (*KINDS, "text")
        if f"{kind}_tokens" in inside
    }


def in_lists(details: Mapping[str, Any]) -> dict[str, int]:
    """Parts of lists with an entry per kind, as Gemini tells them: `[{"modality": "AUDIO", "tokenCount": 5}]`."""
    found: dict[str, int] = {}
    for side, entries in details.items():
        for entry in entries if isinstance(entries, list) else ():
            kind = str(entry.get("modality")).lower() if isinstance(entry, dict) else ""
            if kind in (*KINDS, "text"):
                name = f"{side}_{kind}_tokens"
                found[name] = found.get(name, 0) + _count(entry.get("tokenCount"))
    return found


def told(usage: Usage, parts: Mapping[str, int]) -> Usage:
    """Usage with the parts that are told; what is cached and not text is of the only other kind of the input."""
    named = {name: count for name, count in parts.items() if "_text_" not in name}
    only = [kind for kind in KINDS if named.get(f"input_{kind}_tokens")]
    cached_text, read = parts.get("cache_read_text_tokens"), usage.cache_read_tokens
    if cached_text is not None and read and len(only) == 1:
        named.setdefault(f"cache_read_{only[0]}_tokens", max(read - cached_text, 0))
    return with_parts(usage, named)


def _of(usage: Usage, name: str) -> int:
    return (getattr(usage, name) if name in _FIELDS else usage.other.get(name)) or 0


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
