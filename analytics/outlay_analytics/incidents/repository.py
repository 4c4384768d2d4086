"""Incidents and markers in the store: rows to values and back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.incidents.incident import Event, Incident
from outlay_analytics.query.text import rfc3339, sql_instant
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_collector.store import Row, Store, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_analytics.incidents.sql"
MOST = 1000
COLUMNS = tuple(one.name for one in fields(Incident) if one.name != "history")
AS_JSON = ("drivers", "parts", "slice", "changes")
MONEY = ("usd", "change_usd", "actual_usd", "expected_usd", "impact_usd")
INSTANTS = ("at", "started_at", "ended_at")


def read_incidents(
    store: Store | Writer, project: str = "", window: Window = EVERYTHING, incident_id: str = "", limit: int = MOST
) -> list[Incident]:
    """Incidents that touch a window, newest first, with their history."""
    params = {
        "project": project,
        "incident_id": incident_id,
        "start": sql_instant(window.start),
        "end": sql_instant(window.end),
        "max_rows": limit,
    }
    found = [_incident(row) for row in store.query(load_sql(SQL, "incidents"), params)]
    by_project: dict[str, list[str]] = defaultdict(list)
    for one in found:
        by_project[one.project].append(one.incident_id)
    events: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for name, ids in by_project.items():
        for row in store.query(load_sql(SQL, "incident_events"), {"project": name, "ids": ids}):
            events[name, row["incident_id"]].append(Event(row["at"], row["kind"], row["by"], row["text"]))
    return [replace(one, history=tuple(events[one.project, one.incident_id])) for one in found]


def write_incidents(writer: Writer, incidents: Sequence[Incident]) -> None:
    """Write the newest figures of each incident."""
    writer.insert("incidents", [_row(incident) for incident in incidents])


def write_events(writer: Writer, incident: Incident, events: Sequence[Event]) -> None:
    """Add to an incident's history."""
    about = {"project": incident.project, "incident_id": incident.incident_id}
    writer.insert(
        "incident_events",
        [{**about, "at": one.at, "kind": one.kind, "by": one.by[:200], "text": one.text[:4000]} for one in events],
    )


def _incident(row: Row) -> Incident:
    values = {name: row[name] for name in COLUMNS}
    for name in AS_JSON:
        values[name] = _from_json(row[name])
    for name in ("drivers", "parts", "changes", "sentences", "examples"):
        values[name] = tuple(values[name])
    return Incident(**values)


def _row(incident: Incident) -> dict[str, Any]:
    row = {name: getattr(incident, name) for name in COLUMNS}
    for name in AS_JSON:
        row[name] = _to_json(row[name])
    return row | {
        "scope": dict(incident.scope),
        "sentences": list(incident.sentences),
        "examples": list(incident.examples),
    }


def _to_json(value: Any) -> str:
    def plain(one: Any) -> Any:
        if isinstance(one, Decimal):
            return str(one)
        if isinstance(one, datetime):
            return rfc3339(one)
        raise TypeError(type(one).__name__)

    return json.dumps(value, default=plain)


def _from_json(text: str) -> Any:
    def exact(table: dict[str, Any]) -> dict[str, Any]:
        for name in table:
            if name in MONEY and isinstance(table[name], str):
                table[name] = Decimal(table[name])
            elif name in INSTANTS and isinstance(table[name], str):
                table[name] = datetime.fromisoformat(table[name])
        return table

    return json.loads(text or "null", object_hook=exact)


def scope_text(scope: Mapping[str, Any]) -> str:
    """A scope in words: `feature search, model gpt-5`."""
    return ", ".join(f"{name} {value or '(none)'}" for name, value in scope.items()) or "all spend"
