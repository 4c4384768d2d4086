"""Reading: what one answer has said so far.

A reader of a wire format takes a whole body or one event of a stream; the formats are alike enough that most readers
take both. Each format's readers have a module of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outlay import semconv
from outlay.usage import Usage

Json = Mapping[str, Any]


class Reading:
    """What is known about one answer. Readers fill it."""

    __slots__ = (
        "cost_usd",
        "done",
        "elsewhere",
        "error",
        "finish_reasons",
        "in_background",
        "provider",
        "raw_usage",
        "region",
        "response_id",
        "response_model",
        "service_tier",
        "text",
        "usage",
        "waits",
    )

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.elsewhere: list[tuple[str, Usage]] = []  # billed beside it, at another model's price
        self.raw_usage: dict[str, Any] = {}
        self.provider: str | None = None  # whose words these are, where a path is shared
        self.response_id: str | None = None
        self.response_model: str | None = None
        self.service_tier: str | None = None
        self.region: str | None = None
        self.finish_reasons: dict[int, str] = {}
        self.cost_usd: float | None = None
        self.error: str | None = None
        self.done = False  # the provider has said everything that matters
        self.waits = False  # the answer says only that the request is queued or under way
        self.in_background = False
        self.text: list[str] | None = None  # filled only when somebody wants the words

    def attributes(self, provider: str) -> dict[str, Any]:
        """What a span says of the answer, usage apart."""
        found: dict[str, Any] = {}
        if self.response_id:
            found[semconv.RESPONSE_ID] = self.response_id
        if self.response_model:
            found[semconv.RESPONSE_MODEL] = self.response_model
        if self.finish_reasons:
            found[semconv.FINISH_REASONS] = tuple(self.finish_reasons[i] for i in sorted(self.finish_reasons))
        if self.service_tier:
            found[semconv.service_tier_key(provider)] = self.service_tier
        if self.region:
            found[semconv.REGION] = self.region
        if self.cost_usd is not None:
            found[semconv.COST_USD] = self.cost_usd
        return found

    def say(self, text: Any) -> None:
        """Keep words of the answer, if they are wanted."""
        if self.text is not None and isinstance(text, str):
            self.text.append(text)


Reader = Callable[[Reading, Json], None]


def text_of(value: Any) -> str | None:
    """`value` if it is a text that says something."""
    return value if isinstance(value, str) and value else None


def read_error(reading: Reading, body: Json) -> bool:
    """Read an error body; the formats nest it alike."""
    error = body.get("error")
    if not error:
        return False
    if isinstance(error, dict):
        kind = error.get("type") or error.get("status") or error.get("code")
        reading.error = str(kind) if kind else "error"
    else:
        reading.error = "error"
    return True


def read_cost(reading: Reading, usage: Json) -> None:
    """What the provider says it costs: OpenRouter a number, Perplexity the parts and their total."""
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if isinstance(cost, (int, float)) and not isinstance(cost, bool):
        reading.cost_usd = float(cost)


UNDER_WAY = frozenset({"queued", "in_progress"})
