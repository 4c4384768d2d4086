"""/alerts: what is wrong now and what was, why, and the buttons to take it on or to silence it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request

from outlay_analytics.alerting import listing
from outlay_analytics.query.errors import BadRequest
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.http.context import Context
from outlay_web.pages import calls as calls_page
from outlay_web.pages import channels
from outlay_web.pages.budgets import back
from outlay_web.pages.explain import driver_title
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
    badges: Markup
    title: str
    reason: str
    since: datetime
    until: datetime | None
    amounts: str
    drivers: list[str]
    sentences: list[str]
    href: str
    acknowledged: bool
    silenced_until: datetime | None
    delivery_error: str | None


def page(view: View) -> Page:
    state = view.choice("state", ("", *STATES), "")
    found = listing.list_alerts(view.ctx.store, view.scope.project, view.now)
    chosen = [one for one in found if not state or one["state"] == state]
    links = [Link(f"all {len(found)}", view.here(state=None), not state)]
    for name in STATES:
        number = sum(one["state"] == name for one in found)
        links.append(Link(f"{name} {number}", view.here(state=name), state == name))
    data = {
        "alerts": [shown(one) for one in chosen],
        "table": table(view, chosen) if chosen else None,
        "links": links,
        "any": bool(found),
        "silences": SILENCES,
        "channels": channels.channels(view.ctx, view.scope.project),
        "project": view.scope.project,
    }
    return Page("alerts.html", "Alerts", "What needs somebody's attention?", data)


def driver_texts(found: Sequence[Row]) -> list[str]:
    """Drivers with their amounts, those that did something."""
    out = []
    for one in found:
        amount = Decimal(str(one["usd"]))
        if amount:
            out.append(f"{driver_title(str(one['driver']))} {fmt.usd_text(amount, signed=True)}")
    return out


def shown(one: Row) -> Shown:
    state, severity = str(one["state"]), str(one["severity"])
    badges = calls_page.badge(state, TONES.get(state, ""))
    if state != "resolved":
        badges += Markup(" ") + calls_page.badge(severity, "bad" if severity == "critical" else "warn")
    actual, expected = one["actual_usd"], one["expected_usd"]
    known = [fmt.usd_text(usd) for usd in (actual, expected) if usd is not None]
    reason = str(one["reason"])
    amounts = "" if all(usd in reason for usd in known) else " against ".join(known)
    return Shown(
        str(one["id"]),
        state,
        badges,
        fmt.name_text(one["title"]),
        reason[:1].upper() + reason[1:],
        one["started_at"],
        one["resolved_at"],
        amounts,
        driver_texts(one["drivers"]),
        [str(sentence) for sentence in one["sentences"]],
        str(one["explain"]),
        one["acknowledged_at"] is not None,
        one["silenced_until"],
        one["delivery_error"],
    )


def table(view: View, found: Sequence[Row]) -> Table:
    columns = [
        Column("State", "text", "state"),
        Column("Severity", "text", "severity"),
        Column("What", "text", "title"),
        Column("Since", "time", "started_at"),
        Column("Until", "time", "resolved_at"),
        Column("Actual", "usd", "actual_usd"),
        Column("Expected", "usd", "expected_usd"),
        Column("Reason", "text", "reason", csv_only=True),
        Column("Drivers", "text", "drivers", csv_only=True),
    ]
    rows = [
        [
            Cell(one["state"]),
            Cell(one["severity"]),
            Cell(one["title"]),
            Cell(one["started_at"]),
            Cell(one["resolved_at"]),
            Cell(one["actual_usd"]),
            Cell(one["expected_usd"]),
            Cell(one["reason"]),
            Cell("; ".join(driver_texts(one["drivers"]))),
        ]
        for one in found
    ]
    return Table("alerts", "Alerts", columns, rows, timezone=view.timezone)


def acknowledge(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Somebody is on it: no more repeats of this alert."""
    with ctx.writing() as writer:
        done = listing.acknowledge(ctx.store, writer, request.state.project, form.get("id", ""), ctx.now())
    if done is None:
        raise HTTPException(404)
    return back(request, "/alerts")


def silence_end(form: Mapping[str, str], now: datetime) -> datetime:
    """When the silence that a form asks for ends: none is without end.

    Raises:
        BadRequest: If it is none of those offered.
    """
    hours = {value: int(value[:-1]) for value, _ in SILENCES}
    chosen = form.get("for", "24h")
    if chosen not in hours:
        raise BadRequest(f"a silence has an end: for must be one of {', '.join(hours)}, not {chosen[:80]!r}")
    return now + timedelta(hours=hours[chosen])


def silence(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Nothing is said about what this alert watches for a while."""
    now = ctx.now()
    until = silence_end(form, now)
    with ctx.writing() as writer:
        done = listing.silence(ctx.store, writer, request.state.project, form.get("id", ""), now, until)
    if done is None:
        raise HTTPException(404)
    return back(request, "/alerts")


FORMS = (("/alerts/ack", acknowledge), ("/alerts/silence", silence))
