"""Calls as the interface shows them, by their keys.

A call as one run wrote it never changes: what writes it again gives it a higher version. So rows that were read are
kept, and of a page that is asked for again and again only what is new is read. To read three calls takes ClickHouse
half as long as a hundred. Where this process writes calls, a few at a time, the rows that it wrote are kept unread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from outlay_analytics.questions.written_rows import rows_of
from outlay_collector.store import Params, Row, Store, load_sql

if TYPE_CHECKING:
    import pyarrow as pa

HOUR = 3600
NS = 1_000_000_000
MOST_KEPT = 1000
"""Rows, of some 8 kB each."""
MOST_AT_ONCE = 300
"""Of a batch with more calls nobody sees most."""
MOST_WRITTEN = 32
"""Batches that nobody asked about yet."""
EARLIEST_RUN = 10**15
"""Versions of runs are moments, in microseconds, and one run writes each. Of a lower one nothing is known."""


def words(text: str) -> list[str]:
    """Names of columns, written as words."""
    return text.split()


NAMES = words(
    "parent_span_id service environment feature team customer user session task prompt prompt_version provider "
    "request_model response_model model response_id service_tier region operation price_version matched_model "
    "match_kind error_type dialect route_tier route_reason request_id"
)
AS_STORED = words(
    "call_id trace_id span_id started_at input_tokens cache_read_tokens cache_write_tokens cache_write_1h_tokens "
    "output_tokens reasoning_tokens cost_usd list_cost_usd uncached_cost_usd cost_lines reported_cost_usd "
    "cost_state streamed attempt status tags other_usage flags route_propensity"
)
Key = tuple[int, str, str, int]
"""started_ns, trace_id, span_id, n."""


class KeptRows:
    """Rows of a store that were read last, by project, key and version."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[str, Key, int], Row] = OrderedDict()
        self._written: deque[pa.Table] = deque(maxlen=MOST_WRITTEN)

    def wrote(self, calls: pa.Table) -> None:
        """Keep rows that were inserted into `calls`. Costs nothing before somebody asks."""
        if len(calls) <= MOST_AT_ONCE:
            with self._lock:
                self._written.append(calls)

    def find(self, project: str, versions: Mapping[Key, int]) -> list[Row]:
        """Those of these calls that are kept."""
        found = []
        with self._lock:
            while self._written:
                self._take(self._written.popleft())
            for key, version in versions.items():
                place = (project, key, version)
                if place in self._rows:
                    self._rows.move_to_end(place)
                    found.append(_copied(self._rows[place]))
        return found

    def keep(self, project: str, rows: Iterable[Row]) -> None:
        """Keep these, and of all the last that were read."""
        with self._lock:
            for row in rows:
                if row["version"] >= EARLIEST_RUN:
                    self._rows[project, key_of(row), row["version"]] = _copied(row)
            self._drop()

    def _take(self, calls: pa.Table) -> None:
        with suppress(ValueError):  # of a text that is none the store gives something else: it is read there
            for row in rows_of(calls):
                self._rows[row.pop("project"), key_of(row), row["version"]] = row
            self._drop()

    def _drop(self) -> None:
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)


_kept: WeakKeyDictionary[Store, KeptRows] = WeakKeyDictionary()


def keep_written(store: Store, calls: pa.Table) -> None:
    """Rows that this process inserted into `calls`: who asks this store for them need not read them."""
    _kept.setdefault(store, KeptRows()).wrote(calls)


def read_calls(
    store: Store, project: str, keys: Sequence[Key], versions: Mapping[Key, int] | None = None
) -> list[dict[str, Any]]:
    """The calls with these keys as the interface shows them, in this order.

    Args:
        versions: Of each key, as it stands now: what was read of it before need not be read again.
    """
    if not keys:
        return []
    kept = _kept.setdefault(store, KeptRows())
    rows = kept.find(project, versions) if versions is not None else []
    known = {key_of(row) for row in rows}
    new = [key for key in keys if key not in known]
    if new:
        read = _read(store, project, new)
        rows += read
        if versions is not None:
            kept.keep(project, read)
    rows.sort(key=key_of)
    shown = _shown(store, project, rows)
    found = {key_of(row): call for row, call in zip(rows, shown, strict=True)}
    return [found[key] for key in keys if key in found]


def key_of(row: Row) -> Key:
    return row["started_ns"], row["trace_id"], row["span_id"], row["n"]


def _copied(row: Row) -> Row:
    """A row whose lists and maps are the reader's own."""
    return {name: value.copy() if isinstance(value, dict | list) else value for name, value in row.items()}


def _read(store: Store, project: str, keys: Sequence[Key]) -> list[Row]:
    which = (
        "toStartOfHour(c.started_at) IN {hours:Array(DateTime('UTC'))} AND c.trace_id IN {traces:Array(String)} "
        "AND (c.trace_id, c.span_id, c.n) "
        "IN arrayZip({traces:Array(String)}, {spans:Array(String)}, {ns:Array(UInt16)})"
    )
    params: dict[str, Any] = {
        "hours": sorted({key[0] // NS // HOUR * HOUR for key in keys}),
        "traces": [key[1] for key in keys],
        "spans": [key[2] for key in keys],
        "ns": [key[3] for key in keys],
    }
    return _rows(store, project, which, params, len(keys))


def find_calls(store: Store, project: str, which: str, params: Params, limit: int) -> list[tuple[Row, dict[str, Any]]]:
    """The first calls that a condition on `c` is true of, earliest first: as stored, and as shown."""
    rows = _rows(store, project, which, params, limit)
    return list(zip(rows, _shown(store, project, rows), strict=True))


def _rows(store: Store, project: str, which: str, params: Params, limit: int) -> list[Row]:
    sql = load_sql("outlay_analytics.questions.sql", "calls_rows", which=which)
    return store.query(sql, {**params, "project": project, "limit": limit})


def _shown(store: Store, project: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    scores = _scores(store, project, rows) if rows else {}
    return [call_fields(row, scores) for row in rows]


def call_fields(row: Row, scores: Mapping[tuple[str, str], Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """One row of `calls` with the interface's names; what is unknown is None."""
    trace_id, span_id = row["trace_id"], row["span_id"]
    call: dict[str, Any] = {name: row[name] for name in AS_STORED}
    call |= {name: row[name] or None for name in NAMES}
    first = row["time_to_first_token_ms"]
    call["duration_ms"] = row["duration_ns"] / 1e6
    call["time_to_first_token_ms"] = None if first is None else round(first, 3)
    call["cascade"] = _nested(
        row, "cascade_", "name run_id tier outcome confidence threshold forced judge", row["cascade_name"]
    )
    call["cache"] = _nested(
        row,
        "cache_",
        "kind hit similarity avoided_input_tokens avoided_output_tokens avoided_usd",
        row["cache_kind"],
    )
    arm = {"arm": row["arm"] or None, "propensity": row["arm_propensity"]}
    call["experiment"] = {"name": row["experiment"], **arm} if row["experiment"] else None
    own = scores.get((trace_id, span_id), ())
    named = {score["name"] for score in own}
    call["scores"] = [*own, *(score for score in scores.get((trace_id, ""), ()) if score["name"] not in named)]
    return call


def _nested(row: Row, prefix: str, names: str, present: Any) -> dict[str, Any] | None:
    if not present:
        return None
    values = {name: row[prefix + name] for name in names.split()}
    return {name: None if value == "" else value for name, value in values.items()}


def _scores(store: Store, project: str, calls: Sequence[Row]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Scores by (trace, span): of the call's own span, of spans that repeat it, and of the trace (empty span)."""
    keys = {(row["trace_id"], row["span_id"]) for row in calls}
    traces = sorted({trace for trace, _ in keys})
    rows = store.query(
        load_sql("outlay_analytics.questions.sql", "calls_scores"), {"project": project, "traces": traces}
    )
    scores: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    strays = False
    for row in rows:
        scores[row["trace_id"], row["span_id"]].append({name: row[name] for name in ("name", "value")})
        scores[row["trace_id"], row["span_id"]][-1]["label"] = row["label"] or None
        strays = strays or (bool(row["span_id"]) and (row["trace_id"], row["span_id"]) not in keys)
    if not strays:
        return scores
    repeats = store.query(
        load_sql("outlay_analytics.questions.sql", "calls_repeats"),
        {
            "project": project,
            "traces": traces,
            "spans": sorted({span for _, span in keys}),
            "from": max(calls[0]["started_ns"] // NS - 24 * HOUR, 0),
            "until": calls[-1]["started_ns"] // NS + 25 * HOUR,
        },
    )
    for row in repeats:
        mine, other = (row["of_trace_id"], row["of_span_id"]), (row["trace_id"], row["span_id"])
        named = {score["name"] for score in scores.get(mine, ())}
        if mine in keys and other in scores:
            scores[mine] += [score for score in scores[other] if score["name"] not in named]
    return scores
