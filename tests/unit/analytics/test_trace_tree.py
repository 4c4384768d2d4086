"""The order of a trace's spans."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outlay_analytics.questions.trace import in_tree_order


def span(span_id: str, parent: str | None = None, at: int = 0) -> dict[str, Any]:
    return {
        "span_id": span_id,
        "parent_span_id": parent,
        "started_ns": at,
        "started_at": datetime.now(UTC),
        "orphan": False,
    }


def shape(spans: list[dict[str, Any]]) -> list[tuple[str, int, bool]]:
    return [(one["span_id"], one["depth"], one["orphan"]) for one in in_tree_order(spans)]


def test_parents_come_before_children_and_siblings_by_start() -> None:
    spans = [span("c", "a", 3), span("b", "a", 2), span("d", "b", 9), span("a", None, 1)]
    assert shape(spans) == [("a", 0, False), ("b", 1, False), ("d", 2, False), ("c", 1, False)]


def test_a_span_without_its_parent_stands_at_the_top_as_an_orphan() -> None:
    assert shape([span("a", None, 2), span("b", "gone", 1)]) == [("b", 0, True), ("a", 0, False)]


def test_a_circle_of_parents_is_cut_at_its_earliest_span() -> None:
    spans = [span("a", "c", 2), span("b", "a", 1), span("c", "b", 3), span("self", "self", 0)]
    assert shape(spans) == [("self", 0, True), ("b", 0, True), ("c", 1, False), ("a", 2, False)]


def test_a_chain_of_ten_thousand_is_no_recursion() -> None:
    spans = [span(str(n), str(n - 1) if n else None, n) for n in range(10_000)]
    assert in_tree_order(spans)[-1]["depth"] == 9_999


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(0, 3)), max_size=10, unique_by=lambda t: t[0])
)
def test_every_span_appears_once_whatever_the_parents_say(links: list[tuple[int, int, int]]) -> None:
    spans = [span(str(one), str(parent), at) for one, parent, at in links]
    ordered = in_tree_order(spans)
    assert sorted(one["span_id"] for one in ordered) == sorted(one["span_id"] for one in spans)
    above: list[str] = []
    for one in ordered:
        assert one["depth"] <= len(above)
        del above[one["depth"] :]
        assert not above or one["parent_span_id"] == above[-1]
        above.append(one["span_id"])
