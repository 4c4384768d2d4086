"""Alerts on budgets and anomalies: evaluate the rules, keep their states, and say it once to the right people.

`evaluate` is one round, meant to run every minute: rules → states (`states.py`) → what must be said, written
down as intent (`outbox.py`) → sent. All of it starts from what the store holds now, so late spans correct the next
round, and a crash between two steps repeats the later one. What people see of alerts is in `listing.py`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from outlay.errors import OutlayError
from outlay_analytics.alerting.budget_rules import (
    LONGEST_BURN_H,
    Explained,
    Finding,
    above_projection,
    burning,
    explained_less,
    over_budget,
    projected_over_budget,
    week_profile,
)
from outlay_analytics.alerting.budgets import Budget, all_budgets
from outlay_analytics.alerting.explained import Explainer
from outlay_analytics.alerting.groups import grouped
from outlay_analytics.alerting.measures import fires, measure
from outlay_analytics.alerting.messages import compose
from outlay_analytics.alerting.outbox import deliver, intend
from outlay_analytics.alerting.preview import budget_of
from outlay_analytics.alerting.repository import (
    UNFINISHED,
    read_acknowledgements,
    read_alerts,
    read_silences,
    write_alerts,
)
from outlay_analytics.alerting.rules import KINDS, AlertRule, all_rules
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import Alert, advance, begin, explained, fingerprint, inhibited, why_notify
from outlay_analytics.anomalies.incidents import FLOOR_USD, Finder, find
from outlay_analytics.forecast.projection import LEARN, LEAST, elapsed_share, look_ahead
from outlay_analytics.forecast.seasonal import forecast
from outlay_analytics.incidents.incident import Incident
from outlay_analytics.incidents.record import over, record
from outlay_analytics.query.calendar import spend_series, start_of, with_window
from outlay_analytics.query.text import usd
from outlay_analytics.query.together import asked_together
from outlay_analytics.query.window import Scope, Window
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

logger = logging.getLogger(__name__)

RULES = ("over_budget", "projected_over_budget", "above_projection", "burn_rate", "evaluation_failed")
FORGOTTEN = timedelta(days=2)


def evaluate(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    budgets: Sequence[Budget] = (),
    rules: Sequence[AlertRule] = (),
) -> int:
    """One round over every budget and rule: evaluate, remember, notify. Returns how many messages were accepted.

    Args:
        store, writer: The store and a connection of this thread.
        now: The moment of evaluation, aware.
        settings: From `parse_alerts`.
        budgets, rules: Those of outlay.toml; the store's are added.
    """
    settings = settings or AlertSettings()
    known, others = _known(store, lambda alert: alert.rule in RULES or alert.rule in KINDS)
    round_: list[Alert] = []
    found = all_budgets(store, budgets)
    with asked_together([budget.question() for budget in found]):
        findings_of = [_findings(store, budget, settings, now) for budget in found]
    for budget, findings in zip(found, findings_of, strict=True):
        scope = dict(budget.scope)
        for rule in RULES:
            mine = known.pop(fingerprint(budget.project, rule, budget.name, scope), None)
            if rule not in findings:  # not evaluated: what is known stays as it is
                others += [mine] if mine is not None else []
                continue
            finding = findings[rule]
            notify = budget.notify if rule != "evaluation_failed" else budget.notify or settings.notify
            if mine is not None:
                round_.append(advance(replace(mine, notify=notify), finding, now))
            elif finding is not None:
                round_.append(begin(budget.project, budget.name, scope, notify, finding, now))
    for watching in all_rules(store, rules):
        scope = dict(watching.scope)
        mine = known.pop(fingerprint(watching.project, watching.kind, watching.name, scope), None)
        try:
            finding = _rule_finding(store, watching, budgets, now)
        except OutlayError as exc:
            logger.warning("rule %s could not be evaluated: %s", watching.name, exc)
            others += [mine] if mine is not None else []
            continue
        if mine is not None:
            round_.append(advance(replace(mine, notify=watching.notify), finding, now))
        elif finding is not None:
            round_.append(begin(watching.project, watching.name, scope, watching.notify, finding, now))
    round_ += [advance(alert, None, now, gone="its budget was deleted or changed") for alert in known.values()]
    _notify(store, writer, round_, others, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def evaluate_anomalies(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    projects: Sequence[str] = ("default",),
    finder: Finder = find,
) -> int:
    """One round over the incidents of the last two days: remembered, and told. Returns how many messages were accepted.

    A project whose anomalies cannot be found keeps its alerts as they are, and stops none of the others.

    Args:
        finder: Looks for the anomalies of a scope, as `anomalies.find`; one that remembers them spares the work.
    """
    settings = settings or AlertSettings()
    known, others = _known(store, lambda alert: alert.rule == "anomaly")
    before = list(known.values())
    round_: list[Alert] = []
    for project in projects:
        scope = Scope(Window(now - FORGOTTEN, now), {}, project)
        mine = {key: known.pop(key) for key in [key for key, alert in known.items() if alert.project == project]}
        try:
            floor = min(settings.anomaly_floor_usd, FLOOR_USD)
            found = finder(store, scope, now=now, floor_usd=floor)["anomalies"]
            incidents = record(store, writer, project, found, scope.window, now)
            judged = [
                alert
                for one in incidents
                if settings.anomalies and (one.impact_usd >= settings.anomaly_floor_usd or one.fingerprint in mine)
                for alert in _anomaly_alert(one, mine, settings, now)
            ]
        except Exception as exc:
            logger.warning("anomalies of project %s could not be looked for", project, exc_info=exc)
            others += [alert for alert in before if alert.project == project]
            continue
        round_ += [*judged, *(advance(alert, None, now) for alert in mine.values())]
    round_ += [advance(alert, None, now) for alert in known.values()]
    _notify(store, writer, round_, others, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def evaluate_bills(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    explained: Mapping[str, Sequence[Explained]] | None = None,
) -> int:
    """One round over how much of each project's bills is explained. Returns how many messages were accepted.

    Args:
        explained: By project the last comparisons, the newest first.
    """
    settings = settings or AlertSettings()
    known, others = _known(store, lambda alert: alert.rule == "bill_unexplained")
    round_: list[Alert] = []
    for project, checks in (explained or {}).items():
        finding = explained_less(checks)
        mine = known.pop(fingerprint(project, "bill_unexplained", "", {}), None)
        if mine is not None:
            round_.append(advance(mine, finding, now))
        elif finding is not None:
            round_.append(begin(project, "", {}, settings.notify, finding, now))
    round_ += [advance(alert, None, now, gone="its bills are no longer pulled") for alert in known.values()]
    _notify(store, writer, round_, others, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def _known(store: Store, mine: Callable[[Alert], bool]) -> tuple[dict[str, Alert], list[Alert]]:
    """The open alerts that a round evaluates, by fingerprint; and the others, and those whose end is yet to be told."""
    known: dict[str, Alert] = {}
    others = []
    for alert in read_alerts(store, condition=UNFINISHED):
        if mine(alert) and alert.state != "resolved":
            known[alert.fingerprint] = alert
        else:
            others.append(alert)
    return known, others


def _anomaly_alert(one: Incident, known: dict[str, Alert], settings: AlertSettings, now: datetime) -> list[Alert]:
    """The alert that tells an incident, in the same words and figures; none where there never was one to tell."""
    scope = {dim: (value,) for dim, value in one.scope.items()}
    scope |= {"channel": (one.channel,), "incident": (one.incident_id,)}
    reason = (
        f"{one.cause}: {usd(one.impact_usd)} more than expected: {usd(one.actual_usd)} against "
        f"{usd(one.expected_usd)} expected"
    )
    finding = Finding("anomaly", "warning", True, one.actual_usd, one.expected_usd, reason, one.window)
    mine = known.pop(one.fingerprint, None)
    # An incident that was over before it was seen is recorded, not told; neither is one that somebody resolved.
    gone = "it is over" if over(one, now) else "somebody resolved it" if one.state == "resolved" else ""
    if mine is None:
        if gone == "somebody resolved it":
            return []
        fresh = begin(one.project, "", scope, settings.notify, finding, now)
        key = one.fingerprint
        fresh = replace(fresh, fingerprint=key, alert_id=f"{key}-{int(now.timestamp()):x}", started_at=one.started_at)
        fresh = replace(fresh, group_key=fresh.own_key)
        fresh = explained(fresh, one.window, None, one.drivers, one.sentences)
        return [advance(fresh, None, now, gone=gone) if gone else fresh]
    if gone:
        return [advance(mine, None, now, gone=gone)]
    held = advance(replace(mine, scope=scope), finding, now)
    return [explained(held, one.window, None, one.drivers, one.sentences)]


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
    projection = look_ahead(store, scope, budget.period, now)
    floor = min(settings.floor_usd, budget.amount_usd / 100)
    here = start_of(now, "hour", "UTC")
    hours_of = with_window(replace(scope, timezone="UTC"), here - timedelta(days=31), here)
    weeks = spend_series(store, hours_of, "hour").since_first()
    learned = weeks.values[:-LONGEST_BURN_H] if len(weeks.usd) > LONGEST_BURN_H + 24 * 7 else weeks.values[:0]
    recent = np.zeros(LONGEST_BURN_H)
    tail = weeks.values[-LONGEST_BURN_H:]
    recent[len(recent) - len(tail) :] = tail
    profile = week_profile(learned, weeks.times[0] if weeks.times else here)
    return {
        "over_budget": over_budget(budget.amount_usd, projection, now),
        "projected_over_budget": projected_over_budget(budget.amount_usd, projection, now),
        "above_projection": above_projection(
            projection, _expected_by_now(store, budget, projection.window, now), floor, now
        ),
        "burn_rate": burning(budget.amount_usd, projection.window, recent, profile, floor, here),
    }


def _rule_finding(store: Store, rule: AlertRule, budgets: Sequence[Budget], now: datetime) -> Finding | None:
    """What a rule finds in its window that ends now; None where it does not fire or nothing can be said."""
    found = measure(store, rule, now - max(rule.length, timedelta(hours=1)), now, budget_of(store, rule, budgets))
    if not found or not fires(rule, found[-1]):
        return None
    window = Window(now - rule.length, now)
    return Finding(rule.kind, rule.severity, False, None, None, found[-1].words, window)


def _expected_by_now(store: Store, budget: Budget, period: Window, now: datetime) -> float | None:
    """What the forecast made when the period began expects to be spent by now; None without two weeks of history."""
    scope = budget.question()
    before = spend_series(store, with_window(scope, period.start - LEARN, period.start), "day")
    history = before.since_first().learned
    if len(history) < max(14, LEAST):
        return None
    days = spend_series(store, with_window(scope, period.start, now), "day").times
    expected = forecast(history, None, "D", len(days))["mean"]
    return float(expected[:-1].sum() + expected[-1] * elapsed_share(store, scope, now))


def _notify(
    store: Store,
    writer: Writer,
    round_: Sequence[Alert],
    others: Sequence[Alert],
    settings: AlertSettings,
    now: datetime,
) -> None:
    """Write down what must be said, one message per group and channels, then the alerts as they are now.

    Args:
        round_: What was evaluated in this round.
        others: What was not, but is open or ended without a word: it may be told with the round's.
    """
    explainer = Explainer(store)
    fresh = [explainer.explain(alert) if alert.fired_at == now else alert for alert in round_]
    alerts = grouped([*fresh, *others], now)
    before = {alert.alert_id: alert for alert in others}
    silences, on_it = read_silences(store, now), read_acknowledgements(store, alerts)
    groups: dict[tuple[str, str], list[Alert]] = defaultdict(list)
    for alert in alerts:
        groups[alert.project, alert.group_key].append(alert)
    for (project, key), group in groups.items():
        speaking = [
            alert
            for alert in group
            if (alert.project, alert.fingerprint) not in silences
            and not (alert.state == "firing" and inhibited(alert, group))
        ]
        reasons = {
            alert.alert_id: why_notify(alert, speaking, now, settings.repeat, None, alert.alert_id in on_it)
            for alert in speaking
        }
        told: dict[str, Alert] = {}
        if any(reasons.values()):
            said = [explainer.explain(alert) if alert.state == "firing" else alert for alert in speaking]
            for channels, parts in _audiences(said, reasons):
                if channels:
                    intend(writer, project, compose(key, parts, reasons, settings), channels, now)
                told |= {alert.alert_id: _told(alert, now) for alert in parts}
        after = [told.get(alert.alert_id, alert) for alert in group]
        write_alerts(writer, [alert for alert in after if before.get(alert.alert_id) != alert])


def _audiences(alerts: Sequence[Alert], reasons: Mapping[str, str]) -> list[tuple[list[str], list[Alert]]]:
    """Who must hear what: channels, and all that is to be said to them about a group, wherever there is news for them.

    What fires is said again beside the news, and what has ended since the last message is said once. Alerts with news
    for nobody come last, without a channel.
    """
    firing = {alert.fingerprint for alert in alerts if alert.state == "firing"}
    said = [
        alert
        for alert in alerts
        if alert.state == "firing"
        or (alert.state == "resolved" and alert.told_firing and alert.fingerprint not in firing)
    ]
    audiences: dict[tuple[str, ...], tuple[list[str], list[Alert]]] = {}
    for channel in dict.fromkeys(channel for alert in said for channel in alert.notify):
        parts = [alert for alert in said if channel in alert.notify]
        if any(reasons[alert.alert_id] for alert in parts):
            audiences.setdefault(tuple(alert.alert_id for alert in parts), ([], parts))[0].append(channel)
    nobody = [alert for alert in alerts if reasons[alert.alert_id] and not alert.notify]
    return [*audiences.values(), ([], nobody)]


def _told(alert: Alert, now: datetime) -> Alert:
    return replace(alert, notified_at=now, notified_state=f"{alert.state}:{alert.severity}")
