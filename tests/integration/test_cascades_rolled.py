"""Cascades from rollups are those from calls, digit for digit: over an hour's edge, late calls, open hours."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.cascades import thresholds, whole_and_timed
from outlay_analytics.questions.thresholds import GRID, parted
from outlay_collector.rollup import cascades
from outlay_collector.rollup.cascades import GRID as ROLLED_GRID
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
QUESTIONS = (
    (Scope(WINDOW), "hour"),
    (Scope(Window(DAY + timedelta(minutes=20), DAY + timedelta(hours=7, minutes=40)), timezone="Asia/Kolkata"), "day"),
    (Scope(Window(DAY + 2 * HOUR, DAY + 4 * HOUR), {"cascade": ("c1", "c2")}, timezone="Europe/Berlin"), "day"),
    (Scope(WINDOW, {"feature": ("f0",)}), "hour"),
    (
        Scope(WINDOW, {"team": ("t1", ""), "environment": ("prod",), "service": ("shop",), "cascade": ("c0", "c1")}),
        "day",
    ),
)


def roll(store: Store) -> None:
    """As the server does, until nothing is due any more: a run that turns out to be spread makes another hour due."""
    rollup = Rollup(store)
    for _ in range(10):
        rollup.run_once(LATER)
        if not rollup.waiting:
            rollup.close()
            return
    pytest.fail("hours keep making each other dirty")


def settle(store: Store, *rows: dict[str, Any]) -> None:
    """As `put`, with hours that are dirty now, so that a roll-up of before is older."""
    put(store, *rows)
    writer = store.writer()
    now = writer.query("SELECT now64(3, 'UTC') AS at")[0]["at"]
    hours = {row["started_at"].replace(minute=0, second=0, microsecond=0) for row in rows}
    writer.insert("dirty_hours", [{"project": "default", "hour": hour, "changed_at": now} for hour in sorted(hours)])
    writer.close()


def attempt(rng: random.Random, run: str, at: timedelta, tier: int) -> dict[str, Any]:
    cost = rng.choice([None, "0", "0.000012345678", "1.5"])
    tokens = rng.choice([None, rng.randrange(5000)])
    return call(
        at,
        cost,
        cascade_name=f"c{run[-1]}",
        feature=f"f{run[0]}" if rng.random() < 0.9 else "f0",
        team=rng.choice(["t1", ""]) if run[0] == "1" else "t1",
        service="shop" if run[0] != "2" else "desk",
        environment="staging" if run[0] == "3" else "prod",
        cascade_run_id=run,
        cascade_tier=rng.choice([tier, tier, None]) if tier == 0 else tier,
        cascade_outcome=rng.choice(["", "accepted", "escalated", "failed"]),
        cascade_forced=rng.choice([0, 0, 1]),
        cascade_judge=rng.choice([0, 0, 0, 1]),
        cascade_confidence=rng.choice([None, 0.25, 0.5, 0.75]),
        cascade_threshold=rng.choice([None, 0.6, 0.7]),
        model=rng.choice(["gpt-5", "gpt-5-mini", ""]),
        duration_ns=rng.randrange(1, 10**10),
        status=rng.choice(["ok", "ok", "error"]),
        input_tokens=tokens,
        cache_read_tokens=tokens and tokens // 2,
        output_tokens=tokens,
        cost_lines={} if cost is None else {"input": cost},
        price_version="v1",
        matched_model=rng.choice(["", "openai:gpt-5"]),
    )


def runs(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Runs within an hour, over an edge, and over several hours; no two calls at one instant."""
    rows = []
    for number in range(count):
        at = timedelta(seconds=rng.randrange(8 * 3600))
        for tier in range(rng.choice([1, 2, 2, 3])):
            rows.append(attempt(rng, f"{number}-{number % 3}", at, tier))
            at += timedelta(seconds=rng.choice([5, 5, 700, 4000, 9000]), microseconds=len(rows))
    return rows


def answers(store: Store) -> list[Any]:
    whole = [whole_and_timed(store, scope, interval) for scope, interval in QUESTIONS]
    return whole + [thresholds(store, scope, "c1") for scope, _ in QUESTIONS[::3]]


def unrolled(store: Store) -> list[Any]:
    """What the calls alone say."""
    writer = store.writer()
    held = writer.query("SELECT project, hour, rolled_at FROM rolled_hours FINAL")
    writer.run("TRUNCATE TABLE rolled_hours")
    found = answers(store)
    writer.insert("rolled_hours", held)
    writer.close()
    return found


def test_rolled_up_and_open_hours_say_what_the_calls_say(store: Store) -> None:
    rng = random.Random(0)
    rows = runs(rng, 40)
    rng.shuffle(rows)
    for part in (rows[:50], rows[50:60]):
        settle(store, *part)
        of_calls = unrolled(store)
        assert answers(store) == of_calls  # with open hours beside those rolled up before
        roll(store)
        assert answers(store) == of_calls
    gone = [{**row, "is_deleted": 1, "version": 2} for row in rows[:30]]
    changed = [{**row, "version": 2, "cost_usd": Decimal(3), "model": "gpt-6"} for row in rows[30:40]]
    settle(store, *gone, *changed)
    roll(store)
    assert answers(store) == unrolled(store)


def mixed_runs(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Runs whose calls differ in some of what may be filtered, several calls and judges to an attempt."""
    values = {"service": ("shop", "desk"), "environment": ("prod", "test"), "feature": ("f0", "f1"), "team": ("t1", "")}
    rows = []
    for number in range(count):
        at = timedelta(seconds=number * 110)
        held = {name: rng.choice(some) for name, some in values.items()}
        differing = rng.sample(sorted(values), rng.choice([0, 1, 1, 2, 2, 4]))
        for tier in range(rng.choice([1, 2, 2, 3])):
            first = attempt(rng, f"{number}-1", at, tier)
            for _ in range(rng.choice([1, 2, 3])):
                other = attempt(rng, f"{number}-1", at, tier)
                same = {name: first[name] for name in ("cascade_outcome", "cascade_confidence", "cascade_tier")}
                own = {name: rng.choice(values[name]) for name in differing}
                rows.append({**other, **same, **held, **own})
                at += timedelta(seconds=rng.choice([1, 5]), microseconds=len(rows))
    return rows


MIXED: tuple[dict[str, tuple[str, ...]], ...] = (
    {},
    {"environment": ("prod",)},
    {"environment": ("prod", "test"), "service": ("shop",)},
    {"feature": ("f1",), "team": ("",), "cascade": ("c1",)},
    {"service": ("desk",), "environment": ("test",), "feature": ("f0",), "team": ("t1",)},
    {"team": ("", "t1", "t1")},
)


def of_mixed(store: Store, number: int) -> list[Any]:
    scope = Scope(WINDOW, MIXED[number])
    steps = [thresholds(store, scope, "c1")] if number < 3 else []
    return [whole_and_timed(store, scope, "hour"), *steps]


def test_runs_of_several_values_are_summed_up_whole_and_by_each_value(store: Store) -> None:
    """Parts are read only where a filter names several values of what a run differs in."""
    settle(store, *mixed_runs(random.Random(5), 40))
    of_calls = [of_mixed(store, number) for number in range(len(MIXED))]
    roll(store)
    assert [of_mixed(store, number) for number in range(len(MIXED))] == of_calls
    assert all(whole[0] and all(one["runs"] for one in steps) for whole, *steps in of_calls)
    for table in ("calls", "cascade_mixed"):
        store.writer().run(f"TRUNCATE TABLE {table}")
    told = {number: of_mixed(store, number) == of_calls[number] for number in (1, 2, 4)}
    assert told == {1: True, 2: False, 4: True}


@pytest.mark.parametrize("scale", [1, 3])
def test_thresholds_of_whole_days_come_from_ranges_of_confidence(store: Store, scale: int) -> None:
    """Also where thresholds in use lie within a range, and where confidences are not between 0 and 1."""
    rng, rows = random.Random(4), []
    for n in range(80):
        one = attempt(rng, f"0-{n}1", n * timedelta(minutes=17), 0) | {"cascade_tier": 0, "cascade_name": "c1"}
        confidence = rng.choice([0.05, 1.0, rng.random(), rng.random()]) * scale
        rows.append(one | {"cascade_confidence": confidence, "cascade_threshold": 0.621 if n % 2 else None})
        if n % 3:
            rows.append({**attempt(rng, f"0-{n}1", n * timedelta(minutes=17) + HOUR / 60, 1), "cascade_name": "c1"})
    settle(store, *rows)
    scopes = (Scope(WINDOW), Scope(WINDOW, {"feature": ("f0",)}), Scope(Window(DAY + 2 * HOUR, DAY + 20 * HOUR)))

    def answers() -> list[Any]:
        return [thresholds(store, scope, "c1") for scope in scopes]

    before = answers()
    assert all(found and found["runs"] > 30 and 0.621 in found["in_use"] for found in before)
    roll(store)
    assert answers() == before
    settle(store, {**rows[0], "version": 2, "is_deleted": 1}, {**rows[2], "version": 2, "cost_usd": Decimal(2)})
    changed = answers()
    assert changed != before
    roll(store)
    assert answers() == changed
    writer = store.writer()
    lists = ("confidences", "runs", "priced_runs", "first_usd", "priced_escalations", "rest_usd")
    emptied = ", ".join(f"{name} = []" for name in lists)
    writer.run(f"ALTER TABLE cascade_confidences UPDATE {emptied} WHERE 1 SETTINGS mutations_sync = 1")
    writer.close()
    assert [one == known for one, known in zip(answers(), changed, strict=True)] == [True, True, False]


def test_the_ranges_of_confidence_are_parted_by_the_thresholds_that_most_questions_ask_about() -> None:
    assert GRID == ROLLED_GRID
    assert parted([0.0, 0.05, 0.62, 1.0, -3.0, 2.0]) == [0, 13, 21]


def test_a_late_attempt_in_the_next_hour_takes_the_run_out_of_the_first(store: Store) -> None:
    """Once while the next hour is open, and again when it is rolled up."""
    rng = random.Random(0)
    first = {**attempt(rng, "r-0", timedelta(minutes=59), 0), "cascade_tier": 0, "cascade_outcome": "escalated"}
    settle(store, first)
    roll(store)
    settle(store, {**attempt(rng, "r-0", timedelta(minutes=61), 1), "cascade_outcome": "accepted"})
    for _ in range(2):
        whole, hours = whole_and_timed(store, Scope(WINDOW), "hour")
        assert [(one["runs"], one["escalated_runs"]) for one in whole] == [(1, 1)]
        assert [one["time"] for one in hours] == [DAY]
        roll(store)


def test_clean_hours_are_read_from_the_rollup(store: Store) -> None:
    """Else the tests above could not fail: without its calls a clean hour still answers, filtered by what it keeps."""
    settle(store, *runs(random.Random(1), 20))
    roll(store)
    whole = [number for number, (scope, _) in enumerate(QUESTIONS) if scope.window == WINDOW]
    before = answers(store)
    store.writer().run("TRUNCATE TABLE calls")
    after = answers(store)
    for number in whole:
        assert after[number] == before[number]
        assert before[number][0], number
    assert before[len(QUESTIONS)] == after[len(QUESTIONS)]
    assert before[len(QUESTIONS)]["runs"]
    assert before[len(QUESTIONS)]["in_use"]


def test_a_run_that_was_of_several_features_once_is_counted_once_when_it_goes_on(store: Store) -> None:
    """In an hour of its own it is kept in parts; when its calls agree again, and another hour has some, too."""
    rng = random.Random(3)
    first = {**attempt(rng, "r-0", timedelta(minutes=10), 0), "cascade_tier": 0, "cascade_outcome": "escalated"}
    second = {**attempt(rng, "r-0", timedelta(minutes=11), 1), "cascade_outcome": "escalated"}
    settle(store, {**first, "feature": "a"}, {**second, "feature": "b"})
    for rows in ([{**second, "feature": "a", "version": 2}], [attempt(rng, "r-0", timedelta(minutes=70), 2)]):
        roll(store)
        assert [one["runs"] for one in whole_and_timed(store, Scope(WINDOW), "hour")[0]] == [1]
        settle(store, *rows)
        assert answers(store) == unrolled(store)
    roll(store)
    assert [one["runs"] for one in whole_and_timed(store, Scope(WINDOW), "hour")[0]] == [1]
    assert answers(store) == unrolled(store)


def test_the_rollup_keeps_no_tombstoned_run(store: Store) -> None:
    rows = runs(random.Random(2), 5)
    settle(store, *rows)
    roll(store)
    settle(store, *({**row, "is_deleted": 1, "version": 2} for row in rows))
    roll(store)
    for table in ("cascade_hourly", "cascade_parts", "cascade_mixed", "cascade_confidences", "cascade_confidence_days"):
        assert store.query(f"SELECT count() AS n FROM {table} FINAL")[0]["n"] == 0
    assert whole_and_timed(store, Scope(WINDOW), "day") == ([], [])


def test_calls_of_hours_without_cascades_are_not_read_for_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(cascades, "_make", lambda writer, table, sql, params: made.append(table))
    settle(store, call(n=1))
    roll(store)
    assert made == []
