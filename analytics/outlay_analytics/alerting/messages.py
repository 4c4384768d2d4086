"""The message about a group of alerts: its title, one entry per alert, and a link that shows the same figures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from outlay_analytics.alerting.advice import Advice
from outlay_analytics.alerting.groups import weight
from outlay_analytics.alerting.kinds import BUDGET_FAILED, FAILED, OF_RULES, RULE_FAILED
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.states import ABOUT, Alert
from outlay_analytics.explain import drivers
from outlay_analytics.notify.messages import Entry, Message, instant
from outlay_analytics.query.text import usd

NO_ADVICE = Advice()
TITLES = {
    "over_budget": "is over budget",
    "entity_over_budget": "is over budget for some",
    "projected_over_budget": "is heading over budget",
    "above_projection": "spends more than projected",
    "burn_rate": "burns its budget too fast",
    BUDGET_FAILED: "could not be evaluated",
    RULE_FAILED: "could not be evaluated",
}


def compose(
    key: str,
    alerts: Sequence[Alert],
    reasons: Mapping[str, str],
    settings: AlertSettings,
    advice: Advice = NO_ADVICE,
) -> Message:
    """What is said about the alerts of a group.

    Args:
        key: The group's.
        alerts: Those that fire or have just ended; none of them needs to be new.
        reasons: By alert id, why it is told now; the message's id changes with them.
        settings: For addresses.
        advice: About the alert that it leads with.
    """
    status = "firing" if any(alert.state == "firing" for alert in alerts) else "resolved"
    ordered = in_order(alerts, reasons)
    states = sorted(
        f"{alert.alert_id}:{alert.state}:{alert.severity}:{reasons.get(alert.alert_id)}:{instant(alert.notified_at)}"
        for alert in alerts
    )
    why = {reasons.get(alert.alert_id) for alert in alerts} - {"", None}
    mark = ordered[0].severity.capitalize()
    if status == "resolved" or why == {"worse"}:
        mark = "Resolved" if status == "resolved" else "Worse"
    return Message(
        message_id=hashlib.sha256("|".join(states).encode()).hexdigest()[:32],
        group_key=key,
        status=status,
        title=f"{mark}: {headline(ordered)}",
        entries=tuple(entry(alert, settings, reasons.get(alert.alert_id, "")) for alert in ordered),
        link=link(ordered[0], settings),
        sent_by=settings.public_url,
        lever=advice.lever,
        month_end=advice.month_end,
        chart=advice.chart,
    )


def in_order(alerts: Sequence[Alert], reasons: Mapping[str, str]) -> list[Alert]:
    """The parts of a message: what fires first, of it what is news, of that the weightiest."""
    return sorted(alerts, key=lambda one: (one.state != "firing", not reasons.get(one.alert_id), weight(one)))


def headline(alerts: Sequence[Alert]) -> str:
    """What happened to all of them, the first in full: `search is over budget, and 9 more: requests`."""
    if len(alerts) == 1:
        return title(alerts[0])
    causes = {alert.cause for alert in alerts}
    cause = causes.pop() if len(causes) == 1 else ""
    shared = f": {drivers.title(cause)}" if cause and cause not in FAILED else ""
    return f"{title(alerts[0])}, and {len(alerts) - 1} more{shared}"


def title(alert: Alert) -> str:
    """What happened, in a few words."""
    if alert.rule == "anomaly":
        where = ", ".join(f"{dim} {values[0] or '(none)'}" for dim, values in alert.scope.items() if dim not in ABOUT)
        channel = alert.scope.get("channel", ("spend",))[0].replace("_", " ")
        return f"unusual {channel} in {where or 'all spend'}"
    if alert.rule == "bill_unexplained":
        return "less of the bill is explained"
    if not alert.budget:
        return alert.rule
    return f"{alert.budget} {TITLES[alert.rule]}" if alert.rule in TITLES else alert.budget


def entry(alert: Alert, settings: AlertSettings, why: str = "") -> Entry:
    """One alert of a message; `why` it is told now."""
    labels = {"project": alert.project}
    if alert.budget:
        labels["rule" if alert.rule in OF_RULES else "budget"] = alert.budget
    labels |= {dim: ",".join(values) for dim, values in alert.scope.items()}
    why_so = alert.sentences[1:] if alert.rule == "anomaly" else alert.sentences  # the first is what the reason says
    said = [*([_told_before(alert)] if why == "worse" else []), *why_so]
    description = alert.reason + (f". {' '.join(said)}" if said else "")
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
        link=link(alert, settings),
        severity_before=severity_told(alert),
        silence=f'{settings.public_url}/alerts, or POST {url} (for a day unless it says "until")',
    )


def severity_told(alert: Alert) -> str:
    """The severity under which a firing alert was told, where it has another one now; empty otherwise."""
    told = alert.notified_state.partition(":")[2] if alert.told_firing else ""
    return told if told != alert.severity else ""


def _told_before(alert: Alert) -> str:
    """What had been told of an alert that became worse, in a sentence."""
    told, expected = alert.notified_actual_usd, alert.notified_expected_usd
    if alert.rule == "anomaly" and told is not None and expected is not None:
        return f"It was {usd(told - expected)} more than expected when it was told last."
    return f"It was {usd(told)} when it was told last."


def link(alert: Alert, settings: AlertSettings) -> str:
    """Where the alert is explained, in public."""
    return settings.public_url + explain_path(alert)


def explain_path(alert: Alert) -> str:
    """The page that explains the alert: its incident's, or the time, base and scope that its sentences speak of."""
    if alert.incident:
        project = f"?{urlencode([('project', alert.project)])}" if alert.project != "default" else ""
        return f"/incidents/{quote(alert.incident)}{project}"
    if alert.rule == "bill_unexplained":
        return "/reconcile" + (f"?project={quote(alert.project)}" if alert.project != "default" else "")
    window, base = alert.explained, alert.base
    pairs = [("start", instant(window.start)), ("end", instant(window.end))]
    if base is not None:
        pairs += [("base_start", instant(base.start)), ("base_end", instant(base.end))]
    pairs += [(dim, value) for dim, values in alert.scope.items() if dim not in ABOUT for value in values]
    if alert.project != "default":
        pairs.append(("project", alert.project))
    return f"/explain?{urlencode(pairs)}"
