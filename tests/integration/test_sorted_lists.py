"""Lists in the order of a measure: whole, in pages, under inserts, with equal and unknown values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.sorting import ORDERS, SORTS
from outlay_analytics.query.window import Window
from outlay_analytics.questions.calls import list_calls
from outlay_analytics.questions.traces import list_traces
from outlay_collector.store import Store

SCOPE = Scope(Window(DAY, DAY + timedelta(days=7)))
LISTS: dict[str, tuple[Callable[..., dict[str, Any]], str]] = {
    "calls": (list_calls, "call_id"),
    "traces": (list_traces, "trace_id"),
}


def world(store: Store) -> None:
    """Forty calls in fourteen traces: few different values, some unknown."""
    put(
        store,
        *(
            call(
                timedelta(hours=n),
                None if n % 7 == 0 else f"0.{n % 5 + 1:03d}",
                trace_id=f"{n // 3 + 1:032x}",
                duration_ns=(n % 4 + 1) * 10**8,
                input_tokens=None if n % 6 == 0 else n % 3,
                output_tokens=None if n < 9 else n % 2,
            )
            for n in range(40)
        ),
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_in_the_order_of_any_measure_with_the_unknown_last_and_its_pages_are_the_list(
    store: Store, name: str
) -> None:
    world(store)
    ask, key = LISTS[name]
    for sort in SORTS:
        for order in ORDERS:
            whole = ask(store, SCOPE, 1000, sort=sort, order=order)[name]
            values = [row[sort] for row in whole]
            known = [value for value in values if value is not None]
            unknown = [None] * (len(values) - len(known))
            assert values == sorted(known, reverse=order == "desc") + unknown, (sort, order)
            pages, cursor = [], None
            while True:
                page = ask(store, SCOPE, 3, cursor, sort=sort, order=order)
                pages += page[name]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            assert [row[key] for row in pages] == [row[key] for row in whole], (sort, order)


def test_calls_that_arrive_between_two_pages_neither_repeat_nor_hide_others(store: Store) -> None:
    world(store)
    for sort in ("cost_usd", "input_tokens"):
        for order in ORDERS:
            before = [row["call_id"] for row in list_calls(store, SCOPE, 1000, sort=sort, order=order)["calls"]]
            first = list_calls(store, SCOPE, 12, sort=sort, order=order)
            put(store, *(call(timedelta(hours=n, minutes=1), "0.003", input_tokens=1) for n in range(6)))
            put(store, *(call(timedelta(hours=n, minutes=2), None) for n in range(6)))
            seen, cursor = [row["call_id"] for row in first["calls"]], first["next_cursor"]
            while cursor is not None:
                page = list_calls(store, SCOPE, 12, cursor, sort=sort, order=order)
                seen += [row["call_id"] for row in page["calls"]]
                cursor = page["next_cursor"]
            assert len(set(seen)) == len(seen)
            assert [one for one in seen if one in before] == before


@pytest.mark.parametrize("name", LISTS)
def test_another_order_and_a_cursor_of_another_order_are_refused(store: Store, name: str) -> None:
    world(store)
    ask, _ = LISTS[name]
    for wrong in ({"sort": "model"}, {"sort": "cost_usd; DROP TABLE calls"}, {"order": "up"}):
        with pytest.raises(BadRequest, match="must be"):
            ask(store, SCOPE, **wrong)
    dear = ask(store, SCOPE, 2, sort="cost_usd")["next_cursor"]
    plain = ask(store, SCOPE, 2)["next_cursor"]
    for cursor, sort, order in (
        (dear, "duration_ms", "desc"),
        (dear, "cost_usd", "asc"),
        (dear, "started_at", "desc"),
        (plain, "cost_usd", "desc"),
        ("x", "cost_usd", "desc"),
        ("bnVsbA", "cost_usd", "desc"),
    ):
        with pytest.raises(BadRequest, match="cursor"):
            ask(store, SCOPE, 2, cursor, sort=sort, order=order)
