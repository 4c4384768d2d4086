"""The deciding part of the table of read spans (`table.COLUMNS`): ids, keys, counts, times and roles as numpy arrays.

A span is its row number. Names, maps and texts stay in the table; `resolve` answers with row numbers, and whoever holds
the table copies by row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle.table import COUNTS, SAID

Ids = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UNKNOWN = -1
"""A count that nobody gave, and a row that is none."""


class Role(IntEnum):
    """What a span's usage stands for."""

    NONE = 0
    """It speaks of no usage and no request."""
    CALL = 1
    """One request to a model, or an answer from the application's cache (`cached`)."""
    AGGREGATE = 2
    """The sum of the calls below it: agents, chains, workflows."""
    RAW = 3
    """A restatement of the span above it, as it came off the wire."""
    TAIL = 4
    """The usage of a stream, in a span of its own when the stream has ended."""


class Count(IntEnum):
    """Columns of `Facts.counts`, and the columns of the table that they come from."""

    INPUT = 0
    """input_tokens: all input, cache reads and writes included."""
    CACHE_READ = 1
    """cache_read_tokens: part of the input."""
    CACHE_WRITE = 2
    """cache_write_tokens: part of the input, the one-hour part included."""
    CACHE_WRITE_1H = 3
    """cache_write_1h_tokens: part of the cache writes."""
    OUTPUT = 4
    """output_tokens: all output, reasoning included."""
    REASONING = 5
    """reasoning_tokens: part of the output."""


CLIENT_RANK = 10
"""Rank up to which a span is written by the provider's client or by Outlay at its side; above are frameworks."""

# What may stand around a model's name without changing which model it is: a path, a region, a cloud's vendor.
_AROUND_MODEL = re.compile(rb"^(.*/)?((us|eu|apac|global)[.])?((anthropic|amazon|meta|mistral|cohere)[.])?", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Facts:
    """What decides, a row per span in any order. Instants are nanoseconds since 1970, keys 64-bit hashes, 0 is none."""

    id: Ids
    """The span. Unique."""
    parent_id: Ids
    """Its parent's id, 0 at a root. The parent need not be there."""
    trace: Ids
    """Its trace, of one project."""
    trace_high: Ids
    """First half of the trace id: with `trace_low` and `span_low` for the order of ids, the same everywhere."""
    trace_low: Ids
    """Second half of the trace id."""
    span_low: Ids
    """The span id."""
    rooted: Bools
    """It names no parent."""
    started_ns: Ints
    """When it started."""
    began_ns: Ints
    """When its request began: earlier than it started for a stream's tail."""
    ended_ns: Ints
    """When it ended."""
    role: npt.NDArray[np.uint8]
    """What its usage stands for: a `Role`."""
    accumulates: Bools
    """It counts what it ever used, in other traces too."""
    rank: npt.NDArray[np.uint8]
    """How far from the wire it was written: of one request's spans the lowest rank is the call."""
    failed: Bools
    """It ended in an error."""
    cached: Bools
    """The application's own cache answered."""
    has_usage: Bools
    """It counts something."""
    estimated: Bools
    """Its counts are an estimate."""
    billed_failure: Bools
    """It failed after the provider had begun to answer."""
    is_lookup: Bools
    """It looked into the application's cache."""
    attempt: npt.NDArray[np.uint16]
    """Which attempt it says it is, from 1."""
    response_key: Ids
    """The provider's id of the response, in its project."""
    request_key: Ids
    """The provider's id of the request, in its project."""
    fingerprint: Ids
    """Its counts, project and service: stands in for a response's id that was not passed on."""
    stream: Ids
    """What ties a stream's tail to the span that opened the stream."""
    project: Ints
    """Number of its project within these facts."""
    provider: Ints
    """Number of its provider within these facts, 0 where it does not say."""
    scope: Ints
    """Number of the instrumentation scope that wrote it, within these facts."""
    request_model: Ints
    """The model asked for, bare of region and vendor: an index of `models`."""
    response_model: Ints
    """The model that answered, likewise."""
    counts: Ints
    """Shape (spans, 6), columns as in `Count`; UNKNOWN where it does not say. All UNKNOWN without usage."""
    says: dict[str, Bools]
    """For each name of `SAID`, whether the span says it."""
    models: list[bytes]
    """Bare names of models, in lower case; the first is the empty one, for "not said"."""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, rows: npt.NDArray[Any]) -> Facts:
        """These rows of the facts, in this order."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        says = {name: said[rows] for name, said in self.says.items()}
        arrays = {name: value[rows] for name, value in found.items() if name not in ("says", "models")}
        return Facts(**arrays, says=says, models=self.models)


def facts_of(spans: pa.Table) -> Facts:
    """The deciding part of a table with the columns of `table.COLUMNS`."""
    trace_id, span_id = _hex(spans["trace_id"], 2), _hex(spans["span_id"], 1)
    models = {b"": 0}
    return Facts(
        id=_numbers(spans["id"], np.uint64),
        parent_id=_numbers(spans["parent_id"], np.uint64),
        trace=_numbers(spans["trace"], np.uint64),
        trace_high=trace_id[:, 0],
        trace_low=trace_id[:, 1],
        span_low=span_id[:, 0],
        rooted=~_is_said(spans["parent_span_id"]),
        started_ns=_numbers(spans["started_at"], np.int64),
        began_ns=_numbers(spans["began_at"], np.int64),
        ended_ns=_numbers(spans["ended_at"], np.int64),
        role=_numbers(spans["role"], np.uint8),
        accumulates=_flags(spans["accumulates"]),
        rank=_numbers(spans["rank"], np.uint8),
        failed=_flags(spans["failed"]),
        cached=_flags(spans["cached"]),
        has_usage=_flags(spans["has_usage"]),
        estimated=_flags(spans["estimated"]),
        billed_failure=_flags(spans["billed_failure"]),
        is_lookup=_is_said(spans["cache_kind"]),
        attempt=_numbers(spans["attempt"], np.uint16),
        response_key=_numbers(spans["response_key"], np.uint64),
        request_key=_numbers(spans["request_key"], np.uint64),
        fingerprint=_numbers(spans["fingerprint"], np.uint64),
        stream=_numbers(spans["stream"], np.uint64),
        project=_codes(spans["project"])[0],
        provider=_providers(spans["provider"]),
        scope=_codes(spans["scope_name"])[0],
        request_model=_models(spans["request_model"], models),
        response_model=_models(spans["response_model"], models),
        counts=np.stack([counts_of(spans[name]) for name in COUNTS], axis=1),
        says={name: _is_said(spans[name]) for name in SAID},
        models=list(models),
    )


def bare_model(name: bytes) -> bytes:
    """A model's name without what a gateway or a cloud puts before it, in lower case."""
    return _AROUND_MODEL.sub(b"", name.lower(), count=1)


def flat(column: Any) -> Any:
    """A column as one array; one that is in one chunk is not copied."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def counts_of(column: Any) -> Ints:
    """A nullable column of counts, UNKNOWN for null."""
    found = flat(column)
    values: Ints = pc.fill_null(found, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    if found.null_count:
        values[found.is_null().to_numpy(zero_copy_only=False)] = UNKNOWN
    return values


def _numbers(column: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    found = flat(column)
    if pa.types.is_timestamp(found.type):
        found = found.cast(pa.timestamp("ns", found.type.tz)).view(pa.int64())
    values: npt.NDArray[Any] = found.to_numpy(zero_copy_only=False)
    return values.astype(dtype, copy=False)


def _flags(column: Any) -> Bools:
    return _numbers(column, np.bool_)


def _is_said(column: Any) -> Bools:
    """Where a column holds something: texts, maps and lists that are not empty, numbers that are not 0 or null."""
    found = flat(column)
    kind = found.type
    if pa.types.is_dictionary(kind):
        said = _is_said(found.dictionary)
        return said[_indices(found)] if len(said) else np.zeros(len(found), bool)
    if pa.types.is_map(kind) or pa.types.is_list(kind):
        offsets = found.offsets.to_numpy()
        result: Bools = offsets[1:] != offsets[:-1]
        return result
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _numbers(pc.fill_null(pc.binary_length(found), 0), np.int64) > 0
    if pa.types.is_uint64(kind):  # hashes: 0 is none
        return _numbers(pc.fill_null(found, 0), np.uint64) > 0
    return found.is_valid().to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _indices(column: Any) -> Ints:
    return column.indices.to_numpy(zero_copy_only=False).astype(np.int64)  # type: ignore[no-any-return]


def _codes(column: Any) -> tuple[Ints, list[bytes]]:
    """Texts as numbers, and the text of each number."""
    found = flat(column)
    if not pa.types.is_dictionary(found.type):
        found = found.dictionary_encode()
    words = [word.encode() if isinstance(word, str) else word or b"" for word in found.dictionary.to_pylist()]
    numbers = {word: n for n, word in enumerate(dict.fromkeys(words))}
    own = np.array([numbers[word] for word in words], np.int64)
    return own[_indices(found)], list(numbers)


def _providers(column: Any) -> Ints:
    """Numbers of providers from 1, 0 for the empty name."""
    codes, names = _codes(column)
    return np.array([n + 1 if name else 0 for n, name in enumerate(names)], np.int64)[codes]


def _models(column: Any, models: dict[bytes, int]) -> Ints:
    """Numbers of the bare names in `models`, which grows by those it does not know."""
    codes, names = _codes(column)
    own = np.array([models.setdefault(bare_model(name), len(models)) for name in names], np.int64)
    return own[codes]


def _hex(column: Any, words: int) -> Ids:
    """Texts of 16 hex digits per word as numbers, shape (rows, words)."""
    found = flat(column)
    if pa.types.is_dictionary(found.type):
        found = found.dictionary_decode()
    found = found.cast(pa.binary())
    if not len(found):
        return np.zeros((0, words), np.uint64)
    _, offsets, digits = found.buffers()
    ends = np.frombuffer(offsets, np.int32)[found.offset :]
    text = digits[int(ends[0]) : int(ends[len(found)])].to_pybytes().decode("ascii")
    return np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64).reshape(len(found), words)
