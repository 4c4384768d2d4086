"""What keeps large batches cheap: columns are not copied, and nothing is done per attribute that nothing asks for."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from outlay_collector.settle.arrays import NO, rows_of
from outlay_collector.settle.columns import Entries
from outlay_collector.settle.facts import UNKNOWN, flat
from outlay_collector.settle.hashes import sip_hash, sip_hash_on
from outlay_collector.settle.reading.attributes import attributes_of
from outlay_collector.settle.reading.lines import Lines
from outlay_collector.store.arrow import Pieces, as_arrow

MAPS = pa.map_(pa.dictionary(pa.int32(), pa.binary()), pa.binary())


def test_a_column_in_one_chunk_is_that_chunk_and_no_copy() -> None:
    array = pa.array([1, 2, 3])
    assert flat(pa.chunked_array([array])).buffers()[1].address == array.buffers()[1].address
    assert flat(pa.chunked_array([array, array])).to_pylist() == [1, 2, 3, 1, 2, 3]


def test_attributes_that_nothing_asks_for_are_left_out() -> None:
    sent = [[("app.x", "1"), ("user.id", "u"), ("gen_ai.usage.input_tokens", "7")], [], [("outlay.tag.y", "t")]]
    column = pa.array([[(name.encode(), value.encode()) for name, value in span] for span in sent], MAPS)
    read = attributes_of(column.slice(0, 3), {b"user.id"})
    assert [read.asked.names[code] for code in read.asked.entries.name] == [
        b"user.id",
        b"gen_ai.usage.input_tokens",
        b"outlay.tag.y",
    ]
    assert read.values.take(pa.array(read.asked.entries.at)).to_pylist() == [b"u", b"7", b"t"]
    assert read.known.row.tolist() == [0]
    assert read.chosen.row.tolist() == [2]
    tail = attributes_of(column.slice(2), {b"user.id"})
    assert (tail.spans, tail.chosen.row.tolist(), len(tail.known)) == (1, [0], 0)


def test_a_line_is_of_a_name_that_is_said_and_of_one_name_and_span_the_last_holds() -> None:
    lines = Lines(3, UNKNOWN)
    lines.put_all(("a", "b", "c"), np.array([2, 0, 2]), np.array([1, 0, 1]), np.array([5, 6, 7]))
    assert lines.of("a").tolist() == [6, UNKNOWN, UNKNOWN]
    assert lines.of("c").tolist() == [UNKNOWN, 7, UNKNOWN]
    assert ("b" in lines, lines.of("b").tolist()) == (False, [UNKNOWN] * 3)
    lines.put("b", 2, 9)
    lines.put("d", np.array([0, 1]), np.array([1, 2]))
    assert lines.of("b").tolist() == [UNKNOWN, UNKNOWN, 9]
    assert lines.of("d").tolist() == [1, 2, UNKNOWN]
    assert lines.of("e").tolist() == [UNKNOWN] * 3


def test_rows_are_found_by_id_whatever_the_order() -> None:
    ids = np.array([9, 2**63 + 1, 4], np.uint64)
    assert rows_of(ids, np.array([4, 0, 5, 2**63 + 1, 9], np.uint64)).tolist() == [2, NO, NO, 1, 0]
    assert rows_of(ids, ids[:0]).tolist() == rows_of(ids[:0], ids[:0]).tolist() == []


def test_a_hash_of_two_is_that_of_the_hashes_of_each() -> None:
    first, second = np.arange(3, dtype=np.uint64), np.arange(7, 10, dtype=np.uint64)
    assert sip_hash_on(sip_hash(first), sip_hash(second)).tolist() == sip_hash(first, second).tolist()


def test_rows_go_to_the_store_from_where_they_are_and_no_copy() -> None:
    rows = pa.table({"n": pa.array(range(1000)), "word": pa.array(["a", "b", None, ""] * 250).dictionary_encode()})
    block, pieces = as_arrow(rows), []
    while piece := block.read(1):
        pieces.append(piece)
    assert pa.ipc.open_stream(b"".join(bytes(piece) for piece in pieces)).read_all() == rows
    numbers = rows["n"].chunk(0).buffers()[1].address
    assert numbers in [piece.address for piece in pieces if isinstance(piece, pa.Buffer)]


def test_pieces_are_read_to_their_end_though_some_are_empty() -> None:
    pieces = Pieces([b"", b"ab", b"", b"c"])
    assert [pieces.read(), pieces.read(), pieces.read()] == [b"ab", b"c", b""]


def test_a_name_that_no_map_has_is_not_looked_for() -> None:
    maps = pa.array([[(b"x", b"1")], [(b"y", b"2"), (b"y", b"3")], None], pa.map_(pa.binary(), pa.binary()))
    entries = Entries(maps)
    assert entries.of("y").to_pylist() == [None, b"2", None]
    assert entries.of("z").to_pylist() == [None] * 3
    assert entries.of("z").type == pa.binary()
    assert Entries(maps.slice(0, 1)).of("y").to_pylist() == [None]
