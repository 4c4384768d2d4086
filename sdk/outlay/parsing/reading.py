"""Reading: what one answer has said so far.

A reader of a wire format takes a whole body or one event of a stream; the formats are alike enough that most readers
take both. Each format's readers have a module of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

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
    """What the provider says it costs: OpenRouter a number, Perplexity the parts and their total, xAI ticks.

    With a key of one's own OpenRouter's cost is its fee alone, and what the provider behind it charges comes on top.
    """
    cost, ticks, details = usage.get("cost"), usage.get("cost_in_usd_ticks"), usage.get("cost_details")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if cost is None and _is_amount(ticks):
        cost = float(ticks) / TICKS_PER_USD
    if not _is_amount(cost):
        return
    behind = details.get("upstream_inference_cost") if isinstance(details, dict) else None
    reading.cost_usd = float(cost)
    if usage.get("is_byok") is True and _is_amount(behind):
        reading.cost_usd += float(behind)


def _is_amount(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


TICKS_PER_USD = 10_000_000_000


UNDER_WAY = frozenset({"queued", "in_progress"})
