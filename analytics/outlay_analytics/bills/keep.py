"""What pulls brought, in the store: pages by hash first, then all days in one insert, then how it went.

A pull that dies before the insert leaves pages that nothing speaks of; one that dies after it is pulled again, which
changes nothing. There is no moment at which a part of its days is in force.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.pulled import Pulled
from outlay_analytics.query.text import sql_instant
from outlay_analytics.reconcile.bill import Charge, Usage
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_analytics.bills.sql"
CHARGE = (
    "provider",
    "model",
    "service_tier",
    "kind",
    "usd",
    "list_usd",
    "meter",
    "account",
    "key",
    "quantity",
    "unit",
    "region",
)
USAGE = ("provider", "model", "service_tier", "account", "key", "requests", "tokens")
# One block, and so one part: it is there whole or not at all.
ONE_BLOCK = {
    "input_format_parallel_parsing": "0",
    "max_insert_block_size": str(1 << 30),
    "min_insert_block_size_rows": str(1 << 30),
    "min_insert_block_size_bytes": str(1 << 40),
}


@dataclass(frozen=True)
class Attempt:
    """A pull, and how it went.

    Attributes:
        whole: Whether all days were asked for.
        error: Why it failed, empty if it did not.
        retry_at: When it is tried again, if it failed.
    """

    pull: str
    whole: bool
    first_day: date
    last_day: date
    started_at: datetime
    ended_at: datetime
    error: str = ""
    retry_at: datetime | None = None


def keep_pages(writer: Writer, account: Account, pulled: Pulled, now: datetime) -> None:
    """Write the pages as they came."""
    rows = [
        {
            "project": account.project,
            "account": account.name,
            "hash": page.hash,
            "path": page.path,
            "body": page.body,
            "pulled_at": sql_instant(now),
        }
        for page in pulled.pages
    ]
    _load(writer, "bill_pages", rows)


def put_in_force(writer: Writer, account: Account, pulled: Pulled, pull: str, now: datetime) -> None:
    """Replace every day that the pull speaks of, all in one step; of one that is complete, take back the others.

    A day that is taken back is a row without pages: no bill speaks of it.
    """
    charges: dict[date, list[Charge]] = defaultdict(list)
    usage: dict[date, list[Usage]] = defaultdict(list)
    for charge in pulled.charges:
        charges[charge.day].append(charge)
    for one in pulled.usage:
        usage[one.day].append(one)
    version, hashes = time.time_ns(), [page.hash for page in pulled.pages]
    params = {"project": account.project, "account": account.name}
    known = writer.query(load_sql(SQL, "account_days"), params) if pulled.is_complete else []
    gone = {row["day"] for row in known} - pulled.days
    rows = [
        {
            "project": account.project,
            "account": account.name,
            "day": day.isoformat(),
            "format": pulled.format,
            "charges": [_plain(charge, CHARGE) for charge in charges[day]],
            "usage": [_plain(one, USAGE) for one in usage[day]],
            "pages": [] if day in gone else hashes,
            "pull": pull,
            "pulled_at": sql_instant(now),
            "version": version,
        }
        for day in sorted(pulled.days | gone)
    ]
    _load(writer, "bill_days", rows, ONE_BLOCK)


def write_attempt(writer: Writer, account: Account, attempt: Attempt, pulled: Pulled | None) -> None:
    """Write down how a pull went; `pulled` is None where it brought nothing."""
    row = {
        "project": account.project,
        "account": account.name,
        "pull": attempt.pull,
        "provider": account.provider,
        "state": "failed" if attempt.error else "done",
        "whole": attempt.whole,
        "started_at": sql_instant(attempt.started_at),
        "ended_at": sql_instant(attempt.ended_at),
        "first_day": attempt.first_day.isoformat(),
        "last_day": attempt.last_day.isoformat(),
        "days": len(pulled.days) if pulled else 0,
        "pages": len(pulled.pages) if pulled else 0,
        "lines": len(pulled.charges) if pulled else 0,
        "left_out": {reason: format(usd, "f") for reason, usd in pulled.left_out.items()} if pulled else {},
        "left_out_lines": dict(pulled.left_out_lines) if pulled else {},
        "notes": list(pulled.notes) if pulled else [],
        "error": attempt.error,
        "retry_at": sql_instant(attempt.retry_at or attempt.ended_at),
    }
    _load(writer, "bill_pulls", [row])


def states(store: Store, project: str, today: date) -> dict[str, dict[str, Any]]:
    """By account: the last pull (`state`, `error`, `retry_at` …), the last that was `done`, the last whole one, how
    many failed since, the days in force with what they bill, and what `today` bills so far."""
    found = store.query(load_sql(SQL, "bill_accounts"), {"project": project, "today": today})
    return {row["account"]: row for row in found}


def pulled_charges(
    store: Store, project: str, accounts: Sequence[str], first: date, last: date
) -> tuple[list[Charge], list[Usage], list[dict[str, Any]]]:
    """What bills of accounts say of days in UTC, both ends included: charges, usage, and `account`, `day`, `format` and
    `pulled_at` of each day in force.

    Args:
        accounts: Names of those that outlay.toml has: what another one brought once is no bill any more.
    """
    params = {"project": project, "accounts": list(accounts), "first_day": first, "last_day": last}
    charges = [Charge(**row) for row in store.query(load_sql(SQL, "pulled_charges"), params)]
    usage = [Usage(**row) for row in store.query(load_sql(SQL, "pulled_usage"), params)]
    return charges, usage, store.query(load_sql(SQL, "pulled_days"), params)


def last_checks(store: Store, project: str, most: int) -> list[dict[str, Any]]:
    """The last comparisons of pulled bills with calls, the newest first: `checked_at`, `first_day`, `last_day`,
    `billed_usd`, `computed_usd`, `explained` (None when nothing was billed) and `reasons`."""
    return store.query(load_sql(SQL, "bill_checks"), {"project": project, "most": most})


def _plain(value: Charge | Usage, names: Sequence[str]) -> dict[str, Any]:
    return {name: _text(getattr(value, name)) for name in names}


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return format(value, "f") if isinstance(value, Decimal) else value


def _load(
    writer: Writer, table: str, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any] | None = None
) -> None:
    if rows:
        body = "\n".join(json.dumps(row) for row in rows).encode()
        writer.load(table, body, fmt="JSONEachRow", settings=settings)
