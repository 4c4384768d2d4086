"""Which values of a budget's scope no recent call has, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, load_sql

SEEN = timedelta(days=90)  # what a budget's values are looked up in
MOST_KNOWN = 10_000  # of a dimension with more values none is said to be unknown
NEAR = 0.55  # likeness of names from which one may have been meant


def unknown_values(store: Store, project: str, filters: Mapping[str, Sequence[str]], now: datetime) -> str:
    """A sentence about the values of filters that no recent call has; empty where all are known.

    `no call of the last 90 days has feature serach; did you mean search?`
    """
    said = []
    for dimension, values in filters.items():
        scope = Scope(Window(now - SEEN, now), {}, project)
        source = spend_source(store, scope, (dimension,))
        sql = load_sql("outlay_analytics.alerting.sql", "known_values", source=source.sql)
        known = [row["value"] for row in store.query(sql, {**source.params, "most": MOST_KNOWN})]
        missing = [value for value in values if value not in known] if len(known) < MOST_KNOWN else []
        near = dict.fromkeys(name for value in missing for name in difflib.get_close_matches(value, known, 2, NEAR))
        if missing:
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            text = f"no call of the last {SEEN.days} days has {dimension} {', '.join(missing)}{hint}"
            said.append(text)
    return ". ".join(said)
