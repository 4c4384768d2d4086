"""Scored answers from the rollup are those from calls, digit for digit: over hours' edges, late scores."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions import scored_source
from outlay_analytics.questions.scores import list_scores, scored
from outlay_collector.load.scores import add_score
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=2))
SCOPES = (
    (Scope(WINDOW), "total"),
    (Scope(Window(DAY + timedelta(minutes=100), DAY + timedelta(minutes=400)), timezone="Asia/Kolkata"), "day"),
    (Scope(WINDOW, {"model": ("gpt-5",), "score.good": (">0.4",)}, timezone="Europe/Berlin"), "hour"),
)
DIMS = ("model", "tag.plan", "user", "cascade_tier")


def world(rng: random.Random) -> list[dict[str, Any]]:
    """Thirty traces of up to four calls each, some in several hours, days even."""
    rows = []
    for number in range(30):
        trace, begins = f"{number:032x}", timedelta(minutes=rng.randrange(12 * 60))
        for _ in range(rng.randrange(1, 5)):
            begins += rng.choice([timedelta(minutes=5), timedelta(minutes=5), HOUR, timedelta(hours=20)])
            named = {name: f"{name}-{rng.randrange(2)}" for name in ("feature", "user", "session", "task", "arm")}
            run = {"cascade_name": "c", "cascade_run_id": f"{number}", "cascade_tier": rng.randrange(2)}
            rows.append(
                call(
                    begins,
                    rng.choice([None, "0.000000000001", "0.25", "0.5", "0.5", "0.5"]),
                    trace_id=trace,
                    parent_span_id=f"{number % 3:016x}",
                    model=rng.choice(["gpt-5", "gpt-4o"]),
                    status=rng.choice(["ok", "ok", "error"]),
                    cascade_judge=rng.choice([0, 0, 0, 1]),
                    cascade_outcome=rng.choice(["", "accepted", "escalated"]),
                    tags={"plan": rng.choice(["pro", "free"])},
                    **(run if number % 4 == 0 else {}),
                    **named,
                )
            )
    return rows


def score(store: Store, rng: random.Random, row: dict[str, Any]) -> None:
    writer = store.writer()
    span = rng.choice([row["span_id"], row["parent_span_id"], "", "", "ff" * 8])
    value = rng.choice([0.0, 1.0, 0.5, None, float("nan")])
    add_score(writer, "default", row["trace_id"], span, rng.choice(["good", "kind"]), value, rng.choice(["", "yes"]))
    writer.close()


def dirty(store: Store, *rows: dict[str, Any]) -> None:
    """Mark the hours of these calls, as settle does with those of a trace that was scored or changed."""
    writer = store.writer()
    now = writer.query("SELECT now64(3, 'UTC') AS at")[0]["at"]
    hours = {row["started_at"].replace(minute=0, second=0, microsecond=0) for row in rows}
    writer.insert("dirty_hours", [{"project": "default", "hour": hour, "changed_at": now} for hour in sorted(hours)])
    writer.close()


def roll(store: Store) -> None:
    rollup = Rollup(store)
    while rollup.run_once(LATER):
        pass
    rollup.close()


def answers(store: Store) -> list[Any]:
    found = []
    for scope, step in SCOPES:
        relation = scored(store, scope, None, DIMS, step)  # type: ignore[arg-type]
        columns = "* EXCEPT alone REPLACE (toString(value) AS value, toString(cost_usd) AS cost_usd)"
        found.append(store.query(f"SELECT {columns} FROM ({relation.sql}) ORDER BY ALL", relation.params))
    return found


def from_calls(store: Store) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scored_source, "ever_clean", lambda *_: ([], []))
        return answers(store)


def test_answers_from_the_rollup_are_those_from_calls_whatever_changes_and_whenever(store: Store) -> None:
    rng = random.Random(7)
    rows = world(rng)
    put(store, *rows)
    for row in rows:
        score(store, rng, row)
    first = answers(store)
    assert first == from_calls(store)
    assert [len(found) > 5 for found in first] == [True] * 3
    roll(store)
    hours = sorted(row["started_at"].replace(minute=0) for row in rows)
    assert "FROM calls" not in scored(store, Scope(Window(hours[0], hours[-1] + HOUR)), None).sql, "all hours are clean"
    assert answers(store) == first

    # A call of a trace becomes dearer, one moves to another hour, one is gone: only their hours are marked, and the
    # answers of their traces may lie in others.
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_trace.setdefault(row["trace_id"], []).append(row)
    long = [calls for calls in by_trace.values() if len(calls) > 2]
    dearer = {**long[0][0], "cost_usd": long[0][0]["cost_usd"] and long[0][0]["cost_usd"] * 3, "version": 2}
    gone = {**long[1][-1], "is_deleted": 1, "version": 2}
    moved = {**long[2][-1], "started_at": long[2][-1]["started_at"] + timedelta(hours=3), "version": 2}
    left = {**long[2][-1], "is_deleted": 1, "version": 2}
    put(store, dearer, gone, moved, left)
    dirty(store, dearer, gone, moved, left)
    changed = from_calls(store)
    assert changed != first
    assert answers(store) == changed
    roll(store)
    assert answers(store) == changed

    # A score that comes late is a reason to settle its trace again, which marks its hours.
    late = long[3]
    writer = store.writer()
    add_score(writer, "default", late[0]["trace_id"], "", "late", 1.0)
    writer.close()
    dirty(store, *late)
    scored_late = answers(store)
    assert scored_late == from_calls(store)
    assert scored_late != changed
    roll(store)
    assert answers(store) == scored_late
    assert [one.name for one in list_scores(store, Scope(WINDOW))].count("late") == 1


def test_every_dimension_is_kept_of_scored_answers(store: Store) -> None:
    row = call(HOUR, "1", feature="a", cascade_tier=1, cache_kind="semantic", tags={"plan": "pro"}, status="error")
    put(store, row)
    writer = store.writer()
    add_score(writer, "default", row["trace_id"], "", "good", 1.0)
    writer.close()
    names = (*DIMENSIONS, "tag.plan")
    relation = scored(store, Scope(WINDOW), None, names)
    [found] = store.query(relation.sql, relation.params)
    assert {"pro", "semantic"} < set(found["told"])
    roll(store)
    relation = scored(store, Scope(Window(DAY + HOUR, DAY + 2 * HOUR)), None, names)
    assert "FROM calls" not in relation.sql
    assert store.query(relation.sql, relation.params) == [found | {"alone": True}]
    for narrow in ({"call_id": (f"{row['trace_id']}:{row['span_id']}:0",)}, {"trace_id": (row["trace_id"],)}):
        relation = scored(store, Scope(WINDOW, narrow), None)
        assert len(store.query(relation.sql, relation.params)) == 1


def test_hours_without_scores_are_rolled_up_with_no_statement_about_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, call(HOUR, "1"))
    monkeypatch.setattr("outlay_collector.rollup.hours.rebuild_scored", lambda *_: pytest.fail("nothing is scored"))
    roll(store)
