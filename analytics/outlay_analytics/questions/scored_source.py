"""One relation for every question about scores: answers of clean hours from `scored_answers`, others from calls.

A row of the rollup is about a whole trace, so it is believed while no hour in which that trace has calls has changed:
traces with calls in other hours are found among calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from outlay_analytics.query.looks import once
from outlay_analytics.query.rolled_hours import HOUR, Parts, calls_hours_sql, ever_clean, whole_hours
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import EARLIEST, LATEST, Interval, bucket_sql
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.questions.sql"
SHARED = "outlay_collector.store.sql"  # asked in the same words by the roll-up
DAY = timedelta(days=1)
CHANGED = ("project", "start", "end", "first_clean", "last_clean", "open_hours")  # values of scored_changed.sql
HOURS = """c.hour >= toDateTime({scored_first:UInt32}, 'UTC') AND c.hour <= toDateTime({scored_last:UInt32}, 'UTC')
  AND c.hour NOT IN {scored_out:Array(DateTime('UTC'))}"""
BETWEEN = """c.started_at >= toDateTime64({first:String}, 9, 'UTC')
          AND c.started_at < toDateTime64({last:String}, 9, 'UTC')"""
OWN = "Tuple(matches Bool, told Array(String), time DateTime(\\'UTC\\'))"


@dataclass(frozen=True)
class Asked:
    """What is asked of each scored answer.

    Attributes:
        interval: What `time` is the start of.
        dimensions: An array of texts on `c`.
        filters: Conditions on `c`.
        named: A condition on the score's `name`.
    """

    interval: Interval
    dimensions: str
    filters: str
    named: str


def scored_source(store: Store, scope: Scope, asked: Asked, params: dict[str, Any]) -> str:
    """The scored answers of a scope as a statement: name, time, told, value, label, paid_for, cost_usd.

    Its values go into `params`; those of `asked` are there.
    """
    params |= {
        "project": scope.project,
        "timezone": scope.timezone,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
    }
    if not score_count(store, scope.project):
        return _found(store, scope, asked, _given(store, params, asked.named, "1"), params)
    clean, changed = ever_clean(store, scope.project)
    hours = whole_hours(scope.window, clean)
    if not hours:
        given = _given(store, params, asked.named, asked.filters)
        return _found(store, scope, asked, given, params)
    between = [hour for hour in changed if hours[0] < hour < hours[-1]]
    live = calls_hours_sql(scope.window, Parts(latency=hours, open=changed), params)
    params |= {"scored_first": hours[0], "scored_last": hours[-1], "scored_out": between}
    any_live = bool(changed) or not _covers(scope, hours)
    traces = load_sql(SQL, "scored_changed", trace="sipHash64(c.trace_id)", hours=live)
    rolled = load_sql(
        SQL,
        "scored_rolled",
        time=bucket_sql(asked.interval, "c.started_at"),
        dimensions=asked.dimensions,
        filters=asked.filters,
        named=f"c.{asked.named}" if asked.named != "1" else "1",
        hours=HOURS,
        settled=f"c.trace NOT IN ({traces})" if any_live else "1",
    )
    if not any_live:
        return rolled
    traces = load_sql(SQL, "scored_changed", trace="c.trace_id", hours=live)
    given = f"project = {{project:String}} AND trace_id IN ({traces})"
    known = _hours(store, given, {name: params[name] for name in CHANGED if name in params})
    if not known["traces"]:
        return rolled
    params |= _between(known, scope)
    return f"{rolled}\nUNION ALL\n{_found_sql(asked, traces, f'{asked.named} AND {given}')}"


def _covers(scope: Scope, hours: list[int]) -> bool:
    return hours[0] <= scope.window.start.timestamp() and scope.window.end.timestamp() <= hours[-1] + HOUR


def _found(store: Store, scope: Scope, asked: Asked, given: str, params: dict[str, Any]) -> str:
    """Those of scores that are `given`, found among calls."""
    params |= _between(_hours(store, given, params), scope)
    return _found_sql(asked, f"SELECT trace_id FROM scores WHERE {given}", given)


def _found_sql(asked: Asked, traces: str, given: str) -> str:
    calls = f"{BETWEEN} AND c.trace_id IN ({traces})"
    own = f"({asked.filters}, {asked.dimensions}, {bucket_sql(asked.interval, 'c.started_at')})"
    answers = load_sql(SHARED, "scored_answers", own=own, own_type=OWN, calls=calls, given=given)
    return load_sql(SQL, "scored_found", answers=answers)


def _given(store: Store, params: Mapping[str, Any], named: str, filters: str) -> str:
    """The condition on `scores` for those that may be about the calls that are asked about."""
    few = filters != "1" or _fewer_calls(store, {name: params[name] for name in ("project", "start", "end")})
    return load_sql(SQL, "score_given", named=named, few=str(int(few)), filters=filters)


def _fewer_calls(store: Store, asked: Mapping[str, Any]) -> bool:
    """Whether a window has fewer calls than the project has scores; no more calls are counted than that takes."""
    most = score_count(store, asked["project"])
    sql, params = load_sql(SQL, "score_calls"), {**asked, "most": most}
    calls: int = once((store, "score_calls", repr(asked)), lambda: store.query(sql, params)[0]["calls"])
    return calls < most


def score_count(store: Store, project: str) -> int:
    """How many scores a project has; those given again may count again."""
    params = {"project": project}
    sql = "SELECT count() AS scores FROM scores WHERE project = {project:String}"
    count: int = once((store, "score_count", project), lambda: store.query(sql, params)[0]["scores"])
    return count


def _hours(store: Store, given: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """How many traces these scores are of, and between which hours their calls lie."""
    sql = load_sql(SQL, "score_hours", given=given)
    found: Mapping[str, Any] = once((store, "score_hours", given + repr(params)), lambda: store.query(sql, params)[0])
    return found


def _between(found: Mapping[str, Any], scope: Scope) -> dict[str, str]:
    """The instants between which all calls of the scored traces lie; a day on either side where nothing tells."""
    first, last = max(scope.window.start - DAY, EARLIEST), min(scope.window.end + DAY, LATEST)
    if found["traces"]:
        first, last = found["first_hour"], found["last_hour"] + timedelta(hours=1)
    return {"first": sql_instant(first), "last": sql_instant(last)}
