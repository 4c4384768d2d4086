"""Incidents, what people do about them, and markers of what was changed when."""

from __future__ import annotations

from enum import Enum
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.incidents import markers
from outlay_analytics.incidents.incident import STATES
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import parse_instant
from outlay_web.api.paging import read_page, tie, window_of
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import read_query
from outlay_web.http.schemas import IncidentEventBody, MarkerBody, SilenceBody
from outlay_web.services.incidents import act, find_incident, incidents_of, show_all, show_whole, silence

INCIDENT_COLUMNS = columns(
    "id state started_at ended_at ongoing scope channel actual_usd expected_usd impact_usd impact_lo_usd impact_hi_usd "
    "cause owner"
)
LISTED = ("limit", "cursor", "format")
PLAIN = documented(window=False, filters=False)
TAGS: list[str | Enum] = ["incidents"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    own = ("state", *LISTED)

    @routes.get("/incidents", openapi_extra=documented(*own, state=STATES), tags=TAGS)
    def get_incidents(request: Request) -> Response:
        """Incidents that touch the window, newest first."""
        query = read_query(ctx, request, own, comparing=True)
        state = query.get("state")
        if state not in ("", *STATES):
            raise BadRequest(f"state must be one of {', '.join(STATES)}, not {state[:80]!r}")
        page = read_page(query, f"incidents {state}", "nt", window_of(query.scope), default=DEFAULT_LIMIT)
        found = [one for one in incidents_of(ctx, page.window(query.scope)) if not state or one.state == state]
        shown = {"incidents": show_all(ctx, found)}
        cut = page.cut(shown, "incidents", lambda one: (-one["started_at"].timestamp(), tie(one["id"])))
        return table(query, cut, "incidents", INCIDENT_COLUMNS)

    @routes.get("/incidents/{incident_id}", openapi_extra=PLAIN, tags=TAGS)
    def get_incident(request: Request, incident_id: str) -> Response:
        """One incident: what, how much above what was expected, since when, why, and what became of it."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        found = find_incident(ctx, project, incident_id)
        if found is None:
            raise Problem(404, f"no incident {incident_id[:80]!r}")
        return answer(show_whole(ctx, found))

    @routes.post("/incidents/{incident_id}/events", openapi_extra=PLAIN, tags=TAGS)
    def post_event(request: Request, incident_id: str, body: IncidentEventBody) -> Response:
        """Take an incident on, resolve or reopen it, say who owns it, or add a note."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        by = body.by or request.state.principal.prefix
        found = act(ctx, project, incident_id, body.kind, by, body.text)
        if found is None:
            raise Problem(404, f"no incident {incident_id[:80]!r}")
        return answer(show_whole(ctx, found))

    @routes.post("/incidents/{incident_id}/silence", openapi_extra=PLAIN, tags=TAGS)
    def post_silence(request: Request, incident_id: str, body: SilenceBody | None = None) -> Response:
        """Say nothing about what its alert watches until then, by default for a day."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        given = body or SilenceBody()
        until = parse_instant("until", given.until, ctx.now()) if given.until else None
        by = given.by or request.state.principal.prefix
        found = silence(ctx, project, incident_id, until, by, given.comment)
        if found is None:
            raise Problem(404, f"no incident {incident_id[:80]!r}")
        return answer(show_whole(ctx, found))

    @routes.get("/markers", openapi_extra=documented("limit", "format"), tags=TAGS)
    def get_markers(request: Request) -> Response:
        """What was changed in the window: markers that were put, prompt versions and models that appeared."""
        query = read_query(ctx, request, ("limit", "format"), comparing=True)
        limit = query.integer("limit", DEFAULT_LIMIT, 1, markers.MOST)
        found: dict[str, Any] = {"markers": markers.list_markers(ctx.store, query.scope, limit)}
        return table(query, found, "markers", ["at", "kind", "name", "scope", "by"])

    @routes.post("/markers", openapi_extra=PLAIN, tags=TAGS, status_code=201)
    def post_marker(request: Request, body: MarkerBody) -> Response:
        """Say that something was changed: a deployment, a launch, a switch."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        now = ctx.now()
        at = parse_instant("at", body.at, now) if body.at else now
        by = body.by or request.state.principal.prefix
        with ctx.writing() as writer:
            made = markers.put_marker(writer, project, body.name, at, now, body.scope, by)
        return answer(made, 201)
