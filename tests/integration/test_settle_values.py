"""What settle and ClickHouse must agree on: lists of values, hashes that are stored, columns of facts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.settle_world import Shared, World, new_world, usage

from outlay_collector.settle import values
from outlay_collector.settle.hashes import FEW, sip_hash, sip_hash_texts
from outlay_collector.settle.reading import HOUR, Reader
from outlay_collector.settle.table import COLUMNS
from outlay_collector.settle.values import among
from outlay_collector.store.client import Writer


@pytest.fixture
def writer(shared: Shared) -> Writer:
    return shared[0].writer()


@pytest.fixture(params=[values.BOUND, 0], ids=["bound", "in a table"])
def bound(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "BOUND", request.param)


@pytest.mark.usefixtures("bound")
def test_a_list_of_values_finds_its_rows_bound_or_in_a_table(writer: Writer) -> None:
    pairs = pa.table({"project": pa.array([b"a", b"it's"]), "trace_id": pa.array([b"1", b"\\2"])})
    which, params = among(writer, pairs, "(p, t)")
    rows = r"SELECT p FROM values('p String, t String', ('a', '1'), ('a', '\\2'), ('it\'s', '\\2'), ('b', '1'))"
    assert [row["p"] for row in writer.query(f"{rows} WHERE {which} ORDER BY p", params)] == ["a", "it's"]


@pytest.mark.usefixtures("bound")
def test_a_list_of_numbers_and_hours_keeps_every_bit(writer: Writer) -> None:
    numbers = pa.table({"key": pa.array([2**64 - 1, 2**63, 7], pa.uint64())})
    which, params = among(writer, numbers, "n")
    found = writer.query(
        f"SELECT n FROM values('n UInt64', 18446744073709551615, 18446744073709551614, 7) WHERE {which}", params
    )
    assert [row["n"] for row in found] == [2**64 - 1, 7]
    hours = pa.table({"hour": pa.array([1_772_452_800], pa.uint32())})
    which, params = among(writer, hours, "h")
    found = writer.query(f"SELECT count() AS n FROM values('h DateTime', '2026-03-02 12:00:00') WHERE {which}", params)
    assert found[0]["n"] == 1


@pytest.mark.usefixtures("bound")
def test_calls_are_the_same_however_traces_travel(shared: Shared) -> None:
    world: World = new_world(shared)
    world.span("agent", {**usage(300, 30), "gen_ai.operation.name": "invoke_agent"})
    world.span("one", usage(100, 10, gen_ai__response__id="x"), parent="agent", at_ms=1)
    world.span("seen elsewhere", usage(100, 10, gen_ai__response__id="x"), trace="u", at_ms=2, scope="gateway")
    assert world.counts() == [("agent", 200, 20), ("one", 100, 10)]
    world.span("two", usage(200, 20), parent="agent", at_ms=3)
    assert world.counts() == [("one", 100, 10), ("two", 200, 20)]


def test_hashes_of_numbers_are_clickhouse_s(writer: Writer) -> None:
    first = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    second = np.array([-1, 0, 28_000_000, 2**62], np.int64)
    found = writer.query(
        "SELECT sipHash64(a, b) AS two, sipHash64(a) AS one FROM "
        "(SELECT arrayJoin(arrayZip({a:Array(UInt64)}, {b:Array(Int64)})) AS x, x.1 AS a, x.2 AS b)",
        {"a": first.tolist(), "b": second.tolist()},
    )
    assert sip_hash(first, second.view(np.uint64)).tolist() == [row["two"] for row in found]
    assert sip_hash(first).tolist() == [row["one"] for row in found]
    many = FEW // len(first) + 1  # hashed as arrays, not one by one
    twice = sip_hash(np.tile(first, many), np.tile(second.view(np.uint64), many)).tolist()
    assert twice == [row["two"] for row in found] * many


def test_hashes_of_texts_are_clickhouse_s_whatever_their_length(writer: Writer) -> None:
    texts = ["", "a", "1234567", "12345678", "chatcmpl-0123456789", "\0 é", "x" * 255, "y" * 256, "z" * 1000]
    found = writer.query("SELECT sipHash64(arrayJoin({texts:Array(String)})) AS hash", {"texts": texts})
    column = pa.array([b"before", *(text.encode() for text in texts)], pa.binary())[1:]
    assert sip_hash_texts(column).tolist() == [row["hash"] for row in found]
    assert sip_hash_texts(column[:0]).tolist() == []
    many = pa.array([*texts, *texts], pa.string())
    assert len(many) > FEW  # hashed as arrays, not one by one
    assert sip_hash_texts(many).tolist() == [row["hash"] for row in found] * 2


def test_what_is_read_has_the_columns_of_the_facts(writer: Writer) -> None:
    reader = Reader(writer)
    nothing = pa.table({"project": pa.array([b"?"]), "hour": pa.array([0], pa.uint32()), "trace_id": pa.array([b"?"])})
    spans = reader.read(*among(writer, nothing, HOUR))
    assert set(spans.table.column_names) == set(COLUMNS)
