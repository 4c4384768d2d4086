"""The life of an alert: pending, firing, resolved. Every step has its reason; time is an argument.

A finding that is an estimate must hold in two evaluations before it fires, and be gone in two before it is resolved,
so that a value near its threshold does not flap. Facts fire at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.alerting.budget_rules import Finding
from outlay_analytics.alerting.kinds import FAILED, OF_RULES
from outlay_analytics.query.window import Window

ABOUT = ("channel", "incident")  # in the scope of an anomaly's alert: what moved and which incident, no filters
EVALUATIONS = 2


@dataclass(frozen=True)
class Alert:
    """One occurrence of something that is watched; fields as the columns of `alerts`.

    Attributes:
        budget: The name of the budget, or of the rule, that it is about; empty for the others.
        group_key: The alert that opened the group in which it is told; at first its own.
        notified_at, notified_state: When it was told last, and the state and severity that were, `firing:warning`;
            of an earlier occurrence where this one is the same incident; `known:…` where something else told it.
        notified_actual_usd, notified_expected_usd: The amounts that were told last.
        notified_channels: The channels that heard of it.
        notify: The channels that hear of it: of those of what it is about, the ones that take its severity.
        explained_start, explained_end: The time that `drivers` and `sentences` speak of, None before they were made.
        base_start, base_end: What they compare it with, None where nothing comparable was recorded.
    """

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
    notified_actual_usd: Decimal | None = None
    notified_expected_usd: Decimal | None = None
    notified_channels: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    drivers: tuple[Mapping[str, Any], ...] = ()
    sentences: tuple[str, ...] = field(default=())
    group_key: str = ""
    explained_start: datetime | None = None
    explained_end: datetime | None = None
    base_start: datetime | None = None
    base_end: datetime | None = None
    version: int = 1

    @property
    def own_key(self) -> str:
        """What it is about: a budget, a rule, or the thing itself."""
        what = "rule" if self.rule in OF_RULES else "budget"
        return f"{self.project}/{what}:{self.budget}" if self.budget else f"{self.project}/{self.fingerprint}"

    @property
    def incident(self) -> str:
        """The id of the incident that it tells, empty for other rules."""
        return next(iter(self.scope.get("incident", ())), "")

    @property
    def explained(self) -> Window:
        """The time that its drivers and sentences speak of."""
        if self.explained_start is None or self.explained_end is None:
            return Window(self.window_start, self.window_end)
        return Window(self.explained_start, self.explained_end)

    @property
    def base(self) -> Window | None:
        """What that time is compared with, None where nothing comparable was recorded."""
        known = self.base_start is not None and self.base_end is not None
        return Window(self.base_start, self.base_end) if known else None  # type: ignore[arg-type]

    @property
    def cause(self) -> str:
        """What raised its spend most: a driver's name, empty where it is not known."""
        if self.rule in FAILED:
            return self.rule
        return next((str(driver["driver"]) for driver in self.drivers if driver["usd"] > 0), "")

    @property
    def told_to(self) -> tuple[str, ...]:
        """The channels that heard of it; those of an alert that was told before these were kept are all of them."""
        return self.notified_channels or (self.notify if self.notified_state else ())

    @property
    def told_firing(self) -> bool:
        """Whether people know that it fires, and not yet that it is over."""
        return self.notified_state.startswith("firing")


def explained(
    alert: Alert, window: Window, base: Window | None, drivers: Sequence[Mapping[str, Any]], words: Sequence[str]
) -> Alert:
    """The alert with what was found about `window` against `base`."""
    return replace(
        alert,
        drivers=tuple(driver for driver in drivers if driver["usd"])[:3],
        sentences=tuple(words),
        explained_start=window.start,
        explained_end=window.end,
        base_start=base.start if base else None,
        base_end=base.end if base else None,
    )


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
    made = Alert(
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
    return replace(made, group_key=made.own_key)


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
