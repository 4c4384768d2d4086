"""Lists of values in statements: traces, spans and keys of a run, handed to ClickHouse as what they are.

A short list is bound as parameters. A long one would be slow to parse and too large for a server's limits, so it goes
into a temporary table first; `GLOBAL IN` sends it to the other nodes of a cluster and does nothing on one node.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from outlay_collector.store.client import Writer
from outlay_collector.store.query import Params

BOUND = 200
"""Longest list that is bound: some 20 kB; about as fast either way there."""
TYPES = {
    "project": "String",
    "trace_id": "String",
    "span_id": "String",
    "hour": "DateTime('UTC')",
    "key": "UInt64",
}


def among(writer: Writer, values: pa.Table, expression: str) -> tuple[str, Params]:
    """A condition that `expression`, a tuple like the columns of `values`, is among the rows; and its parameters.

    A condition stands once in a statement, or several times the same: its parameters go by the columns' names.
    """
    columns = values.column_names
    name = "_".join(columns)
    if len(values) <= BOUND:
        bound = [f"{{{name}_{column}:Array({TYPES[column]})}}" for column in columns]
        rows = bound[0] if len(columns) == 1 else f"arrayZip({', '.join(bound)})"
        return f"{expression} IN {rows}", {f"{name}_{column}": texts(values[column]) for column in columns}
    table = f"settle_{name}"
    shape = ", ".join(f"{column} {TYPES[column]}" for column in columns)
    writer.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {table} ({shape}) ENGINE = Memory")
    writer.run(f"TRUNCATE TABLE {table}")
    writer.insert_arrow(table, values)
    return f"{expression} GLOBAL IN (SELECT {', '.join(columns)} FROM {table})", {}


def texts(column: Any) -> list[Any]:
    """The values of a column, texts decoded."""
    return [text(value) if isinstance(value, bytes) else value for value in column.to_pylist()]


def text(value: bytes) -> str:
    """A text of ClickHouse, which is bytes, as Python's; what is not UTF-8 shows as a mark."""
    return value.decode("utf-8", "replace")
