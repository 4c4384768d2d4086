"""Why a message must go out about an alert, or why none must: one incident is one message.

People hear of an incident when it begins, and again only when it has become materially worse: a warning is now
critical, an estimate a fact, or the dollars have grown as `worse` says. What fires again within the same incident, and
what an incident that was told does to a budget, is not said anew. Its end is for receivers that hold a state, and for
channels that want ends (`channels.Channel.ends`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from outlay_analytics.alerting.states import ABOUT, Alert

GATHER = timedelta(minutes=15)
AGAIN = timedelta(hours=6)  # what fires again so soon after its end is what fired before
NEWS = frozenset(
    {"first", "more_severe", "worse", "repeat", "reached"}
)  # the other reasons are for those who hold a state
TWICE, TENFOLD = 2, 10
# What speaks for the whole group; those after it stay quiet while it fires.
PRECEDENCE = (
    ("over_budget", "critical"),
    ("projected_over_budget", "critical"),
    ("burn_rate", "critical"),
    ("above_projection", "warning"),
    ("projected_over_budget", "warning"),
    ("burn_rate", "warning"),
)
OF_PERIOD = ("over_budget", "projected_over_budget", "above_projection")  # one incident is one period of the budget
ESTIMATES = ("projected_over_budget", "above_projection", "burn_rate")
SPENT = ("above_projection", "burn_rate")  # about money that is spent: what an incident did to it outlasts the incident
A_DAY = timedelta(days=1)


def why_notify(
    alert: Alert,
    group: Sequence[Alert],
    now: datetime,
    repeat: timedelta | None = None,
    silenced_until: datetime | None = None,
    acknowledged: bool = False,
    floor_usd: Decimal = Decimal(0),
) -> str:
    """Why a message must go out about this alert now; empty when none must.

    `first`, `more_severe`, `worse` and `repeat` are news; so is `reached` to channels that did not hear of it yet, as
    they take only what is as severe as it has become. `again` and `resolved` keep those right who hold a state.
    Nothing is said while silenced or inhibited, and nothing but the end while acknowledged; the end is only told where
    the beginning was. In a group the beginning of another one waits while the group's own news is fresh, and an end
    until nothing else fires: see `groups.py`.

    Args:
        repeat: After how long it is told again though nothing changed; None for never.
        floor_usd: By so much it must have grown at least to be worse.
    """
    if silenced_until is not None and now < silenced_until:
        return ""
    if alert.state == "resolved":
        return "resolved" if alert.told_firing and not goes_on(alert, group) else ""
    if alert.state != "firing" or inhibited(alert, group):
        return ""
    unheard = channels_unheard(alert, group)
    if not alert.notified_state:
        return "" if (alert.notify and not unheard) or heard(alert, group, now) else "first"
    if acknowledged:
        return ""
    firmer = alert.rule in (
        "projected_over_budget",
        "anomaly",
    )  # likelier, or as `worse` says: the same to who knows it
    if alert.notified_state.endswith(":warning") and alert.severity == "critical" and not firmer:
        return "" if heard(alert, group, now) else "more_severe"
    if worse(alert, now, floor_usd):
        return "" if heard(alert, group, now) else "worse"
    if unheard and not heard(replace(alert, notify=tuple(unheard)), group, now):
        return "reached"
    told = alert.notified_at
    if repeat is not None and told is not None and now - told >= repeat:
        return "repeat"
    closed = alert.notified_state.startswith("resolved") and alert.rule not in OF_PERIOD
    return "again" if closed and not any(one.own_key == alert.own_key and one.told_firing for one in group) else ""


def worse(alert: Alert, now: datetime, floor_usd: Decimal) -> bool:
    """Whether what an alert tells has grown materially since it was told, and by more than the floor.

    An incident: twice the dollars above what was expected, where what came since is at least twice as far above what
    was expected of those hours (an incident that just goes on doubles its dollars, too); or ten times, a day later. A
    budget: twice the spend, or projection, that was told.
    """
    actual, told_actual = alert.actual_usd, alert.notified_actual_usd
    expected, told_expected = alert.expected_usd, alert.notified_expected_usd
    if actual is None or told_actual is None or actual - told_actual <= floor_usd:
        return False
    if alert.rule in ("over_budget", "entity_over_budget", "projected_over_budget"):
        return actual >= TWICE * told_actual
    if alert.rule != "anomaly" or expected is None or told_expected is None:
        return False
    excess, told = actual - expected, told_actual - told_expected
    since, usual_since = excess - told, expected - told_expected
    if excess >= TENFOLD * told and alert.notified_at is not None and now - alert.notified_at >= A_DAY:
        return since > floor_usd
    return since >= max(told, floor_usd) and since * told_expected >= TWICE * told * usual_since


def gravity(alert: Alert) -> int:
    """How bad it is for a budget: 1 an estimate, 2 money that goes out fast, 3 the fact."""
    if alert.rule == "over_budget":
        return 3
    return 2 if alert.rule == "burn_rate" and alert.severity == "critical" else 1


def same_incident(alert: Alert, earlier: Alert) -> bool:
    """Whether an alert that begins tells what an earlier one of the same thing already told.

    The same incident; of a budget something as grave in the same period, or the incident in which its money was spent;
    of everything else what ended a few hours ago.
    """
    if not earlier.notified_state:
        return False
    if alert.rule in SPENT and earlier.rule == "anomaly":
        return inside(earlier, alert) and earlier.window_end > alert.window_start
    if earlier.own_key != alert.own_key:
        return False
    if alert.rule == "anomaly":
        return alert.incident == earlier.incident
    if alert.rule in ESTIMATES and earlier.rule in ESTIMATES:
        grave = gravity(earlier) >= gravity(alert)
    else:
        grave = earlier.rule == alert.rule
    if alert.rule in OF_PERIOD and earlier.rule in OF_PERIOD:
        amounts = {one.expected_usd for one in (alert, earlier) if one.rule != "above_projection"}
        return grave and alert.window_start == earlier.window_start and len(amounts) < 2
    ended = earlier.resolved_at
    return grave and (ended is None or alert.started_at - ended < AGAIN)


def spoken_for(alert: Alert, earlier: Sequence[Alert]) -> Alert:
    """The alert as one that people know of where an earlier one was the same incident; as it is otherwise."""
    if alert.notified_state or alert.state != "firing":
        return alert
    same = [other for other in earlier if other.alert_id != alert.alert_id and same_incident(alert, other)]
    if not same:
        return alert
    last = max(same, key=lambda other: (other.rule == alert.rule, other.notified_at or other.started_at))
    told, state = (last.notified_actual_usd, last.notified_expected_usd), "resolved"
    if last.rule != alert.rule:  # its amounts are no measure for this one's, and nobody closed this one
        told, state = (alert.actual_usd, alert.expected_usd), "known"
    return replace(
        alert,
        notified_at=last.notified_at,
        notified_state=f"{state}:{last.notified_state.partition(':')[2]}",
        notified_actual_usd=told[0],
        notified_expected_usd=told[1],
        notified_channels=last.told_to,
    )


def inhibited(alert: Alert, group: Sequence[Alert]) -> bool:
    """Whether a weightier alert of the same budget already speaks."""

    def rank(other: Alert) -> int:
        key = (other.rule, other.severity)
        return PRECEDENCE.index(key) if key in PRECEDENCE else len(PRECEDENCE)

    same = [other for other in group if other.own_key == alert.own_key and other.alert_id != alert.alert_id]
    if rank(alert) == len(PRECEDENCE):
        return False
    return any(rank(other) < rank(alert) for other in same if other.state == "firing")


def within(inner: Mapping[str, Sequence[str]], outer: Mapping[str, Sequence[str]]) -> bool:
    """Whether the spend of one scope is part of another's."""
    dimensions = [dim for dim in outer if dim not in ABOUT]
    return all(dim in inner and set(inner[dim]) <= set(outer[dim]) for dim in dimensions)


def consequence(alert: Alert, other: Alert) -> bool:
    """Whether an estimate of a budget is what an incident within it does, for the same cause."""
    return alert.rule in ESTIMATES and other.rule == "anomaly" and other.state == "firing" and inside(other, alert)


def inside(unusual: Alert, alert: Alert) -> bool:
    """Whether what is unusual is part of what another alert speaks of, and for the same cause."""
    same = unusual.project == alert.project and unusual.cause == alert.cause != ""
    return same and set(alert.notify) <= set(unusual.notify) and within(unusual.scope, alert.scope)


def channels_unheard(alert: Alert, group: Sequence[Alert]) -> set[str]:
    """The channels that heard neither of an alert nor of what covers it."""
    told = [other for other in group if other.state == "firing" and other.told_firing and covers(other, alert)]
    return set(alert.notify).difference(alert.told_to, *(other.told_to for other in told))


def covers(other: Alert, alert: Alert) -> bool:
    """Whether who heard of another alert of the group knows what this one has to tell.

    Of what is unusual: what it is a part or the sum of. Of a budget's estimate: the incident that makes it so.
    """
    if alert.rule == "anomaly":
        wider = within(other.scope, alert.scope) and alert.cause == other.cause
        return other.alert_id != alert.alert_id and (within(alert.scope, other.scope) or wider)
    return consequence(alert, other)


def heard(alert: Alert, group: Sequence[Alert], now: datetime) -> bool:
    """Whether the same people just heard of the group, in words as grave: what joins it waits to be told in one go."""
    grave = ("firing:critical",) if alert.severity == "critical" else ("firing:critical", "firing:warning")
    return any(
        other.notified_at is not None
        and now - other.notified_at < GATHER
        and other.notified_state in grave
        and other.own_key != alert.own_key
        and set(alert.notify) <= set(other.told_to)
        for other in group
    )


def goes_on(alert: Alert, group: Sequence[Alert]) -> bool:
    """Whether everybody who heard of the alert still has another one of its group that fires."""
    firing = [other for other in group if other.state == "firing" and other.alert_id != alert.alert_id]
    told = set(alert.told_to or alert.notify)
    return bool(told) and told <= {channel for other in firing for channel in other.notify}
