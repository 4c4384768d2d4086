"""The list of calls: its fields, its pages and its look-ups."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_analytics.questions.call_rows import KeptRows, key_of
from outlay_analytics.questions.calls import list_calls, read_cursor, write_cursor
from outlay_collector.store import Params, Row, Store

HOUR = timedelta(hours=1)
RUN = 1_772_000_000_000_000
"""Version of a run of settle."""
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
FIELDS = set(
    "call_id trace_id span_id parent_span_id started_at duration_ms time_to_first_token_ms service environment feature "  # noqa: SIM905
    "team customer user session task prompt prompt_version provider request_model response_model response_id "
    "service_tier operation input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens output_tokens "
    "reasoning_tokens cost_usd list_cost_usd cost_lines reported_cost_usd cost_state price_version matched_model "
    "streamed attempt status error_type dialect tags cascade cache experiment scores".split()
)


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["call_id"] for one in answer["calls"]]


def all_pages(store: Store, scope: Scope, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = list_calls(store, scope, limit=limit, cursor=cursor)
        assert len(page["calls"]) <= limit
        found += ids(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def score(store: Store, trace_id: str, span_id: str, name: str, value: float | None, label: str = "") -> None:
    writer = store.writer()
    row = {"project": "default", "trace_id": trace_id, "span_id": span_id, "name": name, "value": value, "label": label}
    writer.insert("scores", [{**row, "at": DAY}])
    writer.close()


def test_a_call_has_every_field_with_its_value(store: Store) -> None:
    row = call(
        HOUR,
        "0.0035",
        n=2,
        parent_span_id="ab" * 8,
        time_to_first_token_ms=123.4,
        duration_ns=1_500_000,
        feature="f", team="t", customer="c", user="u", session="s", task="k", prompt="p", prompt_version="14",
        response_id="r-1", service_tier="flex", input_tokens=1000, cache_read_tokens=400, cache_write_tokens=200,
        cache_write_1h_tokens=100, output_tokens=50, reasoning_tokens=20, reported_cost_usd="0.0036",
        cost_lines={"input": "0.0015", "output": "0.002"}, streamed=True, attempt=3, status="error",
        error_type="timeout", tags={"plan": "pro"},
        cascade_name="n", cascade_run_id="run", cascade_tier=0, cascade_outcome="accepted", cascade_confidence=0.9,
        cascade_threshold=0.7, cascade_forced=1, cascade_judge=0,
        cache_kind="semantic", cache_hit=True, cache_similarity=0.97, cache_avoided_input_tokens=10,
        cache_avoided_output_tokens=5, cache_avoided_usd="0.5",
        experiment="x", arm="b", arm_propensity=0.1, route_propensity=0.95,
    )  # fmt: skip
    put(store, row)
    score(store, row["trace_id"], row["span_id"], "correct", 0.9, "good")
    [shown] = list_calls(store, WEEK)["calls"]
    assert set(shown) >= FIELDS
    assert shown["call_id"] == f"{row['trace_id']}:{row['span_id']}:2"
    assert shown["started_at"] == DAY + HOUR
    assert (shown["duration_ms"], shown["time_to_first_token_ms"]) == (1.5, 123.4)
    for name in (
        "parent_span_id feature team customer user session task prompt prompt_version response_id service_tier "  # noqa: SIM905
        "input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens output_tokens reasoning_tokens "
        "cost_usd cost_lines reported_cost_usd streamed attempt status error_type tags".split()
    ):
        assert shown[name] == row[name], name
    assert sum(shown["cost_lines"].values()) == shown["cost_usd"] == Decimal("0.0035")
    assert shown["cascade"] == {
        "name": "n", "run_id": "run", "tier": 0, "outcome": "accepted", "confidence": 0.9, "threshold": 0.7,
        "forced": True, "judge": False,
    }  # fmt: skip
    assert shown["cache"] == {
        "kind": "semantic", "hit": True, "similarity": 0.97, "avoided_input_tokens": 10, "avoided_output_tokens": 5,
        "avoided_usd": Decimal("0.5"),
    }  # fmt: skip
    assert shown["experiment"] == {"name": "x", "arm": "b", "propensity": 0.1}
    assert shown["route_propensity"] == 0.95
    assert shown["scores"] == [{"name": "correct", "value": 0.9, "label": "good"}]


def test_what_is_unknown_is_none(store: Store) -> None:
    put(store, call(cost=None, price_version="", matched_model=""))
    [shown] = list_calls(store, WEEK)["calls"]
    for name in [
        "parent_span_id",
        "time_to_first_token_ms",
        "feature",
        "user",
        "response_id",
        "service_tier",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "list_cost_usd",
        "reported_cost_usd",
        "price_version",
        "matched_model",
        "streamed",
        "error_type",
        "cascade",
        "cache",
        "experiment",
    ]:
        assert shown[name] is None, name
    assert (shown["scores"], shown["tags"], shown["cost_lines"]) == ([], {}, {})


def test_calls_come_newest_first_and_pages_are_stable_under_inserts(store: Store) -> None:
    rows = [call(timedelta(minutes=37 * n), "1") for n in range(23)]
    same_instant = [call(timedelta(minutes=37), "1") for _ in range(4)]
    put(store, *rows, *same_instant)
    expected = ids(list_calls(store, WEEK, limit=1000))
    assert expected[0] == f"{rows[-1]['trace_id']}:{rows[-1]['span_id']}:0"
    assert all_pages(store, WEEK, 1) == all_pages(store, WEEK, 5) == expected
    first = list_calls(store, WEEK, limit=10)
    put(store, call(timedelta(days=2), "1"), call(timedelta(minutes=37 * 22 + 1), "1"))
    second = list_calls(store, WEEK, limit=100, cursor=first["next_cursor"])
    assert ids(first) + ids(second) == expected


def test_the_last_page_has_no_cursor(store: Store) -> None:
    put(store, call(), call())
    assert list_calls(store, WEEK, limit=2)["next_cursor"] is None
    assert list_calls(store, WEEK, limit=1)["next_cursor"] is not None
    assert list_calls(store, Scope(WEEK.window, {"feature": ("none",)})) == {"calls": [], "next_cursor": None}


@pytest.mark.parametrize(
    "cursor",
    ["x", "!!!", "W10", "bnVsbA", write_cursor([1, "a"]), write_cursor([1, "a", "b", -1]),
     write_cursor([2**63, "", "", 0]), write_cursor([True, "a", "b", 1]), "é", "A" * 5000],
)  # fmt: skip
def test_a_cursor_that_is_none_of_ours_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        list_calls(store, WEEK, cursor=cursor)


def test_a_cursor_reads_back() -> None:
    key = (1_700_000_000_123_456_789, "a" * 32, "b" * 16, 3)
    assert read_cursor(write_cursor(key), 4) == key


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_range_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(BadRequest, match="limit"):
        list_calls(store, WEEK, limit=limit)


def test_ids_find_calls_anywhere_in_time(store: Store) -> None:
    old = call(timedelta(days=-390), "1", response_id="resp-old")
    other = call(HOUR, "2", trace_id=old["trace_id"], response_id="resp-new")
    put(store, old, other, call(HOUR, "3"))
    everything = Scope(EVERYTHING)
    old_id, other_id = (f"{row['trace_id']}:{row['span_id']}:0" for row in (old, other))
    assert ids(list_calls(store, everything, trace_id=old["trace_id"])) == [other_id, old_id]
    assert ids(list_calls(store, everything, trace_id=old["trace_id"].upper(), limit=1)) == [other_id]
    assert ids(list_calls(store, everything, call_id=old_id)) == [old_id]
    assert ids(list_calls(store, everything, response_id="resp-old")) == [old_id]
    assert ids(list_calls(store, Scope(EVERYTHING, {"response_id": ("resp-old", "resp-new")}))) == [other_id, old_id]
    assert ids(list_calls(store, everything, response_id="resp-old", trace_id="f" * 32)) == []
    assert ids(list_calls(store, WEEK, call_id=old_id)) == []
    for nothing in ("", "nonsense", ":::", "f" * 32, "'; DROP TABLE calls --"):
        assert ids(list_calls(store, everything, call_id=nothing)) == []


def test_ids_are_found_through_the_hours_that_landing_noted(store: Store) -> None:
    row = call(timedelta(days=-100), "1", response_id="resp")
    put(store, row, call(HOUR, "1"))
    writer = store.writer()
    key = {"project": "default", "trace_id": row["trace_id"]}
    hour = row["started_at"].replace(minute=0)
    writer.insert("trace_hours", [{**key, "first_hour": hour, "last_hour": hour}])
    writer.close()
    for wanted in ({"trace_id": row["trace_id"]}, {"response_id": "resp"}):
        assert len(list_calls(store, Scope(EVERYTHING), **wanted)["calls"]) == 1
        assert list_calls(store, WEEK, **wanted)["calls"] == []


def test_scores_of_the_trace_and_of_a_repeating_span_belong_to_the_call(store: Store) -> None:
    row = call(cost="1")
    put(store, row)
    trace = row["trace_id"]
    score(store, trace, "", "helpful", 1.0)
    score(store, trace, "", "correct", 0.1)
    score(store, trace, row["span_id"], "correct", 0.9)
    score(store, trace, "ee" * 8, "polite", None, "yes")
    writer = store.writer()
    repeat = {"project": "default", "trace_id": trace, "span_id": "ee" * 8, "started_at": DAY, "reason": "same_request"}
    of = {"of_trace_id": trace, "of_span_id": row["span_id"], "dialect": "", "version": 1, "is_deleted": 0}
    writer.insert("repeats", [{**repeat, **of}])
    writer.close()
    [shown] = list_calls(store, WEEK)["calls"]
    assert {(one["name"], one["value"], one["label"]) for one in shown["scores"]} == {
        ("correct", 0.9, None),
        ("helpful", 1.0, None),
        ("polite", None, "yes"),
    }


def test_of_a_page_that_is_asked_for_again_only_what_is_new_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    span: dict[str, Any] = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    put(store, call(HOUR, "0.1", n=0, version=RUN, **span))
    put(store, call(HOUR, "0.2", n=1, version=RUN, tags={"of": "mine"}, **span))
    read: list[list[int]] = []
    query = store.query

    def counted(sql: str, params: Params | None = None) -> list[Row]:
        rows = query(sql, params)
        if "c.cost_lines" in sql:
            read.append([row["n"] for row in rows])
        return rows

    monkeypatch.setattr(store, "query", counted)
    first = list_calls(store, WEEK)
    first["calls"][0]["tags"]["of"] = "somebody else"
    again = list_calls(store, WEEK)
    assert [one["tags"] for one in again["calls"]] == [{"of": "mine"}, {}]
    span["version"] = RUN + 1
    put(store, call(HOUR, "0.3", n=1, **span), call(HOUR, "0.4", n=2, **span))
    put(store, call(HOUR, "0.1", n=0, is_deleted=1, **span))
    last = list_calls(store, WEEK)
    assert [str(one["cost_usd"]).rstrip("0") for one in last["calls"]] == ["0.4", "0.3"]
    assert read == [[0, 1], [1, 2]]


def test_rows_that_were_not_asked_for_longest_are_forgotten_first() -> None:
    kept = KeptRows(most=2)
    rows = [{"started_ns": n, "trace_id": "t", "span_id": "s", "n": 0, "version": RUN} for n in range(3)]
    keys = [key_of(row) for row in rows]
    kept.keep("default", rows[:2])
    assert kept.find("default", {keys[0]: RUN}) == rows[:1]
    kept.keep("default", rows[2:])
    assert kept.find("default", dict.fromkeys(keys, RUN)) == [rows[0], rows[2]]
    assert kept.find("default", dict.fromkeys(keys, RUN + 1)) == []
    assert kept.find("other", dict.fromkeys(keys, RUN)) == []


def test_a_deleted_call_is_not_listed(store: Store) -> None:
    row = call(cost="1")
    put(store, row)
    put(store, {**row, "version": 2, "is_deleted": 1})
    assert list_calls(store, WEEK)["calls"] == []
    assert list_calls(store, Scope(EVERYTHING), trace_id=row["trace_id"])["calls"] == []
