"""How values look on a page."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_analytics.query.text import MINUS, exact
from outlay_web import format as fmt

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=12, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234.56", "$1,234.56"),
        ("0.00214", "$0.00214"),
        ("0.0021449", "$0.00214"),
        ("0.5", "$0.50"),
        ("0.457", "$0.457"),
        ("1", "$1.00"),
        ("0", "$0.00"),
        ("-12.3", "−$12.30"),
        ("0.0000576", "$0.0000576"),
        ("0.000000000001", "$0.000000000001"),
        ("1234567.891", "$1,234,567.89"),
    ],
)
def test_money_shows_as_many_digits_as_help(amount: str, shown: str) -> None:
    assert fmt.usd_text(Decimal(amount)) == shown


@given(amounts)
def test_money_shown_is_within_half_a_percent_or_half_a_cent(amount: Decimal) -> None:
    text = fmt.usd_text(amount).replace("$", "").replace(",", "").replace(MINUS, "-")
    assert abs(Decimal(text) - amount) <= max(abs(amount) * Decimal("0.005"), Decimal(0)) or abs(amount) >= 1
    assert abs(Decimal(text) - amount) <= Decimal("0.005")


@given(amounts)
def test_the_title_holds_the_exact_amount(amount: Decimal) -> None:
    assert Decimal(exact(amount)) == amount
    assert "E" not in exact(amount)


def test_a_column_that_reaches_a_dollar_shows_cents_throughout() -> None:
    assert fmt.usd_beside(Decimal("0.0372"), Decimal("19.8")) == "$0.04"
    assert fmt.usd_beside(Decimal("0.0001"), Decimal("19.8")) == "<$0.01"


def test_a_column_below_a_dollar_shows_the_decimals_of_its_largest_throughout() -> None:
    shown = [fmt.usd_beside(Decimal(one), Decimal("0.157"), signed=True) for one in ("0.157", "-0.0208", "0.00001")]
    assert shown == ["+$0.157", "−$0.021", "<$0.001"]


def test_what_one_of_something_cost_keeps_its_zeros_in_a_column() -> None:
    assert [fmt.usd_each(Decimal(one)).striptags() for one in ("0.00048", "0.0005219", "3.1", "0")] == [
        "$0.000480",
        "$0.000522",
        "$3.10",
        "$0.00",
    ]
    assert fmt.usd_each(None).striptags() == fmt.UNKNOWN


def test_a_price_keeps_all_its_digits() -> None:
    shown = {"3.125": "$3.125", "0.0625": "$0.0625", "15": "$15.00", "2.5": "$2.50", "1234.5": "$1,234.50"}
    assert {written: fmt.price_text(Decimal(written)) for written in shown} == shown
    assert fmt.price_text(None) == fmt.UNKNOWN


def test_unknown_is_a_dash_and_never_a_zero() -> None:
    for shown in (fmt.usd(None), fmt.count(None), fmt.tokens(None), fmt.duration(None), fmt.ratio(None)):
        assert fmt.UNKNOWN in shown
        assert "0" not in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0%"), (0.0004, "<0.1%"), (0.123, "12.3%"), (0.5, "50%"), (0.99999, ">99.9%"), (1, "100%")],
)
def test_a_ratio_is_never_rounded_to_all_or_nothing(value: float, shown: str) -> None:
    assert fmt.ratio_text(value) == shown


def test_ratios_of_a_column_stand_under_each_other() -> None:
    assert [fmt.ratio_text(one, column=True) for one in (0, 0.03, 0.384, 1)] == ["0%", "3.0%", "38.4%", "100%"]


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "0 ms"),
        (4, "4 ms"),
        (999.6, "1 s"),
        (1450, "1.45 s"),
        (59_960, "1 min"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 5 min"),
    ],
)
def test_durations_choose_their_unit(ms: float, shown: str) -> None:
    assert fmt.duration_text(ms) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(9_999, "9,999"), (12_345, "12.3k"), (999_960, "1M"), (4_560_000, "4.56M")]
)
def test_tokens_are_exact_while_they_are_few(value: int, shown: str) -> None:
    assert fmt.tokens_text(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "$0"), (950, "$950"), (1200, "$1.2k"), (12e6, "$12M"), (0.004, "$0.004")]
)
def test_axis_labels_are_short(value: float, shown: str) -> None:
    assert fmt.usd_short(value) == shown


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (0.1239, "ratio", "+12.4 pp"),
        (-0.006, "ratio", "\u22120.6 pp"),
        (-0.0004, "ratio", "0.0 pp"),
        (0.0, "ratio", "0.0 pp"),
        (-1.2345, "number", "\u22121.23"),
        (0.00123, "usd", "+$0.00123"),
        (-6430.0, "duration", "\u22126.43 s"),
        (None, "ratio", "–"),
    ],
)
def test_a_difference_has_a_sign_unless_it_rounds_to_nothing(value: float | None, kind: str, shown: str) -> None:
    assert fmt.difference_text(value, kind) == shown


def test_a_hostile_name_is_text_of_its_own_direction() -> None:
    shown = fmt.name("<script>x()</script>\u202e\x07")
    assert "<script>" not in shown
    assert "\u202e" not in shown
    assert "\x07" not in shown
    assert shown.startswith("<bdi")


def test_an_instant_is_shown_in_the_readers_zone() -> None:
    at = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert fmt.instant_text(at, "Asia/Tokyo") == "23 Nov 2026, 08:30"
    assert fmt.instant_text(at, "UTC", now=at) == "22 Nov, 23:30"
    assert 'datetime="2026-11-22T23:30:00Z"' in fmt.instant(at)
