"""What was changed when: deployments and the like as they are told (`POST /markers`), and what calls show.

A prompt version or a model that calls of a feature have for the first time is a marker that nobody has to put.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.incidents.repository import SQL
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import EARLIEST, Window
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

MOST = 200
MOST_NEW = 10
LONGEST_NAME = 200
LEARNED = timedelta(days=14)  # before a window: a value that no call of theirs has is new
NEW = {"prompt_version": "prompt version", "model": "model"}


def put_marker(
    writer: Writer,
    project: str,
    name: str,
    at: datetime,
    now: datetime,
    scope: Mapping[str, Any] | None = None,
    by: str = "",
) -> dict[str, Any]:
    """Keep what happened at an instant; the same name at the same instant is one marker.

    Raises:
        BadRequest: For a name or scope that cannot be.
    """
    text = name.strip()
    if not text or len(text) > LONGEST_NAME:
        raise BadRequest(f"name must have 1 to {LONGEST_NAME} characters, not {len(text)}")
    filters: dict[str, list[str]] = {}
    for dimension, values in (scope or {}).items():
        check_dimension(dimension, "scope")
        filters[dimension] = [values] if isinstance(values, str) else [str(value) for value in values]
    identity = hashlib.sha256(f"{text}|{at.isoformat()}|{sorted(filters.items())}".encode()).hexdigest()[:16]
    row = {"project": project, "marker_id": identity, "at": at, "name": text, "scope": filters}
    writer.insert("markers", [{**row, "created_by": by[:200], "created_at": now, "is_deleted": 0}])
    return {"id": identity, "at": at, "kind": "marker", "name": text, "scope": filters, "by": by or None}


def list_markers(store: Store, scope: Scope, limit: int = MOST) -> list[dict[str, Any]]:
    """What happened in the scope's window: markers that were put, and values that appeared; newest first."""
    found = [*told(store, scope, limit), *new_values(store, scope)]
    return sorted(found, key=lambda one: (-one["at"].timestamp(), one["name"]))[:limit]


def told(store: Store, scope: Scope, limit: int = MOST) -> list[dict[str, Any]]:
    """The markers that were put in the scope's window, newest first."""
    params = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
        "max_rows": limit,
    }
    return [
        {
            "id": row["marker_id"],
            "at": row["at"],
            "kind": "marker",
            "name": row["name"],
            "scope": {name: list(values) for name, values in row["scope"].items()},
            "by": row["created_by"] or None,
        }
        for row in store.query(load_sql(SQL, "markers"), params)
        if _concerns(row["scope"], scope)
    ]


def new_values(store: Store, scope: Scope) -> list[dict[str, Any]]:
    """The prompt versions and models that calls have for the first time in the scope's window."""
    return [one for name in NEW for one in appeared(store, scope, name)]


def appeared(store: Store, scope: Scope, dimension: str) -> list[dict[str, Any]]:
    """Values of `prompt_version` or `model` that calls of a feature have for the first time in the window.

    Where the project has no earlier calls nothing is new: everything would be.
    """
    window = scope.window
    since = max(window.start - LEARNED, EARLIEST)
    source = spend_source(
        store, replace(scope, window=Window(since, window.end), timezone="UTC"), (dimension, "feature"), "hour"
    )
    sql = load_sql(SQL, "first_seen", source=source.sql)
    params = {**source.params, "since": int(window.start.timestamp()), "most": MOST_NEW}
    rows = store.query(sql, params)
    if not rows or not _before(store, scope, Window(since, window.start)):
        return []
    return [
        {
            "id": hashlib.sha256(f"{dimension}|{row['value']}|{row['feature']}".encode()).hexdigest()[:16],
            "at": row["at"],
            "kind": dimension,
            "name": f"{NEW[dimension]} {row['value']}" + (f" of {row['feature']}" if row["feature"] else ""),
            "scope": {dimension: [row["value"]]} | ({"feature": [row["feature"]]} if row["feature"] else {}),
            "by": None,
        }
        for row in rows
    ]


def _before(store: Store, scope: Scope, window: Window) -> bool:
    """Whether calls of the scope were recorded in a window."""
    if window.start >= window.end:
        return False
    source = spend_source(store, replace(scope, window=window))
    rows = store.query(load_sql("outlay_analytics.query.sql", "history", source=source.sql), source.params)
    return any(row["calls"] for row in rows)


def _concerns(about: Mapping[str, Any], scope: Scope) -> bool:
    """Whether a marker may matter for the filters of a scope: not one about another feature."""
    return all(set(values) & set(scope.filters[name]) for name, values in about.items() if name in scope.filters)
