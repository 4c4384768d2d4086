"""A few rows that go as text in the statement are stored as those that go as Arrow, whatever they hold."""

from __future__ import annotations

import random
import struct
from decimal import Decimal

import pyarrow as pa
import pytest

from outlay.errors import StoreError
from outlay_collector.store import Row, Store, client
from outlay_collector.store.lines import MOST_ROWS, as_lines

TABLE = """
CREATE TABLE held (
    id UInt64, word String, kind LowCardinality(String), hour DateTime('UTC'), at DateTime64(9, 'UTC'),
    changed_at DateTime64(3, 'UTC'), small Nullable(UInt8), large UInt64, negative Nullable(Int64), yes Nullable(Bool),
    short Nullable(Float32), number Nullable(Float64), usd Nullable(Decimal(38, 12)), attempt UInt16,
    counts Map(LowCardinality(String), UInt64), lines Map(LowCardinality(String), Decimal(38, 12)),
    tags Map(LowCardinality(String), String), flags Array(LowCardinality(String)), `key` String
) ENGINE = Memory
"""
WORDS = [
    *(
        "",
        "plain",
        "'single' \"double\" `back`",
        "back\\slash \\n \\x41 \\",
        "tab\tnew\nline\r",
        "nul\0 bell\a",
        "'",
        '"',
    ),
    *("ä€😀\u2028", "NULL", "\\N", "null", "[1]", '{"a": 1}', "{x:String}", "; SELECT 1; --", "$1 %s /* */"),
    *("x" * 5000, "\ufeffbom", "\x7f\x1f"),
]
USD = pa.decimal128(38, 12)
TYPES = {
    "id": pa.uint64(),
    "word": pa.binary(),
    "kind": pa.dictionary(pa.int32(), pa.binary()),
    "hour": pa.uint32(),
    "at": pa.timestamp("ns", "UTC"),
    "changed_at": pa.timestamp("ms", "UTC"),
    "small": pa.uint8(),
    "large": pa.uint64(),
    "negative": pa.int64(),
    "yes": pa.bool_(),
    "short": pa.float32(),
    "number": pa.float64(),
    "usd": USD,
    "attempt": pa.uint16(),
    "counts": pa.map_(pa.binary(), pa.uint64()),
    "lines": pa.map_(pa.binary(), USD),
    "tags": pa.map_(pa.binary(), pa.binary()),
    "flags": pa.list_(pa.binary()),
    "key": pa.string(),
}


def some_rows(rng: random.Random, count: int) -> pa.Table:
    def word() -> bytes:
        return rng.choice(WORDS).encode()

    def usd() -> Decimal:
        return Decimal(rng.choice([0, 1, -1, rng.randrange(10**25), 10**25])).scaleb(-12)

    def number() -> float:
        any_bits: float = struct.unpack("<d", rng.randbytes(8))[0]
        return rng.choice([0.0, 0.1, 1e308, 5e-324, -2.5, rng.random(), any_bits if abs(any_bits) < 1e300 else 1.5])

    def row(n: int) -> Row:
        return {
            "id": n,
            "word": word(),
            "kind": word(),
            "hour": rng.choice([0, 3600, 999_997_200, rng.randrange(2**32)]),
            "at": rng.choice([0, 1, 10**9, 999_999_999_999_999_999, rng.randrange(2 * 10**18)]),
            "changed_at": rng.choice([0, 1, rng.randrange(2 * 10**12)]),
            "small": rng.choice([0, 255, None]),
            "large": rng.choice([0, 2**64 - 1, 2**53 + 1]),
            "negative": rng.choice([-(2**63), 2**63 - 1, None]),
            "yes": rng.choice([True, False, None]),
            "short": rng.choice([None, 123.4, 0.1]),
            "number": rng.choice([None, number()]),
            "usd": rng.choice([None, usd()]),
            "attempt": rng.choice([None, 3]),
            "counts": [(word(), rng.choice([0, 2**64 - 1])) for _ in range(rng.randrange(3))],
            "lines": [(word(), usd()) for _ in range(rng.randrange(3))],
            "tags": [(word(), word()) for _ in range(rng.randrange(4))],
            "flags": [word() for _ in range(rng.randrange(3))],
            "key": rng.choice(WORDS),
        }

    rows = [row(n) for n in range(count)]
    return pa.table({name: pa.array([each[name] for each in rows], kind) for name, kind in TYPES.items()})


def test_rows_are_stored_alike_as_text_and_as_arrow(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = store.writer()
    writer.run(TABLE)
    rows = some_rows(random.Random(11), MOST_ROWS)
    lines = as_lines(rows)
    assert lines is None or lines.count("\n") == MOST_ROWS
    small = [rows.slice(at, 5) for at in range(0, MOST_ROWS, 5)]
    assert [as_lines(each) for each in small].count(None) == 0
    for each in small:
        writer.insert_arrow("held", each)
    as_text = writer.query("SELECT * FROM held ORDER BY id")
    writer.run("TRUNCATE TABLE held")
    monkeypatch.setattr(client, "with_lines", lambda table, rows: None)
    writer.insert_arrow("held", rows)
    as_arrow = writer.query("SELECT * FROM held ORDER BY id")
    for name in TYPES:
        assert [row[name] for row in as_text] == [row[name] for row in as_arrow], name
    assert len(as_arrow) == MOST_ROWS
    writer.close()


def test_what_is_refused_as_text_goes_as_arrow(store: Store) -> None:
    writer = store.writer()
    writer.run("CREATE TABLE narrow (id UInt8) ENGINE = Memory")
    writer.insert_arrow("narrow", pa.table({"id": pa.array([-1], pa.int64())}))  # which only Arrow wraps
    assert writer.query("SELECT id FROM narrow") == [{"id": 255}]
    with pytest.raises(StoreError, match="UInt8"):
        writer.insert_arrow("narrow", pa.table({"id": pa.array([b"many"])}))
    writer.run("DROP TABLE narrow")
    writer.close()


@pytest.mark.parametrize(
    "odd",
    [
        pa.array([b"\xff\xfe"], pa.binary()),
        pa.array([float("nan")]),
        pa.array([float("-inf")]),
        pa.array([[b"\xff"]], pa.list_(pa.binary())),
        pa.array([b"x" * 200_000], pa.binary()),
    ],
    ids=["bytes", "nan", "infinite", "bytes in a list", "long"],
)
def test_what_json_cannot_say_and_what_is_long_goes_as_arrow(odd: pa.Array) -> None:
    assert as_lines(pa.table({"a": odd})) is None
    assert as_lines(pa.table({"a": pa.array([1] * (MOST_ROWS + 1))})) is None
