"""Prices that are about to change: of models in use, within a rule's window ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from outlay_analytics.alerting.rule_value import RuleValue, span_of
from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.query.scope import filter_sql
from outlay_analytics.query.text import signed_percent, sql_instant, usd
from outlay_analytics.query.window import Window
from outlay_collector.prices.lists import version_known
from outlay_collector.store import Row, Store, load_sql

SQL = "outlay_analytics.alerting.sql"
IN_USE = timedelta(days=28)  # a model is in use that has calls so long before
MOST_NAMED = 3


def price_changes(store: Store, rule: AlertRule, ends: Sequence[datetime]) -> list[RuleValue]:
    """The largest change of a price that begins within the rule's window after each of these moments.

    Args:
        ends: Ascending. What was known at each is not asked: the newest list is taken for all.

    Returns:
        For each moment, as a share of the price before; 0 where no price of a model in use changes.
    """
    changes = _changes(store, Window(ends[0], ends[-1] + rule.length)) if ends else []
    used = _used(store, rule, Window(ends[0] - IN_USE, ends[-1]), {row["model"] for row in changes}) if changes else []
    return [_at(rule, end, changes, used) for end in ends]


def _changes(store: Store, stretch: Window) -> list[Row]:
    version = version_known(store)
    if version is None:
        return []
    params = {"price_version": version["price_version"], "after": sql_instant(stretch.start)}
    return store.query(load_sql(SQL, "price_changes"), {**params, "until": sql_instant(stretch.end)})


def _used(store: Store, rule: AlertRule, window: Window, models: set[str]) -> list[Row]:
    params = {
        "project": rule.project,
        "start": sql_instant(window.start),
        "end": sql_instant(window.end),
        "models": sorted(models),
    }
    filters = filter_sql(rule.question(window), "calls", params) or "1"
    return store.query(load_sql(SQL, "priced_models", filters=filters), params)


def _at(rule: AlertRule, end: datetime, changes: Sequence[Row], used: Sequence[Row]) -> RuleValue:
    window, span = Window(end - rule.length, end), span_of(rule.window_hours)
    spent: dict[str, Decimal] = {}
    for row in used:
        if end - IN_USE <= row["day"] <= end:
            spent[row["model"]] = spent.get(row["model"], Decimal(0)) + (row["usd"] or 0)
    ahead = [row for row in changes if end < row["valid_from"] <= end + rule.length and row["model"] in spent]
    if not ahead:
        return RuleValue(window, Decimal(0), f"no price of a model in use changes within {span}")
    words = [_said(row, spent[row["model"]]) for row in ahead[:MOST_NAMED]]
    if len(ahead) > MOST_NAMED:
        words.append(f"and {len(ahead) - MOST_NAMED:,} more")
    return RuleValue(window, Decimal(str(round(ahead[0]["share"], 6))), "; ".join(words))


def _said(row: Row, spent: Decimal) -> str:
    tier = "" if row["service_tier"] == "standard" else f" ({row['service_tier'].replace('@', ' in ')})"
    moved = float(row["new_usd"] / row["old_usd"] - 1)
    price = f"{row['part']} {usd(row['old_usd'])} to {usd(row['new_usd'])} per million ({signed_percent(moved)})"
    name = row["model"].partition(":")[2]
    return f"{name}{tier}: {price} from {row['valid_from']:%d %B %Y}; {usd(spent)} went to it in four weeks"
