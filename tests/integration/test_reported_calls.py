"""What other tools' users reported as wrong: each report's spans, sent together, with the right answer for each."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.conftest import ENGINE_PATH
from tests.landing import collector
from tests.reported_calls import body_of, read_cases

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import migrate, open_store

CASES = read_cases()
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    """The calls by case."""
    store = open_store(f"chdb://{ENGINE_PATH}?database=reported_{uuid.uuid4().hex[:8]}")
    migrate(store)
    settler = Settler(store, PriceBook(store))
    with collector(store, tmp_path_factory.mktemp("spool")) as made:
        made.send(body_of(CASES), kind="traces", max_age_days=None)
        made.load()
        while settler.run_once():
            pass
    settler.close()
    found: Rows = defaultdict(list)
    for row in store.query("SELECT * FROM calls FINAL ORDER BY service, started_at, span_id, n"):
        found[row["service"]].append(row)
    yield found
    store.close()


def total(calls: list[dict[str, Any]], name: str) -> Any:
    known = [call[name] for call in calls if call[name] is not None]
    return sum(known) if known else None


@pytest.mark.parametrize("name", CASES)
def test_a_reported_call_costs_what_its_provider_bills(name: str, rows: Rows) -> None:
    case = CASES[name]
    calls = rows[name]
    said = [(call["name"], call["dialect"], call["matched_model"], call["match_kind"], call["flags"]) for call in calls]
    assert len(calls) == case.calls, said
    if case.tokens is not None:
        counts = ("input_tokens", "cache_read_tokens", "output_tokens")
        assert tuple(total(calls, each) for each in counts) == case.tokens, said
    if case.state:
        assert {call["cost_state"] for call in calls} == {case.state}, said
    assert total(calls, "cost_usd") == case.usd, (said, [call["cost_lines"] for call in calls])
    notes = {note for call in calls for note in (*call["flags"], *call["match_kind"].split("+"))}
    assert notes >= case.notes, said


def test_the_lines_of_a_reported_call_add_up(rows: Rows) -> None:
    for name, calls in rows.items():
        for call in calls:
            assert sum(call["cost_lines"].values(), Decimal(0)) == (call["cost_usd"] or 0), name
