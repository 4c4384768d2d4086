"""The ledger: received = stored + rejected + quarantined + duplicate + pending, in spans, exactly.

Cumulative over restarts. Each collector's row of the table `ledger` says what was loaded; what its spool still holds is
added from the spool itself, both at one moment. Spans removed later by retention or erasure are not in these figures.
"""

from __future__ import annotations

from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store, load_sql

SPANS = ("received", "stored", "rejected", "quarantined", "duplicate")
LOGS = ("logs_received", "logs_stored", "logs_rejected", "logs_quarantined")


def ledger(store: Store, spool: Spool | None) -> dict[str, int]:
    """The ledger of this deployment: every collector's row, with this process's own spool as it is now.

    Args:
        spool: This process's spool, or None when it has none (a process that only serves pages).

    Returns:
        `received stored rejected quarantined duplicate pending`, then the same for log records with `logs_` before,
        and `spool_bytes`.
    """
    rows = store.query(load_sql("outlay_collector.load.sql", "ledger"), {"collector": ""})
    out = dict.fromkeys((*SPANS, "pending", *LOGS, "logs_pending", "spool_bytes"), 0)
    for row in rows:
        if spool is None or row["collector"] != spool.name:
            for name in (*SPANS, *LOGS):
                out[name] += row[name]
    if spool is None:
        return out
    loaded, waiting = spool.snapshot()
    for name in (*SPANS, *LOGS):
        out[name] += getattr(loaded, name)
    out["pending"] = waiting.spans
    out["received"] += waiting.spans + waiting.rejected
    out["rejected"] += waiting.rejected
    out["logs_pending"] = waiting.logs
    out["logs_received"] += waiting.logs + waiting.logs_rejected
    out["logs_rejected"] += waiting.logs_rejected
    out["spool_bytes"] = spool.size_bytes
    return out
