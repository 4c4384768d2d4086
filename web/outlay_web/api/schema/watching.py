"""Answers of the routes in `api/alerts.py`: budgets and alerts."""

from __future__ import annotations

from outlay_analytics.alerting.listing import STATES
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import NEXT_CURSOR
from outlay_web.api.schema.shapes import (
    INSTANT,
    TEXT,
    USD,
    YES_NO,
    by_key,
    each,
    listed,
    maybe,
    one_of,
    part,
    record,
)

ALERT = record(
    {
        **each("id fingerprint rule title reason group explain", TEXT),
        "severity": one_of(("warning", "critical")),
        "state": one_of(STATES),
        "budget": maybe(TEXT),
        "scope": by_key(listed(TEXT)),
        "window": part("Window"),
        "base": maybe(part("Window")),
        **each("actual_usd expected_usd", maybe(USD)),
        "drivers": listed(part("Driver")),
        "sentences": listed(TEXT),
        **each("started_at evaluated_at", INSTANT),
        **each("fired_at resolved_at notified_at acknowledged_at silenced_until", maybe(INSTANT)),
        **each("delivery_error acknowledged_by", maybe(TEXT)),
    }
)
DELIVERY = record({"channel": TEXT, "sent": YES_NO, "reason": maybe(TEXT)})

ANSWERS: Answers = {
    "GET /budgets": Answer(record({"budgets": listed(part("Budget"))}, {"next_cursor": NEXT_CURSOR})),
    "GET /budgets/{name}": Answer(part("Budget"), (404,)),
    "PUT /budgets/{name}": Answer(part("Budget")),
    "DELETE /budgets/{name}": Answer(None, (404,)),
    "GET /alerts": Answer(record({"alerts": listed(ALERT), "next_cursor": NEXT_CURSOR})),
    "POST /alerts/test": Answer(record({"deliveries": listed(DELIVERY)})),
    "POST /alerts/{alert_id}/ack": Answer(ALERT, (404,)),
    "POST /alerts/{alert_id}/silence": Answer(ALERT, (404,)),
}
