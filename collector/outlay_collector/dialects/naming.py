"""One name per provider, of whatever a span says of it: what it was called, its model, its host."""

from __future__ import annotations

import re
from functools import lru_cache

from outlay_collector.dialects import providers
from outlay_collector.dialects.recognize import longest_first

_MOST_KEPT = 50_000
_SPELLED = {spelling: name for name, found in providers.SPELLINGS.items() for spelling in found}
_SPELLED |= dict.fromkeys(providers.FRAMEWORKS, "")
_BEGINNINGS = {beginning: name for name, found in providers.MODEL_BEGINNINGS.items() for beginning in found}
_BEGINNING = re.compile(longest_first(_BEGINNINGS))
_HOST = re.compile(longest_first(providers.HOSTS))


@lru_cache(_MOST_KEPT)
def provider_of(written: str, model: str, host: str) -> str:
    """The provider of a request, empty where nothing tells.

    Args:
        written: What the span calls the provider, in lower case.
        model: The model asked for, else the one that answered, in lower case.
        host: Name or address of the host that was asked.
    """
    said = _spelled(written)
    guessed = _of_prefix(model) or _of_beginning(model)
    found = _HOST.search(host)
    if found and said in ("openai", ""):
        return providers.HOSTS[found[0]]
    if not said:
        return guessed
    if said == "openai" and guessed in providers.NEVER_OPENAI:
        return guessed
    return guessed if said == "anthropic" and guessed == "aws.bedrock" else said


def _spelled(written: str) -> str:
    """The name of a spelling: whole, then without what follows its second dot, then its first. Empty for frameworks."""
    parts = written.split(".")
    for spelling in (written, ".".join(parts[:2]), parts[0]):
        if spelling in _SPELLED:
            return _SPELLED[spelling]
    return written


def _of_prefix(model: str) -> str:
    """The provider that stands before a slash in a model's name."""
    prefix, slash, _ = model.partition("/")
    return _SPELLED.get(prefix, "") if slash else ""


def _of_beginning(model: str) -> str:
    """The provider that the beginning of a model's name gives away."""
    found = _BEGINNING.match(model)
    return _BEGINNINGS[found[0]] if found else ""


@lru_cache(_MOST_KEPT)
def is_billed_failure(provider: str, error: str) -> bool:
    """Whether an error's type, in lower case, says that the provider worked, and bills, although the call failed."""
    return any(who in ("", provider) and what in error for who, what in providers.BILLED_FAILURES)
