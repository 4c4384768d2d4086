"""The deciding columns of read spans, as arrays."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from outlay_collector.settle.facts import UNKNOWN, Count, bare_model, facts_of
from outlay_collector.settle.table import COLUMNS, COUNTS, SAID

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TYPES = {
    "UInt8": pa.uint8(),
    "UInt16": pa.uint16(),
    "UInt64": pa.uint64(),
    "Nullable(UInt64)": pa.uint64(),
    "Nullable(Bool)": pa.bool_(),
    "Nullable(Float32)": pa.float32(),
    "Nullable(Float64)": pa.float64(),
    "Nullable(Decimal(38, 12))": pa.decimal128(38, 12),
    "DateTime64(9, 'UTC')": pa.timestamp("ns", "UTC"),
    "Map(String, UInt64)": pa.map_(pa.string(), pa.uint64()),
    "Map(String, String)": pa.map_(pa.string(), pa.string()),
    "Array(String)": pa.list_(pa.string()),
    "String": pa.string(),
    "LowCardinality(String)": pa.dictionary(pa.int8(), pa.string()),
}


def table(*rows: dict[str, Any]) -> pa.Table:
    """A table of read spans that say nothing but what the rows hold."""
    made = {}
    for n, (name, kind) in enumerate(COLUMNS.items()):
        nothing: Any = 0 if kind.startswith("UInt") else None if kind.startswith("Nullable") else ""
        nothing = NOON if kind.startswith("DateTime") else [] if kind.startswith(("Map", "Array")) else nothing
        nothing = {"trace_id": "0" * 32, "span_id": "0" * 16}.get(name, nothing)
        array = pa.array([row.get(name, nothing) for row in rows], TYPES[kind])
        made[name] = pa.chunked_array([array.slice(0, n % 2), array.slice(n % 2)])  # in one chunk, or in two
    return pa.table(made)


def test_a_span_that_says_nothing_is_all_unknown() -> None:
    facts = facts_of(table({"id": 1}))
    assert len(facts) == 1
    assert facts.counts.tolist() == [[UNKNOWN] * len(COUNTS)]
    assert not any(facts.says[name].any() for name in SAID)
    assert facts.rooted.all()
    assert facts.models == [b""]


def test_what_is_said_is_told_from_what_is_not_whatever_its_type() -> None:
    said = {
        "provider": "openai",
        "service": "shop",
        "reported_cost_usd": Decimal(0),
        "streamed": False,
        "prompt_hash": 2**64 - 1,
        "context": [("feature", "search")],
        "flags": ["zero_usage"],
        "other_usage": [("web_searches", 1)],
    }
    facts = facts_of(table({}, said))
    assert {name for name in SAID if facts.says[name][1]} == set(said)
    assert not any(facts.says[name][0] for name in SAID)


def test_a_count_of_zero_is_known() -> None:
    facts = facts_of(table({"input_tokens": 0, "output_tokens": 2**32 - 1}))
    assert facts.counts[0, Count.INPUT] == 0
    assert facts.counts[0, Count.OUTPUT] == 2**32 - 1
    assert facts.counts[0, Count.REASONING] == UNKNOWN


def test_ids_and_instants_keep_every_bit() -> None:
    facts = facts_of(
        table(
            {"id": 2**64 - 1, "trace_id": "f" * 31 + "e", "span_id": "f" * 16, "ended_at": 1},
            {"trace_id": "0" * 16 + "00000000000000ab", "span_id": "0" * 15 + "c", "parent_span_id": "0" * 15 + "d"},
        )
    )
    assert facts.id[0] == 2**64 - 1
    assert facts.trace_high.tolist() == [2**64 - 1, 0]
    assert facts.trace_low.tolist() == [2**64 - 2, 0xAB]
    assert facts.span_low.tolist() == [2**64 - 1, 0xC]
    assert facts.rooted.tolist() == [True, False]
    assert facts.ended_ns[0] == 1
    assert facts.started_ns[0] == int(NOON.timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("GPT-4o", "gpt-4o"),
        ("us.anthropic.claude-sonnet-4", "claude-sonnet-4"),
        ("projects/p/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("mistral.mistral-large", "mistral-large"),
        ("", ""),
    ],
)
def test_a_model_is_named_without_what_gateways_put_before_it(name: str, bare: str) -> None:
    assert bare_model(name.encode()) == bare.encode()


def test_models_are_numbers_of_their_bare_names() -> None:
    facts = facts_of(table({"request_model": "openai/gpt-4o", "response_model": "gpt-4o"}, {"request_model": "o3"}, {}))
    assert facts.request_model[0] == facts.response_model[0]
    assert [facts.models[n] for n in facts.request_model] == [b"gpt-4o", b"o3", b""]


def test_rows_can_be_taken_in_any_order() -> None:
    facts = facts_of(table({"id": 1, "provider": "a"}, {"id": 2}, {"id": 3}))
    turned = facts.take(np.array([2, 0]))
    assert turned.id.tolist() == [3, 1]
    assert turned.says["provider"].tolist() == [False, True]
    assert len(turned) == 2


def test_no_spans_are_facts_too() -> None:
    facts = facts_of(table())
    assert len(facts) == 0
    assert facts.counts.shape == (0, len(COUNTS))
