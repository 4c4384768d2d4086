"""Calls that this process just wrote, as the store would answer them: who asks for the newest need not read them back.

To read a row of `calls` takes ClickHouse as long as to read a hundred: it is one of seventy columns. What is here is
what an insert does to those columns once more; a test holds both equal for every recorded span.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outlay_collector.store import Row

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FLAGS = ("cascade_forced", "cascade_judge")
"""Whole numbers in the store, yes or no in an answer."""
NOT_SHOWN = ("prompt_parts", "prompt_hash", "prefix_hash", "is_deleted")


def rows_of(calls: pa.Table) -> list[Row]:
    """Rows that were inserted into `calls`, as `calls_rows.sql` gives them, with their project.

    Raises:
        ValueError: If the store changes one of them in a way that is not known here.
    """
    live = calls.filter(_is_live(calls))
    columns = {name: _column(live, name) for name in live.column_names if name not in NOT_SHOWN}
    started_ns = columns["started_ns"] = columns.pop("started_at")
    columns["started_at"] = [EPOCH + timedelta(microseconds=ns // 1000) for ns in started_ns]
    columns["n"] = [0] * len(live)
    columns["call_id"] = [f"{t}:{s}:0" for t, s in zip(columns["trace_id"], columns["span_id"], strict=True)]
    for name in FLAGS:
        columns[name] = [bool(value) for value in columns[name]]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _is_live(calls: pa.Table) -> Any:
    import pyarrow as pa

    return pa.array([not deleted for deleted in calls["is_deleted"].to_pylist()], pa.bool_())


def _column(calls: pa.Table, name: str) -> list[Any]:
    import pyarrow as pa

    column = calls[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_timestamp(kind):
        if kind.unit != "ns":
            raise ValueError(f"{name} is in {kind.unit}")
        column = column.cast(pa.int64())
    return [_value(value, kind, pa) for value in column.to_pylist()]


def _value(value: Any, kind: Any, pa: Any) -> Any:
    """A value of Arrow as the client gives it; a text that is none, or one that is not there, as the store has it."""
    if pa.types.is_binary(kind):
        return "" if value is None else value.decode()
    if pa.types.is_map(kind):
        return {key.decode(): _value(each, kind.item_type, pa) for key, each in value or ()}
    if pa.types.is_list(kind):
        return [each.decode() for each in value or ()]
    return value
