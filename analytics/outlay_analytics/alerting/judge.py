"""What a round finds about each budget and each rule; one that cannot be evaluated is a finding of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from outlay.errors import OutlayError
from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.budget_rules import (
    LONGEST_BURN_H,
    Finding,
    above_projection,
    burning,
    over_budget,
    projected_over_budget,
    week_profile,
)
from outlay_analytics.alerting.counted import counted, over_counted
from outlay_analytics.alerting.kinds import BUDGET_FAILED, OF_BUDGETS, RULE_FAILED
from outlay_analytics.alerting.measures import fires, measure
from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.sums import Asked
from outlay_analytics.forecast.holidays import forecast_of
from outlay_analytics.forecast.projection import LEARN, LEAST, elapsed_share, look_ahead
from outlay_analytics.query.calendar import spend_series, start_of, with_window
from outlay_analytics.query.incident_excess import learned_series
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.together import asked_together
from outlay_analytics.query.window import Window
from outlay_collector.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """A budget or rule after one look.

    Attributes:
        rules: What is watched of it.
        findings: What was found of each; what is not in it was not evaluated.
        notify, failures_to: Who is told of findings, and of evaluations that fail.
    """

    project: str
    name: str
    scope: Mapping[str, tuple[str, ...]]
    rules: tuple[str, ...]
    findings: Mapping[str, Finding | None]
    notify: tuple[str, ...]
    failures_to: tuple[str, ...]


def judge_budgets(store: Store, budgets: Sequence[Budget], settings: AlertSettings, now: datetime) -> list[Judged]:
    """Every budget, their spend read together."""
    with asked_together([budget.question() for budget in budgets if budget.is_projected]):
        return [
            Judged(
                budget.project,
                budget.name,
                dict(budget.scope),
                OF_BUDGETS,
                _findings(store, budget, settings, now),
                budget.notify,
                budget.notify or settings.notify,
            )
            for budget in budgets
        ]


def judge_rules(
    store: Store, rules: Sequence[AlertRule], budgets: Sequence[Budget], settings: AlertSettings, now: datetime
) -> list[Judged]:
    """Every rule; what several need is read once."""
    by_name = {(budget.project, budget.name): budget for budget in budgets}
    asked, out = Asked(store, rules), []
    with one_look():
        for rule in rules:
            budget = by_name.get((rule.project, rule.budget)) if rule.budget else None
            scope = dict(budget.scope if budget else rule.scope)
            found = _rule_findings(store, rule, budget, asked, now)
            kinds, failures_to = (rule.kind, RULE_FAILED), rule.notify or settings.notify
            out.append(Judged(rule.project, rule.name, scope, kinds, found, rule.notify, failures_to))
    return out


def _rule_findings(
    store: Store, rule: AlertRule, budget: Budget | None, asked: Asked, now: datetime
) -> dict[str, Finding | None]:
    try:
        if rule.budget and budget is None:
            raise OutlayError(f"there is no budget {rule.budget!r}")
        found = measure(store, rule, now, budget, asked)
    except OutlayError as exc:
        logger.warning("rule %s could not be evaluated: %s", rule.name, exc)
        reason = f"its evaluation failed: {str(exc)[:200]}"
        return {RULE_FAILED: Finding(RULE_FAILED, "warning", False, None, None, reason, Window(now, now))}
    finding = Finding(rule.kind, rule.severity, False, None, None, found.words, found.window)
    return {rule.kind: finding if fires(rule, found) else None, RULE_FAILED: None}


def _findings(store: Store, budget: Budget, settings: AlertSettings, now: datetime) -> dict[str, Finding | None]:
    """What every rule says about a budget; an evaluation that fails is a finding of its own."""
    try:
        found = _rules(store, budget, settings, now)
    except OutlayError as exc:
        logger.warning("budget %s could not be evaluated: %s", budget.name, exc)
        window = Window(now, now)
        reason = f"its evaluation failed: {str(exc)[:200]}"
        failed = Finding(BUDGET_FAILED, "warning", False, budget.amount_usd, budget.amount_usd, reason, window)
        return {BUDGET_FAILED: failed}
    return {**found, BUDGET_FAILED: None}


def _rules(store: Store, budget: Budget, settings: AlertSettings, now: datetime) -> dict[str, Finding | None]:
    if not budget.is_projected:
        counts = budget.counts(now)
        found = counted(store, counts, budget.per, budget.amount_usd)
        finding = over_counted(found, counts, budget.per, budget.amount_usd, budget.span)
        rule = "entity_over_budget" if budget.per else "over_budget"
        return dict.fromkeys(OF_BUDGETS) | {rule: finding}
    scope = budget.question(holidays=settings.holidays)
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
        "entity_over_budget": None,
        "over_budget": over_budget(budget.amount_usd, projection, now, budget.timezone),
        "projected_over_budget": projected_over_budget(budget.amount_usd, projection, now, budget.timezone),
        "above_projection": above_projection(
            projection, _expected_by_now(store, scope, projection.window, now), floor, now, budget.timezone
        ),
        "burn_rate": burning(budget.amount_usd, projection.window, recent, profile, floor, here),
    }


def _expected_by_now(store: Store, scope: Scope, period: Window, now: datetime) -> float | None:
    """What the forecast made when the period began expects to be spent by now; None without two weeks of history."""
    before = learned_series(store, with_window(scope, period.start - LEARN, period.start), "day")
    history = before.since_first()
    if len(history.usd) < max(14, LEAST):
        return None
    days = spend_series(store, with_window(scope, period.start, now), "day").times
    expected = forecast_of(history, scope, "day", len(days))["mean"]
    return float(expected[:-1].sum() + expected[-1] * elapsed_share(store, scope, now))
