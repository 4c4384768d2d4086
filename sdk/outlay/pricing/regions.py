"""Where a request was answered, as far as that is a matter of price: of a host, a model's resource name or the answer.

Clouds sell a model through a global endpoint and, dearer, through one that stays in a region or a geography; model
makers do the same by host or by a parameter. A region here is the cloud's own word (`us-east5`, `eu-central-1`, `eu`);
the global endpoint has none.
"""

from __future__ import annotations

import re
from functools import lru_cache

ANY_REGION = "regional"
"""What a price list calls every region and geography at once."""
_NOWHERE = frozenset({"", "global", "not_available", "none", "unknown", "unspecified", "default", "auto"})
_GEOGRAPHIES = {"europe": "eu", "asia": "apac", "ap": "apac", "northamerica": "na", "southamerica": "sa"}
_LOCATION = re.compile(r"(?:^|/)locations/([a-z0-9-]+)/")
_ARN = re.compile(r"^arn:aws[\w-]*:bedrock:([a-z0-9-]+):")
_PROFILE = re.compile(
    r"^(?:.*/)?(us|eu|apac|jp|au|ca|sa|us-gov|global)\.(?:anthropic|amazon|meta|mistral|cohere|openai)\."
)
_HOSTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"([a-z0-9-]+?)-aiplatform\.(?:mtls\.)?googleapis\.com",
        r"aiplatform\.([a-z0-9-]+)\.rep\.googleapis\.com",
        r"([a-z]{2,4})\.api\.openai\.com",
        r"bedrock(?:-runtime|-mantle)?(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)",
    )
)
_HOST = re.compile(r"(?:(?:[a-z][a-z0-9+.-]*:)?//)?(?:[^/?#@]*@)?([^/?#]*)")


@lru_cache(50_000)
def region_of(said: str, model: str = "", host: str = "") -> str:
    """The region or geography that answered; empty for the global endpoint, and where nothing tells.

    Args:
        said: What the answer or the span says of it.
        model: The model's name as it was asked for: a resource name, or an inference profile.
        host: Name or address of the host that was asked; of a URL nothing but its host tells.
    """
    if said:
        return canonical_region(said)
    model, host = model.lower(), host_of(host)
    for found in (_PROFILE.match(model), _LOCATION.search(model), _ARN.match(model)):
        if found:
            return canonical_region(found[1])
    for pattern in _HOSTS:
        found = pattern.match(host)
        if found:
            return canonical_region(found[1])
    return ""


def host_of(address: str) -> str:
    """The host of a URL, or of an address that is one, in lower case, with its port."""
    found = _HOST.match(address.lower())
    return found[1] if found else ""


def canonical_region(said: str) -> str:
    """A region as it is written in a price: lower case, empty for the global endpoint."""
    region = said.strip().lower()
    return "" if region in _NOWHERE else region


def in_region(tier: str, region: str) -> str:
    """A service tier's name in a region: `batch@eu`; without a region the tier's own."""
    return f"{tier}@{region}" if region else tier


def regions_around(region: str) -> tuple[str, ...]:
    """A region's names in a price list, the narrowest first: itself, its geography, any."""
    if not region:
        return ()
    first = region.partition("-")[0]
    return tuple(dict.fromkeys((region, _GEOGRAPHIES.get(first, first), ANY_REGION)))
