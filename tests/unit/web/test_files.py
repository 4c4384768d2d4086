"""Files are made while they are sent: what is in memory is a piece of them, however long they are."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from outlay_web import csv_text, parquet

COLUMNS = {"name": "text", "cost_usd": "decimal"}


def as_csv(rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    return csv_text.csv_parts(list(COLUMNS), rows)


def as_parquet(rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    return parquet.parquet_parts(COLUMNS, rows)


@pytest.mark.parametrize(("made", "at_once"), [(as_csv, csv_text.ROWS_AT_ONCE), (as_parquet, parquet.ROWS_AT_ONCE)])
def test_rows_are_asked_for_as_the_file_grows(
    made: Callable[[Iterator[Sequence[Any]]], Iterator[bytes]], at_once: int
) -> None:
    asked = 0

    def rows() -> Iterator[Sequence[Any]]:
        nonlocal asked
        for number in range(5 * at_once):
            asked += 1
            yield (f"name {number}", Decimal(number).scaleb(-12))

    parts = made(rows())
    most = 0
    before = 0
    for _ in parts:
        most, before = max(most, asked - before), asked
    assert asked == 5 * at_once
    assert most == at_once


def test_parquet_keeps_every_digit_and_what_is_unknown() -> None:
    rows = iter([("=1+1", Decimal("99999999999999999999999999.999999999999")), (None, None)])
    found = pq.read_table(io.BytesIO(b"".join(as_parquet(rows)))).to_pylist()
    assert found == [
        {"name": "=1+1", "cost_usd": Decimal("99999999999999999999999999.999999999999")},
        {"name": None, "cost_usd": None},
    ]


@pytest.mark.parametrize("made", [as_csv, as_parquet])
def test_an_empty_file_still_has_its_columns(made: Callable[[Iterator[Sequence[Any]]], Iterator[bytes]]) -> None:
    body = b"".join(made(iter(())))
    assert body == b"name,cost_usd\r\n" or pq.read_table(io.BytesIO(body)).column_names == list(COLUMNS)
