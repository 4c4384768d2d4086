"""The price list that ships: `prices.json.gz` here, and the same text as `sdk/prices.json` to read what changes.

`python -m outlay_collector.prices.snapshot` compiles both from the catalogue.
"""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from typing import Any

NAME = "prices.json.gz"


def price_document() -> dict[str, Any]:
    """The list, as `outlay.pricing.catalog` reads it."""
    document: dict[str, Any] = json.loads(gzip.decompress(files("outlay.pricing").joinpath(NAME).read_bytes()))
    return document
