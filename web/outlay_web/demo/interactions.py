"""What happens at the demo's company: calls, whose they are, and the user actions that cause them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Call:
    """One request to a provider, or one answer from the company's own cache."""

    provider: str
    model: str
    started_at: datetime
    duration_ms: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    operation: str = "chat"
    streamed: bool = False
    time_to_first_token_ms: int = 0
    error: str = ""
    attempt: int = 1
    request_id: str = ""
    cascade_tier: int = -1
    cascade_outcome: str = ""
    cascade_confidence: float = 0.0
    cache_kind: str = ""
    cache_hit: bool = False
    cache_similarity: float = 0.0
    prompt_parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Person:
    """Who asked, for which customer, in which session."""

    customer: str
    user: str
    session: str


@dataclass(frozen=True)
class Interaction:
    """What one user action caused: the calls under one tracked function."""

    feature: str
    team: str
    who: Person
    prompt: str
    prompt_version: str
    started_at: datetime
    calls: tuple[Call, ...]
    cascade: str = ""
    experiment: str = ""
    arm: str = ""
    route_tier: str = ""
    route_propensity: float | None = None
    scores: tuple[tuple[str, float], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def ended_at(self) -> datetime:
        return max(call.started_at + timedelta(milliseconds=call.duration_ms) for call in self.calls)
