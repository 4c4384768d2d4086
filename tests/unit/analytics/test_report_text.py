"""The report as text: pure, from what was found."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.report import GROUPS, report_text

BEGAN = datetime(2026, 3, 19, 21, tzinfo=UTC)


def unusual(ended: datetime, ongoing: bool) -> str:
    """The line about an incident that began at BEGAN."""
    what: dict[str, Any] = {"scope": {"feature": "search"}, "summary": "more requests came"}
    report = {
        "day": date(2026, 3, 19),
        "complete": True,
        "total": {"cost_usd": Decimal(5), "calls": 3, "errors": 0},
        "forecast": None,
        "sentences": [],
        "groups": {name: [] for name in GROUPS},
        "budgets": [],
        "anomalies": [{**what, "started_at": BEGAN, "ended_at": ended, "ongoing": ongoing}],
        "notes": [],
    }
    return report_text(report).partition("Unusual\n")[2].strip()


def test_the_all_clear_of_an_incident_stands_in_the_report() -> None:
    hour = timedelta(hours=1)
    assert unusual(BEGAN + hour, True) == "since 19 Mar 21:00 UTC in feature search: more requests came"
    assert unusual(BEGAN + hour, False) == "19 Mar 21:00 to 22:00 UTC in feature search: more requests came"
    assert unusual(BEGAN + 4 * hour, False).startswith("19 Mar 21:00 to 20 Mar 01:00 UTC in feature search")
