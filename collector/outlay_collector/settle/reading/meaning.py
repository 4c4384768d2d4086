"""What spans mean: everything that was read of a batch, as the columns of `table.COLUMNS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.counts import BESIDE_COMPACTION
from outlay_collector.dialects.names import KEYS
from outlay_collector.dialects.providers import REASONING_BESIDE_OUTPUT, TOOL_PROMPTS_IN_TOTAL
from outlay_collector.settle.columns import lists_of
from outlay_collector.settle.facts import CLIENT_RANK, UNKNOWN, Bools, Ints, Role, flat
from outlay_collector.settle.reading.attributes import Attributes
from outlay_collector.settle.reading.chosen import other_usage_of, prompt_parts_of
from outlay_collector.settle.reading.contexts import Places, contexts_of
from outlay_collector.settle.reading.documents import Objects
from outlay_collector.settle.reading.fingerprints import fingerprints, request_keys, response_keys, streams
from outlay_collector.settle.reading.identity import Identity, identity_of
from outlay_collector.settle.reading.measured import attempts, first_token_ms_of, reported_cost, tail_ns
from outlay_collector.settle.reading.roles import Kinds, has_dialect, includes_cached, kinds_of, lacks_proof, role_of
from outlay_collector.settle.reading.said import MOST_COUNTED, Said
from outlay_collector.settle.reading.texts import EMPTY, Floats, Pool
from outlay_collector.settle.reading.usage import Usage, Written, canonical
from outlay_collector.settle.table import COUNTS

YES, NO = (b"true", b"1"), (b"false", b"0")
"""How attributes write a flag, in lower case."""
FIRST_FAILED_STATUS = 400
_WITHOUT_OUTPUT = (b"embeddings", b"rerank")
_CHARGED = np.array([[name in dialect.charged_costs for name in ("", *KEYS, "")] for dialect in DIALECTS])
"""By dialect and attribute, a number of KEYS or UNKNOWN: whether it is a cost that the provider charged."""
_BESIDE_COMPACTION = [KEYS[name] for name in BESIDE_COMPACTION]
_RANKS = np.array([dialect.rank for dialect in DIALECTS], np.uint8)
_NAMES = pa.array([dialect.name.encode() for dialect in DIALECTS], pa.binary())
_AS_STORED = (
    "id",
    "parent_id",
    "trace",
    "project",
    "trace_id",
    "span_id",
    "parent_span_id",
    "started_at",
    "duration_ns",
    "name",
    "service",
    "environment",
    "scope_name",
)


@dataclass(frozen=True, eq=False)
class _Read:
    """What the columns are made of, by span."""

    spans: pa.Table
    attributes: Attributes
    dialect: Ints
    said: Said
    objects: Objects
    kinds: Kinds
    identity: Identity
    usage: Usage
    other_usage: Any
    failed: Bools
    unknown_library: Bools
    places: Places

    @property
    def pool(self) -> Pool:
        return self.said.pool


def meaning_of(
    spans: pa.Table,
    attributes: Attributes,
    dialect: Ints,
    unknown_library: Bools,
    said: Said,
    objects: Objects,
    places: Places,
) -> pa.Table:
    """The columns of `table.COLUMNS`, a row per span."""
    failed = _failed(spans, said)
    exception = np.where(failed, np.arange(len(spans)) + said.pool.add(flat(spans["exception_type"])), EMPTY)
    identity = identity_of(said, dialect, objects.service_tier, objects.region, failed, exception)
    kinds = kinds_of(spans, attributes, dialect, said)
    usage = _usage(said, objects, identity, dialect, includes_cached(attributes, dialect))
    said.put_whole(kinds.operations, kinds.operation, {"input": usage.input, "output": usage.output})
    said.put_cached(usage.cache_read)
    read = _Read(
        spans=spans,
        attributes=attributes,
        dialect=dialect,
        said=said,
        objects=objects,
        kinds=kinds,
        identity=identity,
        usage=usage,
        other_usage=other_usage_of(attributes, said),
        failed=failed,
        unknown_library=unknown_library,
        places=places,
    )
    return pa.table(_columns(read))


def _columns(read: _Read) -> dict[str, Any]:
    spans, said, pool, identity, usage = read.spans, read.said, read.pool, read.identity, read.usage
    cache_kind, hit = said.own("cache_kind"), _flag(said, said.own("cache_hit"))
    cached = pool.said(cache_kind) & (hit == 1)
    has_other = np.diff(read.other_usage.offsets.to_numpy()) > 0
    has_counts = (np.maximum(usage.input, 0) + np.maximum(usage.output, 0) + usage.parts > 0) | has_other
    has_numbers = (usage.input != UNKNOWN) | (usage.output != UNKNOWN) | (usage.cache_read != UNKNOWN)
    has_usage, zero_usage = has_counts & ~cached, has_numbers & ~has_counts
    has_request, has_response = pool.said(identity.request_model), pool.said(identity.response_id)
    has_model = has_request | pool.said(identity.response_model)
    is_named = has_model & pool.said(said.field("provider"))
    role = role_of(read.kinds, cached, has_counts, has_model, has_response, is_named)
    is_call, speaks = role == Role.CALL, role != Role.NONE
    streamed = _flag(said, said.field("streamed"))
    streamed = np.where((streamed == UNKNOWN) & read.kinds.streams, 1, streamed)
    first_token_ms = first_token_ms_of(spans, said)
    answering = (first_token_ms > 0) | ((streamed == 1) & has_response)
    # After a failure the one model that is named is the one asked for.
    in_vain = read.failed & ~has_counts & ~has_response
    asked_at = np.where(in_vain & ~has_request, identity.response_model, identity.request_model)
    request_model, response_id = pool.column(asked_at), pool.column(identity.response_id)
    requested = said.field("provider_request_id")
    started = spans["started_at"].cast(pa.int64()).to_numpy()
    may_stream = (streamed == 1) | (
        (streamed == UNKNOWN) & has_dialect(read.dialect, lambda table: not table.tells_streams)
    )
    estimated = _is_yes(said, said.own("estimated")) | (may_stream & lacks_proof(read.attributes, read.dialect))
    rank = _RANKS[read.dialect] - (role == Role.RAW).astype(np.uint8)  # what came off the wire untouched goes first
    may_lack_id = (_lengths(spans["parent_span_id"]) == 0) | ~has_response | (rank <= CLIENT_RANK)
    counted = (usage.input > 0) & (usage.output > 0)
    opens_stream = (role == Role.TAIL) | (is_call & ~has_usage & ~read.failed)
    return {
        **{name: spans[name] for name in _AS_STORED},
        "began_at": _instants(started - tail_ns(said, role)),
        "ended_at": _instants(started + spans["duration_ns"].to_numpy().astype(np.int64)),
        "dialect": _NAMES.take(pa.array(read.dialect)),
        "rank": rank,
        "role": role.astype(np.uint8),
        "accumulates": ((role == Role.AGGREGATE) & has_dialect(read.dialect, lambda table: table.accumulates)).astype(
            np.uint8
        ),
        "failed": read.failed.astype(np.uint8),
        "cached": cached.astype(np.uint8),
        "provider": pa.array(identity.providers, pa.binary()).take(pa.array(identity.provider)),
        "request_model": request_model,
        "response_model": pool.column(np.where(in_vain, EMPTY, identity.response_model)),
        "response_id": response_id,
        "service_tier": pool.column(identity.service_tier),
        "region": pa.array(identity.regions, pa.binary()).take(pa.array(identity.region)),
        "operation": pa.array(read.kinds.operations, pa.binary()).take(pa.array(read.kinds.operation)),
        "streamed": pa.array(streamed == 1, mask=streamed == UNKNOWN),
        "time_to_first_token_ms": pa.array(first_token_ms.astype(np.float32), mask=np.isnan(first_token_ms)),
        "attempt": attempts(said),
        "request_id": pool.column(said.own("request_id")),
        "error_type": pool.column(identity.error_type),
        "reported_cost_usd": reported_cost(said, zero_usage),
        "cost_is_charged": _CHARGED[read.dialect, said.key_of("cost_usd")].astype(np.uint8),
        **_counts(read, has_usage),
        "other_usage": _only(read.other_usage, has_usage & has_other),
        "has_usage": has_usage.astype(np.uint8),
        "estimated": (has_usage & estimated).astype(np.uint8),
        "billed_failure": (read.failed & (answering | identity.billed(said, read.failed))).astype(np.uint8),
        "context": contexts_of(spans, read.attributes, read.dialect, role, read.places),
        "cache_kind": pool.column(cache_kind),
        "cache_hit": pa.array(hit == 1, mask=(hit != 1) & ~pool.said(cache_kind)),
        "cache_similarity": _numbers(said.number(said.own("cache_similarity"))),
        "avoided_input_tokens": _avoided(said, "avoided_input", cached, usage.input),
        "avoided_output_tokens": _avoided(said, "avoided_output", cached, usage.output),
        "prompt_parts": prompt_parts_of(read.attributes),
        "prompt_hash": np.where(is_call, spans["prompt_hash"].to_numpy(), np.uint64(0)),
        "prefix_hash": np.where(is_call, spans["prefix_hash"].to_numpy(), np.uint64(0)),
        "flags": _flags(
            zero_usage=zero_usage & speaks,
            implausible_count=said.implausible & speaks,
            input_excludes_cached=has_usage & usage.corrects_input,
            output_excludes_reasoning=has_usage & usage.corrects_output,
            other_models_not_counted=has_usage & is_call & read.objects.has_other_models,
            tool_prompts_from_total=has_usage & usage.adds_tool_prompts,
            unknown_library=read.unknown_library & speaks,
            cache_write_split_larger=has_usage & usage.split_larger,
            cached_input_unknown=has_usage & is_call & usage.cached_unknown,
        ),
        "response_key": response_keys(spans, response_id, has_response & speaks),
        "request_key": request_keys(spans, pool.column(requested), pool.said(requested) & speaks),
        "fingerprint": fingerprints(spans, usage.input, usage.output, is_call & has_usage & counted & may_lack_id),
        "stream": streams(spans, request_model, opens_stream & has_dialect(read.dialect, lambda table: table.tail[0])),
    }


def _failed(spans: pa.Table, said: Said) -> Bools:
    status = flat(spans["status"])
    words = np.array([word == b"error" for word in status.dictionary.to_pylist()] or [False])
    failed = words[status.indices.to_numpy()] | (said.number(said.own("http_status")) >= FIRST_FAILED_STATUS)
    found: Bools = failed | said.pool.judged(said.own("level"), lambda word: word == b"ERROR", bool)
    return found


def _usage(said: Said, objects: Objects, identity: Identity, dialect: Ints, includes_cached: Bools) -> Usage:
    return canonical(
        Written(
            input=said.count("input_tokens"),
            input_in_object=objects.input,
            output=said.count("output_tokens"),
            output_in_object=objects.output,
            total=said.count("total_tokens"),
            compaction={
                side: said.count(f"compaction_{side}_tokens")
                for side in ("input", "cache_read", "cache_write", "output")
            },
            compaction_excludes_cached=np.isin(said.key_of("compaction_cache_read_tokens"), _BESIDE_COMPACTION)
            | np.isin(said.key_of("compaction_cache_write_tokens"), _BESIDE_COMPACTION),
            cache_read=said.count("cache_read_tokens"),
            cache_write=said.count("cache_write_tokens"),
            cache_write_5m=said.count("cache_write_5m_tokens"),
            cache_write_1h=said.count("cache_write_1h_tokens"),
            reasoning=said.count("reasoning_tokens"),
            tool_prompt=said.count("tool_prompt_tokens"),
            total_has_tool_prompts=identity.is_of(TOOL_PROMPTS_IN_TOTAL),
            table_excludes_cached=identity.excludes(dialect, "input_excludes_cached") & ~includes_cached,
            table_excludes_reasoning=identity.excludes(dialect, "output_excludes_reasoning"),
            object_excludes_cached=objects.input_excludes_cached,
            object_excludes_reasoning=objects.output_excludes_reasoning | identity.is_of(REASONING_BESIDE_OUTPUT),
        )
    )


def _counts(read: _Read, has_usage: Bools) -> dict[str, Any]:
    """The columns of COUNTS, null without usage."""
    usage, kinds = read.usage, read.kinds
    needs_none = np.array([word in _WITHOUT_OUTPUT for word in kinds.operations])[kinds.operation]
    output = np.where((usage.output == UNKNOWN) & needs_none, 0, usage.output)
    each = (usage.input, usage.cache_read, usage.cache_write, usage.cache_write_1h, output, usage.reasoning)
    return {name: _nullable(np.where(has_usage, count, UNKNOWN)) for name, count in zip(COUNTS, each, strict=True)}


def _flag(said: Said, at: Ints) -> Ints:
    """1 for yes, 0 for no, UNKNOWN where a text says neither."""
    return said.pool.judged(
        at, lambda word: 1 if word.lower() in YES else 0 if word.lower() in NO else UNKNOWN, np.int64
    )


def _is_yes(said: Said, at: Ints) -> Bools:
    found: Bools = _flag(said, at) == 1
    return found


def _avoided(said: Said, name: str, cached: Bools, counted: Ints) -> Any:
    """Tokens that an answer from the application's cache saved: said so, or its own counts."""
    number = np.rint(said.number(said.own(name)))
    holds = (number >= 0) & (number < MOST_COUNTED)
    return _nullable(np.where(holds, np.where(holds, number, 0), np.where(cached, counted, UNKNOWN)).astype(np.int64))


def _flags(**flags: Bools) -> Any:
    """The names of what is odd about each span, a list each."""
    row, flag = np.nonzero(np.stack(list(flags.values()), axis=1))
    names = pa.array([name.encode() for name in flags], pa.binary())
    return lists_of(len(next(iter(flags.values()))), row, names.take(pa.array(flag)))


def _only(maps: Any, which: Bools) -> Any:
    """A column of maps, empty where a flag is not set."""
    if bool(np.all(which | (np.diff(maps.offsets.to_numpy()) == 0))):
        return maps
    kept = [value if keeps else [] for value, keeps in zip(maps.to_pylist(), which.tolist(), strict=True)]
    return pa.array(kept, maps.type)


def _nullable(counts: Ints) -> Any:
    return pa.array(np.maximum(counts, 0).astype(np.uint64), mask=counts == UNKNOWN)


def _numbers(values: Floats) -> Any:
    return pa.array(values, mask=np.isnan(values))


def _instants(ns: Ints) -> Any:
    return pa.array(ns, pa.timestamp("ns", "UTC"))


def _lengths(column: Any) -> Ints:
    found: Ints = pc.binary_length(flat(column)).to_numpy(zero_copy_only=False)
    return found
