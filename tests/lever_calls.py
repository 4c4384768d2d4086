"""Model calls inside of levers, and what was sent of them."""

from __future__ import annotations

from typing import Any

import outlay
from outlay.testing import Capture


def call(model: str = "gpt-4o", tokens: int = 10) -> None:
    """A call of a made-up client."""
    outlay.record(usage={"input_tokens": tokens, "output_tokens": 2}, model=model, provider="openai")


def attempts(sent: Capture) -> list[dict[str, Any]]:
    """Cascade facts of every span that has an outcome."""
    return [
        {key.rsplit(".", 1)[-1]: value for key, value in span.attributes.items() if "cascade" in key}
        for span in sent.spans
        if "outlay.cascade.outcome" in span.attributes
    ]
