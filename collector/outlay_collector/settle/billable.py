"""Requests as a table: what `price.sql` charges and `sql/calls.sql` writes, by row from the spans that say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle.arrays import NO
from outlay_collector.settle.contexts import contexts_of
from outlay_collector.settle.facts import UNKNOWN, Bools, Count, Facts, Ints, counts_of, flat
from outlay_collector.settle.gather import Gathered
from outlay_collector.settle.resolve import Resolved
from outlay_collector.settle.table import COMPLETED, COUNTS

COLUMNS = {
    # The call's own span.
    "id": "UInt64",
    "project": "LowCardinality(String)",
    "trace_id": "String",
    "span_id": "String",
    "parent_span_id": "String",
    "started_at": "DateTime64(9, 'UTC')",
    "duration_ns": "UInt64",
    "name": "String",
    "dialect": "String",
    "failed": "UInt8",
    # What one of the request's spans says.
    "service": "LowCardinality(String)",
    "environment": "LowCardinality(String)",
    "provider": "String",
    "request_model": "String",
    "response_model": "String",
    "response_id": "String",
    "service_tier": "String",
    "region": "String",
    "operation": "String",
    "reported_cost_usd": "Nullable(Decimal(38, 12))",
    "cost_is_charged": "UInt8",
    "streamed": "Nullable(Bool)",
    "time_to_first_token_ms": "Nullable(Float32)",
    "request_id": "String",
    "error_type": "String",
    "cache_kind": "String",
    "cache_hit": "Nullable(Bool)",
    "cache_similarity": "Nullable(Float64)",
    "prompt_parts": "Map(String, UInt64)",
    "prompt_hash": "UInt64",
    "prefix_hash": "UInt64",
    "context": "Map(String, String)",
    "flags": "Array(String)",
    # What was worked out. Of an answer from the application's cache the counts are those that were avoided.
    **dict.fromkeys(COUNTS, "Nullable(UInt64)"),
    "other_usage": "Map(String, UInt64)",
    "attempt": "UInt16",
    "from_cache": "UInt8",
    "is_filled": "UInt8",
    "estimated": "UInt8",
    "conflict": "UInt8",
    "unattributed": "UInt8",
    "state_hint": "String",  # what price.sql cannot see: cached, estimated, no_usage, not_billed, or empty
    "is_deleted": "UInt8",  # 1 = no request: takes a call back that is no more
}
"""Columns of the table of requests and their ClickHouse types."""

PRICED = (
    "id, from_cache, project, provider, request_model, response_model, service_tier, region, started_at, other_usage, "
    f"{', '.join(COUNTS)}, state_hint"
)
"""Columns that pricing needs, and no others, since it is a long statement."""

_OF_THE_CALL = (
    "id",
    "project",
    "trace_id",
    "span_id",
    "parent_span_id",
    "started_at",
    "duration_ns",
    "name",
    "dialect",
    "failed",
)


def billable(gathered: Gathered, resolved: Resolved) -> pa.Table:
    """The requests whose calls are of traces that are written."""
    spans, facts, requests = gathered.spans, gathered.facts, resolved.requests
    call = requests.call
    found = {name: _taken(spans[name], call) for name in _OF_THE_CALL}
    found |= {name: _taken(spans[name], requests.rows[name]) for name in (*COMPLETED, "other_usage")}
    found["cost_is_charged"] = pc.fill_null(_taken(spans["cost_is_charged"], requests.rows["reported_cost_usd"]), 0)
    found["request_model"] = _lent_models(spans, found, requests.model_of)
    cache = _looked_up(facts, requests.rows["cache_kind"], requests.lookup)
    found |= {name: _taken(spans[name], cache) for name in ("cache_kind", "cache_hit", "cache_similarity")}
    found["context"] = contexts_of(spans["context"], resolved.contexts, resolved.tree.context_above, len(call))
    found["flags"] = _flags(spans["flags"], call, resolved.flagged)
    cached, failed = facts.cached[call], facts.failed[call]
    counts = np.where(cached[:, None], UNKNOWN, requests.counts)
    for count, avoided in ((Count.INPUT, "avoided_input_tokens"), (Count.OUTPUT, "avoided_output_tokens")):
        if cached.any():
            counts[:, count] = np.where(cached, counts_of(spans[avoided])[call], counts[:, count])
    found |= dict(zip(COUNTS, _whole(counts).T, strict=True))
    counted = requests.has_usage | requests.filled
    hint = np.select(
        [cached, counted & requests.estimated, counted, failed & ~requests.billed_failure],
        ["cached", "estimated", "", "not_billed"],
        "no_usage",
    )
    found |= {
        "attempt": requests.attempt,
        "from_cache": _bits(cached),
        "is_filled": _bits(requests.filled),
        "estimated": _bits(requests.estimated),
        "conflict": _bits(requests.conflict),
        "unattributed": _bits(requests.unattributed),
        "state_hint": pa.array(hint.tolist(), pa.string()).dictionary_encode(),
        "is_deleted": np.zeros(len(call), np.uint8),
    }
    for name in COUNTS:
        found[name] = pa.array(np.maximum(found[name], 0).astype(np.uint64), mask=found[name] == UNKNOWN)
    return pa.table(found).filter(pa.array(gathered.written[call]))


def _whole(counts: Ints) -> Ints:
    """Counts that hold their parts: a total is no less than the sum of what it is made of."""
    found = counts.copy()
    known = np.maximum(counts, 0)
    writes = np.maximum(counts[:, Count.CACHE_WRITE], counts[:, Count.CACHE_WRITE_1H])
    found[:, Count.CACHE_WRITE] = writes
    parts = known[:, Count.CACHE_READ] + known[:, Count.CACHE_WRITE]
    found[:, Count.INPUT] = np.where(
        counts[:, Count.INPUT] == UNKNOWN, UNKNOWN, np.maximum(counts[:, Count.INPUT], parts)
    )
    output = np.maximum(counts[:, Count.OUTPUT], known[:, Count.REASONING])
    found[:, Count.OUTPUT] = np.where(counts[:, Count.OUTPUT] == UNKNOWN, UNKNOWN, output)
    return found


def _taken(column: Any, rows: Ints) -> Any:
    """Values of a column at these rows, null for NO."""
    return flat(column).take(pa.array(rows, mask=rows == NO) if (rows == NO).any() else pa.array(rows))


def _bits(flags: Bools) -> npt.NDArray[np.uint8]:
    return flags.astype(np.uint8)


def _looked_up(facts: Facts, own: Ints, lookup: Ints) -> Ints:
    """The span whose look-up in a cache a request shows: its own, or the one above it that missed."""
    missed = (lookup != NO) & ~facts.cached[lookup]
    says = (own != NO) & facts.is_lookup[own]
    return np.where(says, own, np.where(missed, lookup, NO))


def _lent_models(spans: pa.Table, found: dict[str, Any], model_of: Ints) -> Any:
    """Request models, where an aggregate that names no model has that of a call below it."""
    column = found["request_model"]
    lent = np.flatnonzero(model_of != NO).tolist()
    if not lent:
        return column
    values = column.to_pylist()
    for request in lent:
        if not values[request] and not found["response_model"][request].as_py():
            row = int(model_of[request])
            values[request] = spans["response_model"][row].as_py() or spans["request_model"][row].as_py()
    return pa.array(values, column.type)


def _flags(column: Any, call: Ints, flagged: dict[int, tuple[int, ...]]) -> Any:
    """What was odd about each request: its call's flags, or those of all its spans."""
    own = flat(column)
    taken = own.take(pa.array(call))
    if not flagged:
        return taken
    values = taken.to_pylist()
    for request, rows in flagged.items():
        values[request] = sorted({flag for row in rows for flag in own[row].as_py()})
    return pa.array(values, own.type)
