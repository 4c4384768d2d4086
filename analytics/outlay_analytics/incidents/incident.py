"""An incident: its figures as they were last found, and its state as people and time have made it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.query.window import Window

STATES = ("open", "acknowledged", "resolved")
AFTER = {  # the state that an event leads to
    "opened": "open",
    "reopened": "open",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "ended": "resolved",
}
BY_PEOPLE = ("acknowledged", "resolved", "reopened", "owner", "note")


@dataclass(frozen=True)
class Event:
    """One step of an incident's history."""

    at: datetime
    kind: str
    by: str = ""
    text: str = ""


@dataclass(frozen=True)
class Incident:
    """One incident, as the columns of `incidents`, with its history.

    Attributes:
        scope: Dimension → value (empty where unknown): the narrowest part of spend that holds it.
        fingerprint: Of what its alert watches.
        parts: The series that moved together, as `anomalies.incidents.find` has them; empty for one alone.
        slice: `where`, `change_usd`, `share`: the smallest part of traffic that carries it.
        changes: `at`, `kind`, `name`: what was new around its start.
        history: Oldest first.
    """

    project: str
    incident_id: str
    scope: Mapping[str, str]
    channel: str
    fingerprint: str
    started_at: datetime
    ended_at: datetime
    ongoing: bool
    actual_usd: Decimal
    expected_usd: Decimal
    impact_lo_usd: Decimal
    impact_hi_usd: Decimal
    score: float
    cause: str
    drivers: tuple[Mapping[str, Any], ...] = ()
    sentences: tuple[str, ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    slice: Mapping[str, Any] | None = None
    examples: tuple[str, ...] = ()
    changes: tuple[Mapping[str, Any], ...] = ()
    seen_at: datetime | None = None
    updated_at: datetime | None = None
    history: tuple[Event, ...] = field(default=())

    @property
    def window(self) -> Window:
        return Window(self.started_at, self.ended_at)

    @property
    def impact_usd(self) -> Decimal:
        """Dollars above what was expected."""
        return self.actual_usd - self.expected_usd

    @property
    def state(self) -> str:
        """`open` until somebody is on it, `resolved` once somebody says so or it is over."""
        return next((AFTER[event.kind] for event in reversed(self.history) if event.kind in AFTER), "open")

    @property
    def owner(self) -> str:
        return next((event.text for event in reversed(self.history) if event.kind == "owner"), "")

    @property
    def filters(self) -> dict[str, tuple[str, ...]]:
        """The filters that leave just what it is about: its scope, or those of all its parts together."""
        if not self.parts:
            return {name: (value,) for name, value in self.scope.items()}
        scopes = [part["scope"] for part in self.parts]
        shared = [name for name in scopes[0] if all(name in scope for scope in scopes)]
        return {name: tuple(dict.fromkeys(str(scope[name] or "") for scope in scopes)) for name in shared}

    def related(self, window: Window, where: Mapping[str, Collection[str]]) -> bool:
        """Whether what was found in a window and filters is this one: the hours touch, and so do their parts of spend.

        Of parts that moved together, one is enough.
        """
        if not (self.started_at < window.end and window.start < self.ended_at):
            return False
        mine = self.filters
        return all(set(mine[name]) & set(where[name]) for name in mine.keys() & where.keys())

    def with_event(self, event: Event) -> Incident:
        return replace(self, history=(*self.history, event))


def shown(incident: Incident, alerts: Sequence[str] = ()) -> dict[str, Any]:
    """An incident as the API shows it; `alerts` are the ids of those that told it."""
    return {
        "id": incident.incident_id,
        "state": incident.state,
        "scope": {name: value or None for name, value in incident.scope.items()},
        "channel": incident.channel,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "ongoing": incident.ongoing,
        "expected_usd": incident.expected_usd,
        "actual_usd": incident.actual_usd,
        "impact_usd": incident.impact_usd,
        "impact_lo_usd": incident.impact_lo_usd,
        "impact_hi_usd": incident.impact_hi_usd,
        "score": incident.score,
        "cause": incident.cause,
        "drivers": [dict(driver) for driver in incident.drivers],
        "sentences": list(incident.sentences),
        "parts": [dict(part) for part in incident.parts],
        "slice": None if incident.slice is None else dict(incident.slice),
        "examples": list(incident.examples),
        "changes": [dict(change) for change in incident.changes],
        "owner": incident.owner or None,
        "notes": [_event(event) for event in incident.history if event.kind == "note"],
        "history": [_event(event) for event in incident.history],
        "alerts": list(alerts),
        "page": f"/incidents/{incident.incident_id}",
    }


def _event(event: Event) -> dict[str, Any]:
    return {"at": event.at, "kind": event.kind, "by": event.by or None, "text": event.text}
