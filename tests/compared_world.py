"""A small world in which everything happens that rows have to be replaced for, and every question about it.

Spans that come late, spans that come twice, requests seen from two traces, cascades (some over several traces),
look-ups in caches, scores, prices and repricings, budgets that change and go, a key that is revoked, a month that is
closed; and a part of the recorded captures. Deployments that live through it are asked the same, and compared.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.corpus import captures
from tests.deployments import JSON, Deployment, Said

PROTOBUF = "application/x-protobuf"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PRICES = {"nimbus-small": ("1", "0.1", "4"), "nimbus-large": ("10", "1", "40")}
CAPTURES = 4
STEPS = 16
# Names of this run, moments that it had, and how long something took: not what is so.
OWN = {
    "id", "alert_id", "applied_at", "asked_at", "busy_seconds", "closed_at", "created_at", "disk_bytes", "evaluated_at",
    "fired_at", "imported_at", "jobs", "key", "known_since", "lag_seconds", "last_used_at", "notified_at", "prefix",
    "price_version", "received_at", "resolved_at", "revoked_at", "runs", "spool", "spool_bytes", "trained_at",
    "undone", "updated_at", "version",
}  # fmt: skip
BY = ("feature", "model", "user", "cost_state", "feature,model")
LISTS = (
    "/budgets", "/budgets/all", "/budgets/gone", "/reprice", "/admin/keys", "/admin/close", "/reconcile", "/incidents",
    "/rules", "/markers", "/revenue",
)  # fmt: skip
LEVERS = ("/quality", "/tradeoff", "/routing", "/prompts", "/experiments", "/experiments/tone", "/experiments/whole")
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


def live(one: Deployment, world: World) -> dict[str, Said]:
    """Everything that happens; what was answered to it."""
    said: dict[str, Said] = {}

    def does(method: str, path: str, value: Any = None, title: str = "", **more: Any) -> Any:
        one.clock.now += timedelta(seconds=1)
        said[title or f"{method} {path}"] = answer = one.request(method, f"/api/v1{path}", value, **more)
        return answer.value

    does("PUT", "/prices", _prices(1))
    for name, usd in (("all", "5"), ("feature-1", "0.001"), ("gone", "1"), ("changed", "1")):
        scope = {"feature": name} if name.startswith("feature") else {}
        does("PUT", f"/budgets/{name}", {"amount_usd": usd, "period": "month", "scope": scope})
    said["send"] = _send(one, world.first)
    one.settle()
    said["send captures"] = _send(one, world.captures)
    one.settle()
    one.clock.now += timedelta(minutes=3)
    one.roll_up()
    said["send late"] = _send(one, world.late)
    for score in world.scores:
        one.request("POST", "/api/v1/scores", score)
    one.settle()
    one.judge()
    does("DELETE", "/budgets/gone")
    does("PUT", "/budgets/changed", {"amount_usd": "7", "period": "week"}, "PUT /budgets/changed again")
    made = [does("POST", "/admin/keys", {"project": "default", "role": "project"}, f"key {n}") for n in (1, 2)]
    does("POST", "/admin/keys/revoke", {"prefix": made[0]["prefix"]})
    for application in one.applications:
        application.context.authenticator.keys.refresh()
    does("GET", "/calls?limit=1", title="with the revoked key", key=made[0]["key"])
    does("GET", "/prices?model=nimbus-small", title="with the live key", key=made[1]["key"])
    window = {"start": _stamp(world.now - 2 * DAY), "end": _stamp(world.now + DAY)}
    does("POST", "/admin/resettle", {"start": _stamp(world.now - DAY), "end": _stamp(world.now)})
    does("PUT", "/prices", _prices(2), "PUT /prices again")
    does("POST", "/reprice", window | {"dry_run": True}, "POST /reprice dry")
    does("POST", "/reprice", window)
    undone = does("POST", "/reprice", {**window, "start": _stamp(world.now - DAY)}, "POST /reprice nothing left")
    assert undone["calls"] == 0
    does("PUT", "/prices", _prices(3), "PUT /prices a third time")
    moved = does("POST", "/reprice", {**window, "start": _stamp(world.now - DAY)}, "POST /reprice to be undone")
    does("POST", "/reprice/undo", {"id": moved["id"]}, "POST /reprice/undo")
    does("POST", "/admin/close", {"month": _stamp(world.now - 40 * DAY)[:7]})
    usage = {"input_tokens": 9, "output_tokens": 1}
    does("POST", "/estimate", {"calls": [{"provider": "nimbus", "model": "nimbus-large", "usage": usage}]})
    one.settle()
    one.clock.now += timedelta(minutes=11)
    one.roll_up()
    one.judge()
    return said


def ask(one: Deployment, world: World) -> dict[str, Said]:
    """Every question, and what was answered."""
    said: dict[str, Said] = {}
    now = world.now
    window = {"start": _stamp(now - 400 * DAY), "end": _stamp(now + DAY)}
    week = {"start": _stamp(now - 5 * DAY), "end": _stamp(now)}
    spike = {"start": _stamp(now - 2 * DAY), "end": _stamp(now - DAY)}
    spike |= {"base_start": _stamp(now - 3 * DAY), "base_end": _stamp(now - 2 * DAY)}

    def asks(path: str, title: str = "", **query: str) -> None:
        said[f"{path} {title}".strip()] = one.get(path, **query)

    asks("/status")
    asks("/spend", **window)
    for by in BY:
        asks("/spend", f"by {by}", group_by=by, **window)
    asks("/spend", "by day", interval="day", **week)
    asks("/spend", "by day and user", interval="day", group_by="user", **week)
    asks("/spend", "by hour and feature", interval="hour", group_by="feature", **week)
    asks("/spend", "of feature-1", feature="feature-1", **week)
    asks("/explain", **spike)
    asks("/caching", **week)
    asks("/caching", "by feature", group_by="feature", **week)
    asks("/cascades", **week)
    asks("/cascades", "by day", interval="day", **week)
    asks("/cascades/triage/thresholds", **week)
    asks("/forecast")
    asks("/anomalies", **week)
    for path in LISTS:
        asks(path)
    for path in LEVERS:
        asks(path, **week)
    asks("/quality", "by model and day", group_by="model", interval="day", **week)
    asks("/spend", "of what is scored badly", group_by="model", **{"score.quality": "<0.5"}, **week)
    asks("/unit-costs", "per user", per="user", **week)
    asks("/unit-costs", "per request", per="request", **week)
    asks("/showback", "by team", by="team", **week)
    asks("/decide", "two models", by="model", first="nimbus-small", second="nimbus-large", **week)
    changes = [{"replace_model": {"from": "nimbus-large", "to": "nimbus-small"}}]
    said["/simulate"] = one.request("POST", "/api/v1/simulate", {**week, "changes": changes})
    asks("/alerts", state="firing")
    asks("/alerts", "resolved", state="resolved")
    asks("/prices", model="nimbus-small")
    asks("/prices", "missing", missing="true", **window)
    asks("/report", day=_stamp(now - DAY)[:10])
    for rows in ("calls", "traces"):
        said[f"/{rows}, all pages"] = Said(200, list(_pages(one, rows, window)))
    for trace in [score["trace_id"] for score in world.scores]:
        asks(f"/traces/{trace}")
    for page in ["/", "/spend", "/cascades", "/alerts"]:
        said[f"page {page}"] = Said(one.request("GET", page).status, None)
    return said


def differences(right: dict[str, Said], other: dict[str, Said]) -> dict[str, str]:
    """By question where the answers differ first; only questions where they do."""
    assert right.keys() == other.keys()
    found = {}
    for question, wanted in right.items():
        answer = other[question]
        if answer.status != wanted.status:
            found[question] = f"{answer.status} instead of {wanted.status}: {str(answer.value)[:300]}"
        elif told := difference(wanted.value, answer.value):
            found[question] = told
    return found


def difference(right: Any, said: Any, at: str = "") -> str:
    """The first place where two answers differ, for people; empty if they agree."""
    if isinstance(right, dict) and isinstance(said, dict):
        names = [name for name in {**right, **said} if name not in OWN]
        return next((d for n in names if (d := difference(right.get(n, "—"), said.get(n, "—"), f"{at}.{n}"))), "")
    if isinstance(right, list) and isinstance(said, list):
        if len(right) != len(said):
            return f"{at or '.'}: {len(said)} rows instead of {len(right)}"
        pairs = enumerate(zip(right, said, strict=True))
        return next((d for n, pair in pairs if (d := difference(*pair, f"{at}[{n}]"))), "")
    # Money is exact, as text; what was added up as floating point may differ in its last bits.
    if isinstance(right, float) and isinstance(said, float) and math.isclose(right, said, rel_tol=1e-9):
        return ""
    return "" if right == said else f"{at or '.'}: {str(said)[:80]!r} instead of {str(right)[:80]!r}"


def _pages(one: Deployment, rows: str, window: dict[str, str]) -> Iterator[Any]:
    more: dict[str, str] = {}
    while True:
        answer = one.get(f"/{rows}", limit="200", **window, **more)
        assert answer.status == 200, answer
        yield from answer.value[rows]
        if not answer.value.get("next_cursor"):
            return
        more = {"cursor": answer.value["next_cursor"]}


def _send(one: Deployment, bodies: list[Body]) -> Said:
    answers = [one.request("POST", path, body=body, kind=kind).status for path, kind, body in bodies]
    return Said(200, answers)


def _prices(scale: int) -> dict[str, Any]:
    rows = [
        {
            "provider": "nimbus",
            "model": model,
            "valid_from": "2020-01-01T00:00:00Z",
            "source": f"list {scale}",
            "input_usd_per_mtok": str(int(given[0]) * scale),
            "cache_read_usd_per_mtok": given[1],
            "output_usd_per_mtok": given[2],
        }
        for model, given in PRICES.items()
    ]
    return {"prices": rows}


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


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
