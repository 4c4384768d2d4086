"""Scored answers of rebuilt hours → `scored_answers`: one row per score, with what questions ask of the answer's call.

A score of a trace is about one of its calls and costs what all of them do, so that an hour's answers cannot be rebuilt
from its calls alone: what is rebuilt are the whole traces that have, or had, calls in it. Settle marks the hours of a
trace that was scored as it does those of one whose calls changed. Who asks believes a row while no hour in which its
trace has calls is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.rollup.sql"
SHARED = "outlay_collector.store.sql"  # asked in the same words by analytics
BETWEEN = """c.started_at >= {first_hour:DateTime('UTC')}
          AND c.started_at < {last_hour:DateTime('UTC')} + INTERVAL 1 HOUR"""
# Columns of `calls` that answers keep: what dimensions, filters and questions about scores read.
COPIED = (
    "trace_id",
    "span_id",
    "n",
    "parent_span_id",
    "started_at",
    "service",
    "environment",
    "feature",
    "team",
    "customer",
    "user",
    "session",
    "task",
    "prompt",
    "prompt_version",
    "provider",
    "request_model",
    "model",
    "response_id",
    "service_tier",
    "operation",
    "cost_state",
    "status",
    "dialect",
    "tags",
    "cascade_name",
    "cascade_tier",
    "cache_kind",
    "cache_hit",
    "cache_similarity",
    "experiment",
    "arm",
    "route_tier",
    "route_reason",
    "route_propensity",
)


def rebuild_scored(writer: Writer, params: Mapping[str, Any]) -> None:
    """Rebuild the scored answers of the traces that some hours of a project hold calls of.

    Args:
        writer: The roll-up's connection; keeps temporary tables.
        params: `project`, `hours`, `first` and `last` of them, `version` of the rebuild.
    """
    _make(writer, "scored_traces", load_sql(SQL, "rollup_scored_traces"), params)
    known = writer.query(load_sql(SQL, "rollup_scored_hours"), params)[0]
    if not known["traces"]:
        return
    params = {**params, "first_hour": known["first_hour"], "last_hour": known["last_hour"]}
    traces = "trace_id IN (SELECT trace_id FROM scored_traces)"
    answers = load_sql(
        SHARED,
        "scored_answers",
        own="toUInt8(0)",
        own_type="UInt8",
        calls=f"{BETWEEN} AND c.{traces}",
        given=f"project = {{project:String}} AND {traces}",
    )
    copied = ", ".join(f"c.`{name}` AS `{name}`" for name in COPIED)
    _make(writer, "scored_fresh", load_sql(SQL, "rollup_scored_fresh", answers=answers, copied=copied), params)
    writer.run(load_sql(SQL, "rollup_scored", copied=", ".join(f"`{name}`" for name in COPIED)), params)


def _make(writer: Writer, table: str, sql: str, params: Mapping[str, Any]) -> None:
    writer.run(f"CREATE OR REPLACE TEMPORARY TABLE {table} ENGINE = Memory AS {sql}", params)
