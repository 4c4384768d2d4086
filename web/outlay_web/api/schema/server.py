"""Answers of the routes in `api/status.py` and `api/admin.py`: the ledger, keys, settling again, closed months."""

from __future__ import annotations

from outlay_collector.load.ledger import LOGS, SPANS
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.shapes import (
    COUNT,
    DAY,
    INSTANT,
    NUMBER,
    TEXT,
    USD,
    YES_NO,
    each,
    either,
    listed,
    maybe,
    one_of,
    part,
    record,
)
from outlay_web.http.keys import ROLES

STATUS = record(
    {
        "version": TEXT,
        "ready": YES_NO,
        **dict.fromkeys((*SPANS, "pending", *LOGS, "logs_pending"), COUNT),
        **each("spool_bytes unsettled_traces set_aside_traces broken_parts calls", COUNT),
        "set_aside": listed(record({**each("project trace_id reason", TEXT), "at": INSTANT})),
        "not_evaluated": listed(record({**each("project what name reason", TEXT), "since": INSTANT})),
        "undelivered": listed(record({**each("project channel reason", TEXT), "messages": COUNT, "since": INSTANT})),
        "lag_seconds": maybe(NUMBER),
        **each("price_version catalogue_warning", maybe(TEXT)),
        "jobs": listed(
            record({"name": TEXT, **each("runs failures", COUNT), "last_error": maybe(TEXT), "busy_seconds": NUMBER})
        ),
    }
)

KEY = {
    **each("prefix project", TEXT),
    "role": one_of(ROLES),
    "created_at": INSTANT,
    **each("revoked_at last_used_at", maybe(INSTANT)),
}
CLOSED = record({"month": TEXT, "calls": COUNT, "cost_usd": USD})
REOPENED = record({"month": TEXT, "reopened": {"const": True}})
MONTH = record(
    {
        "month": DAY,
        "closed_at": INSTANT,
        **each("calls calls_now", COUNT),
        **each("cost_usd cost_now_usd adjustment_usd", USD),
    }
)
TAKEN = record({"kind": one_of(("traces", "logs")), **each("accepted rejected", COUNT), "message": maybe(TEXT)})

ANSWERS: Answers = {
    "GET /status": Answer(STATUS),
    "GET /admin/keys": Answer(record({"keys": listed(record(KEY))})),
    "POST /admin/keys": Answer(record({"key": TEXT, **KEY})),
    "POST /admin/keys/revoke": Answer(record(KEY), (404,)),
    "POST /admin/resettle": Answer(record({"traces": COUNT, **each("before after", part("Measures"))})),
    "POST /admin/close": Answer(either(CLOSED, REOPENED)),
    "GET /admin/close": Answer(record({"months": listed(MONTH)})),
    "POST /admin/ingest": Answer(TAKEN, (415,)),
}
