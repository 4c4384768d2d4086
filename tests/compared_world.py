"""A small world in which everything happens that rows have to be replaced for, and every question about it.

Spans that come late, spans that come twice, requests seen from two traces, cascades (some over several traces),
look-ups in caches, scores, prices and repricings, budgets that change and go, a key that is revoked, a month that is
closed; and a part of the recorded captures. Deployments that live through it are asked the same, and compared.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.corpus import captures
from tests.deployments import JSON

PROTOBUF = "application/x-protobuf"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CAPTURES = 4
STEPS = 16
Body = tuple[str, str, bytes]  # path, content type, content


@dataclass
class World:
    """What is sent, in order."""

    now: datetime
    """The hour it happens in: its last."""
    first: list[Body] = field(default_factory=list)
    captures: list[Body] = field(default_factory=list)
    late: list[Body] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)


def make_world(now: datetime) -> World:
    world = World(now.replace(minute=0, second=0, microsecond=0))
    found = list(captures().values())
    for capture in found[:: len(found) // CAPTURES]:
        for kind, encoding, body in capture.bodies:
            world.captures.append((f"/v1/{kind}", JSON if encoding == "json" else PROTOBUF, body))
    spans, late = _Spans(world).made()
    world.first = list(_bodies(spans))
    world.late = list(_bodies(late + spans[::10]))  # and some of the first once more
    return world


class _Spans:
    """The spans of the world, those that come at once and those that come late."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = random.Random(7)
        self.ids = iter(range(1, 1_000_000))
        self.spans: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []

    def made(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        for n in range(STEPS):
            at = self.world.now - (3 * n + 1) * HOUR + timedelta(minutes=self.dice.randrange(50))
            trace = self.trace()
            own = {"outlay.feature": f"feature-{n % 4}", "user.id": f"user-{n % 7}", "session.id": f"s{n % 9}"}
            root = self.span(at, {**own, "outlay.team": f"team-{n % 2}"}, trace, ms=9000)
            self.calls(n, at, trace, root["spanId"])
            # Every other root comes late: its feature then reaches calls that were settled without.
            (self.late if n % 2 else self.spans).append(root)
            if n % 2 == 0:
                self.cascade(n, at, trace, root["spanId"])
            if n % 6 == 0:
                self.lookup(n, at, trace, root["spanId"])
        return self.spans, self.late

    def calls(self, n: int, at: datetime, trace: str, parent: str) -> None:
        size = 4 if n == 10 else 1  # a spike to explain
        model = "nimbus-large" if n % 3 == 0 else "nimbus-small"
        for k in range(3):
            read = {"gen_ai.usage.cache_read.input_tokens": 400 if n % 5 == 0 else 0}
            chat = _chat(model, f"resp-{n}-{k}", 1000 * size + n, 100 + k) | read | self.levers(n, k)
            self.spans.append(self.span(at + timedelta(seconds=k), chat, trace, parent, failed=n % 11 == 0 and k == 1))
        # A gateway reports the same request in a trace of its own, sometimes late.
        chat = _chat(model, f"resp-{n}-0", 1000 * size + n, 100)
        gateway = self.span(at + timedelta(milliseconds=100), chat, self.trace(), ms=600) | {"scope": "langsmith"}
        (self.late if n % 4 == 1 else self.spans).append(gateway)

    def levers(self, n: int, k: int) -> dict[str, Any]:
        """What a router, two experiments and a prompt said of a call."""
        return {
            "outlay.route.tier": ("cheap", "dear")[n % 2],
            "outlay.route.propensity": 0.5,
            "outlay.experiment.name": "tone",
            "outlay.experiment.arm": ("plain", "warm")[k % 2],
            "outlay.tag.experiment.whole": ("old", "new")[n % 2],
            "gen_ai.prompt.name": "reply",
            "outlay.prompt.version": str(n % 2),
            "outlay.prompt.part.context.tokens": 100 + n,
        }

    def cascade(self, n: int, at: datetime, trace: str, parent: str) -> None:
        """A run of one or two attempts; where there are two, of every other run the second is in another trace."""
        confidence = 0.3 + (n % 50) / 80
        for tier in (0, 1) if confidence < 0.6 else (0,):
            last = confidence >= 0.6 or tier == 1
            said = {
                "outlay.cascade.name": "triage",
                "outlay.cascade.run_id": f"run-{n}",
                "outlay.cascade.tier": tier,
                "outlay.cascade.outcome": "accepted" if last else "escalated",
                "outlay.cascade.confidence": confidence,
                "outlay.cascade.threshold": 0.6,
            }
            apart = tier == 1 and n % 4 == 0
            chat = _chat(("nimbus-small", "nimbus-large")[tier], f"cas-{n}-{tier}", 500, 50) | said
            place = (self.trace(), "") if apart else (trace, parent)
            made = self.span(at + timedelta(minutes=1 + tier), chat, *place)
            self.spans.append(made)
            if last and n % 3 == 0:
                score = {"trace_id": made["traceId"], "span_id": made["spanId"], "name": "quality"}
                self.world.scores.append(score | {"value": (n % 10) / 10})

    def lookup(self, n: int, at: datetime, trace: str, parent: str) -> None:
        said = {"outlay.cache.kind": "semantic", "outlay.cache.hit": n % 12 == 0, "outlay.cache.similarity": 0.9}
        chat = _chat("nimbus-small", f"cache-{n}", 300, 30) | said
        self.spans.append(self.span(at + timedelta(minutes=3), chat, trace, parent))

    def trace(self) -> str:
        return f"{self.dice.getrandbits(128):032x}"

    def span(
        self, at: datetime, said: dict[str, Any], trace: str, parent: str = "", ms: int = 800, failed: bool = False
    ) -> dict[str, Any]:
        start = int(at.timestamp()) * 10**9
        return {
            "traceId": trace,
            "spanId": f"{next(self.ids):016x}",
            "parentSpanId": parent,
            "name": "chat",
            "kind": 3,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + ms * 10**6),
            "attributes": [{"key": name, "value": _value(value)} for name, value in said.items()],
            "status": {"code": 2} if failed else {},
        }


def _chat(model: str, response: str, input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "nimbus",
        "gen_ai.request.model": model,
        "gen_ai.response.model": model,
        "gen_ai.response.id": response,
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
    }


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}


def _bodies(spans: list[dict[str, Any]]) -> Iterator[Body]:
    service = {"key": "service.name", "value": {"stringValue": "shop"}}
    for name in ("outlay", "langsmith"):
        own = [{k: v for k, v in one.items() if k != "scope"} for one in spans if one.get("scope", "outlay") == name]
        scope = {"scope": {"name": name}, "spans": own}
        value = {"resourceSpans": [{"resource": {"attributes": [service]}, "scopeSpans": [scope]}]}
        yield "/v1/traces", JSON, json.dumps(value).encode()


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
