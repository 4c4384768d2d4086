"""Alerts on budgets and anomalies: evaluate the rules, keep their states, and say it once to the right people.

`evaluate` is one round, meant to run every minute: rules → states (`alert_states.py`) → what must be said, written
down as intent (`outbox.py`) → sent. All of it starts from what the store holds now, so late spans correct the next
round, and a crash between two steps repeats the later one. What people see of alerts is in `alert_list.py`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from outlay.errors import ConfigError, OutlayError
from outlay_analytics.alert_rows import OPEN, read_acknowledgements, read_alerts, read_silences, write_alerts
from outlay_analytics.alert_settings import AlertSettings
from outlay_analytics.alert_states import Alert, advance, begin, fingerprint, inhibited, why_notify
from outlay_analytics.anomalies import Finder, find
from outlay_analytics.budget_rules import (
    LONGEST_BURN_H,
    Finding,
    above_projection,
    burning,
    over_budget,
    projected_over_budget,
    week_profile,
)
from outlay_analytics.budgets import Budget, all_budgets
from outlay_analytics.channels import parse_channel
from outlay_analytics.explain import changes
from outlay_analytics.history import spend_series, start_of, with_window
from outlay_analytics.messages import Entry, Message, instant, usd
from outlay_analytics.notify import send
from outlay_analytics.outbox import deliver, intend
from outlay_analytics.outlook import LEARN, LEAST, elapsed_share, look_ahead
from outlay_analytics.seasonal import forecast
from outlay_analytics.window import Scope, Window
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

logger = logging.getLogger(__name__)

TITLES = {
    "over_budget": "is over budget",
    "projected_over_budget": "is heading over budget",
    "above_projection": "spends more than projected",
    "burn_rate": "burns its budget too fast",
    "evaluation_failed": "could not be evaluated",
}
RULES = ("over_budget", "projected_over_budget", "above_projection", "burn_rate", "evaluation_failed")
FORGOTTEN = timedelta(days=2)


def evaluate(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    budgets: Sequence[Budget] = (),
) -> int:
    """One round over every budget: evaluate, remember, notify. Returns how many messages were accepted.

    Args:
        store, writer: The store and a connection of this thread.
        now: The moment of evaluation, aware.
        settings: From `parse_alerts`.
        budgets: Those of outlay.toml; the store's are added.
    """
    settings = settings or AlertSettings()
    known = {alert.fingerprint: alert for alert in read_alerts(store, condition=OPEN) if alert.rule != "anomaly"}
    round_: list[Alert] = []
    for budget in all_budgets(store, budgets):
        scope = dict(budget.scope)
        findings = _findings(store, budget, settings, now)
        for rule in RULES:
            mine = known.pop(fingerprint(budget.project, rule, budget.name, scope), None)
            if rule not in findings:  # not evaluated: what is known stays as it is
                continue
            finding = findings[rule]
            notify = budget.notify if rule != "evaluation_failed" else budget.notify or settings.notify
            if mine is not None:
                round_.append(advance(replace(mine, notify=notify), finding, now))
            elif finding is not None:
                round_.append(begin(budget.project, budget.name, scope, notify, finding, now))
    round_ += [advance(alert, None, now, gone="its budget was deleted or changed") for alert in known.values()]
    _explain_new(store, round_, now)
    _notify(store, writer, round_, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def evaluate_anomalies(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    projects: Sequence[str] = ("default",),
    finder: Finder = find,
) -> int:
    """One round over the anomalies of the last two days. Returns how many messages were accepted.

    Args:
        finder: Looks for the anomalies of a scope, as `anomalies.find`; one that remembers them spares the work.
    """
    settings = settings or AlertSettings()
    if not settings.anomalies:
        return 0
    known = {alert.fingerprint: alert for alert in read_alerts(store, condition=OPEN) if alert.rule == "anomaly"}
    round_: list[Alert] = []
    for project in projects:
        scope = Scope(Window(now - FORGOTTEN, now), {}, project)
        for found in finder(store, scope, now=now, floor_usd=settings.anomaly_floor_usd)["anomalies"]:
            round_.append(_anomaly_alert(project, found, known, settings, now))
    round_ += [advance(alert, None, now) for alert in known.values()]
    _notify(store, writer, round_, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def _anomaly_alert(
    project: str, found: Mapping[str, Any], known: dict[str, Alert], settings: AlertSettings, now: datetime
) -> Alert:
    scope = {dim: (str(value or ""),) for dim, value in found["scope"].items()} | {"channel": (found["channel"],)}
    expected = usd(found["expected_usd"])
    reason = f"{found['summary']}: {usd(found['actual_usd'])} against {expected} expected"
    finding = Finding(
        "anomaly",
        "warning",
        True,
        found["actual_usd"],
        found["expected_usd"],
        reason,
        Window(found["started_at"], max(found["ended_at"], found["started_at"])),
    )
    fresh = begin(project, "", scope, settings.notify, finding, now)
    over = now - found["ended_at"] > timedelta(hours=3)
    mine = known.pop(fresh.fingerprint, None)
    if mine is None:
        explained = replace(
            fresh,
            started_at=found["started_at"],
            drivers=tuple(found["explain"]["drivers"][:3]),
            sentences=tuple(found["explain"]["sentences"]),
        )
        # An incident that was over before it was seen is recorded, not told.
        return advance(explained, None, now, gone="it is over") if over else explained
    return advance(mine, None if over else finding, now, gone="it is over" if over else "")


def _findings(store: Store, budget: Budget, settings: AlertSettings, now: datetime) -> dict[str, Finding | None]:
    """What every rule says about a budget; an evaluation that fails is a finding of its own."""
    try:
        found = _rules(store, budget, settings, now)
    except OutlayError as exc:
        logger.warning("budget %s could not be evaluated: %s", budget.name, exc)
        window = Window(now, now)
        reason = f"its evaluation failed: {str(exc)[:200]}"
        failed = Finding("evaluation_failed", "warning", False, budget.amount_usd, budget.amount_usd, reason, window)
        return {"evaluation_failed": failed}
    return {**found, "evaluation_failed": None}


def _rules(store: Store, budget: Budget, settings: AlertSettings, now: datetime) -> dict[str, Finding | None]:
    scope = budget.question()
    outlook = look_ahead(store, scope, budget.period, now)
    floor = min(settings.floor_usd, budget.amount_usd / 100)
    here = start_of(now, "hour", "UTC")
    weeks = spend_series(store, with_window(scope, here - timedelta(days=31), here), "hour").since_first()
    learned = weeks.values[:-LONGEST_BURN_H] if len(weeks.usd) > LONGEST_BURN_H + 24 * 7 else weeks.values[:0]
    recent = np.zeros(LONGEST_BURN_H)
    tail = weeks.values[-LONGEST_BURN_H:]
    recent[len(recent) - len(tail) :] = tail
    profile = week_profile(learned, weeks.times[0] if weeks.times else here)
    return {
        "over_budget": over_budget(budget.amount_usd, outlook, now),
        "projected_over_budget": projected_over_budget(budget.amount_usd, outlook, now),
        "above_projection": above_projection(outlook, _expected_by_now(store, budget, outlook.window, now), floor, now),
        "burn_rate": burning(budget.amount_usd, outlook.window, recent, profile, floor, here),
    }


def _expected_by_now(store: Store, budget: Budget, period: Window, now: datetime) -> float | None:
    """What the forecast made when the period began expects to be spent by now; None without two weeks of history."""
    scope = budget.question()
    before = spend_series(store, with_window(scope, period.start - LEARN, period.start), "day")
    history = before.since_first().values
    if len(history) < max(14, LEAST):
        return None
    days = spend_series(store, with_window(scope, period.start, now), "day").times
    expected = forecast(history, None, "D", len(days))["mean"]
    return float(expected[:-1].sum() + expected[-1] * elapsed_share(store, scope, now))


def _explain_new(store: Store, alerts: list[Alert], now: datetime) -> None:
    """Give every alert that has just begun to fire its drivers and sentences, in place."""
    for number, alert in enumerate(alerts):
        if alert.fired_at != now or alert.window_start >= alert.window_end:
            continue
        window = Window(alert.window_start, alert.window_end)
        scope = Scope(window, {dim: tuple(values) for dim, values in alert.scope.items()}, alert.project)
        base = window.previous()
        if alert.rule == "burn_rate":  # the same hours a week ago, so that nights are compared with nights
            base = Window(window.start - timedelta(days=7), window.end - timedelta(days=7))
        drivers, words = changes(store, scope, base)
        moved = tuple(driver for driver in drivers if driver["usd"])[:3]
        alerts[number] = replace(alert, drivers=moved, sentences=tuple(words))


def _notify(store: Store, writer: Writer, alerts: Sequence[Alert], settings: AlertSettings, now: datetime) -> None:
    """Write down what must be said, then the alerts as they are now: one message per group."""
    silences, on_it = read_silences(store, now), read_acknowledgements(store, alerts)
    groups: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        groups[alert.group_key].append(alert)
    for key, group in groups.items():
        reasons = {
            alert.alert_id: why_notify(
                alert,
                group,
                now,
                settings.repeat,
                silences.get((alert.project, alert.fingerprint)),
                alert.alert_id in on_it,
            )
            for alert in group
        }
        told = [alert for alert in group if reasons[alert.alert_id]]
        firing = [alert for alert in group if alert.state == "firing" and not inhibited(alert, group)]
        said = told + [alert for alert in firing if alert not in told and alert.notified_state]
        channels = [channel for alert in said for channel in alert.notify]
        if told and channels:
            intend(writer, group[0].project, _message(key, said, reasons, settings), channels, now)
        marked = {alert.alert_id for alert in told}
        write_alerts(writer, [_told(alert, now) if alert.alert_id in marked else alert for alert in group])


def _told(alert: Alert, now: datetime) -> Alert:
    return replace(alert, notified_at=now, notified_state=f"{alert.state}:{alert.severity}")


def _message(key: str, alerts: Sequence[Alert], reasons: Mapping[str, str], settings: AlertSettings) -> Message:
    status = "firing" if any(alert.state == "firing" for alert in alerts) else "resolved"
    ordered = sorted(alerts, key=lambda alert: (alert.state != "firing", alert.severity != "critical", alert.rule))
    states = sorted(
        f"{alert.alert_id}:{alert.state}:{alert.severity}:{reasons.get(alert.alert_id)}:{instant(alert.notified_at)}"
        for alert in alerts
    )
    lead = ordered[0]
    mark = "Resolved" if status == "resolved" else lead.severity.capitalize()
    return Message(
        message_id=hashlib.sha256("|".join(states).encode()).hexdigest()[:32],
        group_key=key,
        status=status,
        title=f"{mark}: {title(lead)}",
        entries=tuple(_entry(alert, settings) for alert in ordered),
        link=_link(lead, settings),
        sent_by=settings.public_url,
    )


def title(alert: Alert) -> str:
    """What happened, in a few words."""
    if alert.rule == "anomaly":
        where = ", ".join(f"{dim} {values[0] or '(none)'}" for dim, values in alert.scope.items() if dim != "channel")
        channel = alert.scope.get("channel", ("spend",))[0].replace("_", " ")
        return f"unusual {channel} in {where or 'all spend'}"
    return f"{alert.budget} {TITLES.get(alert.rule, alert.rule)}"


def _entry(alert: Alert, settings: AlertSettings) -> Entry:
    labels = {"project": alert.project} | ({"budget": alert.budget} if alert.budget else {})
    labels |= {dim: ",".join(values) for dim, values in alert.scope.items()}
    description = alert.reason + (f". {' '.join(alert.sentences)}" if alert.sentences else "")
    url = f"{settings.public_url}/api/v1/alerts/{quote(alert.alert_id)}/silence"
    return Entry(
        fingerprint=alert.fingerprint,
        alert_id=alert.alert_id,
        rule=alert.rule,
        severity=alert.severity,
        status="resolved" if alert.state == "resolved" else "firing",
        summary=f"{title(alert)}: {alert.reason}",
        description=description,
        starts_at=instant(alert.started_at),
        ends_at=instant(alert.resolved_at),
        labels=labels,
        actual_usd=None if alert.actual_usd is None else f"{alert.actual_usd:f}",
        expected_usd=None if alert.expected_usd is None else f"{alert.expected_usd:f}",
        drivers=[{"driver": driver["driver"], "usd": f"{driver['usd']:f}"} for driver in alert.drivers[:3]],
        link=_link(alert, settings),
        silence=f'{settings.public_url}/alerts, or POST {url} (for a day unless it says "until")',
    )


def _link(alert: Alert, settings: AlertSettings) -> str:
    """The explain page for the alert's window and scope."""
    pairs = [("start", instant(alert.window_start)), ("end", instant(alert.window_end))]
    pairs += [(dim, value) for dim, values in alert.scope.items() if dim != "channel" for value in values]
    if alert.project != "default":
        pairs.append(("project", alert.project))
    return f"{settings.public_url}/explain?{urlencode(pairs)}"


def send_test(
    store: Store, writer: Writer, project: str, now: datetime, settings: AlertSettings, notify: Sequence[str]
) -> list[dict[str, Any]]:
    """Send a test message to every channel at once and say what became of each."""
    sample = Alert(
        project=project,
        alert_id="test",
        fingerprint="test",
        rule="test",
        severity="warning",
        budget="test",
        scope={},
        state="firing",
        reason="a test message, nothing happened",
        actual_usd=None,
        expected_usd=None,
        window_start=now - timedelta(hours=1),
        window_end=now,
        started_at=now,
        evaluated_at=now,
    )
    base = _message(f"{project}/test", [sample], {}, settings)
    message = replace(base, status="test", title="Test message from Outlay")
    out = []
    for entry in notify:
        try:
            channel = parse_channel(entry, settings.channels)
            result = send(channel, message, now=now, outbound=settings.outbound)
        except ConfigError as exc:
            out.append({"channel": entry, "sent": False, "reason": str(exc)})
            continue
        out.append({"channel": entry, "sent": result.sent, "reason": result.reason or None})
    return out
