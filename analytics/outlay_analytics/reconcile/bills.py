"""Bills that were imported: kept, listed and taken away. The same file twice is one bill."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay.errors import OutlayError
from outlay_analytics.query.text import sql_instant
from outlay_analytics.reconcile.bill import Bill, Charge
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import utc_now

SQL = "outlay_analytics.reconcile.sql"
SHOWN_NAME = 200


class NoSuchBill(OutlayError):
    """A bill that was never imported, or was taken away."""


def keep_bill(writer: Writer, project: str, name: str, body: bytes, bill: Bill, now: datetime | None = None) -> str:
    """Store a bill that was read from `body`; returns its identifier."""
    identity = hashlib.sha256(body).hexdigest()[:12]
    metered = bill.metered or bill.charges
    _write(
        writer,
        {
            "project": project,
            "bill": identity,
            "name": "".join(char for char in name if char.isprintable())[:SHOWN_NAME],
            "format": bill.format,
            "first_day": bill.first_day.isoformat(),
            "last_day": bill.last_day.isoformat(),
            "charges": [_plain(charge) for charge in metered],
            "meters": [_meter(charge) for charge in metered],
            "lines": bill.lines,
            "left_out": {reason: str(usd) for reason, usd in bill.left_out.items()},
            "left_out_lines": bill.left_out_lines,
        },
        now or utc_now(),
    )
    return identity


def list_bills(store: Store, project: str) -> list[dict[str, Any]]:
    """`bill`, `name`, `format`, `first_day`, `last_day`, `billed_usd`, `lines`, `left_out`, `left_out_lines` and
    `imported_at` of each bill, the newest first."""
    return store.query(load_sql(SQL, "reconcile_bills", only="1"), {"project": project})


def find_bill(store: Store, project: str, identity: str) -> tuple[dict[str, Any], list[Charge]]:
    """One bill as `list_bills` has it, and its charges.

    Raises:
        NoSuchBill: If there is none with this identifier.
    """
    params = {"project": project, "bill": identity}
    found = store.query(load_sql(SQL, "reconcile_bills", only="bill = {bill:String}"), params)
    if not found:
        raise NoSuchBill(f"there is no bill {identity[:80]!r}; POST one to /api/v1/reconcile")
    return found[0], [Charge(**row) for row in store.query(load_sql(SQL, "reconcile_charges"), params)]


def drop_bill(writer: Writer, store: Store, project: str, identity: str, now: datetime | None = None) -> None:
    """Take a bill away.

    Raises:
        NoSuchBill: If there is none with this identifier.
    """
    find_bill(store, project, identity)
    now = now or utc_now()
    day = now.date().isoformat()
    gone = {"project": project, "bill": identity, "first_day": day, "last_day": day, "is_deleted": 1}
    _write(writer, gone, now)


def _write(writer: Writer, row: dict[str, Any], now: datetime) -> None:
    at = sql_instant(now)
    body = json.dumps({**row, "imported_at": at, "version": time.time_ns()})
    writer.load("bills", body.encode(), fmt="JSONEachRow")


def _meter(charge: Charge) -> dict[str, Any]:
    return {
        "meter": charge.meter,
        "account": charge.account,
        "key": charge.key,
        "quantity": _text(charge.quantity),
        "unit": charge.unit,
        "region": charge.region,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _plain(charge: Charge) -> dict[str, Any]:
    return {
        "day": charge.day.isoformat(),
        "provider": charge.provider,
        "model": charge.model,
        "service_tier": charge.service_tier,
        "kind": charge.kind,
        "usd": _text(charge.usd),
        "list_usd": _text(charge.list_usd),
    }
