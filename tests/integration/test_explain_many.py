"""Explaining a change where a dimension has very many values: bounded, exact, the same drivers whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put
from tests.many_values import fill

from outlay_analytics.anomalies import incidents
from outlay_analytics.anomalies.incidents import series_of
from outlay_analytics.anomalies.watching import Where
from outlay_analytics.explain import segments
from outlay_analytics.explain.change import explain
from outlay_analytics.query.arrays import Floats
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.report import daily_report
from outlay_collector.store import Store

ONE = timedelta(days=1)
SCOPE = Scope(Window(DAY, DAY + ONE))
MANY = 250


def world(store: Store) -> None:
    """250 features, users, sessions and plans on two days; one of each rises, one is gone, the last are not named."""

    def made(n: int, at: timedelta, cost: str) -> dict[str, Any]:
        who = {"feature": f"f{n}", "user": f"u{n % 240}", "session": f"s{n}", "tags": {"plan": f"p{n}"}}
        who = who if n < MANY - 5 else {}
        tokens = {"input_tokens": 1000 + n, "output_tokens": 10}
        return call(DAY + at, cost, model=f"m{n % 3}", **who, **tokens)

    before = [made(n, -timedelta(hours=1 + n % 20), f"0.0{n % 7 + 1}") for n in range(MANY)]
    after = [made(n, timedelta(hours=n % 20), f"0.0{n % 5 + 1}") for n in range(MANY)]
    put(store, *before, *after, made(240, timedelta(hours=3), "7.5"), made(200, -timedelta(hours=3), "6.25"))


def test_many_values_are_bounded_and_add_up_with_the_same_drivers_by_any_dimension(store: Store) -> None:
    world(store)
    found = {by: explain(store, SCOPE, by=by) for by in ("feature", "user", "session", "tag.plan", "model")}
    plain = found["feature"]
    for by, answer in found.items():
        assert answer["drivers"] == plain["drivers"], by
        assert answer["change_usd"] == plain["current"]["cost_usd"] - plain["base"]["cost_usd"]
        assert sum((cell["usd"] for cell in answer["cells"]), Decimal(0)) == answer["change_usd"]
        for driver in plain["drivers"]:
            mine = [cell["usd"] for cell in answer["cells"] if cell["driver"] == driver["driver"]]
            assert sum(mine, Decimal(0)) == driver["usd"]
        if by == "model":
            assert not any("remainder" in cell for cell in answer["cells"])
            continue
        apart = {cell[by] for cell in answer["cells"] if not cell.get("remainder")}
        assert len(apart) <= segments.MOST_VALUES
        assert {cell[by] for cell in answer["cells"] if cell.get("remainder")} == {None}
        letter = {"tag.plan": "p"}.get(by, by[0])
        assert {f"{letter}240" if by != "user" else "u0", f"{letter}200"} <= apart  # what rose, and what is gone
        for value in (f"{letter}200", None):
            alone = explain(store, replace(SCOPE, filters={by: (value or "",)}))
            mine = [cell["usd"] for cell in answer["cells"] if cell[by] == value and not cell.get("remainder")]
            assert not mine or sum(mine, Decimal(0)) == alone["change_usd"]


@pytest.mark.parametrize("by", ["feature", "model"])
def test_leaves_stay_few_however_many_values_there_are(store: Store, by: str) -> None:
    fill(store, by, 20_000, DAY + ONE, days=2)
    for asked in (by, "user"):
        found = segments.read_segments(store, SCOPE, SCOPE.window.previous(), asked)
        assert len(found.part) <= segments.MOST_VALUES + 1
        assert sum(row["calls"] for pair in found.rows for row in pair if row is not None) == 20_000
    answer = explain(store, SCOPE, by=by)
    assert sum((cell["usd"] for cell in answer["cells"]), Decimal(0)) == answer["change_usd"]


def test_the_change_of_a_slice_is_exact_where_combinations_are_too_many(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay_analytics.explain.slices.MOST_ROWS", 50)
    rows = [
        call(DAY + side + timedelta(minutes=k), "0.01", user=f"u{k}", feature="search", customer=f"c{k % 9}", team=t)
        for side in (-ONE, timedelta(0))
        for k in range(90)
        for t in ("a", "b")
    ]
    runaway = [call(DAY + timedelta(minutes=k), "0.5", user=f"u{k}", customer="c4", team="b") for k in range(90)]
    put(store, *rows, *runaway)
    answer = explain(store, SCOPE)
    assert answer["slices"]
    for one in answer["slices"]:
        where = {name: ("" if value is None else str(value),) for name, value in one["where"].items()}
        assert one["change_usd"] == explain(store, replace(SCOPE, filters=where))["change_usd"]


def test_the_report_says_what_its_groups_leave_out(store: Store) -> None:
    world(store)
    report = daily_report(store, "default", DAY.date())
    for name in ("feature", "model", "team"):
        rows = report["groups"][name]
        assert sum(row["cost_usd"] for row in rows) == report["total"]["cost_usd"]
        assert sum(row["yesterday_usd"] for row in rows) == report["yesterday"]["cost_usd"]
        assert sum(row["calls"] for row in rows) == report["total"]["calls"]
        assert [row.get("remainder", False) for row in rows] == [False] * (len(rows) - 1) + [name == "feature"]
    assert "(all others)" in report["text"]


def test_anomalies_watch_the_largest_features_of_very_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outlay_analytics.anomalies.incidents.MOST_VALUES", 20)
    now = DAY + 20 * ONE
    fill(store, "feature", 2_000, now, days=29)
    hours = [now - timedelta(hours=k + 1) for k in range(20 * 24)]
    put(store, *(call(at, "9" if k < 6 else "1", feature="big", input_tokens=1000) for k, at in enumerate(hours)))
    tables: list[int] = []

    def counted(table: dict[incidents.Key, Floats], total: Floats) -> list[tuple[Where, Floats]]:
        tables.append(len(table))
        return series_of(table, total)

    monkeypatch.setattr(incidents, "series_of", counted)
    found = incidents.find(store, Scope(Window(now - 7 * ONE, now)), now=now)
    assert tables[0] <= 21
    assert {"feature": "big", "model": "gpt-5"} in [one["scope"] for one in found["anomalies"]]
