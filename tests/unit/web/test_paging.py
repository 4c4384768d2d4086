"""A place in a list survives the way to the client and back, digit by digit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_web.api.paging import Page, read_page, tie
from outlay_web.http.parameters import Query

SCOPE = Scope(Window(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)))
HELD = (SCOPE.window.start, SCOPE.window.end)


def page(kinds: str = "nt", **values: str) -> Page:
    return read_page(Query(SCOPE, values, True), "rows", kinds, HELD)


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=50)), max_size=30))
def test_pages_repeat_and_hide_nothing(rows: list[tuple[float, str]]) -> None:
    listed = sorted({(amount, tie(name)) for amount, name in rows})
    shown: list[Any] = []
    found: dict[str, Any] = {"next_cursor": None}
    values = {"limit": "7"}
    while True:
        found = page(**values).cut({"rows": listed}, "rows", lambda row: row)
        shown += found["rows"]
        if found["next_cursor"] is None:
            break
        values["cursor"] = found["next_cursor"]
    assert shown == listed


def test_a_later_page_is_about_the_window_of_the_first() -> None:
    cursor = page(limit="1").cursor((Decimal("1.5"), "x"))
    later = Query(Scope(Window(HELD[1], HELD[1])), {"cursor": cursor}, True)
    assert read_page(later, "rows", "nt", HELD[:2]).window(later.scope).window == SCOPE.window


@pytest.mark.parametrize("place", [("nan", "x"), ("inf", "x"), ("", "x"), ("1",), ("1", "x", "y")])
def test_a_forged_place_is_refused(place: tuple[str, ...]) -> None:
    forged = page(limit="1").cursor(place)
    with pytest.raises(BadRequest, match="cursor"):
        page(cursor=forged)


def test_names_of_any_length_make_a_short_cursor() -> None:
    assert len(tie("x" * 10_000, None)) < 70
    assert tie("a", "b") != tie("ab", None)
