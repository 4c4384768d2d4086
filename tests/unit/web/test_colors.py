"""A name keeps its color, and names that are shown together have different ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outlay_web.pages.colors import SLOTS, Colors

SCOPE = ("default", "feature")
NAMES = st.lists(st.text(max_size=6), max_size=7, unique=True)


@given(st.lists(NAMES, max_size=8))
def test_names_shown_together_have_different_colors(charts: list[list[str]]) -> None:
    colors = Colors()
    for names in charts:
        slots = colors.slots(SCOPE, names)
        assert set(slots) == set(names)
        assert len(set(slots.values())) == len(names)
        assert set(slots.values()) <= set(SLOTS)


@given(NAMES, st.data())
def test_a_name_keeps_its_color_in_any_order_and_among_fewer(names: list[str], data: st.DataObject) -> None:
    colors = Colors()
    first = colors.slots(SCOPE, names)
    fewer = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    assert colors.slots(SCOPE, fewer) == {name: first[name] for name in fewer}
    assert colors.slots(SCOPE, names[::-1]) == first


def test_a_newcomer_takes_no_color_of_those_already_seen() -> None:
    colors = Colors()
    before = colors.slots(SCOPE, ["a", "b", "c"])
    after = colors.slots(SCOPE, ["new", "c", "b", "a"])
    assert {name: after[name] for name in before} == before


def test_what_is_remembered_is_bounded() -> None:
    colors = Colors(remembered=10)
    for n in range(100):
        colors.slots(SCOPE, [f"name {n}"])
    assert len(colors._slots) == 10
