"""What happens in a deployment and what it answers to every question; where two deployments differ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.compared_world import DAY, Body, World, stamp
from tests.deployments import Deployment, Said

PRICES = {"nimbus-small": ("1", "0.1", "4"), "nimbus-large": ("10", "1", "40")}
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
    window = {"start": stamp(world.now - 2 * DAY), "end": stamp(world.now + DAY)}
    does("POST", "/admin/resettle", {"start": stamp(world.now - DAY), "end": stamp(world.now)})
    does("PUT", "/prices", _prices(2), "PUT /prices again")
    does("POST", "/reprice", window | {"dry_run": True}, "POST /reprice dry")
    does("POST", "/reprice", window)
    undone = does("POST", "/reprice", {**window, "start": stamp(world.now - DAY)}, "POST /reprice nothing left")
    assert undone["calls"] == 0
    does("PUT", "/prices", _prices(3), "PUT /prices a third time")
    moved = does("POST", "/reprice", {**window, "start": stamp(world.now - DAY)}, "POST /reprice to be undone")
    does("POST", "/reprice/undo", {"id": moved["id"]}, "POST /reprice/undo")
    does("POST", "/admin/close", {"month": stamp(world.now - 40 * DAY)[:7]})
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
    window = {"start": stamp(now - 400 * DAY), "end": stamp(now + DAY)}
    week = {"start": stamp(now - 5 * DAY), "end": stamp(now)}
    spike = {"start": stamp(now - 2 * DAY), "end": stamp(now - DAY)}
    spike |= {"base_start": stamp(now - 3 * DAY), "base_end": stamp(now - 2 * DAY)}

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
    asks("/report", day=stamp(now - DAY)[:10])
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
