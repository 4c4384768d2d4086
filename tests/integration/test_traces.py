"""Traces: the list, and one in full."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, lookup, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.traces import get_trace, list_traces
from outlay_collector.store import Store

TRACE = "a" * 32
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
SPAN: dict[str, Any] = {
    "project": "default", "parent_span_id": "", "duration_ns": 10**9, "name": "work", "kind": "internal",
    "status": "ok", "status_message": "", "service": "shop", "service_version": "", "environment": "prod",
    "scope_name": "scope", "scope_version": "", "resource_attributes": {}, "attributes": {}, "texts": {},
    "events": [], "links": [], "flags": [], "body_id": "", "received_at": DAY, "version": 1,
}  # fmt: skip


def span(span_id: str, parent: str = "", seconds: float = 0, **fields: Any) -> dict[str, Any]:
    at: datetime = DAY + timedelta(seconds=seconds)
    return {**SPAN, "trace_id": TRACE, "span_id": span_id, "parent_span_id": parent, "started_at": at, **fields}


def land(store: Store, *spans: dict[str, Any]) -> None:
    writer = store.writer()
    writer.insert("spans", spans)
    hours = [one["started_at"].replace(minute=0, second=0, microsecond=0) for one in spans]
    for one, hour in zip(spans, hours, strict=True):
        known = {"project": one["project"], "trace_id": one["trace_id"], "first_hour": hour, "last_hour": hour}
        writer.insert("trace_hours", [known])
    writer.close()


def repeat(store: Store, span_id: str, reason: str, of: str) -> None:
    writer = store.writer()
    row = {"project": "default", "trace_id": TRACE, "span_id": span_id, "started_at": DAY, "reason": reason}
    of_span = {"of_trace_id": TRACE if of else "", "of_span_id": of, "dialect": "x", "version": 1, "is_deleted": 0}
    writer.insert("repeats", [{**row, **of_span}])
    writer.close()


def test_one_trace_shows_every_span_in_tree_order_with_what_was_counted_and_why(store: Store) -> None:
    land(
        store,
        span("root", seconds=0, duration_ns=5 * 10**9, name="handle"),
        span("agent", "root", 1, name="agent"),
        span("llm", "agent", 2, name="chat", attributes={"gen_ai.request.model": "gpt-5"}, texts={"prompt": "hello"}),
        span("look", "root", 3, name="lookup"),
        span("lost", "gone", 4),
    )
    put(
        store,
        call(timedelta(seconds=2), "0.25", trace_id=TRACE, span_id="llm"),
        call(timedelta(seconds=2), "0.5", trace_id=TRACE, span_id="llm", n=1),
        lookup(timedelta(seconds=3), trace_id=TRACE, span_id="look", hit=False),
    )
    repeat(store, "agent", "repeats_descendants", "llm")
    trace = get_trace(store, "default", TRACE)
    assert trace is not None
    shown = [(one["span_id"], one["depth"], one["counted"], one["reason"]) for one in trace["spans"]]
    assert shown == [
        ("root", 0, False, "plain"),
        ("agent", 1, False, "repeats_descendants"),
        ("llm", 2, True, "call"),
        ("look", 1, False, "plain"),
        ("lost", 0, False, "plain"),
    ]
    root, agent, llm, look, lost = trace["spans"]
    assert (trace["calls"], trace["cost_usd"], trace["duration_ms"]) == (2, Decimal("0.75"), 5000.0)
    assert (trace["span_count"], trace["truncated"]) == (5, False)
    assert [one["cost_usd"] for one in llm["calls"]] == [Decimal("0.25"), Decimal("0.5")]
    assert (llm["cost_usd"], agent["cost_usd"]) == (Decimal("0.75"), None)
    assert [one["subtree_cost_usd"] for one in (root, agent, llm, look)] == [Decimal("0.75")] * 3 + [0]
    assert agent["of"] == {"trace_id": TRACE, "span_id": "llm"}
    assert look["lookup"]["hit"] is False
    assert (lost["orphan"], root["orphan"]) == (True, False)
    assert (llm["attributes"], llm["texts"]) == ({"gen_ai.request.model": "gpt-5"}, {"prompt": "hello"})


def test_spans_are_pending_until_settle_has_read_them(store: Store) -> None:
    land(store, span("root"), span("llm", "root", 1))
    writer = store.writer()
    mark = {"project": "default", "trace_id": TRACE, "spans": 2}
    settled = {"loader": "one", "seq": 4}
    writer.insert("settle_progress", [settled])

    def reasons() -> set[str]:
        found = get_trace(store, "default", TRACE)
        assert found is not None
        return {one["reason"] for one in found["spans"]}

    writer.insert("dirty_traces", [{**mark, "loader": "one", "seq": 4}])
    assert reasons() == {"plain"}
    writer.insert("dirty_traces", [{**mark, "loader": "two", "seq": 1}])
    assert reasons() == {"pending"}
    writer.insert("settle_progress", [{"loader": "two", "seq": 1}])
    assert reasons() == {"plain"}
    writer.insert("dirty_traces", [{**mark, "loader": "one", "seq": 5}])
    put(store, call(timedelta(seconds=1), trace_id=TRACE, span_id="llm"))
    assert reasons() == {"pending", "call"}
    writer.close()


def test_an_unpriced_call_makes_its_own_cost_unknown_and_not_that_of_its_neighbours(store: Store) -> None:
    land(store, span("root"), span("a", "root", 1), span("b", "root", 2))
    put(store, call(trace_id=TRACE, span_id="a"), call(cost="2", trace_id=TRACE, span_id="b"))
    trace = get_trace(store, "default", TRACE)
    assert trace is not None
    assert [one["subtree_cost_usd"] for one in trace["spans"]] == [2, None, 2]
    assert (trace["cost_usd"], trace["priced_ratio"]) == (2, 0.5)


def test_an_unknown_trace_is_none_and_projects_do_not_see_each_other(store: Store) -> None:
    land(store, span("root"))
    assert get_trace(store, "default", "f" * 32) is None
    assert get_trace(store, "other", TRACE) is None
    assert get_trace(store, "default", "'; DROP TABLE spans --") is None


def test_a_trace_whose_spans_were_dropped_still_shows_its_calls(store: Store) -> None:
    put(store, call(cost="1", trace_id=TRACE, span_id="llm", name="chat gpt-5"))
    trace = get_trace(store, "default", TRACE)
    assert trace is not None
    assert [(one["span_id"], one["counted"], one["name"]) for one in trace["spans"]] == [("llm", True, "chat gpt-5")]


def test_a_span_that_was_sent_again_appears_once(store: Store) -> None:
    land(store, span("root", version=1, name="old"))
    land(store, span("root", version=2, name="new"), span("root", version=1, seconds=3700, name="older"))
    trace = get_trace(store, "default", TRACE)
    assert trace is not None
    assert [one["name"] for one in trace["spans"]] == ["new"]


def test_twenty_thousand_spans_stay_bounded(store: Store) -> None:
    count = 21_000
    writer = store.writer()
    writer.insert("spans", [span(f"{n:x}", f"{n // 3:x}" if n else "", n / 1000) for n in range(count)])
    writer.insert("trace_hours", [{"project": "default", "trace_id": TRACE, "first_hour": DAY, "last_hour": DAY}])
    writer.close()
    put(
        store, *(call(timedelta(milliseconds=n), "0.001", trace_id=TRACE, span_id=f"{n:x}") for n in range(0, count, 7))
    )
    trace = get_trace(store, "default", TRACE)
    assert trace is not None
    assert (len(trace["spans"]), trace["span_count"], trace["truncated"], trace["calls"]) == (20_000, count, True, 3000)
    assert trace["cost_usd"] == 3
    assert "attributes" not in trace["spans"][0]


def test_traces_come_newest_first_with_their_sums_and_their_shape(store: Store) -> None:
    land(store, span("root", name="handle", duration_ns=9 * 10**9), span("llm", "root", 1))
    put(
        store,
        call(timedelta(seconds=1), "1", trace_id=TRACE, span_id="llm", feature="f"),
        call(timedelta(seconds=4), None, trace_id=TRACE, span_id="more", status="error"),
        call(timedelta(hours=1), "5", trace_id="b" * 32),
    )
    newest, oldest = list_traces(store, WEEK)["traces"]
    assert newest["trace_id"] == "b" * 32
    assert (oldest["trace_id"], oldest["name"], oldest["feature"]) == (TRACE, "handle", "f")
    assert (oldest["calls"], oldest["errors"], oldest["cost_usd"], oldest["priced_ratio"]) == (2, 1, 1, 0.5)
    assert (oldest["spans"], oldest["duration_ms"]) == (2, 9000.0)


def test_pages_of_traces_hold_each_trace_once_even_where_traces_are_long(store: Store) -> None:
    """Traces whose calls spread over days, so that walking back in pieces meets them several times."""
    rows = [
        call(timedelta(hours=start + step * spread), "1", trace_id=f"{start:032x}")
        for start in range(40)
        for step, spread in ((0, 1), (1, start % 5 * 20), (2, 1))
    ]
    put(store, *rows)
    everything = [one["trace_id"] for one in list_traces(store, WEEK, limit=1000)["traces"]]
    assert everything == [f"{start:032x}" for start in reversed(range(40))]
    for limit in (1, 7):
        found, cursor = [], None
        while True:
            page = list_traces(store, WEEK, limit=limit, cursor=cursor)
            found += [one["trace_id"] for one in page["traces"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found == everything


def test_filters_choose_traces_by_their_calls(store: Store) -> None:
    put(store, call(cost="1", feature="a", trace_id=TRACE), call(cost="2", feature="b", trace_id=TRACE), call(cost="4"))
    [only] = list_traces(store, Scope(WEEK.window, {"feature": ("a",)}))["traces"]
    assert (only["trace_id"], only["calls"], only["cost_usd"]) == (TRACE, 1, 1)


def test_a_cursor_of_another_list_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        list_traces(store, WEEK, cursor="WzEsImEiLCJiIiwwXQ")
