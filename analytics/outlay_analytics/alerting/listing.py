"""What people see of alerts and do about them: list, acknowledge, silence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from outlay_analytics.alerting.kinds import OF_RULES, RULE_FAILED
from outlay_analytics.alerting.messages import explain_path, title
from outlay_analytics.alerting.repository import FAILING, MOST, read_acknowledgements, read_alerts, read_silences
from outlay_analytics.alerting.states import Alert
from outlay_analytics.notify.masks import channel_text, masked
from outlay_analytics.query.errors import BadRequest
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

LONGEST_SILENCE = timedelta(days=90)
STATES = ("firing", "pending", "resolved")


def list_alerts(
    store: Store, project: str, now: datetime, state: str | None = None, limit: int = MOST
) -> list[dict[str, Any]]:
    """The project's alerts as the API shows them: those that are open first, then the newest.

    Raises:
        BadRequest: If `state` is not `pending`, `firing` or `resolved`.
    """
    if state not in (None, "pending", "firing", "resolved"):
        raise BadRequest(f"state must be pending, firing or resolved, not {state[:40]!r}")
    condition = {
        None: "1",
        "pending": "state = 'pending'",
        "firing": "state = 'firing'",
        "resolved": "state = 'resolved'",
    }
    silences = read_silences(store, now)
    found = read_alerts(store, project=project, condition=condition[state], limit=limit)
    on_it = read_acknowledgements(store, found)
    undelivered = _undelivered(store, project)
    shown = [
        _shown(
            alert,
            silences.get((project, alert.fingerprint)),
            on_it.get(alert.alert_id),
            _delivery_error(alert, undelivered),
        )
        for alert in found
    ]
    return sorted(shown, key=order)


def not_evaluated(store: Store, project: str = "") -> list[dict[str, Any]]:
    """Budgets and rules whose evaluation fails at present: `project`, `what`, `name`, `reason`, `since`.

    Args:
        project: Of this one only; empty for all.
    """
    return [
        {
            "project": alert.project,
            "what": "rule" if alert.rule == RULE_FAILED else "budget",
            "name": alert.budget,
            "reason": alert.reason,
            "since": alert.started_at,
        }
        for alert in read_alerts(store, project=project, condition=FAILING)
    ]


def undelivered(store: Store, project: str = "") -> list[dict[str, Any]]:
    """Channels to which messages wait that were tried in vain: `project`, `channel`, `messages`, `since`, `reason`.

    Args:
        project: Of this one only; empty for all.
    """
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "notifications_waiting"), {"project": project})
    return [{**row, "channel": channel_text(masked(row["channel"]))} for row in rows]


def failing_rules(store: Store, project: str) -> dict[str, str]:
    """Why rules of a project cannot be evaluated at present, by name."""
    return {one["name"]: one["reason"] for one in not_evaluated(store, project) if one["what"] == "rule"}


def order(alert: Mapping[str, Any]) -> tuple[int, float]:
    """An alert's place in the list, as shown: firing, pending, resolved; then the newest."""
    return STATES.index(alert["state"]), -alert["started_at"].timestamp()


def _undelivered(store: Store, project: str) -> dict[tuple[str, str], str]:
    """Why the last message about a group did not reach a channel, by group key and channel."""
    rows = store.query(load_sql("outlay_analytics.alerting.sql", "notifications_undelivered"), {"project": project})
    return {(row["group_key"], row["channel"]): row["last_error"] for row in rows}


def _delivery_error(alert: Alert, undelivered: Mapping[tuple[str, str], str]) -> str | None:
    """How many of the alert's channels were not reached, and why the last of them was not."""
    missed = [undelivered[alert.group_key, name] for name in alert.notify if (alert.group_key, name) in undelivered]
    if not missed:
        return None
    return f"{len(missed)} channel{'s' if len(missed) > 1 else ''} not reached: {missed[-1]}"


def _shown(
    alert: Alert, silenced_until: datetime | None, on_it: Mapping[str, Any] | None, undelivered: str | None
) -> dict[str, Any]:
    base = alert.base
    return {
        "id": alert.alert_id,
        "fingerprint": alert.fingerprint,
        "rule": alert.rule,
        "title": title(alert),
        "severity": alert.severity,
        "state": alert.state,
        "reason": alert.reason,
        "budget": alert.budget or None if alert.rule not in OF_RULES else None,
        "rule_name": alert.budget if alert.rule in OF_RULES else None,
        "scope": {dim: list(values) for dim, values in alert.scope.items()},
        "group": alert.group_key,
        "window": {"start": alert.window_start, "end": alert.window_end},
        "base": {"start": base.start, "end": base.end} if base else None,
        "explain": explain_path(alert),
        "actual_usd": alert.actual_usd,
        "expected_usd": alert.expected_usd,
        "drivers": [dict(driver) for driver in alert.drivers],
        "sentences": list(alert.sentences),
        "started_at": alert.started_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "evaluated_at": alert.evaluated_at,
        "notified_at": alert.notified_at,
        "delivery_error": undelivered,
        "acknowledged_at": on_it["acknowledged_at"] if on_it else None,
        "acknowledged_by": (on_it["acknowledged_by"] or None) if on_it else None,
        "silenced_until": silenced_until,
    }


def acknowledge(
    store: Store, writer: Writer, project: str, alert_id: str, now: datetime, by: str = ""
) -> dict[str, Any] | None:
    """Somebody is on it: no more repeats of this occurrence. None if there is no such alert."""
    found = read_alerts(store, project=project, alert_id=alert_id)
    if not found:
        return None
    row = {"project": project, "alert_id": alert_id, "acknowledged_by": by[:200], "acknowledged_at": now}
    writer.insert("acknowledgements", [row])
    silences = read_silences(store, now)
    undelivered = _delivery_error(found[0], _undelivered(store, project))
    return _shown(found[0], silences.get((project, found[0].fingerprint)), row, undelivered)


def silence_watched(
    writer: Writer,
    project: str,
    fingerprint: str,
    now: datetime,
    until: datetime | None = None,
    by: str = "",
    comment: str = "",
) -> datetime:
    """Say nothing about what is watched until `until` (by default a day), over its occurrences; returns when it ends.

    A time in the past ends a silence.

    Raises:
        BadRequest: If it would last longer than `LONGEST_SILENCE`: nobody would remember it.
    """
    if until is not None and until - now > LONGEST_SILENCE:
        raise BadRequest(
            f"until {until.isoformat()} is too far ahead: a silence ends within {LONGEST_SILENCE.days} days; for what "
            "should never be told, remove the channel from the budget's notify"
        )
    end = until or now + timedelta(days=1)
    row = {"project": project, "fingerprint": fingerprint, "until": end.astimezone(UTC), "comment": comment[:1000]}
    writer.insert("silences", [{**row, "created_by": by[:200], "created_at": now}])
    return end


def silence(
    store: Store,
    writer: Writer,
    project: str,
    alert_id: str,
    now: datetime,
    until: datetime | None = None,
    by: str = "",
    comment: str = "",
) -> dict[str, Any] | None:
    """Say nothing about what this alert watches until `until` (by default a day), over its occurrences.

    Returns None if there is no such alert.

    Raises:
        BadRequest: As `silence_watched`.
    """
    found = read_alerts(store, project=project, alert_id=alert_id)
    if not found:
        return None
    end = silence_watched(writer, project, found[0].fingerprint, now, until, by, comment)
    on_it = read_acknowledgements(store, found).get(alert_id)
    undelivered = _delivery_error(found[0], _undelivered(store, project))
    return _shown(found[0], end if end > now else None, on_it, undelivered)
