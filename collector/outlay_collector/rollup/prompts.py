"""Calls of rebuilt hours that name a prompt → `prompt_hourly`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

SHARED = "outlay_collector.store.sql"  # asked in the same words by analytics
HOURS = """c.started_at >= {first:DateTime('UTC')} AND c.started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
  AND toStartOfHour(c.started_at) IN {hours:Array(DateTime('UTC'))}"""
SUMS = (
    "calls",
    "priced_calls",
    "cost_usd",
    "used_calls",
    "input_tokens",
    "read_tokens",
    "answered_calls",
    "output_tokens",
    "parted_calls",
    "parted_priced_calls",
    "parted_input_tokens",
    "parted_input_usd",
    "paid_calls",
    "paid_hits",
    "paid_input_tokens",
    "paid_read_tokens",
    "paid_plain_tokens",
    "paid_read_usd",
    "paid_plain_usd",
)


def rebuild_prompts(writer: Writer, params: Mapping[str, Any]) -> None:
    """Rebuild some hours of a project.

    Args:
        params: `project`, `hours`, `first` and `last` of them, `version` of the rebuild.
    """
    sql = load_sql(
        "outlay_collector.rollup.sql",
        "rollup_prompts",
        calls=load_sql(SHARED, "prompt_calls", hours=HOURS, filters="1"),
        columns=", ".join(SUMS),
        sums=", ".join(f"sum(p.{name}) AS {name}" for name in SUMS),
        zeros=", ".join("toDecimal128(0, 12)" if name.endswith("_usd") else "0" for name in SUMS),
    )
    writer.run(sql, params)
