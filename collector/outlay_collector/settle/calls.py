"""Requests as rows of `calls`: what was decided, beside what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.reckon import COUNTING_STATES
from outlay_collector.prices.witness import LEAST_SHARE, LEAST_USD
from outlay_collector.settle.arrays import NO
from outlay_collector.settle.columns import Entries, entries_of, lists_of, maps_of, rows_in
from outlay_collector.settle.dimensions import dimensions_of
from outlay_collector.settle.facts import Bools, Ints, flat
from outlay_collector.settle.fees import CHARGING, fees_of, is_in, is_set, with_fees
from outlay_collector.settle.mapping import AttributeMapping
from outlay_collector.settle.pricing import PRICES, price
from outlay_collector.settle.reading.texts import Floats, floats_of
from outlay_collector.store.client import Writer

RECKONED = b"reported_cost_by_library"
"""Flag of calls to those providers whose reported cost a library worked out: no bill, and nothing is charged for it."""
COUNTING = [state.encode() for state in COUNTING_STATES]
AS_DECIDED = (
    "project",
    "trace_id",
    "span_id",
    "parent_span_id",
    "started_at",
    "duration_ns",
    "time_to_first_token_ms",
    "name",
    "service",
    "environment",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "region",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "other_usage",
    "reported_cost_usd",
    "streamed",
    "attempt",
    "request_id",
    "error_type",
    "dialect",
    "cache_kind",
    "cache_hit",
    "cache_similarity",
    "prompt_parts",
    "prompt_hash",
    "prefix_hash",
    "is_deleted",
)
"""Columns of requests that are columns of calls."""
INHERITED = (
    "cascade_name",
    "cascade_run_id",
    "cascade_outcome",
    "experiment",
    "arm",
    "route_tier",
    "route_reason",
)
"""Names of a context that are columns of calls, beside the dimensions that `[attributes]` maps."""
TAG = b"tag."
UNATTRIBUTED = (b"unattributed", b"true")
MOST_TIERS = 256
YES = (b"true", b"True", b"1")
_FLAGS = (("estimated", "estimated_usage"), ("conflict", "response_id_conflict"), ("is_filled", "usage_from_parent"))


def calls_of(
    writer: Writer, prices: PriceBook, requests: pa.Table, version: int, mapping: AttributeMapping
) -> pa.Table:
    """Rows of `calls`, priced; of a request that is no more its key, marked as deleted."""
    live = np.flatnonzero(requests["is_deleted"].to_numpy() == 0)
    wanted = requests if len(live) == len(requests) else requests.take(pa.array(live))
    priced = price(writer, prices, wanted)
    charged, nanos = fees_of(wanted, priced)
    if len(charged):
        wanted = with_fees(wanted, charged, nanos)
        order = np.arange(len(wanted))
        order[charged] = len(wanted) + np.arange(len(charged))
        again = price(writer, prices, wanted.take(pa.array(charged)))
        priced = pa.concat_tables([priced, again.cast(priced.schema)]).take(pa.array(order))
        requests = wanted if len(live) == len(requests) else _put(requests, live, wanted["other_usage"])
    if len(live) < len(requests):
        place = np.full(len(requests), NO)
        place[live] = np.arange(len(live))
        priced = priced.take(pa.array(place, mask=place == NO))
    return _rows(requests, priced, version, mapping)


def _put(requests: pa.Table, live: Ints, usage: Any) -> pa.Table:
    """Requests with this usage of those that are live."""
    own = flat(requests["other_usage"])
    place = np.arange(len(own))
    place[live] = len(own) + np.arange(len(live))
    column = pa.concat_arrays([own, flat(usage).cast(own.type)]).take(pa.array(place))
    return requests.set_column(requests.schema.get_field_index("other_usage"), "other_usage", column)


def _rows(requests: pa.Table, priced: pa.Table, version: int, mapping: AttributeMapping) -> pa.Table:
    from_cache = is_set(requests["from_cache"])
    context = flat(requests["context"])
    said = Entries(context)
    inherited = {name: said.of(name) for name in INHERITED}
    rows = {name: requests[name] for name in AS_DECIDED}
    rows |= inherited | dimensions_of(context, requests["service"], requests["dialect"], mapping)
    rows |= {name: priced[name] for name in PRICES if name != "avoided_usd"}
    response, request = (flat(requests[name]).cast(pa.binary()) for name in ("response_model", "request_model"))
    operation = flat(requests["operation"]).cast(pa.binary())
    return pa.table(
        rows
        | {
            "model": pc.if_else(pc.greater(pc.fill_null(pc.binary_length(response), 0), 0), response, request),
            "operation": pc.if_else(pc.equal(pc.fill_null(pc.binary_length(operation), 0), 0), b"chat", operation),
            "input_tokens": _where(~from_cache, requests["input_tokens"]),
            "output_tokens": _where(~from_cache, requests["output_tokens"]),
            "cache_avoided_input_tokens": _where(from_cache, requests["input_tokens"]),
            "cache_avoided_output_tokens": _where(from_cache, requests["output_tokens"]),
            "cache_avoided_usd": _where(from_cache, priced["avoided_usd"]),
            "status": pc.if_else(pa.array(is_set(requests["failed"])), b"error", b"ok"),
            "tags": _tags(context, is_set(requests["unattributed"])),
            "cascade_tier": _tiers(said),
            "cascade_confidence": _nullable(_numbers(said, "cascade_confidence")),
            "cascade_threshold": _nullable(_numbers(said, "cascade_threshold")),
            "arm_propensity": _probabilities(said, "arm_propensity"),
            "route_propensity": _probabilities(said, "route_propensity"),
            "cascade_forced": _said(said, "cascade_forced"),
            "cascade_judge": _said(said, "cascade_judge"),
            "flags": _flags(requests, priced),
            "version": np.full(len(requests), version, np.uint64),
        }
    )


def _where(which: Bools, column: Any) -> Any:
    """A column where a flag is set, null elsewhere."""
    return pc.if_else(pa.array(which), flat(column), None)


def _tags(context: Any, unattributed: Bools) -> Any:
    """Of contexts the tags, by their own names, and which calls are a parent's surplus."""
    row, names, values = rows_in(context), context.keys[entries_of(context)], context.items[entries_of(context)]
    encoded = names.dictionary_encode()
    words, code = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    is_tag = np.array([word.startswith(TAG) for word in words] or [False])[code]
    own = pa.array([word.removeprefix(TAG) for word in words], pa.binary()).take(encoded.indices)
    surplus = np.flatnonzero(unattributed)
    if len(surplus):
        is_tag &= ~(unattributed[row] & pc.equal(own, UNATTRIBUTED[0]).to_numpy(zero_copy_only=False))
    kept = np.flatnonzero(is_tag)
    row = np.append(row[kept], surplus)
    order = np.argsort(row, kind="stable")
    names, values = (
        pa.concat_arrays([of.take(pa.array(kept)), pa.array([word] * len(surplus), pa.binary())]).take(pa.array(order))
        for of, word in ((own, UNATTRIBUTED[0]), (values, UNATTRIBUTED[1]))
    )
    return maps_of(len(context), row[order], names, values)


def _numbers(context: Entries, name: str) -> Floats:
    said = context.of(name)
    if said.null_count == len(said):
        return np.full(len(said), np.nan)
    return floats_of(pc.fill_null(said, b""))


def _probabilities(context: Entries, name: str) -> Any:
    """Numbers above 0 and at most 1; null where one is none."""
    values = _numbers(context, name)
    return pa.array(values, mask=~((values > 0) & (values <= 1)))


def _said(context: Entries, name: str) -> Any:
    """Whether a context says yes, as 0 and 1."""
    said = pc.fill_null(context.of(name), b"")
    return pc.is_in(said, pa.array(YES, said.type)).cast(pa.uint8())


def _tiers(context: Entries) -> Any:
    """Which tier of a cascade, from 0; null where that is no number that can be one."""
    number = _numbers(context, "cascade_tier")
    holds = (number == np.floor(number)) & (number >= 0) & (number < MOST_TIERS)
    return pa.array(np.where(holds, number, 0).astype(np.uint8), mask=~holds)


def _flags(requests: pa.Table, priced: pa.Table) -> Any:
    """What is odd about a call's spans, and about what was made of them."""
    own = flat(requests["flags"])
    differs = _differs(requests["reported_cost_usd"], priced["cost_usd"]) & is_in(priced["cost_state"], COUNTING)
    reckoned = is_in(requests["provider"], CHARGING) & ~is_set(requests["cost_is_charged"])
    reckoned &= flat(requests["reported_cost_usd"]).is_valid().to_numpy(zero_copy_only=False)
    more = np.stack([*(is_set(requests[name]) for name, _ in _FLAGS), differs, reckoned], axis=1)
    if not more.any():
        return own
    row, flag = np.nonzero(more)
    words = [*(name.encode() for _, name in _FLAGS), b"reported_cost_differs", RECKONED]
    names = pa.array(words, pa.binary()).take(pa.array(flag))
    rows = np.append(rows_in(own), row)
    order = np.argsort(rows, kind="stable")
    values = pa.concat_arrays([own.values[entries_of(own)], names])
    return lists_of(len(own), rows[order], values.take(pa.array(order)))


def _differs(reported: Any, computed: Any) -> Bools:
    """Where a cost is reported that is not the computed one, by more than rounding."""
    said, own = (pc.cast(flat(column), pa.float64()).to_numpy(zero_copy_only=False) for column in (reported, computed))
    with np.errstate(invalid="ignore"):
        found: Bools = np.abs(said - own) > np.maximum(float(LEAST_USD), own * float(LEAST_SHARE))
    return found


def _nullable(values: Floats) -> Any:
    return pa.array(values, mask=np.isnan(values))
