"""Money as plain text, instants in UTC, unknown as null, and CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from outlay_analytics.query.text import exact, rfc3339
from outlay_web.http.encoding import to_csv, to_json


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("0E-12", "0"),
        ("-0.00", "0"),
        ("0.001750000000", "0.00175"),
        ("1E+3", "1000"),
        ("1E-12", "0.000000000001"),
        ("-12.50", "-12.5"),
        ("100", "100"),
        ("99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
    ],
)
def test_money_has_every_digit_and_no_exponent(value: str, text: str) -> None:
    assert exact(Decimal(value)) == text


def test_instants_are_rfc_3339_in_utc() -> None:
    assert rfc3339(datetime(2026, 11, 22, 10, 0, tzinfo=UTC)) == "2026-11-22T10:00:00Z"
    shifted = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(shifted) == "2026-11-22T08:00:00.123456Z"


def test_unknown_and_impossible_numbers_are_null() -> None:
    assert to_json({"a": None, "b": float("nan"), "c": [float("inf"), 1.5]}) == b'{"a":null,"b":null,"c":[null,1.5]}'


def test_money_is_text_in_json() -> None:
    assert json.loads(to_json({"cost_usd": Decimal("0.10")})) == {"cost_usd": "0.1"}


def test_lone_surrogates_do_not_break_an_answer() -> None:
    assert json.loads(to_json({"name": "a\ud800b"})) == {"name": "a?b"}


@pytest.mark.parametrize("risky", ["=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", "\r=1"])
def test_a_formula_becomes_text_in_csv(risky: str) -> None:
    line = list(csv.reader(io.StringIO(to_csv([{"feature": risky}], ["feature"]).decode(), newline="")))[1]
    assert line == ["'" + risky]


def test_numbers_stay_numbers_in_csv() -> None:
    row = {"cost_usd": Decimal("-1.50"), "calls": -3, "label": "-4.5", "ratio": 0.25, "none": None, "yes": True}
    text = to_csv([row], list(row)).decode()
    assert text.splitlines() == ["cost_usd,calls,label,ratio,none,yes", "-1.5,-3,-4.5,0.25,,true"]


def test_csv_reads_into_nested_objects_and_keeps_further_keys() -> None:
    rows = [{"feature": "a", "provider": {"hit_ratio": 0.5}, "extra": [1]}]
    assert to_csv(rows, ["feature", "provider.hit_ratio"]).decode().splitlines() == [
        "feature,provider.hit_ratio,extra",
        "a,0.5,[1]",
    ]


def test_an_empty_table_still_has_its_header() -> None:
    assert to_csv([], ["time", "cost_usd"]) == b"time,cost_usd\r\n"
