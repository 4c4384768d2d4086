"""What rules reckon with: sums over a window, read for the present exactly, or from a table of past hours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, Protocol

from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.query.calendar import start_of, ticks
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.together import Together
from outlay_analytics.query.window import Interval, Window
from outlay_analytics.questions.cascade_attempts import sums_sql
from outlay_collector.store import Row, Store, load_sql

SQL = "outlay_analytics.alerting.sql"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Sums:
    """Of the calls of a window; `priced` are those with a known cost, `input` and `cached` are tokens, `runs` are of
    cascades, counted where they began."""

    usd: Decimal = ZERO
    calls: int = 0
    errors: int = 0
    priced: int = 0
    input: int = 0
    cached: int = 0
    retry_usd: Decimal = ZERO
    runs: int = 0
    escalated: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) - getattr(other, name) for name in NAMES))


NAMES = tuple(one.name for one in fields(Sums))


class Reader(Protocol):
    """Where a rule's sums come from."""

    def sums(self, window: Window) -> Sums: ...

    def first(self, window: Window) -> datetime | None:
        """The hour of the window that its first call lies in."""


class Asked:
    """The sums of many rules, each window read once for all that filter by the same dimensions."""

    def __init__(self, store: Store, rules: Sequence[AlertRule]) -> None:
        scopes = [rule.question() for rule in rules]
        self._store = store
        self._sums = Together(scopes, look=_measures)
        self._firsts = Together(scopes, look=_first_hours)

    def of(self, rule: AlertRule) -> AskedFor:
        return AskedFor(self._store, rule, self._sums, self._firsts)


@dataclass(frozen=True)
class AskedFor:
    """The sums of one rule, to the microsecond."""

    store: Store
    rule: AlertRule
    together: Together
    firsts: Together

    def sums(self, window: Window) -> Sums:
        scope = self.rule.question(window)
        rows = self.together.rows(self.store, scope, "total")
        if rows is None:
            rows = _measures(self.store, scope, (), "total")
        return sum_of([*rows, *runs(self.store, self.rule, window, "total")])

    def first(self, window: Window) -> datetime | None:
        scope = self.rule.question(window)
        rows = self.firsts.rows(self.store, scope, "hour")
        if rows is None:
            rows = _first_hours(self.store, scope, (), "hour")
        return min((row["time"] for row in rows), default=None)


class Hourly:
    """The sums of a rule over the whole hours of a stretch, read once for all windows in it."""

    def __init__(self, store: Store, rule: AlertRule, stretch: Window) -> None:
        whole = Window(start_of(stretch.start, "hour", "UTC"), start_of(stretch.end, "hour", "UTC"))
        self._times = ticks(whole, "hour", "UTC")
        rows = [*_measures(store, rule.question(whole), (), "hour"), *runs(store, rule, whole, "hour")]
        by_hour: dict[datetime, list[Row]] = {}
        for row in rows:
            by_hour.setdefault(row["time"], []).append(row)
        each = [sum_of(by_hour.get(at, ())) for at in self._times]
        self._called = [at for at, one in zip(self._times, each, strict=True) if one.calls]
        self._until = list(accumulate(each, initial=Sums()))

    def sums(self, window: Window) -> Sums:
        begin, end = (bisect_left(self._times, at) for at in (window.start, window.end))
        return self._until[max(begin, end)] - self._until[begin]

    def first(self, window: Window) -> datetime | None:
        k = bisect_left(self._called, window.start)
        return self._called[k] if k < len(self._called) and self._called[k] < window.end else None


def sum_of(rows: Iterable[Row]) -> Sums:
    """The sums of some rows, each with some of them."""
    total: dict[str, Any] = dict.fromkeys(NAMES, 0) | {"usd": ZERO, "retry_usd": ZERO}
    for row in rows:
        for name in NAMES:
            if name in row:
                total[name] += row[name]
    return Sums(**total)


def runs(store: Store, rule: AlertRule, window: Window, interval: Interval) -> list[Row]:
    """Runs of cascades, for rules about them; a filter parts runs, so that each rule asks for its own."""
    if rule.kind != "escalation_rate_rise":
        return []
    sums, params = sums_sql(store, rule.question(window), interval)
    return store.query(load_sql(SQL, "escalations", sums=sums), params)


def _measures(store: Store, scope: Scope, names: tuple[str, ...], interval: Interval) -> list[Row]:
    source = spend_source(store, scope, (*names, "repeated"), interval)
    return store.query(
        load_sql(SQL, "measures", source=source.sql, keys=_keys(names), repeated=f"d{len(names)}"), source.params
    )


def _first_hours(store: Store, scope: Scope, names: tuple[str, ...], interval: Interval) -> list[Row]:
    source = spend_source(store, scope, names, interval)
    return store.query(load_sql(SQL, "first_hours", source=source.sql, keys=_keys(names)), source.params)


def _keys(names: Sequence[str]) -> str:
    return ", ".join(f"d{number}" for number in range(len(names)))
