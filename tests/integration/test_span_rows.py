"""Small batches are read in Python, large ones by the view over `otlp_in`: the same rows, to the last column."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from tests.corpus import captures
from tests.landing import collector
from tests.otlp_bodies import any_value, body, span

from outlay_collector.load import batch
from outlay_collector.load.rows import span_rows
from outlay_collector.otlp.json import traces_to_protobuf
from outlay_collector.otlp.schema import INSERT_SETTINGS, LOAD_FORMAT, LOAD_SETTINGS, envelope, varint
from outlay_collector.otlp.validate import LATEST_NS, bounds, read_traces
from outlay_collector.spool.segments import Record
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW_NS = time.time_ns()
KEYS = (
    *("", "a", "user.id", "ключ", "service.name", "service.version", "deployment.environment"),
    *(
        "deployment.environment.name",
        "gen_ai.prompt",
        "gen_ai.prompt.name",
        "gen_ai.prompt.0.content",
        "gen_ai.prompt.0\n",
    ),
    *("input.value", "input.value\n", "llm.tools.0", "llm.x_y.messages", "llm.X.messages", "mlflow.spanInputs"),
    *("ai.value.", "final_result", "final_results", "gen_ai.content.x\ny", "gen_ai.evaluation.name"),
    *("app.UsAge", "to\u212aen", "metric\u017f", "long", "k" * 300, "gen_ai.evaluation.score.value"),
)
DOUBLES = (
    0.0,
    -0.0,
    1e-5,
    1.5e-6,
    9.9e-7,
    1e15,
    1e16,
    2.0**53,
    2.0**60,
    2.0**63,
    -(2.0**63),
    1e20,
    1.5e20,
    1e21,
    5e-324,
)
TEXTS = (
    "",
    "a\x00b",
    "".join(map(chr, range(33))),
    "\x7f\x85\u2028\u2029/\\\"'\ufeff",
    "4096" * 1024,
    "4097" * 1024 + "x",
    "é" * 2049,
)
WORDS = (*TEXTS, *DOUBLES, math.nan, math.inf, -math.inf, None, True, False, 0, -(2**63), 2**63 - 1, b"", b"\xff\x00a")
NESTS: tuple[Any, ...] = (
    [],
    {},
    [[]],
    [{}],
    {"": []},
    {"a": {}},
    [["x", [1.5]]],
    [{"a": "\x0b", "b": None}],
    {"a": [1e-5, b"?"], "a b": {"c": 1e21}},
)
NUMBERS = (0, 1, 2, 3, 4, 5, 6, -1, 2**31 - 1, -(2**31))
texts = st.one_of(st.text(max_size=12), st.sampled_from(TEXTS))
plain = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.sampled_from(DOUBLES),
    st.binary(max_size=9),
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=9))
values = st.recursive(
    plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)), max_leaves=5
)
pairs = st.lists(st.tuples(keys, values), max_size=8)
moments = st.one_of(st.integers(NOW_NS - 10**15, NOW_NS), st.sampled_from((0, 1, LATEST_NS, LATEST_NS + 1, 2**64 - 1)))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    made = Span(
        trace_id=draw(st.one_of(st.binary(min_size=16, max_size=16), st.just(bytes(16)), st.binary(max_size=3))),
        span_id=draw(st.one_of(st.binary(min_size=8, max_size=8), st.just(b"\x01" * 8))),
        parent_span_id=draw(st.sampled_from((b"", bytes(8), b"\x00" * 7 + b"\x01", b"\xff" * 8, b"x"))),
        start_time_unix_nano=draw(moments),
        end_time_unix_nano=draw(moments),
        name=draw(texts),
        dropped_attributes_count=draw(st.sampled_from((0, 2**32 - 1))),
        dropped_events_count=draw(st.sampled_from((0, 1))),
        dropped_links_count=draw(st.sampled_from((0, 1))),
    )
    number = st.sampled_from(NUMBERS)
    made.MergeFromString(b"\x30" + varint(draw(number) % 2**64))
    if draw(st.booleans()):
        made.status.message = draw(texts)
        made.status.MergeFromString(b"\x18" + varint(draw(number) % 2**64))
    fill(made.attributes, draw(pairs))
    for name, at, of_event in draw(
        st.lists(st.tuples(st.one_of(texts, st.just("gen_ai.evaluation.result")), moments, pairs), max_size=2)
    ):
        fill(made.events.add(name=name, time_unix_nano=at).attributes, of_event)
    for trace_id, span_id in draw(st.lists(st.tuples(st.binary(max_size=17), st.binary(max_size=9)), max_size=2)):
        made.links.add(trace_id=trace_id, span_id=span_id)
    return made


def fill(attributes: Any, given_pairs: list[tuple[str, Any]]) -> None:
    attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in given_pairs)


@pytest.fixture
def writer(store: Store) -> Iterator[Writer]:
    made = store.writer()
    yield made
    made.close()


def both_ways(writer: Writer, bodies: list[bytes]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What `spans` and `scores` hold of these bodies, read in Python and by the view."""
    few, many = [], []
    for number, sent in enumerate(bodies):
        limits = bounds(NOW_NS, None)
        read = read_traces(sent, limits)
        record = Record(
            "проект",
            NOW_NS + number,
            f"{number:04}",
            "traces",
            "identity",
            read.spans,
            read.rejected,
            limits.oldest_ns,
            limits.newest_ns,
            len(read.body),
        )
        few.append(span_rows(record, read.body))
        trailer = envelope(
            project=record.project,
            body_id=record.body_id,
            received_ns=record.received_ns,
            oldest_ns=limits.oldest_ns,
            newest_ns=limits.newest_ns,
        )
        many.append(varint(len(read.body) + len(trailer)) + read.body + trailer)
    found = []
    ways = (("span_rows", few, "RowBinary", INSERT_SETTINGS), ("otlp_in", many, LOAD_FORMAT, LOAD_SETTINGS))
    for table, parts, fmt, given_settings in ways:
        writer.load(table, b"".join(parts), fmt=fmt, settings=given_settings)
        # A map with a name twice would lose one as a dict, and one NaN is not another.
        rows = writer.query(
            "SELECT *, prompt_hash, prefix_hash, toString(attributes) AS a, toString(texts) AS t, "
            "toString(resource_attributes) AS r, toString(events) AS e FROM spans ORDER BY ALL"
        )
        scores = writer.query("SELECT * EXCEPT (value), toString(value) AS value FROM scores ORDER BY ALL")
        found.append(rows + scores)
        for kept in ("spans", "scores", "trace_hours"):
            writer.run(f"TRUNCATE TABLE {kept}")
    return found[0], found[1]


def test_recorded_bodies_become_the_same_rows_either_way(writer: Writer) -> None:
    bodies = [
        traces_to_protobuf(sent) if encoding == "json" else sent
        for capture in captures().values()
        for kind, encoding, sent in capture.bodies
        if kind == "traces"
    ]
    few, many = both_ways(writer, bodies)
    assert len(few) > 500
    assert few == many


def test_every_odd_value_becomes_the_same_in_every_place(writer: Writer) -> None:
    """As an attribute under every name, twice under one, in arrays and lists, of resources and events."""
    odd = [*WORDS, *NESTS]
    bodies = []
    for number, value in enumerate([*odd, list(WORDS), {str(n): word for n, word in enumerate(WORDS)}]):
        made = ResourceSpans()
        fill(
            made.resource.attributes,
            [(KEYS[number % len(KEYS)], value), ("twice", value), ("twice", "other"), ("in", [value])],
        )
        made.resource.attributes.add(key="nothing")
        fill(made.resource.attributes.add(key="list").value.kvlist_value.values, [("twice", value), ("twice", 1)])
        one = Span(
            trace_id=b"t" * 16,
            span_id=(number + 1).to_bytes(8, "big"),
            start_time_unix_nano=NOW_NS,
            end_time_unix_nano=(0, 1, NOW_NS, NOW_NS + 1, LATEST_NS, LATEST_NS + 1, 2**64 - 1)[number % 7],
            name=str(number),
        )
        fill(
            one.attributes,
            [(key, value) for key in KEYS] + [("twice", value), ("twice", [value]), ("list", {"a": value})],
        )
        fill(one.attributes.add(key="bare").value.kvlist_value.values, [("a", None)])
        fill(
            one.events.add(name="e", time_unix_nano=2**64 - 1 - number).attributes,
            [("a", value), ("a", 1), ("b", [value])],
        )
        code = varint(NUMBERS[number % len(NUMBERS)] % 2**64)
        one.MergeFromString(b"\x30" + code)
        one.status.MergeFromString(b"\x18" + code)
        made.scope_spans.add().spans.append(one)
        raw = made.SerializeToString()
        bodies.append(b"\x0a" + varint(len(raw)) + raw)
    few, many = both_ways(writer, bodies)
    assert len(few) >= len(bodies)
    assert few == many


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_spans=st.lists(spans(), min_size=6, max_size=24), of_resource=pairs, scope=st.tuples(texts, texts))
def test_any_body_becomes_the_same_rows_either_way(
    writer: Writer, given_spans: list[Span], of_resource: list[tuple[str, Any]], scope: tuple[str, str]
) -> None:
    made = ResourceSpans()
    fill(made.resource.attributes, of_resource)
    scoped = made.scope_spans.add()
    scoped.scope.name, scoped.scope.version = scope
    scoped.spans.extend(given_spans)
    raw = made.SerializeToString()
    few, many = both_ways(writer, [b"\x0a" + varint(len(raw)) + raw])
    assert few == many


def test_the_size_of_a_batch_decides_who_reads_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, tables = random.Random(1), []
    load = Writer.load

    def seen(self: Writer, table: str, *args: Any, **kwargs: Any) -> None:
        tables.append(table)
        load(self, table, *args, **kwargs)

    monkeypatch.setattr(Writer, "load", seen)
    monkeypatch.setattr(batch, "FEW_BYTES", 100_000)
    with collector(store, tmp_path / "spool") as made:
        for sizes, attributes in (
            ((batch.FEW_SPANS,), {}),
            ((batch.FEW_SPANS - 1, 2), {}),
            ((1,), {"long": "x" * 100_000}),
        ):
            for size in sizes:
                made.send(body([span(rng, attributes) for _ in range(size)]))
            made.load()
        assert made.ledger()["stored"] == 2 * batch.FEW_SPANS + 2
    assert [table for table in tables if table in ("span_rows", "otlp_in")] == ["span_rows", "otlp_in", "otlp_in"]
