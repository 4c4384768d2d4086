"""The world of `replay.py`: 126 days of four features that call two models, and what is injected into them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from trickle import value

LEARN_DAYS, WATCH_DAYS, INCIDENTS = 36, 90, 20
HOUR = timedelta(hours=1)
FEATURES = {"chat": (70, 1400, 160), "search": (45, 900, 60), "digest": (25, 5200, 380), "extract": (20, 2100, 40)}
HOURS = (8, 6, 5, 5, 7, 12, 26, 52, 84, 100, 104, 96, 82, 92, 102, 98, 88, 70, 50, 38, 30, 24, 17, 12)
WEEKEND = 0.4
KINDS = {  # what is injected: the driver that it is, and for how many hours
    "three times the requests": ("requests", 24),
    "every second call is tried thrice": ("retries", 12),
    "twice the prompt": ("input_tokens", 48),
    "thrice the answer": ("output_tokens", 36),
    "no cache": ("cache_share", 36),
    "a dearer model": ("model_mix", 24),
}


@dataclass(frozen=True)
class Injected:
    """What happens to one feature for some hours."""

    kind: str
    feature: str
    begin: datetime
    end: datetime


def injected(first: datetime, chance: random.Random, zone: ZoneInfo) -> list[Injected]:
    """Twenty, each in its part of the ninety days, in working hours."""
    out = []
    for number in range(INCIDENTS):
        day = first + timedelta(days=LEARN_DAYS + number * WATCH_DAYS / INCIDENTS)
        begin = day.astimezone(zone).replace(hour=9, minute=0) + chance.randrange(6) * HOUR
        while begin.weekday() >= 5:
            begin += timedelta(days=1)
        kind = list(KINDS)[number % len(KINDS)]
        feature = list(FEATURES)[(number + number // len(FEATURES)) % len(FEATURES)]
        begin = begin.astimezone(UTC)
        out.append(Injected(kind, feature, begin, begin + KINDS[kind][1] * HOUR))
    return out


def spans(first: datetime, incidents: list[Injected], seed: int, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """Every call as OTLP/JSON, the oldest first; the same seed draws the same traffic with incidents or without.

    People work by the clock of `zone`, so their hours move where it is changed.
    """
    number = 0
    for hour in range((LEARN_DAYS + WATCH_DAYS) * 24):
        at = first + hour * HOUR
        local = at.astimezone(zone)
        chance = random.Random(f"{seed}/{hour}")
        for feature, (rate, read, written) in FEATURES.items():
            here = next((one for one in incidents if one.feature == feature and one.begin <= at < one.end), None)
            kind = here.kind if here else ""
            busy = rate * HOURS[local.hour] / 100 * (WEEKEND if local.weekday() >= 5 else 1.0)
            count = arrivals(busy, chance)
            for _ in range(count * (3 if kind == "three times the requests" else 1)):
                tokens = read * chance.lognormvariate(0, 0.4), written * chance.lognormvariate(0, 0.5)
                factor = (2 if kind == "twice the prompt" else 1, 3 if kind == "thrice the answer" else 1)
                said = [max(1, round(one * times)) for one, times in zip(tokens, factor, strict=True)]
                cached = 0 if kind == "no cache" else round(said[0] * 0.6)
                model = "gpt-4o" if kind == "a dearer model" or chance.random() < 0.1 else "gpt-4o-mini"
                tries = 3 if kind == "every second call is tried thrice" and chance.random() < 0.5 else 1
                start = at + timedelta(seconds=chance.uniform(0, 3590))
                for attempt in range(1, tries + 1):
                    number += 1
                    yield span(number, start, feature, model, said, cached, attempt)


def arrivals(mean: float, chance: random.Random) -> int:
    """How many come by chance where `mean` are usual."""
    count, left = -1, mean
    while left > 0:
        left -= chance.expovariate(1)
        count += 1
    return max(count, 0)


def span(
    number: int, at: datetime, feature: str, model: str, tokens: list[int], cached: int, attempt: int
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": f"r-{number}",
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.cache_read.input_tokens": cached,
        "gen_ai.usage.output_tokens": tokens[1],
        "outlay.feature": feature,
        "outlay.attempt": attempt,
    }
    start = int(at.timestamp() * 1e9)
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": f"chat {model}",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 900_000_000),
        "attributes": [{"key": key, "value": value(held)} for key, held in given.items()],
        "status": {},
    }
