"""What was counted and how much: meters and units of bills in the words of cost lines.

Bills write `cached input`, `input_cached_tokens`, `cache_read_input_tokens`, `USE1-Claude4.5Sonnet-CacheRead…` for one
thing, and count it in tokens, thousands or millions of them. Sources, read in November 2026: OpenAI's
`/v1/organization/costs` (`line_item`, `quantity_unit`), Anthropic's cost and usage reports (`token_type`), meters of
Bedrock, Azure and Vertex AI.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

TOKENS = "tokens"
# Cost lines that one token may be counted under instead of another.
INPUTS = ("input", "cache_read", "cache_write", "cache_write_30m", "cache_write_1h", "cache_write_12h")
METERS = (*INPUTS, "output")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MORE = re.compile(r"audio|image|video|search|fine.?tun|training|storage|session|embed|character|second|minute|reason")
_READ = re.compile(r"cache[ _-]*(?:d|read|hit)|cchd|cached")
_WRITE = re.compile(r"cache[ _-]*(?:write|creat|written)|cached?[ _-]*(?:input[ _-]*)?writ")
_HOUR = re.compile(r"(?<!\d)(?:1|one)[ _-]?h")
_KEPT = {"cache_write_12h": re.compile(r"(?<!\d)12[ _-]?h"), "cache_write_30m": re.compile(r"(?<!\d)30[ _-]?m")}
_INPUT = re.compile(r"\binput|\binpt?\b|prompt")
_OUTPUT = re.compile(r"\boutput|\boutp?t?\b|completion|\bopt\b")
_SCALED = re.compile(r"([\d,]+(?:\.\d+)?)\s*([kmb])?[ _-]*(.*)", re.IGNORECASE)
_BARE = re.compile(r"(?:(\d+) ?([km])|count)")
_PACKS: Mapping[str, int] = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}


def meter_of(text: str) -> str:
    """The cost line that a meter's words speak of; empty where it is another one or cannot be told."""
    plain = _CAMEL.sub(" ", text).lower().replace("_", " ")
    if _MORE.search(plain):
        return ""
    if _WRITE.search(plain):
        kept = next((meter for meter, words in _KEPT.items() if words.search(plain)), "")
        return kept or ("cache_write_1h" if _HOUR.search(plain) else "cache_write")
    if _READ.search(plain):
        return "cache_read"
    if _INPUT.search(plain):
        return "input"
    return "output" if _OUTPUT.search(plain) else ""


def tokens_of(quantity: Decimal, unit: str, meter: str) -> tuple[Decimal, str]:
    """The same of a line whose unit is a bare number, Azure's `1M` or Google's `count`, if its meter is of tokens."""
    found = _BARE.fullmatch(unit.strip().lower())
    if found and meter_of(meter):
        return quantity * int(found[1] or 1) * _PACKS[found[2] or ""], TOKENS
    return counted(quantity, unit)


def counted(quantity: Decimal, unit: str) -> tuple[Decimal, str]:
    """A quantity in single units: 12 of `1000_tokens` are 12,000 `tokens`, 2 of `1M Tokens` two million.

    A unit that is not of tokens stays as it is.
    """
    text = unit.strip()[:60]
    lower = text.lower()
    if "token" not in lower:
        return quantity, text
    found = _SCALED.match(lower)
    if not found:
        pack = 10**6 if "million" in lower else 10**3 if "thousand" in lower else 1
        return quantity * pack, TOKENS
    size = Decimal(found[1].replace(",", "")) * _PACKS[found[2] or ""]
    return quantity * size, TOKENS
