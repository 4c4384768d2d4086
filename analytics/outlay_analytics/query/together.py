"""One query for the spend of many scopes: what a list of budgets costs grows with its windows, not with its budgets.

Within `asked_together(scopes)` the first series that is read of one of the scopes is read for all that filter by the
same dimensions, in one query; each of the others is a sum over its values. All spend of their projects is read once,
too. Windows and steps are the callers' own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from itertools import product

from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, is_of_records
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Interval, Window
from outlay_collector.store import Row, Store, load_sql

Kind = tuple[str, str, tuple[str, ...]]  # project, time zone, dimensions
Look = Callable[[Store, Scope, tuple[str, ...], Interval], list[Row]]
"""Reads a scope by the values of some dimensions: rows with `value`, a text of each in order."""


def _spend(store: Store, scope: Scope, names: tuple[str, ...], interval: Interval) -> list[Row]:
    source = spend_source(store, scope, names, interval)
    keys = ", ".join(f"d{number}" for number in range(len(names)))
    return store.query(
        load_sql("outlay_analytics.query.sql", "history_together", source=source.sql, keys=keys), source.params
    )


class Together:
    """Scopes by what they filter by, and what was read of each of their values.

    Args:
        look: What is read of them; spend and calls unless it says otherwise.
    """

    def __init__(self, scopes: Sequence[Scope], look: Look = _spend) -> None:
        self._look_at = look
        self._values: dict[Kind, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._members: set[tuple[Kind, tuple[tuple[str, ...], ...]]] = set()
        self._read: dict[tuple[Kind, Interval, Window], dict[tuple[str, ...], list[Row]]] = {}
        for scope in (*scopes, *(replace(scope, filters={}) for scope in scopes)):
            kind = _kind(scope)
            self._members.add((kind, _filters(scope)))
            for name, values in scope.filters.items():
                self._values[kind][name].update(values)

    def rows(self, store: Store, scope: Scope, interval: Interval) -> list[Row] | None:
        """What is read, of each interval and value; None for a scope that is not one of these."""
        kind = _kind(scope)
        if (kind, _filters(scope)) not in self._members or any(map(is_of_records, scope.filters)):
            return None
        key = (kind, interval, scope.window)
        if key not in self._read:
            self._read[key] = self._look(store, scope, interval)
        chosen = product(*(dict.fromkeys(values) for values in _filters(scope)))
        return [row for values in chosen for row in self._read[key].get(values, ())]

    def _look(self, store: Store, scope: Scope, interval: Interval) -> dict[tuple[str, ...], list[Row]]:
        kind = _kind(scope)
        wider = {name: tuple(sorted(values)) for name, values in self._values[kind].items()}
        found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self._look_at(store, replace(scope, filters=wider), kind[2], interval):
            found[tuple(row["value"])].append(row)
        return found


_asked: ContextVar[Together | None] = ContextVar("outlay_asked_together", default=None)


@contextmanager
def asked_together(scopes: Sequence[Scope]) -> Iterator[None]:
    """Within the block the spend of these scopes is read together, and of one state of the store."""
    token = _asked.set(Together(scopes))
    try:
        with one_look():
            yield
    finally:
        _asked.reset(token)


def rows_together(store: Store, scope: Scope, interval: Interval) -> list[Row] | None:
    """What `asked_together` knows of a scope; None outside it, or for another scope."""
    asked = _asked.get()
    return asked.rows(store, scope, interval) if asked is not None else None


def _kind(scope: Scope) -> Kind:
    return scope.project, scope.timezone, tuple(sorted(scope.filters))


def _filters(scope: Scope) -> tuple[tuple[str, ...], ...]:
    """The values of its filters, by the name of the dimension."""
    return tuple(tuple(scope.filters[name]) for name in sorted(scope.filters))
