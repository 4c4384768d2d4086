"""What settle knows of its spans: one Arrow table, one row per span, in one vocabulary whatever library wrote it.

`COLUMNS` is the contract between whoever reads spans and everything after it. Texts are Arrow `binary` or `string`,
plain or dictionary-encoded: a String of ClickHouse holds bytes, and nothing here needs them to be UTF-8. Counts and
flags are never guessed: what is not said is null (or empty, for texts and maps).
"""

from __future__ import annotations

COUNTS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)

COLUMNS: dict[str, str] = {
    # Where the span is. The hashes are ClickHouse's sipHash64; `spans` has the texts.
    "id": "UInt64",  # bitXor(trace, sipHash64(span_id)): the span
    "parent_id": "UInt64",  # the same of its parent; 0 at a root, and for a span that names itself
    "trace": "UInt64",  # sipHash64(project, trace_id)
    "project": "LowCardinality(String)",
    "trace_id": "String",  # 32 hex digits
    "span_id": "String",  # 16 hex digits
    "parent_span_id": "String",  # 16 hex digits, or empty
    "started_at": "DateTime64(9, 'UTC')",
    "duration_ns": "UInt64",
    "began_at": "DateTime64(9, 'UTC')",  # start of the request: of a stream's tail that of the stream
    "ended_at": "DateTime64(9, 'UTC')",  # started_at + duration_ns
    "name": "String",
    "service": "LowCardinality(String)",
    "environment": "LowCardinality(String)",
    "scope_name": "LowCardinality(String)",
    # What it is.
    "dialect": "String",  # name of the dialect table that read it
    "rank": "UInt8",  # how far it is from the wire: of a request's spans the lowest is the call
    "role": "UInt8",  # a Role
    "accumulates": "UInt8",  # an aggregate that counts what it ever used, in other traces too
    "failed": "UInt8",
    "cached": "UInt8",  # answered by the application's own cache: role CALL, no usage, avoided_ counts instead
    # What it says of its request. Empty = not said.
    "provider": "String",
    "request_model": "String",
    "response_model": "String",
    "response_id": "String",
    "service_tier": "String",
    "region": "String",
    "operation": "String",
    "streamed": "Nullable(Bool)",
    "time_to_first_token_ms": "Nullable(Float32)",
    "attempt": "UInt16",  # from 1
    "request_id": "String",
    "error_type": "String",
    "reported_cost_usd": "Nullable(Decimal(38, 12))",
    "cost_is_charged": "UInt8",  # the provider's answer or the application says that cost; else a library reckoned it
    # Its usage. All null or empty where has_usage is 0.
    **dict.fromkeys(COUNTS, "Nullable(UInt64)"),  # below 2^32 each
    "other_usage": "Map(String, UInt64)",  # units beside tokens, above 0
    "has_usage": "UInt8",  # it counts something, and is not cached
    "estimated": "UInt8",  # its counts are an estimate, not the provider's
    "billed_failure": "UInt8",  # it failed after the provider had begun to answer
    # What calls below it inherit, under names of their own (feature, user, tag.x …).
    "context": "Map(String, String)",
    # Its look-up in the application's cache, if it is one.
    "cache_kind": "String",
    "cache_hit": "Nullable(Bool)",
    "cache_similarity": "Nullable(Float64)",
    "avoided_input_tokens": "Nullable(UInt64)",
    "avoided_output_tokens": "Nullable(UInt64)",
    # What its prompt was made of; hashes are 0 where the prompt was not captured or the role is not CALL.
    "prompt_parts": "Map(String, UInt64)",
    "prompt_hash": "UInt64",
    "prefix_hash": "UInt64",
    "flags": "Array(String)",  # what was odd about it: zero_usage, implausible_count …
    # By what spans of one request find each other; 0 = by nothing.
    "response_key": "UInt64",  # sipHash64(concat(project, '\0', response_id)), where role is not NONE
    "request_key": "UInt64",  # hash of project and the provider's id of the request, where role is not NONE
    "fingerprint": "UInt64",  # hash of project, service, input and output, for calls that may lack the response's id
    "stream": "UInt64",  # hash of project, service, scope and request model, for streams whose usage comes in a TAIL
}
"""Columns of the table of read spans and their ClickHouse types."""

COMPLETED = (
    "service",
    "environment",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "region",
    "operation",
    "reported_cost_usd",
    "streamed",
    "time_to_first_token_ms",
    "request_id",
    "error_type",
    "cache_kind",
    "prompt_parts",
    "prompt_hash",
    "prefix_hash",
)
"""Columns in which a request's call is completed by its other spans: each has the first span's word that says it."""

SAID = (*COMPLETED, "other_usage", "context", "flags")
