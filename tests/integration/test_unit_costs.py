"""What one of something costs, computed by hand from a small world; margins; shared cost split to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put, roll_up

from outlay.errors import ConfigError
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.revenue import Revenue, earned, parse_revenue
from outlay_analytics.questions.revenue_store import all_revenue, delete_revenue, list_revenue, put_revenue
from outlay_analytics.questions.showback import share_out, showback
from outlay_analytics.questions.spend import spend
from outlay_analytics.questions.unit_costs import unit_costs
from outlay_collector.store import Store

D = Decimal
HOUR = timedelta(hours=1)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))


def customers() -> list[dict[str, Any]]:
    """acme 6 in two calls, bolt 3 and one call without a price, coda 1; 2 for nobody; five of the week before."""
    return [
        call(HOUR, "4", customer="acme", user="u1", session="s1"),
        call(30 * HOUR, "2", customer="acme", user="u2", session="s2"),
        call(HOUR, "3", customer="bolt", user="u3", session="s3"),
        call(HOUR, None, customer="bolt", user="u3", session="s3"),
        call(HOUR, "1", customer="coda", status="error"),
        call(HOUR, "2"),
        call(HOUR, None, customer="dark"),
        call(-HOUR, "1", customer="acme"),
        call(-HOUR, "9", customer="bolt"),
    ]


def test_cost_per_customer_leaves_out_what_belongs_to_none(store: Store) -> None:
    put(store, *customers())
    for _ in range(2):
        found = unit_costs(store, WEEK, "customer")
        assert found["total"] == {
            "units": 4,
            "unit_cost_usd": D("3.333333333333"),  # 10 over the three whose cost is known
            "cost_usd": D(12),
            "allocated_usd": D(10),
            "unallocated_usd": D(2),
            "calls": 7,
            "errors": 1,
            "unallocated_calls": 1,
            "priced_ratio": 5 / 7,
        }
        # 1, 3, 6: the second of three at a half, the third from two thirds on
        assert found["distribution"] == {
            "units": 3,
            "mean_usd": D("3.333333333333"),
            "p50_usd": D(3),
            "p90_usd": D(6),
            "p99_usd": D(6),
            "max_usd": D(6),
        }
        rows = {(row["unit"], row.get("unallocated", False)): row for row in found["rows"]}
        assert list(rows) == [("acme", False), ("bolt", False), ("coda", False), ("dark", False), (None, True)]
        assert (rows["bolt", False]["cost_usd"], rows["bolt", False]["priced_ratio"]) == (D(3), 0.5)
        assert rows["dark", False]["cost_usd"] is None
        assert rows["acme", False]["share"] == 0.5
        roll_up(store)


def test_movers_are_those_whose_cost_changed_most(store: Store) -> None:
    put(store, *customers())
    assert unit_costs(store, WEEK, "customer")["movers"] == [
        {"unit": "bolt", "cost_usd": D(3), "previous_usd": D(9), "change_usd": D(-6)},
        {"unit": "acme", "cost_usd": D(6), "previous_usd": D(1), "change_usd": D(5)},
        {"unit": "coda", "cost_usd": D(1), "previous_usd": D(0), "change_usd": D(1)},
    ]


def test_rows_that_are_not_shown_are_one_and_add_up(store: Store) -> None:
    put(store, *customers())
    rows = unit_costs(store, WEEK, "customer", limit=1)["rows"]
    assert [(row["unit"], row["cost_usd"], row["calls"]) for row in rows] == [
        ("acme", D(6), 2),
        (None, D(2), 1),
        (None, D(4), 4),
    ]
    assert (rows[1]["unallocated"], rows[2]["remainder"]) == (True, True)


def test_cost_per_day_is_of_the_units_of_that_day(store: Store) -> None:
    put(store, *customers())
    days = unit_costs(store, WEEK, "customer", interval="day")["history"]
    assert [(one["time"], one["units"], one["unit_cost_usd"]) for one in days] == [
        (DAY, 4, D("2.666666666667")),
        (DAY + timedelta(days=1), 1, D(2)),
    ]


def requests() -> list[dict[str, Any]]:
    """Five requests: one run of two attempts, one retried, one plain, one failed, one run that nobody accepted."""
    run = {"cascade_name": "triage", "cascade_run_id": "r1"}
    lost = {"cascade_name": "triage", "cascade_run_id": "r2", "cascade_tier": 0, "cascade_outcome": "escalated"}
    return [
        call(HOUR, "1", **run, cascade_tier=0, cascade_outcome="escalated"),
        call(2 * HOUR, "4", **run, cascade_tier=1, cascade_outcome="accepted"),
        call(HOUR, "2", request_id="q1", status="error"),
        call(2 * HOUR, "3", request_id="q1", attempt=2),
        call(HOUR, "6"),
        call(HOUR, "7", status="error"),
        call(HOUR, "8", **lost),
        call(HOUR, "0.5", attempt=2),
    ]


def test_the_calls_of_one_run_and_of_one_request_are_one_request(store: Store) -> None:
    put(store, *requests())
    found = unit_costs(store, WEEK, "request")
    assert (found["total"]["units"], found["total"]["unit_cost_usd"]) == (5, D("6.2"))  # 31 over 5
    assert (found["total"]["unallocated_usd"], found["total"]["unallocated_calls"]) == (D("0.5"), 1)
    assert [row["cost_usd"] for row in found["rows"]] == [D(8), D(7), D(6), D(5), D(5), D("0.5")]
    assert found["distribution"]["p50_usd"] == D(6)
    assert found["rows"][0]["trace_id"]


def test_the_cost_of_a_success_is_that_of_the_failures_too(store: Store) -> None:
    put(store, *requests())
    found = unit_costs(store, WEEK, "success")
    assert found["total"]["units"] == 3  # the run, the retried one, the plain one
    assert found["total"]["unit_cost_usd"] == D("10.333333333333")  # 31 over 3
    assert [row["cost_usd"] for row in found["rows"]] == [D(6), D(5), D(5), D("0.5"), D(15)]
    assert found["rows"][-1]["remainder"]


def test_where_nothing_is_known_nothing_is_said(store: Store) -> None:
    empty = unit_costs(store, WEEK, "user")
    assert (empty["total"]["cost_usd"], empty["total"]["unit_cost_usd"], empty["rows"]) == (D(0), None, [])
    assert empty["distribution"]["p50_usd"] is None
    put(store, call(HOUR, None, user="u1"))
    dark = unit_costs(store, WEEK, "user")
    assert (dark["total"]["units"], dark["total"]["cost_usd"], dark["total"]["unit_cost_usd"]) == (1, None, None)
    with pytest.raises(BadRequest, match="customer, user, session, request, success"):
        unit_costs(store, WEEK, "galaxy")


def test_the_margin_is_what_a_customer_pays_less_what_it_costs(store: Store) -> None:
    put(store, *customers())
    month = 31 * D(1) / 7  # so that the week earns one of it
    pays = [Revenue("acme", 4 * month), Revenue("bolt", 10 * month), Revenue("idle", month), Revenue("dark", month)]
    found = unit_costs(store, WEEK, "customer", revenue=[*pays, Revenue("acme", D(9), project="other")])
    assert [(row["customer"], row["margin_usd"]) for row in found["margins"]] == [
        ("acme", D(-2)),
        ("idle", D(1)),
        ("bolt", D(7)),
        ("dark", None),
    ]
    assert found["margins"][0]["margin_ratio"] == -0.5
    assert found["margin"] == {
        "customers": 3,
        "revenue_usd": D(15),
        "cost_usd": D(9),
        "margin_usd": D(6),
        "margin_ratio": 0.4,
    }
    only = Scope(WEEK.window, {"customer": ("bolt",)})
    assert [row["customer"] for row in unit_costs(store, only, "customer", revenue=pays)["margins"]] == ["bolt"]


def test_a_window_earns_its_share_of_each_month() -> None:
    rows = [Revenue("acme", D(280)), Revenue("acme", D(62), date(2026, 3, 1))]
    start, end = datetime(2026, 2, 15, tzinfo=UTC), datetime(2026, 3, 16, 12, tzinfo=UTC)
    assert earned(rows, Scope(Window(start, end))) == {"acme": D(140) + D(31)}
    berlin = Scope(Window(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)), {}, "default")
    berlin = Scope(berlin.window, {}, "default", "Europe/Berlin")
    assert earned(rows, berlin) == {"acme": D(62)}
    assert earned([Revenue("late", D(1), date(2027, 1, 1))], WEEK) == {"late": D(0)}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"customer": "a"}, "'usd_per_month' is missing"),
        ({"customer": "", "usd_per_month": "1"}, "must be a name"),
        ({"customer": "a", "usd_per_month": "-1"}, "'-1'"),
        ({"customer": "a", "usd_per_month": 1.5}, "1.5"),
        ({"customer": "a", "usd_per_month": "1", "valid_from": "soon"}, "'soon'"),
        ({"customer": "a", "usd_per_month": "1", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_revenue_is_named(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_revenue([row])


def teams() -> list[dict[str, Any]]:
    return [
        call(HOUR, "6", team="ads"),
        call(HOUR, "1", team="ads"),
        call(HOUR, "3", team="bots"),
        call(HOUR, "0.000000000001", team="chat"),
        call(HOUR, "2"),
        call(HOUR, None),
        call(HOUR, "1", team="platform"),
    ]


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ("even", ["1", "1", "1"]),
        ("calls", ["1.5", "0.75", "0.75"]),
        ("cost", ["2.1", "0.9", "0"]),
    ],
)
def test_shared_cost_is_split_by_the_key_and_rows_add_up(store: Store, split: str, parts: list[str]) -> None:
    put(store, *teams())
    for _ in range(2):
        found = showback(store, WEEK, "team", split, ("platform",))
        rows = {row["team"]: row for row in found["rows"]}
        assert sum(row["total_usd"] for row in rows.values()) == spend(store, WEEK)["total"]["cost_usd"]
        assert sum(row["shared_usd"] for row in rows.values()) == 0
        for team, part in zip(("ads", "bots", "chat"), parts, strict=True):
            assert abs(rows[team]["shared_usd"] - D(part)) <= D("1e-12"), team
            assert rows[team]["total_usd"] == rows[team]["direct_usd"] + rows[team]["shared_usd"]
        assert (rows["platform"]["shared"], rows["platform"]["shared_usd"], rows["platform"]["total_usd"]) == (
            True,
            -1,
            0,
        )
        assert (rows[None]["unallocated"], rows[None]["direct_usd"], rows[None]["total_usd"]) == (True, 2, 0)
        assert (found["split"], found["shared_usd"], found["unallocated_usd"]) == (split, 3, 2)
        assert found["coverage"] == {"calls": 7, "priced_calls": 6, "priced_ratio": 6 / 7}
        roll_up(store)


def test_without_a_key_what_is_unallocated_stays_so(store: Store) -> None:
    put(store, *teams())
    rows = showback(store, WEEK, "team")["rows"]
    assert [(row["team"], row["total_usd"]) for row in rows] == [
        ("ads", 7),
        ("bots", 3),
        ("platform", 1),
        ("chat", D("1e-12")),
        (None, 2),
    ]
    assert {row["shared_usd"] for row in rows} == {0}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"by": "galaxy"}, "galaxy"),
        ({"split": "fairly"}, "even, calls, cost"),
        ({"shared": ("nobody",)}, "no call has team 'nobody'"),
    ],
)
def test_a_showback_that_cannot_be_is_refused(store: Store, question: dict[str, Any], said: str) -> None:
    put(store, *teams())
    with pytest.raises(BadRequest, match=said):
        showback(store, WEEK, **question)


def test_nothing_is_lost_in_a_split() -> None:
    parts = share_out(D("10"), [D(1), D(1), D(1)])
    assert parts == [D("3.333333333334"), D("3.333333333333"), D("3.333333333333")]
    assert share_out(D("0.000000000001"), [D("0.5"), D("99")]) == [D(0), D("1e-12")]


def test_what_nobody_knows_the_cost_of_is_no_zero(store: Store) -> None:
    put(store, call(HOUR, None, team="a"), call(HOUR, "1", team="b"))
    rows = {row["team"]: row["total_usd"] for row in showback(store, WEEK, "team", "")["rows"]}
    assert rows == {"a": None, "b": Decimal(1)}


def test_a_score_tells_what_a_success_is_and_failures_are_paid_for(store: Store) -> None:
    rows = [call(HOUR * n, str(n)) for n in range(1, 6)]
    dark = call(HOUR, None)
    put(store, *rows, dark, call(HOUR, "100"))  # the last is judged by nobody
    told = [
        (row["trace_id"], row["span_id"], value) for row, value in zip([*rows, dark], (1, 1, 0, 0, 1, 1), strict=True)
    ]
    writer = store.writer()
    writer.insert(
        "scores",
        [
            {"project": "default", "trace_id": trace, "span_id": span, "name": "resolved", "label": "", "at": DAY}
            | {"value": float(value)}
            for trace, span, value in told
        ],
    )
    writer.close()
    found = unit_costs(store, WEEK, "success", interval="day", score="resolved")
    assert (found["score"], found["success"], found["total"]["units"], found["total"]["cost_usd"]) == (
        "resolved", 0.5, 4, D(15),
    )  # fmt: skip
    assert found["total"]["unit_cost_usd"] == D(5)  # 15 over the three whose cost is known
    assert (found["distribution"]["units"], found["distribution"]["max_usd"]) == (3, D(5))
    assert [(row["cost_usd"], row["errors"]) for row in found["rows"] if row["unit"]] == [
        (D(5), None), (D(2), None), (D(1), None), (None, None),
    ]  # fmt: skip
    assert sum(row["calls"] for row in found["rows"]) == 6
    assert [one["unit_cost_usd"] for one in found["history"]] == [D(5)]
    assert [one["name"] for one in unit_costs(store, WEEK, "success")["scores"]] == ["resolved"]
    for per, score, success, said in (
        ("user", "resolved", "", "per is user"),
        ("success", "", "1", "name it with score="),
        ("success", "nice", "", "there: 'resolved'"),
    ):
        with pytest.raises(BadRequest, match=said):
            unit_costs(store, WEEK, per, score=score, success=success)


def test_revenue_that_is_put_stands_beside_that_of_the_file(store: Store) -> None:
    file = [Revenue("acme", D(400)), Revenue("acme", D(9), project="other")]
    writer = store.writer()
    now = DAY
    put_revenue(writer, "default", [{"customer": "bolt", "usd_per_month": "70"}], now, file)
    later = {"customer": "bolt", "usd_per_month": "90.5", "valid_from": "2026-03-01"}
    put_revenue(writer, "default", [later], now + HOUR, file)
    put_revenue(writer, "default", [{"customer": "bolt", "usd_per_month": "80"}], now + HOUR, file)
    assert [tuple(row.values()) for row in list_revenue(store, file, "default")] == [
        ("acme", D(400), "1970-01-01", "outlay.toml"),
        ("bolt", D(80), "1970-01-01", "api"),
        ("bolt", D("90.5"), "2026-03-01", "api"),
    ]
    assert list_revenue(store, file, "third") == []
    put(store, *customers())
    margins = unit_costs(store, WEEK, "customer", revenue=all_revenue(store, file, "default"))["margins"]
    assert {row["customer"]: row["revenue_usd"] for row in margins} == {
        "acme": (D(400) * 7 / 31).quantize(D("1e-12")),
        "bolt": (D("90.5") * 7 / 31).quantize(D("1e-12")),
    }
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"customer": "acme", "usd_per_month": "1"}, "'acme' pays stands in outlay.toml"),
        ({"customer": "x", "usd_per_month": 5}, "in quotes"),
        ({"customer": "x", "usd_per_month": "-5"}, "0 or more"),
        ({"customer": "x", "usd_per_month": "5", "valid_from": "soon"}, "not 'soon'"),
        ({"customer": "x", "usd_per_month": "5", "per": "month"}, "per"),
    )
    for row, said in wrong:
        with pytest.raises(BadRequest, match=said):
            put_revenue(writer, "default", [row], now, file)
    assert delete_revenue(store, writer, "default", "bolt", now + 2 * HOUR, file)
    assert not delete_revenue(store, writer, "default", "bolt", now + 3 * HOUR, file)
    assert [row["customer"] for row in list_revenue(store, file, "default")] == ["acme"]
    with pytest.raises(BadRequest, match="change it there"):
        delete_revenue(store, writer, "default", "acme", now, file)
    writer.close()
