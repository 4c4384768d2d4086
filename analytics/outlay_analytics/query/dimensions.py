"""By what: a dimension is a name of the interface with one SQL expression per table that knows it.

Columns are always named with their table's alias (`c.model`): ClickHouse prefers an alias of the SELECT, `… AS model`,
to a column of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from outlay_analytics.query.errors import SHOWN, BadRequest

Table = Literal["calls", "rollup", "lookups"]

MAX_GROUPS = 8


@dataclass(frozen=True)
class Dimension:
    """SQL expressions, text except where said, that give a dimension's value; None where the table does not know it.

    `calls AS c`, `rollup AS h` (spend_hourly, latency_hours, their days) and `lookups AS c` are tables; `$tier(…)`
    stands for the expression that classifies a model.
    """

    calls: str
    rollup: str | None = None
    lookups: str | None = None
    number: bool = False


def _calls(column: str) -> Dimension:
    return Dimension(f"c.{column}")


def _records(column: str) -> Dimension:
    """What calls and lookups say, and the rollups do not."""
    return Dimension(f"c.{column}", lookups=f"c.{column}")


def _rolled(column: str) -> Dimension:
    """What calls and rollups say, and lookups do not."""
    return Dimension(f"c.{column}", f"h.{column}")


def _all(column: str) -> Dimension:
    return Dimension(f"c.{column}", f"h.{column}", f"c.{column}")


DIMENSIONS: Mapping[str, Dimension] = {
    "feature": _all("feature"),
    "team": _all("team"),
    "customer": _records("customer"),
    "user": _records("`user`"),
    "session": _records("session"),
    "environment": _all("environment"),
    "service": _all("service"),
    "provider": _all("provider"),
    "model": _all("model"),
    "request_model": _calls("request_model"),
    "model_tier": Dimension("$tier(c.model)", "$tier(h.model)", "$tier(c.model)"),
    "service_tier": _calls("service_tier"),
    "operation": _rolled("operation"),
    "task": _records("task"),
    "prompt": _records("prompt"),
    "prompt_version": _records("prompt_version"),
    "cascade": Dimension("c.cascade_name", "h.cascade"),
    "cascade_tier": Dimension(
        "ifNull(toString(c.cascade_tier), '')", "if(h.cascade_tier < 0, '', toString(h.cascade_tier))", number=True
    ),
    "route_tier": _calls("route_tier"),
    "cache": Dimension("c.cache_kind", lookups="c.kind"),
    "experiment": _calls("experiment"),
    "arm": _calls("arm"),
    "cost_state": _rolled("cost_state"),
    "status": _rolled("status"),
    "dialect": _calls("dialect"),
}
NOT_ANSWERS = "('embeddings', 'rerank')"  # operations of calls that no text comes back from


def check_dimension(name: str, where: str) -> None:
    """Refuse a name that is no dimension.

    Raises:
        BadRequest: Naming it and what is allowed.
    """
    if name not in DIMENSIONS and tag_key(name) is None:
        allowed = ", ".join(DIMENSIONS)
        raise BadRequest(f"{where}: {name[:SHOWN]!r} is not a dimension; allowed: {allowed}, tag.<key>")


def tag_key(name: str) -> str | None:
    """`plan` of `tag.plan`, None for another dimension."""
    return name[4:] if name.startswith("tag.") and len(name) > 4 else None


def check_groups(names: Sequence[str]) -> tuple[str, ...]:
    """The dimensions of a `group_by`, checked.

    Raises:
        BadRequest: For an unknown dimension, one given twice, or more than 8.
    """
    for name in names:
        check_dimension(name, "group_by")
    if len(set(names)) < len(names):
        raise BadRequest(f"group_by names a dimension twice: {', '.join(names)[:SHOWN]}")
    if len(names) > MAX_GROUPS:
        raise BadRequest(f"group_by takes at most {MAX_GROUPS} dimensions, not {len(names)}")
    return tuple(names)


def dimension_value(name: str, text: str) -> str | int | None:
    """A dimension's value as shown: None where it is unknown, a number where it is one."""
    if not text:
        return None
    return int(text) if name in DIMENSIONS and DIMENSIONS[name].number else text
