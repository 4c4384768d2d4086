"""Groups of an answer, however many there are: the largest by themselves, all others as one remainder that adds up.

A group is known by a hash of its values, so that a statement can say which ones are shown without naming them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.spend_source import Source
from outlay_collector.store import Store, load_sql

MAX_GROUPS = 1000
MAX_ROWS = 20_000
TIE_LETTERS = 40


@dataclass(frozen=True)
class Groups:
    """SQL of what rows are grouped by.

    Attributes:
        keys: `time` and `d0`, `d1` …
        by_time: Whether one group at two times counts as two: a page of rows may show one of them.
    """

    keys: tuple[str, ...]
    by_time: bool = False
    dimensions: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dimensions", self.keys[1:])

    @property
    def id(self) -> str:
        """What tells groups apart (UInt128)."""
        told = self.keys if self.by_time else self.dimensions
        return f"reinterpretAsUInt128(sipHash128({_texts(told)}))" if told else "toUInt128(0)"

    @property
    def tie(self) -> str:
        """The order of groups of the same size: by name, unique, of bounded length."""
        if not self.dimensions:
            return "''"
        names = f"leftUTF8(concatWithSeparator('\\x1f', {', '.join(self.dimensions)}), {TIE_LETTERS})"
        return f"concat({names}, '\\x1f', hex(sipHash128({_texts(self.dimensions)})))"

    def shown(self, source: str) -> str:
        """`source` with `is_rest` and the keys of all groups that {shown:Array(UInt128)} does not name emptied."""
        empty = [f"if(is_rest, '', {name}) AS {name}" for name in self.dimensions]
        if self.by_time:
            empty.append("if(is_rest, toDateTime(0, 'UTC'), time) AS time")
        together = ", ".join(empty)
        return load_sql("outlay_analytics.questions.sql", "spend_shown", source=source, id=self.id, together=together)


def _texts(names: Sequence[str]) -> str:
    return ", ".join(f"toString({name})" for name in names)


@dataclass(frozen=True)
class Look:
    """What a quick look at a window says of its groups: `groups` is exact where they are few, else about right."""

    groups: int
    steps: int


def look_at(store: Store, source: Source) -> Look:
    """How many groups a source has, and how many steps; it need not be exact, since this only decides what to read."""
    dimensions = ", ".join(source.keys[1:])
    sql = load_sql("outlay_analytics.query.sql", "groups_look", source=source.sql, dimensions=dimensions)
    row = store.query(sql, source.params)[0]
    return Look(row["groups"], row["steps"])


def top_groups(store: Store, source: Source, limit: int, rank: str) -> list[int]:
    """Ids of a source's largest groups, at most `limit` and one more."""
    groups = Groups(source.keys)
    dimensions = ", ".join(groups.dimensions)
    sql = load_sql(
        "outlay_analytics.query.sql",
        "groups_top",
        source=source.sql,
        dimensions=dimensions,
        id=groups.id,
        rank=rank,
    )
    return [row["id"] for row in store.query(sql, {**source.params, "max_rows": limit + 1})]


def check_steps(interval: str, *counts: int) -> int:
    """The largest of several numbers of steps.

    Raises:
        BadRequest: If it is more than an answer may have.
    """
    if max(counts) > MAX_ROWS:
        raise BadRequest(f"interval={interval} has more than {MAX_ROWS} steps in this window; choose a longer one")
    return max(counts)


def fitting(limit: int, steps: int, max_rows: int = MAX_ROWS) -> int:
    """How many groups may be shown, so that they, the remainder and the total are at most `max_rows` rows."""
    return max(1, min(limit, max_rows // max(steps, 1) - 1))


def chosen(*rankings: Sequence[int], limit: int) -> list[int]:
    """The first `limit` ids of several rankings, those of the first before those of the second."""
    return list(dict.fromkeys(one for ranking in rankings for one in ranking))[:limit]
