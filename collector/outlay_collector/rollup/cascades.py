"""The cascades of rebuilt hours → `cascade_hourly` (runs within one hour, summed up), `cascade_parts` (the others), and
`cascade_confidences` (runs within one hour by the confidence of their first attempt); the last one's days →
`cascade_confidence_days`.

Runs are summed up by `KEYS`, so that questions may filter by them. One whose calls differ in some of them is summed up
without these, and once more for each of their values, as if it had no other calls (narrowed): whoever asks for one
value reads those sums. Its parts are kept as well (`cascade_mixed`), for questions that name several values of what it
differs in.

An hour is rebuilt from its own calls alone, so a run that turns out to have calls in several hours must not stay summed
up in one of them: `cascade_runs` knows the hours of every run, and an hour that took a run for its own is marked dirty
when another hour's rebuild finds the run there too. Whoever asks does the same for hours that are not rolled up yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.store import load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_collector.rollup.sql"
SHARED = "outlay_collector.store.sql"  # asked in the same words by analytics
HOURS = """c.started_at >= {first:DateTime('UTC')} AND c.started_at < {last:DateTime('UTC')} + INTERVAL 1 HOUR
  AND toStartOfHour(c.started_at) IN {hours:Array(DateTime('UTC'))}"""
KEYS = ("service", "environment", "feature", "team")  # as spend_hourly, those that all calls of most runs share
SETS = "".join(f", {key}" for key in KEYS)
GRID = tuple(step / 20 for step in range(21))  # thresholds that most questions ask about: those of analytics
OWN = (*KEYS, "differs", "narrowed")
OWN_SETS = "".join(f", {key}" for key in OWN)
THRESHOLDS = """, groupUniqArrayIf(20)(
    assumeNotNull(c.cascade_threshold), isNotNull(c.cascade_threshold) AND isNotNull(c.cascade_confidence)
        AND ifNull(c.cascade_tier, 0) = 0
) AS thresholds"""
ALIKE = f"""SELECT * EXCEPT ({", ".join(KEYS)}, thresholds), ({
    ", ".join(f"toString({key})" for key in KEYS)
}, toUInt8(0), toUInt8(0)) AS own
FROM cascade_fresh
WHERE run NOT IN (SELECT run FROM cascade_spread) AND run NOT IN (SELECT run FROM cascade_differs)
UNION ALL
"""
NARROWED = "SELECT * FROM cascade_narrowed"
PARTS = {
    "cascade_parts": ("", "WHERE f.run IN (SELECT run FROM cascade_spread)"),
    "cascade_mixed": (", d.differs", "INNER JOIN cascade_differs AS d ON f.run = d.run"),
}


def rebuild_cascades(writer: Writer, params: Mapping[str, Any], *, cells: bool = False) -> None:
    """Rebuild the cascades of some hours of a project.

    Args:
        writer: The roll-up's connection; keeps temporary tables, `rollup_fresh` of these hours among them.
        params: `project`, `hours`, `first` and `last` of them, `version` of the rebuild, `moment` when it began.
        cells: Whether other cells may hold calls of the same runs: those of a run with an identifier, which may be in
            several traces, are kept as they are, and put together by who asks.
    """
    fresh = load_sql(
        SHARED,
        "cascade_parts",
        hour="toStartOfHour(c.started_at)",
        keys="".join(f", c.{key} AS {key}" for key in KEYS),
        sets=SETS,
        hours=HOURS,
        filters="1",
        own=THRESHOLDS,
    )
    _make(writer, "cascade_fresh", fresh, params)
    shared = load_sql(SQL, "rollup_cascade_shared", hours=HOURS) if cells else ""
    _make(writer, "cascade_spread", load_sql(SQL, "rollup_cascade_spread", shared=shared), params)
    _make(writer, "cascade_told", load_sql(SQL, "rollup_cascade_told"), params)
    writer.run(
        "INSERT INTO dirty_hours SELECT DISTINCT {project:String}, hour, {moment:DateTime64(3, 'UTC')} "
        "FROM cascade_told",
        params,
    )
    writer.run(load_sql(SQL, "rollup_cascade_runs"), params)
    _make(writer, "cascade_differs", load_sql(SQL, "rollup_cascade_differs"), {})
    _make(writer, "cascade_narrowed", load_sql(SQL, "rollup_cascade_narrowed"), {})
    merged = load_sql(SHARED, "cascade_merged", parts=NARROWED, own=", any(p.own) AS own")
    attempts = load_sql(SHARED, "cascade_attempts", time="toStartOfHour(run_started)", parts=ALIKE + merged)
    keys = "".join(f", a.own.{number} AS {key}" for number, key in enumerate(OWN, 1))
    _make(writer, "cascade_sums", load_sql(SHARED, "cascade_sums", attempts=attempts, keys=keys, sets=OWN_SETS), {})
    writer.run(load_sql(SQL, "rollup_cascade_hourly"), params)
    for table, (differs, chosen) in PARTS.items():
        writer.run(load_sql(SQL, "rollup_cascade_parts", table=table, differs=differs, chosen=chosen), params)
    writer.run(load_sql(SQL, "rollup_cascade_confidences", alone=ALIKE + NARROWED), params)


def rebuild_cascade_days(writer: Writer, params: Mapping[str, Any]) -> None:
    """Rebuild days of confidences from their hours.

    Args:
        writer: The roll-up's connection.
        params: `project`, `days`, `version` of the rebuild.
    """
    if writer.query(load_sql(SQL, "rollup_confidence_days_seen"), params)[0]["rows"]:
        writer.run(load_sql(SQL, "rollup_confidence_days"), {**params, "grid": list(GRID)})


def _make(writer: Writer, table: str, sql: str, params: Mapping[str, Any]) -> None:
    writer.run(f"CREATE OR REPLACE TEMPORARY TABLE {table} ENGINE = Memory AS {sql}", params)
