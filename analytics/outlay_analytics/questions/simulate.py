"""What a window's calls would have cost if something had been otherwise: changes on real traffic, one after the other.

A scenario is a sum of branches, each with a weight, a model per call and token counts::

    scenario = Σ weight × cost of the calls as the branch has them

A discount scales weights; a batch share splits each branch in two; a cascade makes two of each, the second with the
escalation rate as its weight; the others change the calls of every branch. What no change concerns keeps the cost that
it has, so that no change at all gives the actual cost to the last digit. What is concerned is priced by `price.sql` as
any call: with the list in force when it started, or at today's prices once its model is another one; calls that the
same rates hold for are added up before (`prices/alike.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.changes import Change, ShorterPrompt
from outlay_analytics.questions.scenario import SQL, Asked, Branch, Scenario
from outlay_analytics.questions.simulate_quality import measured_quality
from outlay_analytics.questions.simulate_rows import EXACT, added, feature_row, shown
from outlay_collector.prices.alike import EXACT as PRICED_EXACTLY
from outlay_collector.prices.alike import NAMES, price_alike
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Row, Store, load_sql
from outlay_collector.store.client import Writer

MAX_FEATURES = 20_000
TUPLES = f"Array(Tuple({', '.join(['String'] * len(NAMES))}))"


@one_look()
def simulate(
    store: Store,
    book: PriceBook,
    writer: Writer | None,
    scope: Scope,
    changes: Sequence[Change],
    *,
    now: datetime,
    limit: int = 100,
) -> dict[str, Any]:
    """The cost of a scope with some changes made one after the other.

    Args:
        store: Where the calls are.
        book: The prices.
        writer: Looks up names of models that were not seen before; not needed where nothing is changed.
        scope: Window and filters.
        changes: What is otherwise; none gives the actual cost.
        now: The moment whose prices another model is paid at.
        limit: Most features to list, those with the largest actual cost.

    Returns:
        `window`, `currency`, `actual_usd`, `scenario_usd`, `change_usd`, `change_ratio`, both per month, `coverage`,
        `touched_calls`, `rows` by feature (all others as one with `remainder`), `quality` (how the answers of another
        model are scored in the same features, see `simulate_quality`) and `caveats`.

    Raises:
        BadRequest: For a change that concerns no call, a model without a price, too many branches or features.
    """
    if writer is not None:
        book.ensure(writer)
    params: dict[str, Any] = {"project": scope.project, "now": sql_instant(now)}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    source = load_sql(SQL, "simulate_source", filters=filter_sql(scope, "calls", params) or "1")
    params |= {"from": params["start"], "until": sql_instant(max(now, scope.window.end))}
    traffic, parts = _traffic(store, source, changes, params) if changes else ([], [])
    scenario = Scenario(book, [Branch(Decimal(1), source)], traffic, parts, params, named=set(traffic))
    for number, change in enumerate(changes):
        scenario.apply(number, change)
    actual = _actual(store, scope)
    if len(actual) > MAX_FEATURES:
        raise BadRequest(f"this window has more than {MAX_FEATURES} features; filter by some of them")
    weight = sum((branch.weight for branch in scenario.branches if branch.whole), Decimal(0))
    sums = {str(row["value"]): EXACT.multiply(weight, row["cost_usd"]) for row in actual}
    touched: dict[str, int] = defaultdict(int)
    for branch in (one for one in scenario.branches if one.changed):
        assert writer is not None  # something is changed
        counts: dict[str, int] = defaultdict(int)
        for one in _concerned(store, scenario, writer, branch):
            moved = EXACT.multiply(branch.weight, one.usd - (one.actual if branch.whole else 0))
            sums[one.feature] = EXACT.add(sums.get(one.feature, Decimal(0)), moved)
            counts[one.feature] += one.calls
        for feature, calls in counts.items():
            touched[feature] = max(touched[feature], calls)
    per_month = MONTH_DAYS * 86400 / Decimal(scope.window.length.total_seconds()) if scope.window.length else None
    rows = [feature_row(row, sums[str(row["value"])], touched[str(row["value"])], per_month) for row in actual]
    calls, priced = (sum(int(row[name]) for row in actual) for name in ("calls", "priced_calls"))
    whole = added(rows, per_month)
    judged, unknown = measured_quality(store, scope, scenario.swaps)
    caveats = list(dict.fromkeys([*scenario.caveats, *unknown]))
    if priced < calls:
        caveats.append(f"{calls - priced:,} of {calls:,} calls have no known cost and are in neither figure.")
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        **{name: value for name, value in whole.items() if name != "calls"},
        "coverage": {"calls": calls, "priced_calls": priced, "priced_ratio": priced / calls if calls else None},
        "rows": shown(rows, limit, per_month),
        "quality": judged,
        "caveats": caveats,
    }


@dataclass(frozen=True)
class Concerned:
    """Of a feature's calls those that a branch's changes concern: what they cost now, and what they would."""

    feature: str
    calls: int
    actual: Decimal
    usd: Decimal


def _concerned(store: Store, scenario: Scenario, writer: Writer, branch: Branch) -> Iterator[Concerned]:
    """What a branch's changes concern, by feature; a feature may come twice."""
    book, project = scenario.book, scenario.params["project"]
    book.prepare_names(writer, [{"project": project, **asdict(one)} for one in scenario.named])
    source = load_sql(SQL, "simulate_concerned", source=branch.source)
    names = ", ".join(NAMES)
    inexact: set[tuple[str, ...]] = set()
    for alone in ("0", "1"):
        priced = price_alike(book, source, ("feature",), ("sum(old_cost_usd) AS old_usd",), alone=alone)
        sql = load_sql(SQL, "simulate", priced=priced, names=names, exact=PRICED_EXACTLY)
        for row in store.query(sql, scenario.params | {"inexact": sorted(inexact)}):
            scenario.tell(row)
            inexact |= set(row["inexact"])
            yield Concerned(str(row["feature"]), int(row["calls"]), row["old_usd"], row["usd"])
        if not inexact:
            return
        source = f"SELECT * FROM ({source}) WHERE ({names}) IN {{inexact:{TUPLES}}}"


def _traffic(
    store: Store, source: str, changes: Sequence[Change], params: Mapping[str, Any]
) -> tuple[list[Asked], list[str]]:
    """What the calls ask for, and the names of their prompts' parts where a change is about one."""
    reads = any(isinstance(one, ShorterPrompt) and one.part for one in changes)
    parts = "groupUniqArrayArray(100)(mapKeys(prompt_parts))" if reads else "emptyArrayString()"
    rows = store.query(load_sql(SQL, "simulate_models", source=source, parts=parts), params)
    asked = [Asked(**{one.name: str(row[one.name]) for one in fields(Asked)}) for row in rows]
    return asked, sorted({str(part) for row in rows for part in row["parts"]})


def _actual(store: Store, scope: Scope) -> list[Row]:
    source = spend_source(store, scope, ("feature",))
    sql = load_sql(SQL, "showback", source=source.sql)
    return store.query(sql, {**source.params, "max_rows": MAX_FEATURES + 1})
