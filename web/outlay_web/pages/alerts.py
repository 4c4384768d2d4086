"""/alerts: what is wrong now and what was, why, and the buttons to take it on or to silence it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup
from starlette.requests import Request

from outlay_analytics import alerts
from outlay_analytics.window import BadRequest
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.context import Context
from outlay_web.pages import calls as calls_page
from outlay_web.pages.budgets import back
from outlay_web.pages.explain import DRIVERS
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.view import Link, View

ALLOWED = ("state",)
STATES = ("pending", "firing", "resolved")
TONES = {"firing": "bad", "pending": "warn", "resolved": "fine"}
SILENCES = (("1h", "1 hour"), ("4h", "4 hours"), ("24h", "a day"), ("168h", "a week"))


@dataclass(frozen=True)
class Shown:
    """An alert as the page shows it."""

    id: str
    state: str
    badge: Markup
    summary: str
    reason: str
    since: Any
    until: Any
    drivers: list[str]
    href: str
    acknowledged: bool
    silenced_until: Any


def page(view: View) -> Page:
    state = view.choice("state", ("", *STATES), "")
    found = alerts.list_alerts(view.ctx.store, view.scope.project)["alerts"]
    chosen = [one for one in found if not state or one["state"] == state]
    links = [Link(f"all {len(found)}", view.here(state=None), not state)]
    for name in STATES:
        number = sum(one["state"] == name for one in found)
        links.append(Link(f"{name} {number}", view.here(state=name), state == name))
    data = {
        "alerts": [shown(view, one) for one in chosen],
        "table": table(view, chosen) if chosen else None,
        "links": links,
        "any": bool(found),
        "silences": SILENCES,
        "project": view.scope.project,
    }
    return Page("alerts.html", "Alerts", "What needs somebody's attention?", data)


def summary_of(one: Row) -> str:
    return str(one.get("summary") or one.get("rule") or one.get("name") or "alert")


def driver_texts(found: Sequence[Any]) -> list[str]:
    out = []
    for one in found:
        if isinstance(one, Mapping) and one.get("usd") is not None:
            title = DRIVERS.get(str(one.get("driver")), (str(one.get("driver")), ""))[0]
            out.append(f"{title} {fmt.usd_text(one['usd'], signed=True)}")
    return out


def shown(view: View, one: Row) -> Shown:
    state = str(one["state"])
    began, ended = one.get("started_at"), one.get("resolved_at") or one.get("ended_at")
    filters = {
        str(k): str(v[0] if isinstance(v, list | tuple) and v else v) for k, v in dict(one.get("scope") or {}).items()
    }
    start = began - timedelta(hours=1) if isinstance(began, datetime) else None
    href = view.to(
        "/explain",
        start=fmt.rfc3339(start) if start else None,
        end=fmt.rfc3339(ended) if isinstance(ended, datetime) else None,
        **filters,
    )
    return Shown(
        str(one["id"]),
        state,
        calls_page.badge(state, TONES.get(state, "")),
        fmt.name_text(summary_of(one)),
        str(one.get("description") or one.get("reason") or ""),
        began,
        ended,
        driver_texts(one.get("drivers") or []),
        href,
        bool(one.get("acknowledged_at") or one.get("acked")),
        one.get("silenced_until"),
    )


def table(view: View, found: Sequence[Row]) -> Table:
    columns = [
        Column("State", "text", "state"),
        Column("What", "text", "summary"),
        Column("Since", "time", "started_at"),
        Column("Until", "time", "resolved_at"),
        Column("Reason", "text", "reason"),
        Column("Drivers", "text", "drivers"),
    ]
    rows = [
        [
            Cell(one["state"]),
            Cell(summary_of(one)),
            Cell(one.get("started_at")),
            Cell(one.get("resolved_at") or one.get("ended_at")),
            Cell(one.get("description") or one.get("reason")),
            Cell("; ".join(driver_texts(one.get("drivers") or []))),
        ]
        for one in found
    ]
    return Table("alerts", "Alerts", columns, rows, timezone=view.timezone)


def acknowledge(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    with ctx.writing() as writer:
        alerts.acknowledge(ctx.store, writer, request.state.project, form.get("id", ""), now=ctx.now())
    return back(request, "/alerts")


def silence(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    hours = {value: int(value[:-1]) for value, _ in SILENCES}
    chosen = form.get("for", "24h")
    if chosen not in hours:
        raise BadRequest(f"for must be one of {', '.join(hours)}, not {chosen[:80]!r}")
    until = ctx.now() + timedelta(hours=hours[chosen])
    with ctx.writing() as writer:
        alerts.silence(ctx.store, writer, request.state.project, form.get("id", ""), until, now=ctx.now())
    return back(request, "/alerts")


FORMS = (("/alerts/ack", acknowledge), ("/alerts/silence", silence))
