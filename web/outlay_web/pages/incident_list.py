"""/incidents: what cost more than expected in the window, how much, why, and who is on it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from outlay_analytics.incidents.incident import STATES, Incident
from outlay_analytics.incidents.repository import scope_text
from outlay_analytics.query.text import usd
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import calls as calls_page
from outlay_web.pages import unusual
from outlay_web.pages.happened import incident_href
from outlay_web.pages.incidents import TONES
from outlay_web.pages.parts import Page
from outlay_web.pages.view import Link, View
from outlay_web.services.incidents import incidents_of

ALLOWED = ("state",)
QUESTION = "What cost more than expected, and who is on it?"


def page(view: View) -> Page:
    state = view.choice("state", ("", *STATES), "")
    if view.first_call is None:
        return Page("incidents.html", "Incidents", QUESTION, {"links": []}, empty=True)
    odd = unusual.look_for_anomalies(view)  # first, so that what is found now is told
    found = incidents_of(view.ctx, view.scope, wait_s=0.0)
    chosen = [one for one in found if not state or one.state == state]
    links = [Link(f"all {len(found)}", view.here(state=None), not state)]
    for name in STATES:
        links.append(Link(f"{name} {sum(one.state == name for one in found)}", view.here(state=name), state == name))
    data = {
        "said": said(found),
        "table": table(view, chosen) if chosen else None,
        "links": links,
        "any": bool(found),
        "odd": odd,
    }
    return Page("incidents.html", "Incidents", QUESTION, data)


def said(found: Sequence[Incident]) -> str:
    """The answer in a sentence: how many want somebody, and what they come to."""
    waiting = [one for one in found if one.state == "open"]
    if not found:
        return ""
    if not waiting:
        return f"Nobody is needed: of {fmt.plural(len(found), 'incident')} none is open."
    above = sum((one.impact_usd for one in waiting), Decimal(0))
    ongoing = sum(one.ongoing for one in waiting)
    verb = "is" if len(waiting) == 1 else "are"
    goes = "" if not ongoing else ", and goes on" if len(waiting) == 1 else f", and {ongoing} of them go on"
    goes = goes.replace("1 of them go on", "1 of them goes on")
    return f"{fmt.plural(len(waiting), 'incident')} {verb} open: {fmt.usd_text(above)} above what was expected{goes}."


def table(view: View, found: Sequence[Incident]) -> Table:
    columns = [
        Column("What", "text", "cause"),
        Column("State", "html", "state"),
        Column("Above expected", "delta_usd", "impact_usd"),
        Column("Where", "text", "scope"),
        Column("80% interval", "interval", "interval", "Of what is above expected", desk_only=True),
        Column("Began", "time", "started_at"),
        Column("Ended", "time", "ended_at", desk_only=True),
        Column("Owner", "text", "owner"),
    ]
    rows = []
    for one in found:
        href = incident_href(view, one)
        rows.append(
            [
                Cell(one.cause, href, label=one.cause[:1].upper() + one.cause[1:]),
                Cell(one.state, label=calls_page.badge(one.state, TONES[one.state])),
                Cell(one.impact_usd, href),
                Cell(scope_text(one.scope)),
                Cell(f"{usd(one.impact_lo_usd)} \u2013 {usd(one.impact_hi_usd)}"),
                Cell(one.started_at),
                Cell(one.ended_at, label="goes on" if one.ongoing else None),
                Cell(one.owner or None, label=None if one.owner else Markup('<span class="muted">nobody</span>')),
            ]
        )
    return Table("incidents", "Incidents", columns, rows, timezone=view.timezone)
