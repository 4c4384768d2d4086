"""An estimate of tokens for streams that ended without usage. Always marked as one.

About four characters per token for text in Latin letters and one and a half for other scripts: what the providers
name as rules of thumb. Where the provider gave a count (Anthropic sends the input's at the start) that count stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from outlay.usage import Usage

_SKIPPED = frozenset({"model", "role", "type", "id", "data", "image_url", "url", "media_type", "mime_type"})


def tokens_of(text: str) -> float:
    """Roughly how many tokens a text has."""
    plain = len(text.encode("ascii", "ignore"))
    return plain / 4 + (len(text) - plain) / 1.5


def words_of(value: Any, depth: int = 0) -> Iterator[str]:
    """The texts in a prompt of any shape: texts, messages, lists of them; links and pictures are left out."""
    if isinstance(value, str):
        yield value
    elif depth < 16:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key not in _SKIPPED:
                    yield from words_of(inner, depth + 1)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                yield from words_of(inner, depth + 1)


def estimate_usage(
    known: Usage | None, request: Mapping[str, Any], answer: tuple[list[str], float] | None
) -> Usage | None:
    """Fill what `known` lacks; None where there is nothing to go by."""
    if answer is None:
        return replace(known, estimated=True) if known is not None and known.output_tokens is not None else known
    texts, share = answer
    output = round(sum(map(tokens_of, texts)) / max(share, 1e-6))
    if known is not None and known.input_tokens is not None:
        return replace(known, output_tokens=max(output, known.output_tokens or 0, 1), estimated=True)
    prompt = sum(map(tokens_of, words_of(dict(request))))
    return Usage(input_tokens=max(round(prompt), 1), output_tokens=max(output, 1), estimated=True) if prompt else known
