"""What a rule would have fired in the last 60 days, before somebody is told: how often, when, at which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budgets import all_budgets
from outlay_analytics.alerting.measures import fires, measure, measure_past
from outlay_analytics.alerting.rule_value import RuleValue
from outlay_analytics.alerting.rules import AlertRule, describe
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.sums import Asked
from outlay_analytics.notify.masks import channel_text, masked
from outlay_analytics.query.window import Window
from outlay_collector.store import Store

SIGHT = timedelta(days=60)
MOST = 100
ALWAYS = 0.9  # of the windows that say something


def preview(
    store: Store,
    rule: AlertRule,
    now: datetime,
    budgets: Sequence[Budget] = (),
    settings: AlertSettings | None = None,
) -> dict[str, Any]:
    """When a rule would have fired in the last 60 days, and whom it would have told.

    Returns:
        `rule`; `window`; `fired` (`started_at`, `ended_at`, `value`: the largest, `reason`), newest first, at most 100;
        `times` (how often in all); `judged` (windows that said something); `note`: empty, or that it would fire nearly
        always, would never have, or cannot be judged, and why, or that nobody would hear of it; `channels`
        (`channel`, `takes`: whether it hears of the rule's severity).
    """
    takes = (settings or AlertSettings()).takes
    channels = [{"channel": channel_text(masked(one)), "takes": takes(one, rule.severity)} for one in rule.notify]
    start = now - SIGHT
    budget = budget_of(store, rule, budgets)
    found = [one for one in measure_past(store, rule, Window(start, now), budget) if one.window.end < now]
    found.append(measure(store, rule, now, budget, Asked(store, [rule])))
    fired: list[dict[str, Any]] = []
    running = False
    for one in found:
        if not fires(rule, one):
            running = False
            continue
        if running:
            fired[-1]["ended_at"] = one.window.end
            if one.value is not None and one.value > fired[-1]["value"]:
                fired[-1] |= {"value": one.value, "reason": one.words}
        else:
            at = {"started_at": one.window.end, "ended_at": one.window.end}
            fired.append({**at, "value": one.value, "reason": one.words})
        running = True
    judged = [one for one in found if one.value is not None]
    return {
        "rule": describe(rule),
        "window": {"start": Window(start, now).start, "end": now},
        "fired": [{**one, "value": float(one["value"])} for one in fired[::-1][:MOST]],
        "times": len(fired),
        "judged": len(judged),
        "note": "; ".join(text for text in (_note(rule, found, judged), _nobody(rule, channels)) if text),
        "channels": channels,
    }


def budget_of(store: Store, rule: AlertRule, budgets: Sequence[Budget]) -> Budget | None:
    """The budget that a rule is about, None where it is about none or there is none of that name."""
    return next(iter(all_budgets(store, budgets, rule.project, rule.budget)), None) if rule.budget else None


def _nobody(rule: AlertRule, channels: Sequence[Mapping[str, Any]]) -> str:
    """That none of its channels would hear of it, in words; empty where one would."""
    if not channels or any(one["takes"] for one in channels):
        return ""
    return f"nobody would be told: none of its channels takes what is of severity {rule.severity}"


def _note(rule: AlertRule, found: Sequence[RuleValue], judged: Sequence[RuleValue]) -> str:
    if not judged:
        why = found[-1].words if found else "no calls"
        return f"it could not be judged in the last {SIGHT.days} days: {why}"
    over = sum(fires(rule, one) for one in judged)
    if over >= ALWAYS * len(judged):
        return f"it would fire nearly always: in {over:,} of {len(judged):,} windows"
    if not over:
        most = max(judged, key=lambda one: one.value or 0)
        return f"it would never have fired in the last {SIGHT.days} days; at most: {most.words}"
    return ""
