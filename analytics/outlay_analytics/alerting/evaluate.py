"""Alerts on budgets and anomalies: evaluate the rules, keep their states, and say it once to the right people.

`evaluate` is one round, meant to run every minute: rules → states (`states.py`) → what must be said, written
down as intent (`outbox.py`) → sent. All of it starts from what the store holds now, so late spans correct the next
round, and a crash between two steps repeats the later one. What people see of alerts is in `listing.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budget_rules import Explained, Finding, explained_less
from outlay_analytics.alerting.budgets import all_budgets
from outlay_analytics.alerting.judge import judge_budgets, judge_rules
from outlay_analytics.alerting.kinds import FAILED, OF_BUDGETS, OF_RULES
from outlay_analytics.alerting.notices import notify
from outlay_analytics.alerting.outbox import deliver
from outlay_analytics.alerting.repository import UNFINISHED, read_alerts
from outlay_analytics.alerting.rules import AlertRule, all_rules
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import Alert, advance, begin, explained, fingerprint
from outlay_analytics.anomalies.incidents import FLOOR_USD, SIGHT, Finder, find
from outlay_analytics.incidents.incident import Incident
from outlay_analytics.incidents.record import over, record
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import usd
from outlay_analytics.query.window import Window
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

logger = logging.getLogger(__name__)

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
    known, others = _known(store, lambda alert: alert.rule in (*OF_BUDGETS, *OF_RULES))
    round_: list[Alert] = []
    all_of = all_budgets(store, budgets)
    watched = [*judge_budgets(store, all_of, settings, now)]
    watched += judge_rules(store, all_rules(store, rules), all_of, settings, now)
    for one in watched:
        for rule in one.rules:
            mine = known.pop(fingerprint(one.project, rule, one.name, one.scope), None)
            if rule not in one.findings:  # not evaluated: what is known stays as it is
                others += [mine] if mine is not None else []
                continue
            finding, channels = one.findings[rule], one.failures_to if rule in FAILED else one.notify
            if mine is not None:
                round_.append(advance(replace(mine, notify=channels), finding, now))
            elif finding is not None:
                round_.append(begin(one.project, one.name, one.scope, channels, finding, now))
    for alert in known.values():
        what = "rule" if alert.rule in OF_RULES else "budget"
        round_.append(advance(alert, None, now, gone=f"its {what} was deleted or changed"))
    notify(store, writer, round_, others, settings, now)
    return deliver(store, writer, now, settings.channels, settings.outbound)


def evaluate_anomalies(
    store: Store,
    writer: Writer,
    now: datetime,
    settings: AlertSettings | None = None,
    projects: Sequence[str] = ("default",),
    finder: Finder = find,
) -> int:
    """One round over the incidents of the last month, remembered, of which the last two days' are told.

    Returns how many messages were accepted.
    A project whose anomalies cannot be found keeps its alerts as they are, and stops none of the others.

    Args:
        finder: Looks for the anomalies of a scope, as `anomalies.find`; one that remembers them spares the work.
    """
    settings = settings or AlertSettings()
    known, others = _known(store, lambda alert: alert.rule == "anomaly")
    before = list(known.values())
    round_: list[Alert] = []
    for project in projects:
        scope = Scope(Window(now - SIGHT, now), {}, project, holidays=settings.holidays)
        mine = {key: known.pop(key) for key in [key for key, alert in known.items() if alert.project == project]}
        try:
            floor = min(settings.anomaly_floor_usd, FLOOR_USD)
            found = finder(store, scope, now=now, floor_usd=floor)["anomalies"]
            incidents = record(store, writer, project, found, scope.window, now)
            recent = [one for one in incidents if settings.anomalies and one.ended_at > now - FORGOTTEN]
            judged = [
                alert
                for one in recent
                if one.impact_usd >= settings.anomaly_floor_usd or one.fingerprint in mine
                for alert in _anomaly_alert(one, mine, settings, now)
            ]
        except Exception as exc:
            logger.warning("anomalies of project %s could not be looked for", project, exc_info=exc)
            others += [alert for alert in before if alert.project == project]
            continue
        round_ += [*judged, *(advance(alert, None, now) for alert in mine.values())]
    round_ += [advance(alert, None, now) for alert in known.values()]
    notify(store, writer, round_, others, settings, now)
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
    notify(store, writer, round_, others, settings, now)
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
    severity = settings.severity(one.impact_usd, one.expected_usd)
    finding = Finding("anomaly", severity, True, one.actual_usd, one.expected_usd, reason, one.window)
    mine = known.pop(one.fingerprint, None)
    # An incident that was over before it was seen is recorded, not told; neither is one that somebody resolved.
    gone = "it is over" if over(one, now) else "somebody resolved it" if one.state == "resolved" else ""
    if mine is None:
        if gone and one.seen_at != now:
            return []  # it was told before it was over, or somebody resolved it
        fresh = begin(one.project, "", scope, settings.notify, finding, now)
        key = one.fingerprint
        fresh = replace(fresh, fingerprint=key, alert_id=f"{key}-{int(now.timestamp()):x}", started_at=one.started_at)
        fresh = replace(fresh, group_key=fresh.own_key)
        fresh = explained(fresh, one.window, None, one.drivers, one.sentences)
        return [advance(fresh, None, now, gone=gone) if gone else fresh]
    if gone:
        return [advance(mine, None, now, gone=gone)]
    held = advance(replace(mine, scope=scope, notify=settings.notify), finding, now)
    return [explained(held, one.window, None, one.drivers, one.sentences)]
