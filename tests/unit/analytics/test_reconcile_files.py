"""A bill's file as records: what its size may cost."""

from __future__ import annotations

import io
import time

import pyarrow
import pytest
from pyarrow import parquet

from outlay_analytics.reconcile.bill import BadBill
from outlay_analytics.reconcile.files import MAX_COLUMNS, open_file


def csv_of(columns: int) -> bytes:
    names = ",".join(f"column_{n:06}" for n in range(columns))
    return f"{names}\n{','.join(['1'] * columns)}\n".encode()


def cpu_s(columns: int) -> float:
    body = csv_of(columns)
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        assert len(list(open_file(body).rows)) == 1
        best = min(best, time.thread_time() - began)
    return best


def test_many_columns_cost_as_much_each_as_few() -> None:
    # Five times the columns; were each compared with all, 25 times the work each time, whatever else the machine does.
    assert any(cpu_s(10_000) < 15 * cpu_s(2_000) for _ in range(5))


def test_a_column_that_occurs_twice_is_named() -> None:
    with pytest.raises(BadBill, match=r"the column 'cost' occurs twice"):
        open_file(b"day, cost,model,cost\n")


def test_more_columns_than_any_bill_has_are_refused() -> None:
    with pytest.raises(BadBill, match=rf"{MAX_COLUMNS + 1} columns; a bill has at most {MAX_COLUMNS}"):
        open_file(csv_of(MAX_COLUMNS + 1))
    file = io.BytesIO()
    parquet.write_table(pyarrow.table({f"c{n}": [1] for n in range(MAX_COLUMNS + 1)}), file)
    with pytest.raises(BadBill, match=rf"{MAX_COLUMNS + 1} columns"):
        open_file(file.getvalue())
