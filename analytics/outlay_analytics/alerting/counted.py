"""What a budget counts that is not all of its scope in its period: the last hours, or any one user or session.

However many users there are, the store answers with one row: how many are over, and the largest by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from outlay_analytics.alerting.budget_rules import Finding
from outlay_analytics.query.calendar import spent
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import usd
from outlay_collector.store import Store, load_sql

ZERO = Decimal(0)
MOST_NAMED = 10
NO_ENDS = "[toUInt32(0)]"  # one window, whatever its end


@dataclass(frozen=True)
class Counted:
    """What was spent in the scope's window: by all together, or by the one that spent the most.

    Attributes:
        over: How many spent more than the amount.
        named: The largest and what they spent, the largest first; empty where all are counted together.
    """

    usd: Decimal
    over: int
    named: tuple[tuple[str, Decimal], ...] = ()


def counted(store: Store, scope: Scope, per: str, amount: Decimal) -> Counted:
    """What was spent in a scope's window, by any one value of `per` where there is one."""
    if not per:
        total = spent(store, scope)
        return Counted(total, int(total > amount))
    source = spend_source(store, scope, (per,))
    sql = load_sql("outlay_analytics.alerting.sql", "entities", source=source.sql, ends=NO_ENDS)
    for limit in (amount, ZERO):  # where none is over, the largest is still to be shown
        rows = store.query(sql, {**source.params, "limit_usd": limit, "most": MOST_NAMED})
        if rows:
            pairs = zip(rows[0]["names"], rows[0]["amounts"], strict=True)
            over = rows[0]["over"] if limit else 0
            return Counted(rows[0]["amounts"][0], over, tuple(pairs))
    return Counted(ZERO, 0)


def over_counted(found: Counted, scope: Scope, per: str, amount: Decimal, span: str) -> Finding | None:
    """Spent more than the budget, a fact; `span` says of which time: `in 7 days`, `since 1 March`."""
    if not found.over:
        return None
    if not per:
        share = f" ({found.usd / amount:.0%})"
        reason = f"spent {usd(found.usd)} of {usd(amount)}{share} {span}"
        return Finding("over_budget", "critical", True, found.usd, amount, reason, scope.window)
    reason = who_is_over(per, found.over, found.named, amount, span)
    return Finding("entity_over_budget", "critical", True, found.usd, amount, reason, scope.window)


def who_is_over(per: str, over: int, named: Sequence[tuple[str, Decimal]], amount: Decimal, span: str) -> str:
    """`2 users over $5.00 in 24 hours: ann $12.00, bob $6.00`, and how many more there are."""
    largest = ", ".join(f"{name} {usd(spent_usd)}" for name, spent_usd in named)
    more = f" and {over - len(named):,} more" if over > len(named) else ""
    many = f"{over:,} {per}s" if over > 1 else f"1 {per}"
    return f"{many} over {usd(amount)} {span}: {largest}{more}"
