"""Read spans through the dialect tables: spans as they are in, a table with the columns of `table.COLUMNS` out.

1. `attributes`  names become numbers, once per batch; `events` adds what an event counts
2. `said`        what each dialect looks up: of several spellings the preferred one; `chosen` what people named;
                 `contexts` what calls below inherit
3. `documents`   JSON texts, of the few spans that say something nowhere else
4. `usage`       counts in canonical form
5. `meaning`     all of it as columns

A rule about a word (a provider's name, a span's kind) is a function of that word in `dialects`, asked once per distinct
word; a rule about counts is arithmetic over arrays.

Enters: rows of `spans`.
Leaves: one row per span, in one vocabulary.
May import: dialects, facts, hashes, values, store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from outlay_collector.dialects.inherited import Inherited, inherited
from outlay_collector.settle.arrays import first_of_run, rows_of
from outlay_collector.settle.facts import Ints, flat
from outlay_collector.settle.reading.attributes import attributes_of
from outlay_collector.settle.reading.contexts import Places
from outlay_collector.settle.reading.documents import NAMES, Texts, open_all, opening
from outlay_collector.settle.reading.events import with_events
from outlay_collector.settle.reading.meaning import meaning_of
from outlay_collector.settle.reading.roles import dialects_of
from outlay_collector.settle.reading.said import Said
from outlay_collector.settle.reading.texts import decoded
from outlay_collector.settle.values import among
from outlay_collector.store import Params, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.settle.sql"
PLACE = "(project, toStartOfHour(started_at), trace_id, span_id)"
HOUR = "(project, toStartOfHour(started_at), trace_id)"
HOUR_S = 3600
HOUR_NS = HOUR_S * 1_000_000_000
ASKED_OF_RESOURCES = "mapFilter((k, v) -> has({resource_names:Array(String)}, k), resource_attributes) AS resource,"
DEFAULT = inherited()
DEFAULT_PLACES = Places(DEFAULT)
DOCUMENTS = str(list(NAMES))
"""As SQL, not as a parameter: the client spells out those letter by letter."""
BATCH_BYTES = 200_000_000
"""Spans are judged in batches of about this size: what stands in memory several times at once."""


@dataclass(frozen=True)
class Spans:
    """What was read."""

    table: pa.Table
    """One row per span, columns as in `table.COLUMNS`."""
    moved: set[tuple[int, int]] = field(default_factory=set)
    """Spans that were sent again with another start: id, and an earlier hour (seconds) they are no longer in."""


class Reader:
    """Reads spans on one connection."""

    def __init__(self, writer: Writer, inherited: Inherited = DEFAULT) -> None:
        self._writer = writer
        self._places = Places(inherited)
        self._resources = list(inherited.asks_resources)

    def read(self, which: str, params: Params) -> Spans:
        """The spans for which a condition on `spans` holds."""
        asked = dict(params)
        if self._resources:
            asked["resource_names"] = self._resources
        sql = load_sql(
            SQL, "spans", which=which, documents=DOCUMENTS, resource=ASKED_OF_RESOURCES if self._resources else ""
        )
        newest, moved = _newest(self._writer.arrow(sql, asked))
        judged = [judge(with_events(batch), self._contents, self._places) for batch in _batches(newest)]
        return Spans(pa.concat_tables(judged), moved)

    def _contents(self, spans: pa.Table, rows: Ints) -> Texts:
        """Contents that are documents of some spans, by row and name."""
        taken = spans.select(["project", "trace_id", "span_id"]).take(pa.array(rows))
        hour = _started_ns(spans)[rows] // HOUR_NS * HOUR_S
        places = pa.table(
            {
                "project": taken["project"],
                "hour": pa.array(hour.astype(np.uint32)),
                "trace_id": taken["trace_id"],
                "span_id": taken["span_id"],
            }
        )
        which, params = among(self._writer, places, PLACE)
        found = self._writer.arrow(load_sql(SQL, "contents", which=which, documents=DOCUMENTS), params)
        contents: dict[int, dict[str, bytes]] = {}
        at = rows_of(spans["id"].to_numpy(), found["id"].to_numpy()).tolist()
        for row, name, text in zip(at, found["name"].to_pylist(), found["text"].to_pylist(), strict=True):
            contents.setdefault(row, {})[decoded(name)] = text
        return contents


def judge(spans: pa.Table, contents: Callable[[pa.Table, Ints], Texts], places: Places = DEFAULT_PLACES) -> pa.Table:
    """What spans mean.

    Args:
        spans: Rows of `sql/spans.sql`, each column one array.
        contents: Gives the contents that dialects read as JSON of some of these spans, by their rows.
        places: Where spans say what calls inherit.
    """
    attributes = attributes_of(flat(spans["attributes"]), places.keys_of_spans)
    dialect, unknown_library = dialects_of(spans, attributes)
    said = Said(attributes, dialect)
    has_content = spans["has_document"].to_numpy() > 0
    opens = opening(attributes, dialect, has_content)
    outside = np.flatnonzero(opens & has_content)
    texts = contents(spans, outside) if len(outside) else {}
    objects = open_all(attributes, dialect, said, opens, texts)
    return meaning_of(spans, attributes, dialect, unknown_library, said, objects, places)


def _started_ns(spans: pa.Table) -> Any:
    return spans["started_at"].cast(pa.int64()).to_numpy()


def _newest(spans: pa.Table) -> tuple[pa.Table, set[tuple[int, int]]]:
    """Of spans that were read from two hours, as they were sent again with another start, the most complete one; and
    where the others were."""
    ids, started = spans["id"].to_numpy(), _started_ns(spans)
    if first_of_run(np.sort(ids)).all():
        return spans, set()
    version = spans["version"].to_numpy()
    order = np.lexsort((started, version, ids))[::-1]
    first = first_of_run(ids[order])
    left = order[~first]
    moved = zip(ids[left].tolist(), (started[left] // HOUR_NS * HOUR_S).tolist(), strict=True)
    return spans.take(pa.array(np.sort(order[first]))), set(moved)


def _batches(spans: pa.Table) -> Iterator[pa.Table]:
    """The spans in parts that are one array per column, at least one part."""
    rows = max(1, int(len(spans) * BATCH_BYTES / max(spans.nbytes, 1)))
    for start in range(0, max(len(spans), 1), rows):
        yield spans.slice(start, rows).unify_dictionaries().combine_chunks()
