"""Which calls a question is about: a window, filters, a project, a time zone; and their SQL.

Values always travel as parameters: `filter_sql` turns the filters of a scope into a condition over bound arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from outlay import semconv
from outlay_analytics.query.dimensions import DIMENSIONS, Table, check_dimension, tag_key
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.model_tiers import DEFAULT_TIERS, ModelTiers
from outlay_analytics.query.score_filters import check_values, condition_sql, score_name
from outlay_analytics.query.window import Window, parse_timezone

AROUND = semconv.EXPERIMENT_TAG_PREFIX.removeprefix(semconv.TAG_PREFIX)
"""Tag of a call, with an experiment's name behind it, that holds its arm where another experiment lies inside it."""
TIER_OF = re.compile(r"\$tier\((.+)\)")
NO_OTHERS: Mapping[str, str] = {}
ID_FILTERS = ("trace_id", "call_id", "response_id")


@dataclass(frozen=True)
class Scope:
    """Which calls a question is about.

    Attributes:
        window: By the calls' start.
        filters: Values by dimension; any of them matches, the empty text matches calls that do not say.
        project: Never more than one.
        timezone: IANA name; the zone of day, week and month.
        model_tiers: Which tier a model belongs to.
        holidays: Days on which less is expected.

    Raises:
        BadRequest: If a filter or the time zone is not known, or a score is compared with no number.
    """

    window: Window
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    project: str = "default"
    timezone: str = "UTC"
    model_tiers: ModelTiers = DEFAULT_TIERS
    holidays: Holidays = NO_HOLIDAYS

    def __post_init__(self) -> None:
        for name, values in self.filters.items():
            check_filter(name, values)
        parse_timezone(self.timezone)


def check_filter(name: str, values: Sequence[str] = (), where: str = "filter") -> None:
    """Refuse a filter that is neither a dimension nor an id nor a score.

    Raises:
        BadRequest: Naming it and what is allowed.
    """
    if score_name(name) is not None:
        check_values(name, values)
    elif name not in ID_FILTERS:
        check_dimension(name, where)


def is_filter(name: str) -> bool:
    """Whether a parameter narrows the calls that a question is about."""
    return name in DIMENSIONS or name in ID_FILTERS or tag_key(name) is not None or score_name(name) is not None


def is_of_records(name: str) -> bool:
    """Whether a filter is about single calls, so that no rollup can tell and nothing can be grouped by it."""
    return name in ID_FILTERS or score_name(name) is not None


def expression(
    scope: Scope, name: str, table: Table, params: dict[str, Any], own: Mapping[str, str] = NO_OTHERS
) -> str | None:
    """SQL for a dimension's value on `table` under its alias, parameters put into `params`; None where it has none.

    `own` is the SQL of dimensions that the table knows besides.
    """
    if name in own:
        return own[name]
    if name == "arm" and table == "calls":
        return _arm(scope, params)
    key = tag_key(name)
    if name in DIMENSIONS:
        found: str | None = getattr(DIMENSIONS[name], table)
        tier = TIER_OF.fullmatch(found or "")
        return scope.model_tiers.expression(tier[1], params) if tier else found
    if key is None or table == "rollup":
        return None
    names = {value: held for held, value in params.items() if held.startswith("tag_key_")}
    held = names.get(key) or f"tag_key_{len(names)}"
    params[held] = key
    return f"c.tags[{{{held}:String}}]"


def _arm(scope: Scope, params: dict[str, Any]) -> str:
    """The arm of the experiment that the scope is about, which may lie around a call's own; else of the call's own."""
    names = scope.filters.get("experiment", ())
    if len(names) != 1 or not names[0]:
        return "c.arm"
    params |= {"arm_of": names[0], "arm_of_around": AROUND + names[0]}
    return "if(c.experiment = {arm_of:String}, toString(c.arm), c.tags[{arm_of_around:String}])"


def filter_sql(scope: Scope, table: Table, params: dict[str, Any], own: Mapping[str, str] = NO_OTHERS) -> str | None:
    """The filters as one SQL condition on `table` under its alias, values put into `params`; None if it cannot tell."""
    conditions = []
    for number, (name, values) in enumerate(sorted(scope.filters.items())):
        score = score_name(name)
        if score is not None:
            if table == "rollup":
                return None
            key = f"filter_{number}"
            conditions.append(condition_sql(key, scope.project, score, values, table == "calls", params))
            continue
        if name in ID_FILTERS:
            condition = _id_filter(name, table, number)
            if name == "call_id":
                params[f"filter_{number}_traces"] = [value.partition(":")[0] for value in values]
        else:
            sql = expression(scope, name, table, params, own)
            condition = None if sql is None else f"{sql} IN {{filter_{number}:Array(String)}}"
            if name == "experiment" and condition and any(values):
                condition = f"({condition} OR hasAny(mapKeys(c.tags), {{filter_{number}_around:Array(String)}}))"
                params[f"filter_{number}_around"] = [AROUND + value for value in values if value]
        if condition is None:
            return None
        params[f"filter_{number}"] = list(values)
        conditions.append(condition)
    return " AND ".join(conditions) or "1"


def _id_filter(name: str, table: Table, number: int) -> str | None:
    values = f"{{filter_{number}:Array(String)}}"
    if name == "trace_id":
        return None if table == "rollup" else f"c.trace_id IN {values}"
    if table != "calls":
        return None
    if name == "response_id":
        return f"c.response_id IN {values}"
    return f"c.trace_id IN {{filter_{number}_traces:Array(String)}} AND c.call_id IN {values}"
