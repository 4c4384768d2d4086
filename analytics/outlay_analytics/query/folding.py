"""Bound what an answer reads: of each dimension the largest values apart, all others as one that is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from outlay_analytics.query.groups import Groups, top_groups
from outlay_analytics.query.spend_source import Source, spend_source
from outlay_analytics.query.window import Scope
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


def largest(store: Store, scopes: Sequence[Scope], names: Sequence[str], most: int) -> list[int] | None:
    """Ids of the values that cost most in any of some windows; None where there are not more than `most`.

    The windows take turns, so that what was large in only one of them is among the values.
    """
    rankings = [top_groups(store, spend_source(store, scope, names), most, "cost_usd")[0] for scope in scopes]
    if len(set().union(*rankings)) <= most:
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
