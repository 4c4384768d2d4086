"""What is billed: the parts of a price, the counts of a call that they charge, and how people write their prices.

A price list holds USD per million of every part. Prices are published per million tokens, per thousand searches, per
page: `PRICE_KEYS` names each way to write one, and what to multiply it by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that is billed beside tokens or instead of them. Its name is that of the count in `other_usage`.

    Attributes:
        title: What one of them is.
        per: How prices of it are published: `thousand`, `million`, `minute`, `hour` … (`FACTORS`), the usual one first.
    """

    title: str
    per: tuple[str, ...]


FACTORS: Mapping[str, Decimal] = {
    "one": Decimal(1_000_000),
    "thousand": Decimal(1_000),
    "million": Decimal(1),
    "minute": Decimal(1_000_000) / 60,
    "hour": Decimal(1_000_000) / 3600,
}
"""What a price per so many (or, of seconds, per so long) is multiplied by to be one per million."""

_MANY = ("thousand", "million", "one")
_TIME = ("minute", "hour", "million", "one")
UNITS: Mapping[str, Unit] = {
    "requests": Unit("a request, whatever it uses", _MANY),
    "requests_low": Unit("a request that searches with a small context", _MANY),
    "requests_medium": Unit("a request that searches with a medium context", _MANY),
    "requests_high": Unit("a request that searches with a large context", _MANY),
    "web_searches": Unit("a search of the web by the provider", _MANY),
    "file_searches": Unit("a search in files kept by the provider", _MANY),
    "search_units": Unit("a reranker's search unit: a query with up to 100 documents", _MANY),
    "citation_tokens": Unit("a token of what was cited", ("million", "thousand", "one")),
    "images": Unit("an image made", ("one", "thousand", "million")),
    "input_images": Unit("an image read", ("one", "thousand", "million")),
    "videos": Unit("a video made", ("one", "thousand", "million")),
    "video_seconds": Unit("a second of video made", ("one", *_TIME[:3])),
    "audio_seconds": Unit("a second of audio", _TIME),
    "input_audio_seconds": Unit("a second of audio heard", _TIME),
    "output_audio_seconds": Unit("a second of audio spoken", _TIME),
    "input_pages": Unit("a page of a document read", _MANY),
    "input_annotated_pages": Unit("a page of a document read with annotations", _MANY),
    "input_characters": Unit("a character of text to be spoken", ("million", "thousand", "one")),
    "output_characters": Unit("a character of text written", ("million", "thousand", "one")),
    "input_messages": Unit("a message of text in a session", _MANY),
    "sessions": Unit("a session of a container or a tool", ("one", "thousand", "million")),
    "session_seconds": Unit("a second of a session", ("hour", "minute", "million", "one")),
    "storage_token_hours": Unit("a token kept in a cache for an hour", ("million", "thousand", "one")),
    "compute_seconds": Unit("a second of a machine", _TIME),
    "provider_fee": Unit("a billionth of a dollar that the provider charged beyond the tokens", ()),
    "tool_calls": Unit("a call of a tool at the provider", _MANY),
}
"""Units beside tokens by the name of their count."""

MODALITIES = ("audio", "image", "video")
TEXT_PARTS = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
MODAL_PARTS = tuple(f"{side}_{kind}" for kind in MODALITIES for side in ("input", "cache_read", "output"))
TOKEN_PARTS = frozenset((*TEXT_PARTS, *MODAL_PARTS))
"""Parts that are counted in tokens; every other part of a price is one of `UNITS`."""
REQUIRED_UNITS = ("web_searches", "file_searches", "citation_tokens")
"""Of these an unknown price makes the whole cost unknown. Others come beside tokens where a model is priced by token,
and count only where the list prices them."""


def _price_keys() -> dict[str, tuple[str, Decimal]]:
    found = {f"{part}_usd_per_mtok": (part, Decimal(1)) for part in (*TEXT_PARTS, *MODAL_PARTS)}
    for name, unit in UNITS.items():
        # A second's price per minute is that of sixty of them: `audio_usd_per_minute` beside `audio_seconds_usd_per_…`.
        for per in unit.per:
            key = f"{name.removesuffix('_seconds')}_usd_per_{per}" if per in ("minute", "hour") else ""
            found[key or f"{name}_usd_per_{per}"] = (name, FACTORS[per])
    return found


PRICE_KEYS: Mapping[str, tuple[str, Decimal]] = _price_keys()
"""Each way to write a price: the part of a price list, and what makes it USD per million."""
