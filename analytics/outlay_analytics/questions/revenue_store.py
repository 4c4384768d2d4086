"""Revenue that was put over the API, beside that of outlay.toml.

A customer of outlay.toml is told by the file alone, so that it stays the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.questions.revenue import Revenue, parse_revenue
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

FILE = "outlay.toml"


def all_revenue(store: Store, configured: Sequence[Revenue], project: str) -> tuple[Revenue, ...]:
    """What is known of a project's customers: the file's rows, and the store's of customers that it does not name."""
    told = {row.customer for row in configured if row.project == project}
    own = [row for row in _stored(store, project) if row.customer not in told]
    return (*configured, *own)


def list_revenue(store: Store, configured: Sequence[Revenue], project: str) -> list[dict[str, Any]]:
    """The rows as the API lists them, by customer and day."""
    told = {row.customer for row in configured if row.project == project}
    rows = [row for row in all_revenue(store, configured, project) if row.project == project]
    return [
        {
            "customer": row.customer,
            "usd_per_month": row.usd_per_month,
            "valid_from": row.valid_from.isoformat(),
            "source": FILE if row.customer in told else "api",
        }
        for row in sorted(rows, key=lambda row: (row.customer, row.valid_from))
    ]


def put_revenue(
    writer: Writer, project: str, given: Sequence[Mapping[str, Any]], now: datetime, configured: Sequence[Revenue]
) -> int:
    """Add rows, or put them in place of those of the same customer and day; how many.

    Raises:
        BadRequest: Naming each row that is wrong, or the customer that outlay.toml tells about.
    """
    try:
        rows = parse_revenue([{**row, **_day(row), "project": project} for row in given])
    except ConfigError as exc:
        raise BadRequest(str(exc)) from exc
    for row in rows:
        _check(row.customer, project, configured)
    writer.insert("revenue", [_row(row, now, deleted=False) for row in rows])
    return len(rows)


def delete_revenue(
    store: Store, writer: Writer, project: str, customer: str, now: datetime, configured: Sequence[Revenue]
) -> bool:
    """Forget what a customer pays; False if nothing was put about it.

    Raises:
        BadRequest: If outlay.toml tells about the customer.
    """
    _check(customer, project, configured)
    rows = [row for row in _stored(store, project) if row.customer == customer]
    if rows:
        writer.insert("revenue", [_row(row, now, deleted=True) for row in rows])
    return bool(rows)


def _check(customer: str, project: str, configured: Sequence[Revenue]) -> None:
    if any(row.customer == customer and row.project == project for row in configured):
        raise BadRequest(f"what {customer[:SHOWN]!r} pays stands in {FILE}; change it there")


def _day(row: Mapping[str, Any]) -> dict[str, Any]:
    text = row.get("valid_from")
    if not isinstance(text, str):
        return {}
    try:
        return {"valid_from": date.fromisoformat(text)}
    except ValueError as exc:
        raise BadRequest(f"valid_from must be a date such as 2026-07-01, not {text[:SHOWN]!r}") from exc


def _stored(store: Store, project: str) -> list[Revenue]:
    rows = store.query(load_sql("outlay_analytics.questions.sql", "revenue"), {"project": project})
    return [Revenue(**row, project=project) for row in rows]


def _row(row: Revenue, now: datetime, *, deleted: bool) -> dict[str, Any]:
    return {
        "project": row.project,
        "customer": row.customer,
        "valid_from": row.valid_from,
        "usd_per_month": row.usd_per_month,
        "updated_at": now,
        "is_deleted": int(deleted),
    }
