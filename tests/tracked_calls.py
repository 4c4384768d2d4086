"""A call recorded inside of a tracked function."""

from __future__ import annotations

from typing import Any

import outlay


def call(**facts: Any) -> outlay.Call | None:
    """A call recorded inside whatever runs."""
    return outlay.record(usage={"input_tokens": 10, "output_tokens": 2}, model="m", provider="p", **facts)
