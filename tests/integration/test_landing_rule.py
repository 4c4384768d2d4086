"""The door (Python) and the view (SQL) take the same spans: whatever ids and times a body has."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.landing import collector
from tests.otlp_bodies import DAY_NS, body, span

from outlay_collector.otlp.validate import LATEST_NS, bounds, read_traces
from outlay_collector.store import Store

NOW = time.time_ns()
trace_ids = st.one_of(st.binary(min_size=16, max_size=16), st.just(bytes(16)), st.binary(max_size=20))
span_ids = st.one_of(st.binary(min_size=8, max_size=8), st.just(bytes(8)), st.binary(max_size=12))
parents = st.one_of(st.just(b""), st.binary(min_size=8, max_size=8), st.just(bytes(8)), st.binary(max_size=9))
edges = [0, 1, NOW - 400 * DAY_NS, NOW + DAY_NS, LATEST_NS, LATEST_NS + 1, 2**64 - 1]
starts = st.one_of(
    st.integers(NOW - 399 * DAY_NS, NOW),
    st.sampled_from(edges).flatmap(lambda edge: st.integers(max(0, edge - 2), min(2**64 - 1, edge + 2))),
    st.integers(0, 2**64 - 1),
)
spans = st.lists(st.tuples(trace_ids, span_ids, parents, starts), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_spans=spans, any_age=st.booleans())
def test_python_and_sql_reject_the_same_spans(
    store: Store, given_spans: list[tuple[bytes, bytes, bytes, int]], any_age: bool
) -> None:
    rng = random.Random(1)
    sent = body(
        [
            span(rng, {}, trace_id=t, span_id=s, parent_span_id=p, start_time_unix_nano=start, end_time_unix_nano=0)
            for t, s, p, start in given_spans
        ]
    )
    with tempfile.TemporaryDirectory() as path, collector(store, Path(path)) as made:
        age = None if any_age else 400
        accepted = made.send(sent, max_age_days=age, clock_ns=lambda: NOW)
        made.load()
        rows = store.query("SELECT trace_id, span_id FROM spans")
        writer = store.writer()
        writer.run("TRUNCATE TABLE spans")
        writer.close()
    assert len(rows) == accepted.spans
    taken = read_traces(sent, bounds(NOW, age))
    assert {row["trace_id"] + row["span_id"] for row in rows} == {
        taken.keys[at + 4 : at + 28].hex() for at in range(0, len(taken.keys), 28)
    }
