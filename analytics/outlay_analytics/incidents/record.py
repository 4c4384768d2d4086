"""From what the detector finds to incidents that last: the same one keeps its id, its history and its notes.

What was found is the stored incident of its id, or else the one that it overlaps in time and scope. Signs may change
while an incident goes on (a narrower scope, a more telling channel, a part that joins); the id and the fingerprint of
its alert do not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.explain.change import explain
from outlay_analytics.explain.expected import expected_of
from outlay_analytics.incidents.incident import BY_PEOPLE, Event, Incident
from outlay_analytics.incidents.markers import list_markers
from outlay_analytics.incidents.repository import read_incidents, write_events, write_incidents
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Window
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

OVER = timedelta(hours=3)  # after its last hour an incident is told as over
AROUND = timedelta(hours=6)  # before its start: what was changed then may be why
FIGURES = ("scope", "channel", "ended_at", "ongoing", "actual_usd", "expected_usd", "cause", "drivers", "parts")


def merged(project: str, found: Sequence[Mapping[str, Any]], known: Sequence[Incident]) -> list[tuple[Incident, str]]:
    """What was found, as incidents, each with the id it was found under.

    Each stored incident is found at most once, and keeps what it is known by. What is found under a stored id is that
    one before any other may be, so that no id is given twice.
    """
    out: list[tuple[Incident, str]] = []
    left = list(known)
    ids = {one.incident_id for one in known}
    for one in sorted(found, key=lambda one: (one["id"] not in ids, -one["impact_usd"])):
        fresh = _fresh(project, one)
        own = fresh.incident_id
        same = [other for other in left if other.incident_id == own or other.related(fresh.window, fresh.filters)]
        if not same:
            out.append((fresh, one["id"]))
            continue
        best = max(same, key=lambda other: (other.incident_id == fresh.incident_id, _overlap(other, fresh)))
        left.remove(best)
        kept = ("incident_id", "fingerprint", "seen_at", "updated_at", "history", "slice", "examples", "changes")
        out.append((replace(fresh, **{name: getattr(best, name) for name in kept}), one["id"]))
    return sorted(out, key=lambda pair: (-pair[0].started_at.timestamp(), pair[0].incident_id))


def record(
    store: Store, writer: Writer, project: str, found: Sequence[Mapping[str, Any]], looked: Window, now: datetime
) -> list[Incident]:
    """Remember what was found in a window, and that what is no longer found there has ended.

    Returns:
        The incidents found, with their history as it is now.
    """
    known = read_incidents(store, project, looked)
    before = {one.incident_id: one for one in known}
    current = [one for one, _ in merged(project, found, known)]
    out = [_remember(store, writer, one, before.get(one.incident_id), now) for one in current]
    gone = [
        one
        for one in known
        if one.incident_id not in {kept.incident_id for kept in current} and one.state != "resolved"
    ]
    for one in gone:
        _remember(store, writer, replace(one, ongoing=False), one, now)
    return out


def act(
    store: Store, writer: Writer, project: str, incident_id: str, kind: str, now: datetime, by: str = "", text: str = ""
) -> Incident | None:
    """What somebody does about an incident: acknowledged, resolved, reopened, owner or note. None if there is none.

    Raises:
        BadRequest: For another kind, or a note without text.
    """
    if kind not in BY_PEOPLE:
        raise BadRequest(f"kind must be one of {', '.join(BY_PEOPLE)}, not {kind[:40]!r}")
    if kind == "note" and not text.strip():
        raise BadRequest("a note needs a text")
    found = read_incidents(store, project, incident_id=incident_id)
    if not found:
        return None
    last = found[0].history[-1].at if found[0].history else None
    at = max(now, last + timedelta(microseconds=1)) if last is not None else now  # its place is after what is known
    event = Event(at, kind, by, text.strip())
    write_events(writer, found[0], [event])
    return found[0].with_event(event)


def keep(store: Store, writer: Writer, incident: Incident, now: datetime) -> None:
    """Remember an incident that was found and is not remembered yet."""
    if not incident.history:
        _remember(store, writer, incident, None, now)


def over(incident: Incident, now: datetime) -> bool:
    """Whether an incident is so long past its last hour that it is told as over."""
    return not incident.ongoing and now - incident.ended_at > OVER


def _remember(store: Store, writer: Writer, one: Incident, before: Incident | None, now: datetime) -> Incident:
    """Write an incident down where it is new or has changed, with what that means for its state."""
    events: list[Event] = []
    if before is None:
        one = replace(_enriched(store, one), seen_at=now, updated_at=now)
        events.append(Event(now, "opened", "", _figures(one)))
    elif any(getattr(one, name) != getattr(before, name) for name in FIGURES):
        grown = one.impact_usd > before.impact_usd * 2 or one.scope != before.scope or not before.examples
        one = replace(_enriched(store, one) if grown else one, updated_at=now)
    else:
        one = replace(one, updated_at=before.updated_at)
    ended = next((event.kind for event in reversed(one.history) if event.kind in ("ended", "opened", "reopened")), "")
    if over(one, now) and ended != "ended" and one.state != "resolved":
        events.append(Event(now + timedelta(microseconds=1), "ended", "", _figures(one)))
    elif one.ongoing and ended == "ended":
        events.append(Event(now, "reopened", "", _figures(one)))
    if one.updated_at == now:
        write_incidents(writer, [one])
    if events:
        write_events(writer, one, events)
    return replace(one, history=(*one.history, *events))


def _enriched(store: Store, one: Incident) -> Incident:
    """The incident with the slice that holds it, traces that show it, and what was changed around its start."""
    scope = Scope(one.window, one.filters, one.project)
    looked = expected_of(store, scope, one.expected_usd)
    if looked.expected is None:
        return one
    found = explain(store, scope, looked.expected)
    around = replace(scope, window=Window(one.started_at - AROUND, min(one.started_at + AROUND, one.ended_at)))
    names = ("at", "kind", "name")
    changes = [{name: marker[name] for name in names} for marker in list_markers(store, around)]
    whole = {**one.scope, **(found["slices"][0]["where"] if found["slices"] else {})}
    cut = found["slices"][0] | {"where": whole} if found["slices"] else None
    return replace(one, slice=cut, examples=tuple(found["examples"]), changes=tuple(changes))


def _fresh(project: str, found: Mapping[str, Any]) -> Incident:
    scope = {name: str(value or "") for name, value in found["scope"].items()}
    return Incident(
        project=project,
        incident_id=found["id"],
        scope=scope,
        channel=found["channel"],
        fingerprint=fingerprint(project, scope, found["channel"]),
        started_at=found["started_at"],
        ended_at=found["ended_at"],
        ongoing=found["ongoing"],
        actual_usd=found["actual_usd"],
        expected_usd=found["expected_usd"],
        impact_lo_usd=found["impact_lo_usd"],
        impact_hi_usd=found["impact_hi_usd"],
        score=found["score"],
        cause=found["cause"],
        drivers=tuple(found["explain"]["drivers"]),
        sentences=tuple(found["explain"]["sentences"]),
        parts=tuple(found["parts"]),
    )


def fingerprint(project: str, scope: Mapping[str, str], channel: str) -> str:
    """Of what an incident's alert watches: the same for a later incident of the same kind in the same place."""
    text = json.dumps([project, sorted(scope.items()), channel])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _overlap(a: Incident, b: Incident) -> timedelta:
    return min(a.ended_at, b.ended_at) - max(a.started_at, b.started_at)


def _figures(one: Incident) -> str:
    """Its figures at a moment, for the history."""
    return f"{usd(one.impact_usd)} above the {usd(one.expected_usd)} expected: {one.cause}"
