"""Alerts in the store: rows to values and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.alerting.states import Alert
from outlay_analytics.query.text import sql_instant
from outlay_collector.store import Row, Store, load_sql
from outlay_collector.store.client import Writer

COLUMNS = tuple(field.name for field in fields(Alert))
UNFINISHED = "(state != 'resolved' OR startsWith(notified_state, 'firing'))"
FAILING = "(rule IN ('evaluation_failed', 'rule_failed') AND state != 'resolved')"
MOST = 10_000


def read_alerts(
    store: Store | Writer, *, project: str = "", alert_id: str = "", condition: str = "1", limit: int = MOST
) -> list[Alert]:
    """Alerts, newest first; `condition` is one of this module's constants."""
    params = {"project": project, "alert_id": alert_id, "max_rows": limit}
    return [
        _alert(row)
        for row in store.query(load_sql("outlay_analytics.alerting.sql", "alerts", condition=condition), params)
    ]


def read_told_before(store: Store, alerts: Sequence[Alert], since: datetime) -> list[Alert]:
    """Earlier occurrences of what these alerts are about, and incidents, that ended after `since` and were told."""
    if not alerts:
        return []
    params = {
        "projects": sorted({alert.project for alert in alerts}),
        "fingerprints": sorted({alert.fingerprint for alert in alerts}),
        "budgets": sorted({alert.budget for alert in alerts if alert.budget}),
        "since": sql_instant(since),
        "max_rows": MOST,
    }
    return [_alert(row) for row in store.query(load_sql("outlay_analytics.alerting.sql", "alerts_told"), params)]


def numbered(store: Store, begun: Sequence[Alert]) -> list[Alert]:
    """Alerts that begin now, under ids that follow from the occurrences before them.

    So a round that fails half-way, and is made again later, tells the same alerts in the same message.
    """
    if not begun:
        return []
    params = {
        "projects": sorted({alert.project for alert in begun}),
        "fingerprints": sorted({alert.fingerprint for alert in begun}),
    }
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "alerts_before"), params)
    last = {(row["project"], row["fingerprint"]): round(row["last_at"].timestamp() * 1e6) for row in rows}
    return [
        replace(alert, alert_id=f"{alert.fingerprint}-{last.get((alert.project, alert.fingerprint), 0):x}")
        for alert in begun
    ]


def write_alerts(writer: Writer, alerts: Sequence[Alert]) -> None:
    """Write the newest version of each alert."""
    writer.insert("alerts", [_row(alert) for alert in alerts])


def read_silences(store: Store, now: datetime) -> dict[tuple[str, str], datetime]:
    """(project, fingerprint) → until when nothing is said about it."""
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "silences"), {"at": sql_instant(now)})
    return {(row["project"], row["fingerprint"]): row["until"] for row in rows}


def read_acknowledgements(store: Store, alerts: Sequence[Alert]) -> dict[str, Row]:
    """Who is on which of these alerts, by alert id."""
    ids = [alert.alert_id for alert in alerts]
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "acknowledgements"), {"ids": ids}) if ids else []
    return {row["alert_id"]: row for row in rows}


def _alert(row: Row) -> Alert:
    values = {name: row[name] for name in COLUMNS}
    values["scope"] = {dim: tuple(held) for dim, held in row["scope"].items()}
    values["notify"] = tuple(row["notify"])
    values["notified_channels"] = tuple(row["notified_channels"])
    values["sentences"] = tuple(row["sentences"])
    values["drivers"] = tuple(read_drivers(row["drivers"]))
    return Alert(**values)


def _row(alert: Alert) -> dict[str, Any]:
    row = {name: getattr(alert, name) for name in COLUMNS}
    row["scope"] = {dim: list(held) for dim, held in alert.scope.items()}
    row["notify"] = list(alert.notify)
    row["notified_channels"] = list(alert.notified_channels)
    row["sentences"] = list(alert.sentences)
    row["drivers"] = json.dumps([{"driver": d["driver"], "usd": str(d["usd"])} for d in alert.drivers])
    return row


def read_drivers(text: str) -> Iterable[Mapping[str, Any]]:
    """Drivers as they are kept, money exact again."""
    return [{"driver": d["driver"], "usd": Decimal(d["usd"])} for d in json.loads(text or "[]")]
