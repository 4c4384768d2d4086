"""The life of an alert: pending, firing, resolved. Every step has its reason; time is an argument.

A finding that is an estimate must hold in two evaluations before it fires, and be gone in two before it is resolved,
so that a value near its threshold does not flap. Facts fire at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.budget_rules import Finding

EVALUATIONS = 2
# What speaks for the whole group; those after it stay quiet while it fires.
PRECEDENCE = (
    ("over_budget", "critical"),
    ("projected_over_budget", "critical"),
    ("burn_rate", "critical"),
    ("above_projection", "warning"),
    ("projected_over_budget", "warning"),
    ("burn_rate", "warning"),
)


@dataclass(frozen=True)
class Alert:
    """One occurrence of something that is watched; fields as the columns of `alerts`."""

    project: str
    alert_id: str
    fingerprint: str
    rule: str
    severity: str
    budget: str
    scope: Mapping[str, Sequence[str]]
    state: str
    reason: str
    actual_usd: Decimal | None
    expected_usd: Decimal | None
    window_start: datetime
    window_end: datetime
    started_at: datetime
    evaluated_at: datetime
    streak: int = 1
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    notified_at: datetime | None = None
    notified_state: str = ""
    notify: tuple[str, ...] = ()
    drivers: tuple[Mapping[str, Any], ...] = ()
    sentences: tuple[str, ...] = field(default=())
    version: int = 1

    @property
    def group_key(self) -> str:
        """What one message is about: a budget, or the thing itself."""
        return f"{self.project}/budget:{self.budget}" if self.budget else f"{self.project}/{self.fingerprint}"


def fingerprint(project: str, rule: str, budget: str, scope: Mapping[str, Sequence[str]]) -> str:
    """Of what is watched: the same for every occurrence."""
    text = json.dumps([project, rule, budget, sorted((k, list(v)) for k, v in scope.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def begin(
    project: str,
    budget: str,
    scope: Mapping[str, Sequence[str]],
    notify: Sequence[str],
    finding: Finding,
    now: datetime,
) -> Alert:
    """A new occurrence: firing when it is a fact, pending otherwise."""
    print_ = fingerprint(project, finding.rule, budget, scope)
    return Alert(
        project=project,
        alert_id=f"{print_}-{int(now.timestamp()):x}",
        fingerprint=print_,
        rule=finding.rule,
        severity=finding.severity,
        budget=budget,
        scope=scope,
        state="firing" if finding.at_once else "pending",
        reason=finding.reason,
        actual_usd=finding.actual_usd,
        expected_usd=finding.expected_usd,
        window_start=finding.window.start,
        window_end=finding.window.end,
        started_at=now,
        evaluated_at=now,
        fired_at=now if finding.at_once else None,
        notify=tuple(notify),
    )


def advance(alert: Alert, finding: Finding | None, now: datetime, gone: str = "") -> Alert:
    """The alert after one more evaluation.

    Args:
        alert: Pending or firing.
        finding: What its rule found now, None for nothing.
        now: The moment of evaluation.
        gone: Why it can no longer be found (its budget was deleted …): resolves at once.
    """
    alert = replace(alert, evaluated_at=now, version=alert.version + 1)
    if finding is not None:
        return _still_found(alert, finding, now)
    if alert.state == "pending":
        return replace(alert, state="resolved", resolved_at=now, streak=1, reason=gone or "did not last")
    misses = min(alert.streak, 0) - 1
    if -misses < EVALUATIONS and not gone:
        return replace(alert, streak=misses)
    return replace(
        alert, state="resolved", resolved_at=now, streak=misses, reason=gone or f"over; it was: {alert.reason}"
    )


def _still_found(alert: Alert, finding: Finding, now: datetime) -> Alert:
    alert = replace(
        alert,
        severity=finding.severity,
        reason=finding.reason,
        actual_usd=finding.actual_usd,
        expected_usd=finding.expected_usd,
        window_start=finding.window.start,
        window_end=finding.window.end,
        streak=max(alert.streak, 0) + 1,
    )
    if alert.state == "pending" and (finding.at_once or alert.streak >= EVALUATIONS):
        return replace(alert, state="firing", fired_at=now)
    return alert


def inhibited(alert: Alert, group: Sequence[Alert]) -> bool:
    """Whether a weightier alert of the same group already speaks."""

    def rank(other: Alert) -> int:
        key = (other.rule, other.severity)
        return PRECEDENCE.index(key) if key in PRECEDENCE else len(PRECEDENCE)

    firing = [other for other in group if other.state == "firing" and other.alert_id != alert.alert_id]
    if rank(alert) == len(PRECEDENCE):
        return False
    return any(rank(other) < rank(alert) for other in firing)


def why_notify(
    alert: Alert,
    group: Sequence[Alert],
    now: datetime,
    repeat: timedelta,
    silenced_until: datetime | None = None,
    acknowledged: bool = False,
) -> str:
    """Why a message must go out about this alert now; empty when none must.

    `first`, `more_severe`, `repeat` or `resolved`. Nothing is said while silenced, inhibited or (for repeats)
    acknowledged; the end is only told to those who were told the beginning.
    """
    if silenced_until is not None and now < silenced_until:
        return ""
    if alert.state == "resolved":
        return "resolved" if alert.notified_state.startswith("firing") else ""
    if alert.state != "firing" or inhibited(alert, group):
        return ""
    if not alert.notified_state:
        return "first"
    if alert.notified_state == "firing:warning" and alert.severity == "critical":
        return "more_severe"
    told = alert.notified_at
    if told is not None and now - told >= repeat and not acknowledged:
        return "repeat"
    return ""
