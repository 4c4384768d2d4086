"""Bound what an answer reads: of each dimension the largest values apart, all others as one that is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from outlay_analytics.query.groups import Groups
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.spend_source import Source, spend_source
from outlay_collector.store import Store, load_sql


@dataclass(frozen=True)
class Kept:
    """Values that stay apart.

    Attributes:
        keys: The columns of a source that hold the value (`d0`; or `d5` and `d6`, a provider's model).
        ids: Hashes of the values (see `Groups.id`); None keeps all.
    """

    keys: tuple[str, ...]
    ids: Sequence[int] | None


def largest(
    store: Store, scopes: Sequence[Scope], dimensions: Sequence[tuple[str, ...]], most: int
) -> list[list[int] | None]:
    """Ids of the values that cost most in any of some windows; None for a dimension that has not more than `most`.

    The windows take turns, so that what was large in only one of them is among the values. All dimensions of a window
    are read at once.

    Args:
        dimensions: The names that make a value together, such as `(("feature",), ("provider", "model"))`.
    """
    found: list[list[list[int]]] = [[] for _ in dimensions]
    for scope in scopes:
        for number, ids in _rankings(store, scope, dimensions, most + 1).items():
            found[number].append(ids)
    return [_turns(rankings, most) for rankings in found]


def _rankings(store: Store, scope: Scope, dimensions: Sequence[tuple[str, ...]], most: int) -> dict[int, list[int]]:
    """Ids of the values of each dimension, largest first."""
    source = spend_source(store, scope, [name for names in dimensions for name in names])
    keys = iter(source.keys[1:])
    sets = [tuple(next(keys) for _ in names) for names in dimensions]
    of = [f"grouping({own[0]}) = 0" for own in sets]
    sql = load_sql(
        "outlay_analytics.query.sql",
        "folded_largest",
        source=source.sql,
        sets=", ".join(f"({', '.join(own)})" for own in sets),
        which=_chosen([(one, f"toUInt8({number})") for number, one in enumerate(of)]),
        id=_chosen([(one, Groups(("time", *own)).id) for one, own in zip(of, sets, strict=True)]),
        most=str(most),
    )
    return {row["which"]: list(row["ids"]) for row in store.query(sql, source.params)}


def _chosen(cases: Sequence[tuple[str, str]]) -> str:
    """SQL of the value of the first condition that holds; one of them does."""
    if len(cases) == 1:
        return cases[0][1]
    parts = [part for case in cases[:-1] for part in case]
    return f"multiIf({', '.join((*parts, cases[-1][1]))})"


def _turns(rankings: Sequence[Sequence[int]], most: int) -> list[int] | None:
    if len({one for ranking in rankings for one in ranking}) <= most:
        return None
    turns = (one for turn in zip_longest(*rankings) for one in turn if one is not None)
    return list(dict.fromkeys(turns))[:most]


def folded(source: Source, kept: Sequence[Kept]) -> Source:
    """The source with all values that are not kept emptied, and `rest`: bit n is set where the n-th were."""
    rest, empty, params = ["0"], [], dict(source.params)
    for number, one in enumerate(kept):
        if one.ids is None:
            continue
        params[f"kept_{number}"] = list(one.ids)
        rest.append(f"{1 << number} * ({Groups(('time', *one.keys)).id} NOT IN {{kept_{number}:Array(UInt128)}})")
        empty += [f"if(bitTest(rest, {number}), '', {key}) AS {key}" for key in one.keys]
    replaced = f"REPLACE ({', '.join(empty)})" if empty else ""
    sql = load_sql("outlay_analytics.query.sql", "folded", source=source.sql, rest=" + ".join(rest), replaced=replaced)
    return Source(sql, params, source.keys)
