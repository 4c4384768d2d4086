"""Answers of the routes in `api/alerts.py` and `api/incidents.py`: budgets, alerts, incidents, markers."""

from __future__ import annotations

from outlay_analytics.alerting.listing import STATES
from outlay_analytics.incidents.incident import STATES as INCIDENT_STATES
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import NEXT_CURSOR
from outlay_web.api.schema.shapes import (
    COUNT,
    INSTANT,
    NUMBER,
    RATIO,
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
        **each("budget rule_name", maybe(TEXT)),
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
EVENT = record({"at": INSTANT, "kind": TEXT, "by": maybe(TEXT), "text": TEXT})
MARKER = record(
    {"id": TEXT, "at": INSTANT, **each("kind name", TEXT), "scope": by_key(listed(TEXT)), "by": maybe(TEXT)}
)
CHANGE = record({"at": INSTANT, **each("kind name", TEXT)})
INCIDENT_FIELDS = {
    **each("id channel cause page", TEXT),
    "state": one_of(INCIDENT_STATES),
    "scope": by_key(maybe(TEXT)),
    **each("started_at ended_at", INSTANT),
    "ongoing": YES_NO,
    **each("expected_usd actual_usd impact_usd impact_lo_usd impact_hi_usd", USD),
    "score": RATIO,
    "drivers": listed(part("Driver")),
    **each("sentences examples alerts", listed(TEXT)),
    "parts": listed(
        record(
            {
                "scope": by_key(maybe(TEXT)),
                **each("started_at ended_at", INSTANT),
                **each("actual_usd expected_usd impact_usd", USD),
            }
        )
    ),
    "slice": maybe(record({"where": by_key(maybe(TEXT)), "change_usd": USD, "share": NUMBER})),
    "changes": listed(CHANGE),
    "owner": maybe(TEXT),
    "silenced_until": maybe(INSTANT),
    **each("notes history", listed(EVENT)),
}
INCIDENT = record(INCIDENT_FIELDS)
WHOLE_INCIDENT = record({**INCIDENT_FIELDS, **each("lever month_end", maybe(TEXT))})
FIRED = record({**each("started_at ended_at", INSTANT), "value": NUMBER, "reason": TEXT})
PREVIEW = record(
    {
        "rule": part("Rule"),
        "window": part("Window"),
        "fired": listed(FIRED),
        **each("times judged", COUNT),
        "note": TEXT,
        "channels": listed(record({"channel": TEXT, "takes": YES_NO})),
    }
)
DELIVERY = record({"channel": TEXT, "sent": YES_NO, "reason": maybe(TEXT)})

ANSWERS: Answers = {
    "GET /budgets": Answer(record({"budgets": listed(part("Budget"))}, {"next_cursor": NEXT_CURSOR})),
    "GET /budgets/{name}": Answer(part("Budget"), (404,)),
    "PUT /budgets/{name}": Answer(part("Budget")),
    "DELETE /budgets/{name}": Answer(None, (404,)),
    "GET /rules": Answer(record({"rules": listed(part("Rule"))})),
    "PUT /rules/{name}": Answer(part("Rule")),
    "DELETE /rules/{name}": Answer(None, (404,)),
    "POST /alerts/preview": Answer(PREVIEW),
    "GET /alerts": Answer(record({"alerts": listed(ALERT), "next_cursor": NEXT_CURSOR})),
    "GET /incidents": Answer(record({"incidents": listed(INCIDENT), "next_cursor": NEXT_CURSOR})),
    "GET /incidents/{incident_id}": Answer(WHOLE_INCIDENT, (404,)),
    "POST /incidents/{incident_id}/events": Answer(WHOLE_INCIDENT, (404,)),
    "POST /incidents/{incident_id}/silence": Answer(WHOLE_INCIDENT, (404,)),
    "GET /markers": Answer(record({"markers": listed(MARKER)})),
    "POST /markers": Answer(MARKER),
    "POST /alerts/test": Answer(record({"deliveries": listed(DELIVERY)})),
    "POST /alerts/{alert_id}/ack": Answer(ALERT, (404,)),
    "POST /alerts/{alert_id}/silence": Answer(ALERT, (404,)),
}
