"""Incidents for the API and the pages: what is found now, under the ids and with the history that are remembered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.alerting import listing
from outlay_analytics.alerting.advice import advise
from outlay_analytics.alerting.repository import read_alerts, read_silences
from outlay_analytics.incidents import record
from outlay_analytics.incidents.incident import Incident, shown
from outlay_analytics.incidents.repository import read_incidents
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_web.http.context import Context
from outlay_web.services.anomalies import WHERE, NotFound, look

SIGHT = timedelta(days=30)
WAIT_S = 10.0
AGAIN = ("acknowledged", "resolved")  # what somebody does about an incident is done about its alerts, too


def incidents_of(ctx: Context, scope: Scope, wait_s: float = WAIT_S) -> list[Incident]:
    """The incidents that touch the scope's window, newest first; those not remembered yet are open.

    Where they cannot be looked for just now, those that are remembered.
    """
    known = read_incidents(ctx.store, scope.project, scope.window)
    whole = Scope(scope.window, {}, scope.project)
    try:
        looked = look(ctx, whole, wait_s=wait_s, old=True)
    except NotFound:
        looked = None
    found = [one for one, _ in record.merged(scope.project, looked.anomalies if looked else [], known)]
    ids = {one.incident_id for one in found}
    every = [*found, *(one for one in known if one.incident_id not in ids)]
    return sorted(
        (one for one in every if _concerns(one, scope)),
        key=lambda one: (-one.started_at.timestamp(), one.incident_id),
    )


def remembered(ctx: Context, scope: Scope) -> list[Incident]:
    """The incidents that touch the scope's window as they were last written down; looks for none."""
    return [one for one in read_incidents(ctx.store, scope.project, scope.window) if _concerns(one, scope)]


def find_incident(ctx: Context, project: str, incident_id: str) -> Incident | None:
    """One incident with its newest figures; None if there is none of this id."""
    known = read_incidents(ctx.store, project, incident_id=incident_id)
    if known and not known[0].ongoing:
        return known[0]
    now = ctx.now()
    since = min(known[0].started_at, now - SIGHT) if known else now - SIGHT  # as others look: found once for all
    found = incidents_of(ctx, Scope(Window(since, now), {}, project), WAIT_S if not known else 0.0)
    return next((one for one in found if one.incident_id == incident_id), known[0] if known else None)


def show(ctx: Context, incident: Incident) -> dict[str, Any]:
    """An incident as the API shows it, with the alerts that told it."""
    return show_all(ctx, [incident])[0]


def show_whole(ctx: Context, incident: Incident) -> dict[str, Any]:
    """As `show`, with what its message adds until it is over: `lever` and `month_end`, None where there is none."""
    said: dict[str, str | None] = {"lever": None, "month_end": None}
    if incident.state != "resolved":
        scope = Scope(incident.window, incident.filters, incident.project, holidays=ctx.holidays)
        found = advise(ctx.store, scope, [one for one in incident.drivers if one["usd"]], ctx.now())
        said = {"lever": found.lever or None, "month_end": found.month_end or None}
    return show(ctx, incident) | said


def show_all(ctx: Context, incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """As `show`, of several of one project: their alerts are read once."""
    told: dict[str, list[str]] = defaultdict(list)
    for alert in read_alerts(ctx.store, project=incidents[0].project) if incidents else ():
        for incident_id in alert.scope.get("incident", ()):
            told[incident_id].append(alert.alert_id)
    silences = read_silences(ctx.store, ctx.now()) if incidents else {}
    return [
        shown(one, told[one.incident_id]) | {"silenced_until": silences.get((one.project, one.fingerprint))}
        for one in incidents
    ]


def act(ctx: Context, project: str, incident_id: str, kind: str, by: str, text: str) -> Incident | None:
    """What somebody does about an incident, which is remembered first where it is not yet; None if there is none.

    Raises:
        BadRequest: For another kind, or a note without text.
    """
    incident = find_incident(ctx, project, incident_id)
    if incident is None:
        return None
    with ctx.writing() as writer:
        record.keep(ctx.store, writer, incident, ctx.now())
        done = record.act(ctx.store, writer, project, incident_id, kind, ctx.now(), by, text)
        if kind in AGAIN:
            for alert in read_alerts(ctx.store, project=project, condition="state != 'resolved'"):
                if _tells(alert.scope, incident):
                    listing.acknowledge(ctx.store, writer, project, alert.alert_id, ctx.now(), by)
    return done


def silence(
    ctx: Context, project: str, incident_id: str, until: datetime | None, by: str, comment: str = ""
) -> Incident | None:
    """Say nothing about what an incident's alert watches until then, by default for a day; None if there is none.

    Raises:
        BadRequest: If it would last too long.
    """
    incident = find_incident(ctx, project, incident_id)
    if incident is None:
        return None
    with ctx.writing() as writer:
        record.keep(ctx.store, writer, incident, ctx.now())
        listing.silence_watched(writer, project, incident.fingerprint, ctx.now(), until, by, comment)
    return incident


def _tells(scope: Any, incident: Incident) -> bool:
    return incident.incident_id in scope.get("incident", ())


def _concerns(one: Incident, scope: Scope) -> bool:
    """Whether an incident may be in what the filters leave: only of the dimensions that its scope names."""
    return all(
        name not in one.scope or one.scope[name] in values for name, values in scope.filters.items() if name in WHERE
    )
