"""Incidents as they would have been found and remembered, without a search for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.incidents.incident import Event, Incident
from outlay_analytics.incidents.record import fingerprint
from outlay_analytics.incidents.repository import write_events, write_incidents
from outlay_collector.store import Store


def incident_id(number: int) -> str:
    return f"{number:016x}"


def put_incident(store: Store, number: int, feature: str, began: datetime, hours: int = 1) -> None:
    """One of a feature that is over and open: `number` times 7 USD above the 3 that were expected."""
    usd, scope = Decimal(number), {"feature": feature}
    amounts: Any = {
        "actual_usd": 10 * usd,
        "expected_usd": 3 * usd,
        "impact_lo_usd": 5 * usd,
        "impact_hi_usd": 9 * usd,
    }
    one = Incident(
        project="default",
        incident_id=incident_id(number),
        scope=scope,
        channel="spend",
        fingerprint=fingerprint("default", scope, "spend"),
        started_at=began,
        ended_at=began + timedelta(hours=hours),
        ongoing=False,
        score=0.9,
        cause="each call wrote more tokens",
        seen_at=began,
        updated_at=began,
        **amounts,
    )
    writer = store.writer()
    write_incidents(writer, [one])
    write_events(writer, one, [Event(began, "opened")])
    writer.close()
