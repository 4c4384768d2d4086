"""/incidents/{id}: one incident whole: how much above what was expected, since when, why, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from outlay_analytics.explain.expected import same_hours
from outlay_analytics.incidents.incident import Incident
from outlay_analytics.incidents.repository import scope_text
from outlay_analytics.notify.messages import ADVICE_WORDS
from outlay_analytics.query.calendar import HOUR, spend_series
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import rfc3339, usd
from outlay_analytics.query.window import Window
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Table, buckets, line_chart
from outlay_web.http.context import Context
from outlay_web.pages import alerts, parts, slices
from outlay_web.pages import calls as calls_page
from outlay_web.pages import explain as explain_page
from outlay_web.pages.budgets import back
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import View
from outlay_web.services import incidents as service

BEFORE = timedelta(hours=48)
AFTER = timedelta(hours=24)
MOST_HOURS = 31 * 24
TONES = {"open": "bad", "acknowledged": "warn", "resolved": "fine"}
WORDS = {  # of an event, in its line of the history
    "opened": "found",
    "ended": "ended",
    "reopened": "goes on again",
    "acknowledged": "taken on",
    "resolved": "resolved",
    "owner": "owner",
    "note": "note",
}


def page(view: View) -> Page:
    one = service.find_incident(view.ctx, view.scope.project, view.path.rpartition("/")[2])
    if one is None:
        raise HTTPException(404)
    found = service.show_whole(view.ctx, one)
    inside = one.filters
    data = {
        "one": found,
        "badge": calls_page.badge(one.state, TONES[one.state]),
        "where": scope_text(one.scope),
        "tiles": tiles(view, one),
        "figure": hours_figure(view, one),
        "drivers": explain_page.figure(
            {"base": {"cost_usd": one.expected_usd}, "drivers": one.drivers, "change_usd": moved(one)},
            ends=("Expected", "Spent"),
        )
        if one.drivers
        else None,
        "slice": slice_line(view, one),
        "advice": [(ADVICE_WORDS[name], found[name]) for name in ADVICE_WORDS if found[name]],
        "parts": parts_table(view, one) if one.parts else None,
        "examples": [(trace, parts.trace_href(view, trace)) for trace in one.examples],
        "events": [{**event, "word": WORDS.get(event["kind"], event["kind"])} for event in reversed(found["history"])],
        "explain_href": view.to(
            "/explain", start=rfc3339(one.started_at), end=rfc3339(one.ended_at), base="expected", **inside
        ),
        "calls_href": view.to("/calls", start=rfc3339(one.started_at), end=rfc3339(one.ended_at), **inside),
        "action": f"/incidents/{quote(one.incident_id)}/events",
        "silence": f"/incidents/{quote(one.incident_id)}/silence",
        "silences": alerts.SILENCES,
        "project": view.scope.project,
    }
    return Page("incident.html", title(one), "What happened, and what became of it?", data)


def title(one: Incident) -> str:
    """What happened, and where."""
    cause = one.cause[:1].upper() + one.cause[1:]
    return f"{cause}: {fmt.name_text(scope_text(one.scope))}"


def moved(one: Incident) -> Decimal:
    return sum((driver["usd"] for driver in one.drivers), Decimal(0))


def tiles(view: View, one: Incident) -> list[Tile]:
    low, high = usd(one.impact_lo_usd), usd(one.impact_hi_usd)
    since, until = (fmt.instant_text(at, view.timezone) for at in (one.started_at, one.ended_at))
    share = parts.quotient(one.impact_usd, one.expected_usd)
    more = f"{fmt.ratio_text(share)} more; " if share is not None else ""
    return [
        Tile("Above expected", fmt.usd(one.impact_usd), "#figure-drivers", f"{more}80%: {low} – {high}", tone="warn"),
        Tile("Spent", fmt.usd(one.actual_usd), None, "in its hours"),
        Tile("Expected", fmt.usd(one.expected_usd), None, "of the same hours, without the incident"),
        Tile("Since", since, None, "goes on" if one.ongoing else f"until {until}"),
    ]


def hours_figure(view: View, one: Incident) -> Figure:
    """What was spent hour by hour around the incident, and what was expected of these hours."""
    start = max(one.started_at - BEFORE, one.ended_at - MOST_HOURS * HOUR)
    end = min(one.ended_at + AFTER, view.now.replace(minute=0, second=0, microsecond=0))
    window = Window(start, max(end, one.ended_at))
    scope = Scope(window, one.filters, one.project, view.timezone)
    steps = buckets(window.start, window.end, "hour", view.timezone)
    spent = hourly(view.ctx, scope)
    usual = expected_hours(view.ctx, scope, one)
    around = replace(view.scope, window=window, filters=one.filters)
    beside = happened(replace(view, query=replace(view.query, scope=around)), steps, one)
    return line_chart(
        "hours",
        "Spend per hour, and what was expected",
        steps,
        [
            Line("spent", [spent.get(step.start) for step in steps], 1, area=True),
            Line("expected", [usual.get(step.start) for step in steps], 4, dashed=True),
        ],
        **beside.arguments(),
        step_href=lambda step: view.between(step.start, step.end, "/calls"),
        height=240,
        timezone=view.timezone,
    )


def hourly(ctx: Context, scope: Scope) -> dict[datetime, Decimal]:
    series = spend_series(ctx.store, scope, "hour")
    return dict(zip(series.times, series.usd, strict=True))


def expected_hours(ctx: Context, scope: Scope, one: Incident) -> dict[datetime, Decimal]:
    """What was expected of each hour: that of earlier weeks, at the level that makes up the incident's."""
    sums: dict[datetime, Decimal] = {}
    earlier = same_hours(scope.window)
    for window in earlier:
        back = scope.window.start - window.start
        for at, amount in hourly(ctx, replace(scope, window=window)).items():
            sums[at + back] = sums.get(at + back, Decimal(0)) + amount
    inside = sum((amount for at, amount in sums.items() if one.started_at <= at < one.ended_at), Decimal(0))
    level = one.expected_usd / inside if inside else Decimal(1) / max(len(earlier), 1)
    return {at: amount * level for at, amount in sums.items()}


def slice_line(view: View, one: Incident) -> tuple[str, str, str] | None:
    """Where it sits: in words, its address, and its share."""
    if one.slice is None:
        return None
    where = {str(name): str(value or "") for name, value in one.slice["where"].items()}
    share = float(one.slice["share"])
    words = f"{fmt.usd_text(one.slice['change_usd'], signed=True)}"
    if 0 < share <= 1:
        words += f", {fmt.ratio_text(share)} of what is above expected"
    elif share > 1:
        words += ", more than the whole since it took over from others"
    href = view.to("/spend", start=rfc3339(one.started_at), end=rfc3339(one.ended_at), **where)
    return slices.where_text(one.slice["where"]), href, words


def parts_table(view: View, one: Incident) -> Table:
    columns = [
        Column("Where", "text", "scope"),
        Column("Began", "time", "started_at"),
        Column("Spent", "usd", "actual_usd"),
        Column("Expected", "usd", "expected_usd"),
        Column("Above", "delta_usd", "impact_usd"),
    ]
    rows = [
        [
            Cell(scope_text(part["scope"]), view.to("/spend", **spans(part))),
            Cell(part["started_at"]),
            Cell(part["actual_usd"]),
            Cell(part["expected_usd"]),
            Cell(part["impact_usd"]),
        ]
        for part in one.parts
    ]
    return Table("parts", "What moved together", columns, rows, timezone=view.timezone)


def spans(part: Row) -> dict[str, str]:
    where = {str(name): str(value or "") for name, value in part["scope"].items()}
    return {"start": rfc3339(part["started_at"]), "end": rfc3339(part["ended_at"]), **where}


def event(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """A button or a note of the page; answers with where to go next."""
    incident_id = request.path_params["incident_id"]
    kind, text = form.get("kind", ""), form.get("text", "")
    done = service.act(ctx, request.state.project, incident_id, kind, request.state.principal.prefix, text)
    if done is None:
        raise HTTPException(404)
    return back(request, f"/incidents/{quote(incident_id)}")


def silence(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Nothing is said about what the incident's alert watches for a while."""
    incident_id = request.path_params["incident_id"]
    until, by = alerts.silence_end(form, ctx.now()), request.state.principal.prefix
    if service.silence(ctx, request.state.project, incident_id, until, by) is None:
        raise HTTPException(404)
    return back(request, f"/incidents/{quote(incident_id)}")


FORMS = (("/incidents/{incident_id}/events", event), ("/incidents/{incident_id}/silence", silence))
